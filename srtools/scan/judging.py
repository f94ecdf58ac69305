"""Judge a reconstruction without a truth: by the measurement itself."""

from collections.abc import Callable, Iterable
from itertools import product

import numpy as np

from srtools.scan.measured import Scan


def held_out(scan: Scan, every: int = 8) -> tuple[Scan, Scan]:
    """Split the views of a scan: one part to reconstruct from, one to judge by.

    Noise differs from view to view, the sample does not. An image that was made of the
    first part and explains the second as well has found the sample; one that has
    fitted the noise of the first part explains the second worse. Judging by views that
    the method has seen, or by an image that was made of them, rewards fitted noise.

    Corrections that the scan already has act on all views together; those that are
    added to the two scans afterwards act on each part alone.

    Parameters
    ----------
    scan : Scan
    every : int
        One view of so many is held out.

    Returns
    -------
    used, held : Scan

    Raises
    ------
    ValueError
        If `every` is less than 2 or more than there are views.
    """
    n = len(scan.angles)
    if not 2 <= every <= n:
        raise ValueError(
            f"expected to hold out one view in 2 to {n}, received every={every}"
        )
    order = np.argsort(scan.angles)
    held = np.zeros(n, bool)
    held[order[every // 2 :: every]] = True
    return scan.views(np.flatnonzero(~held)), scan.views(np.flatnonzero(held))


def misfit(beam, images, sinograms) -> np.ndarray:
    r"""Say what part of a measurement an image does not explain.

    .. math:: \|A x - y\| / \|y\|

    Parameters
    ----------
    beam : ParallelBeam
        The geometry of the sinograms, or anything with its `project`.
    images : array, shape (n, size, size, 1)
        Attenuation [1/pixel].
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals, best of views that the images were not made of.

    Returns
    -------
    float64 array, shape (n,)
        0 for a perfect explanation, 1 for that of an empty image.

    Raises
    ------
    ValueError
        If the numbers of images and sinograms differ, or the shapes do not fit the
        geometry.
    """
    projected, sinograms = beam.project(images), np.asarray(sinograms, np.float32)
    if projected.shape != sinograms.shape:
        raise ValueError(
            f"expected sinograms {projected.shape}, as the images project to, received "
            f"{sinograms.shape}"
        )
    axes = (1, 2, 3)
    left = np.sqrt(np.square(projected - sinograms, dtype=np.float64).sum(axis=axes))
    whole = np.sqrt(np.square(sinograms, dtype=np.float64).sum(axis=axes))
    return left / np.maximum(whole, np.finfo(np.float64).tiny)


def tune_by_views(
    scan: Scan, method: Callable, row: int, *, every: int = 8, **grid: Iterable
) -> tuple[dict, list[float]]:
    """Find the parameters of a method that explain held-out views best.

    This is tuning as a user can do it: no truth is needed, unlike in
    `srtools.tomography.tune`.

    Parameters
    ----------
    scan : Scan
        With its axis.
    method : callable
        ``method(beam, sinograms, **parameters)`` gives images, as
        `srtools.tomography.tv` does.
    row : int
        The detector row to try it on.
    every : int
        As in `held_out`.
    **grid : iterables
        Values to try, by the name of the parameter; all combinations are tried.

    Returns
    -------
    parameters : dict
        The best combination.
    misfits : list of float
        Of every combination, in the order of `itertools.product`.
    """
    used, held = held_out(scan, every)
    seen, unseen = used.sinograms(row), held.sinograms(row)
    beam, judge = used.beam(), held.beam()
    trials = [
        dict(zip(grid, values, strict=True)) for values in product(*grid.values())
    ]
    misfits = [
        float(misfit(judge, method(beam, seen, **trial), unseen)[0]) for trial in trials
    ]
    return trials[int(np.nanargmin(misfits))], misfits
