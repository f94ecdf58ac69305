"""Reconstruction without learning, tuned as carefully as a network is trained."""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from operator import itemgetter

import numpy as np

from srtools.metrics import psnr
from srtools.tomography.filters import FILTERS
from srtools.tomography.geometry import Geometry, check_batch
from srtools.tomography.parallel_beam import ParallelBeam
from srtools.tomography.total_variation import tv


def sirt(beam: Geometry, sinograms, *, iterations: int) -> np.ndarray:
    """Reconstruct iteratively: project, compare with the measurement, correct.

    Parameters
    ----------
    beam : Geometry
        The scan, for example a `ParallelBeam`.
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals.
    iterations : int
        How often to correct: more is sharper, and noisier.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Non-negative attenuation [1/pixel]; 0 outside the field of view.

    Raises
    ------
    ValueError
        If the sinograms are not of this geometry or not finite, or there are no
        iterations.

    References
    ----------
    .. [1] Gregor & Benson, IEEE Trans. Med. Imaging 27 (2008) 918,
       doi:10.1109/TMI.2008.923696.
    """
    if iterations < 1:
        raise ValueError(f"expected at least one iteration, received {iterations}")
    return deque(_sirt_steps(beam, sinograms, iterations), maxlen=1).pop()


def _sirt_steps(beam, sinograms, iterations):
    """Yield the images after each iteration of SIRT."""
    shape = beam.n_translations, beam.n_angles
    sinograms = check_batch(sinograms, shape, "sinograms")
    seen = beam.field_of_view[:, :, None].astype(np.float32)
    rays, pixels = (
        beam.project(seen[None]),
        beam.backproject(np.ones_like(sinograms[:1])),
    )
    per_ray = np.divide(1, rays, out=np.zeros_like(rays), where=rays > 1e-3)
    per_pixel = np.divide(seen, pixels, out=np.zeros_like(pixels), where=pixels > 1e-3)
    images = np.zeros((len(sinograms), beam.size, beam.size, 1), np.float32)
    for _ in range(iterations):
        residual = per_ray * (sinograms - beam.project(images))
        images = np.maximum(images + per_pixel * beam.backproject(residual), 0)
        yield images


def tune(method: Callable, sinograms, images, **grid: Iterable) -> tuple[dict, float]:
    """Find the parameters with which a method does best on validation data.

    Parameters
    ----------
    method : callable
        ``method(sinograms, **parameters)`` gives images.
    sinograms : array, shape (n, n_translations, n_angles, 1)
    images : array, shape (n, size, size, 1)
        The truth. Never test data.
    **grid : iterables
        Values to try, by the name of the parameter; all combinations are tried.

    Returns
    -------
    parameters : dict
        The best combination.
    score : float
        Its mean PSNR on these data [dB].

    Raises
    ------
    ValueError
        If there is nothing to try, or no combination has a PSNR. One whose PSNR is NaN
        is passed over.
    """
    trials = [
        dict(zip(grid, values, strict=True)) for values in product(*grid.values())
    ]
    scores = [psnr(images, method(sinograms, **trial)).mean() for trial in trials]
    best = _best(scores)
    return trials[best], float(scores[best])


def _best(scores):
    """Index of the largest score that is a number."""
    if np.isnan(scores).all():
        raise ValueError(
            "expected a PSNR for at least one choice of parameters, "
            f"received NaN for all {len(scores)}"
        )
    return int(np.nanargmax(scores))


def tune_fbp(beam: ParallelBeam, sinograms, images) -> dict:
    """Choose filter and cut-off of `ParallelBeam.fbp` on validation data.

    Of each filter it tries seven cut-offs from 0.1 to 1, then those in steps of 0.05
    about the best of them.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry.
    sinograms, images
        Validation data as in `tune`.

    Returns
    -------
    dict
        Keywords for `ParallelBeam.fbp`.
    """
    cutoffs = np.linspace(0.1, 1, 19)
    found = []
    for filter in FILTERS:
        method = partial(beam.fbp, filter=filter)
        best, _ = tune(method, sinograms, images, cutoff=cutoffs[::3])
        near = cutoffs[abs(cutoffs - best["cutoff"]) < 0.14]
        best, score = tune(method, sinograms, images, cutoff=near)
        found.append((score, {"filter": filter, **best}))
    return max(found, key=itemgetter(0))[1]


def tune_sirt(beam: Geometry, sinograms, images, *, at_most: int = 200) -> dict:
    """Choose the number of iterations of `sirt` on validation data.

    Parameters as in `tune_fbp`, errors as in `tune`; `at_most` is the largest number
    tried.

    Returns
    -------
    dict
        Keywords for `sirt`.
    """
    steps = _sirt_steps(beam, sinograms, at_most)
    return {"iterations": 1 + _best([psnr(images, step).mean() for step in steps])}


def tune_tv(beam: Geometry, sinograms, images) -> dict:
    """Choose the weight of `tv` on validation data, to within a tenth.

    It climbs: from 0.5 by factors of 4 as long as the PSNR grows by 0.01 dB, then by
    smaller ones. There is no grid that the best weight could lie outside of.

    Parameters as in `tune_fbp`, errors as in `tune`.

    Returns
    -------
    dict
        Keywords for `tv`.
    """
    scores = {}

    def score(weight):
        if weight not in scores:
            found = tv(beam, sinograms, weight=weight)
            scores[weight] = psnr(images, found).mean()
        return scores[weight]

    best, factor = 0.5, 4.0
    while factor > 1.1:
        near = [best, best * factor, best / factor]
        top = near[_best([score(weight) for weight in near])]
        if top == best or score(top) < score(best) + 0.01:
            factor = factor**0.5
        best = top
    return {"weight": best}
