import numpy as np
import pytest
import tifffile
from skimage import io

from srtools.datasets import crops


def cut(folder):
    return crops(2, 16, rng=np.random.default_rng(0), folder=folder)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_grey_and_coloured_photographs_become_brightness(tmp_path, channels):
    shape = (40, 30) if channels == 1 else (40, 30, channels)
    io.imsave(tmp_path / "a.png", np.full(shape, 51, np.uint8), check_contrast=False)
    found = cut(tmp_path)
    assert found.shape == (2, 16, 16, 1)
    np.testing.assert_allclose(found[:, 8, 8, 0], 0.2, atol=1e-3)


def test_floats_are_brightness_from_0_to_1(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((40, 30), 0.2, np.float32))
    np.testing.assert_allclose(cut(tmp_path)[:, 8, 8, 0], 0.2, atol=1e-3)
    for value in (51, -1, np.nan):
        tifffile.imwrite(tmp_path / "a.tif", np.full((40, 30), value, np.float32))
        with pytest.raises(ValueError, match=r"a\.tif: expected floats from 0 to 1"):
            cut(tmp_path)


def test_black_and_white_photographs_are_taken(tmp_path):
    white = np.ones((40, 30), bool)
    tifffile.imwrite(tmp_path / "a.tif", white, photometric="minisblack")
    np.testing.assert_allclose(cut(tmp_path)[:, 8, 8, 0], 1, atol=1e-3)


@pytest.mark.parametrize("shape", [(5, 40, 30), (40, 30, 2), (2, 40, 30, 3)])
def test_what_is_no_photograph_is_refused(tmp_path, shape):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros(shape, np.uint8), photometric="minisblack"
    )
    with pytest.raises(
        ValueError, match=r"a\.tif: expected a grey or RGB image.*found"
    ):
        cut(tmp_path)
