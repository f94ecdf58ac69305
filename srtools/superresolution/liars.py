"""Guides that lie: shifted, or with something in them that is not there."""

import numpy as np
from scipy import ndimage

from srtools.superresolution.batches import check_maps, sides_of


def shift(guide, pixels: tuple[float, float]) -> np.ndarray:
    """Shift guides by linear interpolation; what comes in from outside is 0.

    Parameters
    ----------
    guide : array, shape (n, height, width, 1)
    pixels : (float, float)
        Along rows and columns.

    Returns
    -------
    float32 array, shape (n, height, width, 1)
    """
    guide = check_maps(guide, sides_of(guide), "guide")
    return ndimage.shift(guide, (0, *pixels, 0), order=1)


def draw_disc(
    guide, *, radius: float = 6.0, grey: float = 0.9, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a disc that is not in the object into each guide, somewhere in the tube.

    Parameters
    ----------
    guide : array, shape (n, size, size, 1)
    radius : float
        Of the disc [pixels].
    grey : float
        What the disc shows; the guide keeps its noise, and its finest lines, there.
    rng : numpy.random.Generator
        Of the places.

    Returns
    -------
    guide : float32 array, shape (n, size, size, 1)
    region : bool array, shape (n, size, size, 1)
        The disc's pixels.
    """
    guide = check_maps(guide, sides_of(guide), "guide")
    height, width = guide.shape[1:3]
    reach = 0.7 * min(height, width) / 2
    row, column = np.mgrid[:height, :width]
    region = np.empty((len(guide), height, width, 1), bool)
    for i in range(len(guide)):
        angle, away = rng.uniform(0, 2 * np.pi), reach * np.sqrt(rng.random())
        centre = (height - 1) / 2 + away * np.sin(angle)
        middle = (width - 1) / 2 + away * np.cos(angle)
        region[i, ..., 0] = np.hypot(row - centre, column - middle) <= radius
    smooth = ndimage.uniform_filter(guide, (0, 3, 3, 0))
    return np.where(region, grey + guide - smooth, guide), region
