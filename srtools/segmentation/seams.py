"""Seams: what the borders of tiles add to the error of a prediction."""

import numpy as np

from srtools.segmentation.tiles import tile_starts


def seam_error(
    truth,
    prediction,
    *,
    patch_shape: tuple[int, int],
    overlap: int = 0,
    margin: int = 2,
) -> tuple[float, float]:
    """Measure the error at the borders of tiles against that in their interior.

    Parameters
    ----------
    truth, prediction : arrays, shape (height, width)
        Probabilities or labels. As the truth, the prediction for the whole image at
        once leaves seams as the only error.
    patch_shape, overlap : (int, int), int
        The grid of tiles: borders are midway in the overlap. To compare several ways of
        blending, keep to one grid.
    margin : int
        Pixels on each side of a border that count as the border.

    Returns
    -------
    border, interior : float
        Mean absolute error of each.

    Raises
    ------
    ValueError
        If the shapes differ, or nothing is left of the border or of the interior.
    """
    truth, prediction = (np.asarray(a, np.float64) for a in (truth, prediction))
    if prediction.shape != truth.shape or truth.ndim != 2:
        raise ValueError(
            f"expected two images of one size, received {truth.shape} and "
            f"{prediction.shape}"
        )
    near = np.zeros(truth.shape, bool)
    for axis, (length, tile) in enumerate(zip(truth.shape, patch_shape, strict=True)):
        starts = tile_starts(length, tile, tile - overlap)
        for cut in (starts[1:] + starts[:-1] + tile) // 2:
            lines = slice(max(cut - margin, 0), cut + margin)
            near[(slice(None),) * axis + (lines,)] = True
    if near.all() or not near.any():
        raise ValueError(
            f"expected borders and interior, received patches of {tuple(patch_shape)} "
            f"and a margin of {margin} for an image of {truth.shape}"
        )
    error = np.abs(prediction - truth)
    return float(error[near].mean()), float(error[~near].mean())
