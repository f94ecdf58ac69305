"""How near are images to the truth?

The structural similarity is that of scikit-image, with shapes and ranges fixed once.
The PSNR is one line, for all images at once: tuning asks for it thousands of times.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from skimage.metrics import structural_similarity

from srtools.metrics.table import Table


class Score(NamedTuple):
    """How well a method does on a batch of images: PSNR [dB] and SSIM, on average."""

    psnr: float
    ssim: float


def compare(truth, found: Mapping[str, Any], data_range: float | None = 1.0) -> Table:
    """Score several methods on the same images, side by side.

    Parameters
    ----------
    truth : array, shape (n, height, width, 1)
        The references.
    found : mapping of str to arrays of the same shape
        The images of each method, by its name.
    data_range : float or None
        As in `psnr`.

    Returns
    -------
    Table
        A `Score` for each method: ``compare(truth, found)["FBP"].psnr``.

    Raises
    ------
    ValueError
        As `psnr`.
    """
    scores = {
        name: Score(
            float(psnr(truth, images, data_range).mean()),
            float(ssim(truth, images, data_range).mean()),
        )
        for name, images in found.items()
    }
    return Table(scores, {"PSNR [dB]": ".2f", "SSIM": ".3f"})


def psnr(truth, image, data_range: float | None = 1.0) -> np.ndarray:
    """Peak signal-to-noise ratio of each image of a batch.

    Parameters
    ----------
    truth, image : array, shape (n, height, width, 1)
        The references and what is compared with them.
    data_range : float or None
        The peak. None takes max - min of each truth, as the ellipses benchmark does.

    Returns
    -------
    array, shape (n,)
        Decibels; larger is better.

    Raises
    ------
    ValueError
        If the shapes differ or are not (n, height, width, 1), there is no image, or a
        truth that gives the peak is constant.
    """
    truth, image = _pairs(truth, image)
    peak = data_range or np.array([_range(one) for one in truth])
    error = ((truth - image) ** 2).reshape(len(truth), -1).mean(1, dtype=float)
    return 10 * np.log10(peak**2 / error)


def ssim(truth, image, data_range: float | None = 1.0) -> np.ndarray:
    """Structural similarity of each image of a batch.

    Parameters and errors as in `psnr`.

    Returns
    -------
    array, shape (n,)
        At most 1, which identical images reach.

    References
    ----------
    .. [1] Wang et al., "Image quality assessment: from error visibility to
       structural similarity", IEEE Trans. Image Process. 13 (2004) 600,
       doi:10.1109/TIP.2003.819861.
    """
    return np.array(
        [
            structural_similarity(t, i, data_range=data_range or _range(t))
            for t, i in zip(*_pairs(truth, image), strict=True)
        ]
    )


def _range(truth):
    """Largest minus smallest value."""
    if not (span := float(np.ptp(truth))):
        raise ValueError(
            f"expected a truth whose range is the peak, received {truth.flat[0]:.3g} "
            "everywhere: give `data_range`"
        )
    return span


def _pairs(truth, image):
    truth, image = np.asarray(truth, np.float32), np.asarray(image, np.float32)
    if truth.shape != image.shape or truth.ndim != 4 or truth.shape[-1] != 1:
        raise ValueError(
            "expected two batches of the same shape (n, height, width, 1), "
            f"received {truth.shape} and {image.shape}"
        )
    if not len(truth):
        raise ValueError("expected at least one image, received none")
    return truth[..., 0], image[..., 0]
