"""Reconstruction without learning, tuned as carefully as a network is trained."""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import product

import numpy as np
from skimage.restoration import denoise_tv_chambolle

from srtools.metrics import psnr
from srtools.tomography.filters import FILTERS
from srtools.tomography.parallel_beam import ParallelBeam


def sirt(beam: ParallelBeam, sinograms, *, iterations: int) -> np.ndarray:
    """Reconstruct iteratively: project, compare with the measurement, correct.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry.
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
    sinograms = beam.check_sinograms(sinograms)
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


def tv(
    beam: ParallelBeam, sinograms, *, weight: float, iterations: int = 50
) -> np.ndarray:
    r"""Reconstruct the image of few edges that explains the measurement.

    Minimises :math:`\frac{1}{2} \|A x - y\|^2 / \|A\|^2 + w \, TV(x)` over
    :math:`x \ge 0` by FISTA. The proximal step is scikit-image's
    `skimage.restoration.denoise_tv_chambolle`.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry.
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals.
    weight : float
        How much edges cost: larger is smoother. It has the unit of the image.
    iterations : int
        Steps of FISTA.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Non-negative attenuation [1/pixel]; 0 outside the field of view.

    Raises
    ------
    ValueError
        If the sinograms are not of this geometry or not finite, or the weight is not
        positive.

    References
    ----------
    .. [1] Rudin, Osher, Fatemi, Physica D 60 (1992) 259,
       doi:10.1016/0167-2789(92)90242-F.
    .. [2] Beck & Teboulle, IEEE Trans. Image Process. 18 (2009) 2419,
       doi:10.1109/TIP.2009.2028250.
    """
    if not weight > 0:
        raise ValueError(f"expected a positive weight, received {weight}")
    sinograms = beam.check_sinograms(sinograms)
    seen = beam.field_of_view[:, :, None]
    step = 1 / beam.norm**2
    images = ahead = np.zeros((len(sinograms), beam.size, beam.size, 1), np.float32)
    momentum = 1.0
    for _ in range(iterations):
        downhill = beam.backproject(sinograms - beam.project(ahead))
        previous, images = images, np.empty_like(images)
        for image, moved in zip(images, ahead + step * downhill, strict=True):
            smooth = denoise_tv_chambolle(moved[..., 0], weight, max_num_iter=20)
            image[..., 0] = smooth
        images = np.maximum(images, 0) * seen
        slower, momentum = momentum, (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = images + np.float32((slower - 1) / momentum) * (images - previous)
    return images


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
    """
    trials = [
        dict(zip(grid, values, strict=True)) for values in product(*grid.values())
    ]
    scores = [psnr(images, method(sinograms, **trial)).mean() for trial in trials]
    best = int(np.argmax(scores))
    return trials[best], float(scores[best])


def tune_fbp(beam: ParallelBeam, sinograms, images) -> dict:
    """Choose filter and cut-off of `ParallelBeam.fbp` on validation data.

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
    return tune(beam.fbp, sinograms, images, filter=FILTERS, cutoff=cutoffs)[0]


def tune_sirt(beam: ParallelBeam, sinograms, images, *, at_most: int = 200) -> dict:
    """Choose the number of iterations of `sirt` on validation data.

    Parameters as in `tune_fbp`; `at_most` is the largest number tried.

    Returns
    -------
    dict
        Keywords for `sirt`.
    """
    steps = _sirt_steps(beam, sinograms, at_most)
    scores = [psnr(images, step).mean() for step in steps]
    return {"iterations": int(np.argmax(scores)) + 1}


def tune_tv(beam: ParallelBeam, sinograms, images, *, iterations: int = 50) -> dict:
    """Choose the weight of `tv` on validation data.

    Parameters as in `tune_fbp`; `iterations` as in `tv`.

    Returns
    -------
    dict
        Keywords for `tv`.
    """

    def method(sinograms, weight):
        return tv(beam, sinograms, weight=weight, iterations=iterations)

    coarse = tune(method, sinograms, images, weight=np.geomspace(1e-4, 1e-1, 7))[0]
    near = coarse["weight"] * np.geomspace(0.5, 2, 5)
    return tune(method, sinograms, images, weight=near)[0] | {"iterations": iterations}
