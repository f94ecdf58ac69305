"""Where the samples of a finer grid lie, and what each takes from its neighbours."""

from typing import NamedTuple

import numpy as np


class Polyphase(NamedTuple):
    """Interpolation onto a finer grid as a few short filters, for one axis.

    Attributes
    ----------
    weights : float64 array, shape (factor, 5)
        Fine sample ``factor * i + phase`` is the sum of the coarse samples ``i - 2`` to
        ``i + 2``, each times its weight. Each row adds up to 1.
    padding : {"symmetric", "reflect"}
        How two samples are put before the first and behind the last, as in `numpy.pad`.
    beyond : int
        How many of the ``factor * n`` fine samples lie past the last coarse one, and
        are no part of the grid.
    """

    weights: np.ndarray
    padding: str
    beyond: int


def bicubic(factor: int, grid: str = "pixels") -> Polyphase:
    """Return the filters of cubic interpolation from a coarse grid to a fine one.

    Parameters
    ----------
    factor : int
        How many times finer.
    grid : {"pixels", "corners"}
        What both grids share. ``"pixels"``: the edges; each coarse pixel is cut into
        ``factor``, n become ``factor * n``, and fine sample j lies at
        ``(j + 1/2) / factor - 1/2``. ``"corners"``: the centres of the outermost
        pixels; n become ``factor * (n - 1) + 1``, and fine sample j lies at
        ``j / factor``.

    Returns
    -------
    Polyphase

    Raises
    ------
    ValueError
        If the factor is no whole number from 2 on, or the grid is not one of those.

    References
    ----------
    .. [1] Keys, "Cubic convolution interpolation for digital image processing", IEEE
       Trans. Acoust. Speech Signal Process. 29 (1981) 1153,
       doi:10.1109/TASSP.1981.1163711.
    """
    if factor != int(factor) or factor < 2:
        raise ValueError(f"expected a factor of 2, 3 or more, received {factor}")
    if grid not in ("pixels", "corners"):
        raise ValueError(f"expected the grid 'pixels' or 'corners', received {grid!r}")
    factor = int(factor)
    shared_edges = grid == "pixels"
    place = np.arange(factor) / factor
    if shared_edges:
        place += 0.5 / factor - 0.5
    away = np.abs(place[:, None] - np.arange(-2, 3))
    near = (1.5 * away - 2.5) * away**2 + 1
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    weights = np.where(away < 1, near, np.where(away < 2, far, 0))
    padding = "symmetric" if shared_edges else "reflect"
    return Polyphase(weights, padding, 0 if shared_edges else factor - 1)
