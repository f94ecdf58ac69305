import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from srtools.plotting import show, show_history

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def pictures(figure):
    return [axis.images[0] for axis in figure.axes if axis.images]


def test_all_images_share_one_grey_scale():
    images = [np.full((4, 6), 2.0), np.full((4, 6, 1), 5.0)]
    drawn = pictures(show(images, ["a", "b"]))
    assert {d.get_clim() for d in drawn} == {(2.0, 5.0)}
    assert {d.get_cmap().name for d in drawn} == {"gray"}


def test_differences_are_centred_on_zero():
    truth = np.zeros((4, 4))
    truth[0, 0] = 1
    figure = show([truth, truth + 0.25, truth - 0.5], truth=truth)
    drawn = pictures(figure)
    assert len(drawn) == 3 + 2  # the truth has no picture of zeros
    assert {d.get_clim() for d in drawn[:3]} == {(0.0, 1.0)}
    assert {d.get_clim() for d in drawn[3:]} == {(-0.5, 0.5)}
    assert np.allclose(drawn[3].get_array(), 0.25)


def test_a_truth_alone_can_be_shown():
    drawn = pictures(show([np.ones((4, 4))], truth=np.ones((4, 4))))
    assert len(drawn) == 1 and np.allclose(drawn[0].get_array(), 1)


def test_bad_pictures_are_refused():
    with pytest.raises(ValueError, match="expected 1 titles, received 2"):
        show([np.zeros((4, 4))], ["a", "b"])
    with pytest.raises(ValueError, match=r"received shape \(2, 4, 4\)"):
        show([np.zeros((2, 4, 4))])


def test_a_history_shows_training_and_validation():
    figure = show_history({"loss": [3, 2, 1], "val_loss": [3, 2, 2]})
    lines = figure.axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[3, 2, 1], [3, 2, 2]]
    assert list(lines[0].get_xdata()) == [1, 2, 3]
    with pytest.raises(KeyError, match="received 'mae'"):
        show_history({"loss": [1]}, "mae")


@pytest.mark.parametrize(
    ("history", "scale"),
    [
        ({"loss": [3, 1]}, "log"),
        ({"loss": [3, 1], "val_loss": [0, -2]}, "linear"),
        ({"loss": [1, -1]}, "linear"),
    ],
)
def test_a_history_hides_no_value_behind_a_logarithm(history, scale):
    assert show_history(history).axes[0].get_yscale() == scale
