"""Filters that take their edges from another image, without asking the scan."""

from itertools import product

import numpy as np
from scipy.ndimage import uniform_filter

from srtools.superresolution.batches import check_guide, check_maps, sides_of


def guided_filter(maps, guide, *, radius: int, eps: float) -> np.ndarray:
    """Smooth maps so that they follow a guide: linear in it, window by window.

    Parameters
    ----------
    maps : array, shape (n, height, width, n_phases)
        On the grid of the guide: enlarge coarse ones with
        `srtools.superresolution.upsample`.
    guide : array, shape (n, height, width, 1)
    radius : int
        Half the window's side, without the pixel in the middle [pixels].
    eps : float
        Variance of the guide in a window that counts as an edge [square of its unit].

    Returns
    -------
    float32 array, shape (n, height, width, n_phases)

    Raises
    ------
    ValueError
        If maps and guide do not fit each other or are not finite, the guide is zero
        throughout, or a number is not positive.

    References
    ----------
    .. [1] He, Sun, Tang, "Guided image filtering", IEEE Trans. Pattern Anal. Mach.
       Intell. 35 (2013) 1397, doi:10.1109/TPAMI.2012.213.
    """
    maps, guide = _pair(maps, guide, radius=radius, eps=eps)
    # An offset of the guide changes nothing but the digits of its squares.
    guide = guide - guide.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    guide = guide.astype(np.float32)

    def mean(images):
        sides = 2 * radius + 1
        return uniform_filter(images, (0, sides, sides, 0), mode="nearest")

    mean_guide, mean_maps = mean(guide), mean(maps)
    variance = mean(guide**2) - mean_guide**2
    slope = (mean(guide * maps) - mean_guide * mean_maps) / (variance + np.float32(eps))
    offset = mean_maps - slope * mean_guide
    return mean(slope) * guide + mean(offset)


def joint_bilateral(
    maps, guide, *, distance: float, difference: float, radius: int = 8
) -> np.ndarray:
    """Average maps over neighbours that look alike in a guide.

    Parameters
    ----------
    maps : array, shape (n, height, width, n_phases)
        On the grid of the guide: enlarge coarse ones with
        `srtools.superresolution.upsample`.
    guide : array, shape (n, height, width, 1)
    distance : float
        Standard deviation of the weight's fall with the distance [pixels].
    difference : float
        Standard deviation of its fall with the difference in the guide [unit of the
        guide].
    radius : int
        Half the side of the neighbourhood [pixels].

    Returns
    -------
    float32 array, shape (n, height, width, n_phases)

    Raises
    ------
    ValueError
        As `guided_filter`.

    References
    ----------
    .. [1] Kopf, Cohen, Lischinski, Uyttendaele, "Joint bilateral upsampling", ACM
       Trans. Graph. 26 (2007) 96, doi:10.1145/1276377.1276497.
    """
    maps, guide = _pair(
        maps, guide, radius=radius, distance=distance, difference=difference
    )
    height, width = maps.shape[1:3]
    edges = [(0, 0), (radius, radius), (radius, radius), (0, 0)]
    wide_maps, wide_guide = np.pad(maps, edges), np.pad(guide, edges)
    inside = np.pad(np.ones((1, height, width, 1), np.float32), edges)
    total, weights = np.zeros_like(maps), np.zeros_like(guide)
    for row, column in product(range(2 * radius + 1), repeat=2):
        here = np.s_[:, row : row + height, column : column + width]
        away = (row - radius) ** 2 + (column - radius) ** 2
        unlike = ((wide_guide[here] - guide) / difference) ** 2
        weight = np.exp(-(away / distance**2 + unlike) / 2) * inside[here]
        total += weight * wide_maps[here]
        weights += weight
    return total / weights


def _pair(maps, guide, **positive):
    """Check maps, guide and numbers."""
    for name, value in positive.items():
        if not value > 0:
            raise ValueError(f"expected a positive {name}, received {value}")
    sides = sides_of(guide)
    maps = check_maps(maps, sides, "maps on the grid of the guide,")
    return maps, check_guide(guide, len(maps), sides)
