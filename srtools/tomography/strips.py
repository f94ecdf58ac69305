"""What a parallel-beam scan multiplies by: the areas that strips and pixels share."""

import numpy as np
from scipy import sparse

# Pairs of a pixel and an angle that are computed at once: few enough for the CPU cache.
_PAIRS = 2**14


def strip_matrix(
    size: int, angles: np.ndarray, n_translations: int, spacing: float, axis: float
) -> sparse.csc_array:
    """Compute the matrix of `ParallelBeam` column by column.

    It is made in little more memory than it takes.

    Parameters
    ----------
    size, n_translations, spacing, axis
        As those of `ParallelBeam`.
    angles : float64 array, shape (n_angles,)
        Directions of the projections [radians].

    Returns
    -------
    float32 csc_array, shape (n_translations * n_angles, size * size)
    """
    # At every angle a pixel meets at most so many strips.
    reach = int(np.ceil(np.sqrt(2) / spacing)) + 1
    n_pixels, n_rays = size**2, n_translations * len(angles)
    most = n_pixels * len(angles) * reach
    weights, rows = np.empty(most, np.float32), np.empty(most, np.int32)
    counts, end = [], 0
    for pixels in np.array_split(np.arange(n_pixels), -(-most // (reach * _PAIRS))):
        side = np.arange(size) - (size - 1) / 2
        x, y = side[pixels % size, None], -side[pixels // size, None]
        weight, row = _strips(x, y, angles, n_translations, spacing, axis, reach)
        kept = weight >= 1e-6  # less is rounding, in strips that only touch
        parts = weight[kept], row[kept], _starts(kept.sum(axis=(1, 2)))
        columns = sparse.csc_array(parts, (n_rays, len(pixels)))
        columns.sort_indices()
        start, end = end, end + columns.nnz
        weights[start:end], rows[start:end] = columns.data, columns.indices
        counts.append(np.diff(columns.indptr))
    parts = weights[:end], rows[:end], _starts(np.concatenate(counts))
    return sparse.csc_array(parts, (n_rays, n_pixels))


def _strips(x, y, angles, n_translations, spacing, axis, reach):
    """Strips that pixels at x, y may meet: entries and rows, (pixel, angle, reach)."""
    cos, sin = np.cos(angles), np.sin(angles)
    place = x * cos + y * sin  # of the pixel on the detector, from the axis
    half = (abs(cos) + abs(sin)) / 2  # half the width of the pixel's shadow
    first = np.floor((place - half) / spacing + axis + 0.5).astype(np.int32)
    shape = (*place.shape, reach)
    weights, rows = np.empty(shape, np.float32), np.empty(shape, np.int32)
    below = 0
    for i in range(reach + 1):
        edge = (first + i - axis - 0.5) * spacing
        before, below = below, _shadow_area_below(edge - place, abs(cos), abs(sin))
        if i:
            strip = first + (i - 1)
            seen = (strip >= 0) & (strip < n_translations)
            weights[:, :, i - 1] = (below - before) / spacing * seen
            rows[:, :, i - 1] = strip * len(angles) + np.arange(len(angles))
    return weights, rows


def _shadow_area_below(u, a, b):
    """Area of a unit pixel whose projection falls below `u`.

    The shadow of the pixel is a trapezium: a box of width `a` blurred by one of `b`.
    """
    a, b = np.maximum(a, 1e-5), np.maximum(b, 1e-5)
    p, q = (a + b) / 2, (a - b) / 2
    # The squares cancel badly far away, and nothing happens beyond the shadow.
    u = np.clip(u, -p, p)
    area = np.square(u + p)
    for c in (q, -q):
        area -= np.square(np.maximum(u + c, 0))
    return area / (2 * a * b)


def _starts(counts):
    """Where each column of a sparse matrix starts, and the last one ends."""
    starts = np.append(0, np.cumsum(counts))
    return starts.astype(np.int32 if starts[-1] < 2**31 else np.int64)
