import numpy as np
import pytest

from srtools.metrics import calibration, dice, psnr, ssim


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


def test_dice_by_hand():
    assert dice([1, 1, 1, 0], [0, 1, 1, 1]) == pytest.approx(2 / 3)
    assert dice([0, 0], [0, 0]) == 1
    assert dice([1, 0], [0, 1]) == 0
    with pytest.raises(ValueError, match=r"one shape, received \(2,\) and \(3,\)"):
        dice([0, 1], [0, 1, 1])


def test_calibration_of_a_fair_and_of_a_boastful_forecast():
    rng = np.random.default_rng(0)
    chance = rng.random(200_000)
    happens = rng.random(200_000) < chance
    stated, observed, error = calibration(happens, chance)
    np.testing.assert_allclose(stated, observed, atol=0.01)
    assert error < 0.01
    assert calibration(happens, np.round(chance))[2] == pytest.approx(0.25, abs=0.01)
    with pytest.raises(ValueError, match="from 0 to 1"):
        calibration([0, 1], [0.5, 1.5])
