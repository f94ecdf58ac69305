from xml.etree import ElementTree

import numpy as np
import pytest

from srtools.metrics import Table, calibration, compare, dice, psnr, ssim


@pytest.fixture
def truth():
    return np.random.default_rng(0).random((3, 16, 16, 1))


def test_psnr_follows_its_formula(truth):
    error = np.array([0.1, 0.01, 0.5])[:, None, None, None]
    assert np.allclose(psnr(truth, truth + error), [20, 40, 6.0206], atol=1e-3)
    own = np.ptp(truth, axis=(1, 2, 3))
    expected = 20 * np.log10(own / [0.1, 0.01, 0.5])
    assert np.allclose(psnr(truth, truth + error, data_range=None), expected, atol=1e-3)


def test_ssim_is_one_for_equal_images_and_falls_with_noise(truth):
    assert np.allclose(ssim(truth, truth), 1)
    noise = np.random.default_rng(1).normal(size=truth.shape)
    little, much = ssim(truth, truth + 0.05 * noise), ssim(truth, truth + 0.5 * noise)
    assert (little < 1).all() and (much < little).all()


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_shapes_must_agree(metric, truth):
    with pytest.raises(ValueError, match=r"\(3, 16, 16, 1\) and \(3, 16, 16\)"):
        metric(truth, truth[..., 0])


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_what_has_no_score_is_refused(metric, truth):
    with pytest.raises(ValueError, match="at least one image, received none"):
        metric(truth[:0], truth[:0])
    flat = np.full_like(truth, 0.5)
    with pytest.raises(ValueError, match=r"received 0\.5 everywhere: give"):
        metric(flat, truth, data_range=None)
    assert np.isfinite(metric(flat, truth)).all()


def test_dice_by_hand():
    assert dice([1, 1, 1, 0], [0, 1, 1, 1]) == pytest.approx(2 / 3)
    assert dice([0, 0], [0, 0]) == 1
    assert dice([1, 0], [0, 1]) == 0
    with pytest.raises(ValueError, match=r"one shape, received \(2,\) and \(3,\)"):
        dice([0, 1], [0, 1, 1])


def test_what_nobody_labelled_does_not_count():
    truth, labels = [1, 1, 0, 255, 255], [1, 0, 0, 1, 1]
    assert dice(truth, labels, ignore=255) == pytest.approx(2 / 3)
    assert dice(truth, labels) == pytest.approx(6 / 7)
    chances = [1.0, 1.0, 0.0, 0.0, 0.0]
    assert calibration(truth, chances, ignore=255)[2] == 0
    assert calibration(truth, chances)[2] == pytest.approx(0.4)


def test_calibration_of_a_fair_and_of_a_boastful_forecast():
    rng = np.random.default_rng(0)
    chance = rng.random(200_000)
    happens = rng.random(200_000) < chance
    stated, observed, error = calibration(happens, chance)
    np.testing.assert_allclose(stated, observed, atol=0.01)
    assert error < 0.01
    assert calibration(happens, np.round(chance))[2] == pytest.approx(0.25, abs=0.01)
    with pytest.raises(ValueError, match=r"from 0 to 1, received 0\.5 to 1\.5"):
        calibration([0, 1], [0.5, 1.5])


def test_methods_are_compared_side_by_side(truth):
    noise = np.random.default_rng(1).normal(size=truth.shape)
    found = {"little": truth + 0.1 * noise, "much <noise>": truth + 0.3 * noise}
    scores = compare(truth, found)
    assert list(scores) == ["little", "much <noise>"]
    for name, images in found.items():
        assert scores[name].psnr == pytest.approx(psnr(truth, images).mean())
        assert scores[name].ssim == pytest.approx(ssim(truth, images).mean())
    own = compare(truth, found, data_range=None)
    assert own["little"].psnr == pytest.approx(
        psnr(truth, found["little"], data_range=None).mean()
    )
    with pytest.raises(ValueError, match=r"\(3, 16, 16, 1\) and \(2, 16, 16, 1\)"):
        compare(truth, {"few": truth[:2]})


def test_a_table_shows_what_it_holds_as_text_and_as_html():
    rows = {"FBP": (25.319, 1234567), "TV & more": (-3.0, None), "CNN": ("none", 5)}
    table = Table(rows, {"PSNR [dB]": ".2f", "weights": ","}, "method")
    assert repr(table).splitlines() == [
        "method     PSNR [dB]    weights",
        "FBP            25.32  1,234,567",
        "TV & more      -3.00",
        "CNN             none          5",
    ]
    root = ElementTree.fromstring(table._repr_html_())
    cells = [[cell.text for cell in row] for row in root.iter("tr")]
    assert cells == [
        ["method", "PSNR [dB]", "weights"],
        ["FBP", "25.32", "1,234,567"],
        ["TV & more", "-3.00", None],
        ["CNN", "none", "5"],
    ]
    assert table["FBP"] == (25.319, 1234567) and len(table) == 3


def test_a_table_of_one_column_takes_plain_numbers():
    table = Table({"U-Net": np.float64(0.81234), "all": 0}, {"Dice": ".3f"})
    assert table["U-Net"] == 0.81234
    assert repr(table).split() == ["Dice", "U-Net", "0.812", "all", "0.000"]
    rows = Table({"a": np.array([1.0, 2.0])}, {"x": ".0f", "y": ".0f"})
    assert repr(rows).split() == ["x", "y", "a", "1", "2"]


def test_a_row_with_too_few_values_is_refused():
    with pytest.raises(
        ValueError, match=r"each of \['x', 'y'\], received \[1\] for 'a'"
    ):
        Table({"a": [1]}, {"x": "d", "y": "d"})
