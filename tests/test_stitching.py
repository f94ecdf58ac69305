import numpy as np
import pytest

from srtools.segmentation.stitching import TIFF_TILE, tiles_along, to_tiff_tiles


@pytest.mark.parametrize("blend", ["hann", "crop", "none"])
def test_weights_of_the_tiles_add_up_to_one(blend):
    total = np.zeros(37)
    for start, weights in zip(*tiles_along(37, 8, 3, blend), strict=True):
        total[start : start + 8] += weights
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_rows_of_any_height_become_tiles_filled_up_with_zeros():
    image = np.random.default_rng(0).random((50, 300))
    rows = np.split(image, [7, 8, 41])
    tiles = list(to_tiff_tiles(rows, 16, 300))
    assert {tile.shape for tile in tiles} == {(16, TIFF_TILE)}
    grid = np.block([tiles[k : k + 2] for k in range(0, len(tiles), 2)])
    np.testing.assert_array_equal(grid[:50, :300], image)
    assert not grid[50:].any() and not grid[:, 300:].any()
