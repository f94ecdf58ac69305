import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from srtools.models import CVAE, fbp_unet, unet
from srtools.plotting import draw_model, show, show_history
from srtools.tomography import ParallelBeam

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


def test_the_bar_of_differences_says_what_was_taken_away():
    truth, other = np.eye(4), np.zeros((4, 4))
    named = show([other, truth], ["FBP", "all views"], truth=truth)
    assert [axis.get_ylabel() for axis in named.axes][-1] == "minus all views"
    for titles in (None, ["FBP"]):
        figure = show([other], titles, truth=truth)
        assert [axis.get_ylabel() for axis in figure.axes][-1] == "minus truth"


def test_bad_pictures_are_refused():
    with pytest.raises(ValueError, match="at least one picture, received none"):
        show([])
    with pytest.raises(ValueError, match=r"all 2 pictures in one row.*1 columns"):
        show([np.eye(4)] * 2, truth=np.eye(4), columns=1)
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


def drawn(figure):
    """Texts of the boxes, from left to right, and the colours of the arrows."""
    boxes, arrows = [], []
    for text in figure.axes[0].texts:
        if patch := getattr(text, "arrow_patch", None):
            arrows.append(patch.get_edgecolor())
        else:
            boxes.append(text.get_text().split("\n"))
    return boxes, arrows


def test_a_u_net_is_drawn_as_its_boxes_with_an_arrow_for_each_skip():
    boxes, arrows = drawn(draw_model(unet((8, 16, 1), 2, filters=(4, 6))))
    assert boxes == [
        ["image", "8×16×1"],
        ["2 × conv 3×3", "8×16×4"],
        ["pool 2×2", "2 × conv 3×3", "4×8×6"],
        ["up 2×2, 4", "join", "2 × conv 3×3, 4", "conv 1×1", "8×16×2"],
    ]
    red = matplotlib.colors.to_rgba("tab:red")
    assert len(arrows) == 4 and arrows.count(red) == 1


def test_equal_grids_stand_in_one_row_and_models_inside_are_opened():
    beam = ParallelBeam(8, np.arange(0, 180, 45.0))
    figure = draw_model(fbp_unet(beam, filters=(4, 6)))
    boxes, arrows = drawn(figure)
    assert boxes[0] == ["sinogram", "8×4×1"] and boxes[1] == ["FBP", "8×8×1"]
    assert boxes[-1][-2:] == ["add", "8×8×1"]
    red = matplotlib.colors.to_rgba("tab:red")
    assert arrows.count(red) == 2  # the skip, and FBP to the sum
    places = {}
    for text in figure.axes[0].texts:
        if not getattr(text, "arrow_patch", None):
            grid = text.get_text().split("\n")[-1].rsplit("×", 1)[0]
            places.setdefault(grid, set()).add(text.get_position()[1])
    assert list(places) == ["8×4", "8×8", "4×4"]
    assert [len(rows) for rows in places.values()] == [1, 1, 1]


def test_a_model_that_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"known sides, received \[\(None, None, 1\)"):
        draw_model(unet((None, None, 1)))
    with pytest.raises(ValueError, match="functional model, received a CVAE"):
        draw_model(CVAE(2, (8, 8, 1)))


def test_a_missing_value_does_not_take_the_grey_scale_away():
    image = np.full((4, 4), 2.0)
    image[0, 0], image[1, 1] = np.nan, 0
    figure = show([image], truth=np.zeros((4, 4)))
    drawn = figure.axes[0].images[0]
    assert show([image]).axes[0].images[0].get_clim() == (0, 2)
    assert figure.axes[1].images[0].get_clim() == (-2, 2) and drawn is not None
