"""How good is a reconstruction, a denoised image or a segmentation?

Thin over scikit-image and scikit-learn; here only to fix shapes and ranges once.
"""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def _pairs(truth, image):
    truth, image = np.asarray(truth, np.float32), np.asarray(image, np.float32)
    if truth.shape != image.shape or truth.ndim != 4 or truth.shape[-1] != 1:
        raise ValueError(
            "expected two batches of the same shape (n, height, width, 1), "
            f"received {truth.shape} and {image.shape}"
        )
    return zip(truth[..., 0], image[..., 0], strict=True)


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
        If the shapes differ or are not (n, height, width, 1).
    """
    return np.array(
        [
            peak_signal_noise_ratio(t, i, data_range=data_range or float(np.ptp(t)))
            for t, i in _pairs(truth, image)
        ]
    )


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
            structural_similarity(t, i, data_range=data_range or float(np.ptp(t)))
            for t, i in _pairs(truth, image)
        ]
    )


def dice(truth, labels) -> float:
    r"""Overlap of two sets of pixels, the Dice coefficient, also called F1.

    .. math:: 2 \, |A \cap B| \, / \, (|A| + |B|)

    Parameters
    ----------
    truth, labels : arrays of one shape
        Nonzero, or True, in the set.

    Returns
    -------
    float
        From 0, no pixel in common, to 1, all; 1 for two empty sets. The intersection
        over union is ``dice / (2 - dice)``.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, labels = np.asarray(truth, bool), np.asarray(labels, bool)
    if truth.shape != labels.shape:
        raise ValueError(
            f"expected arrays of one shape, received {truth.shape} and {labels.shape}"
        )
    both, each = (truth & labels).sum(), truth.sum() + labels.sum()
    return float(2 * both / each) if each else 1.0


def calibration(
    truth, probabilities, n_bins: int = 10
) -> tuple[np.ndarray, np.ndarray, float]:
    """Compare stated probabilities with how often they come true.

    Parameters
    ----------
    truth : array
        Nonzero, or True, where the class is.
    probabilities : array of the same shape
        From 0 to 1.
    n_bins : int
        Equal intervals of probability.

    Returns
    -------
    stated, observed : arrays, shape (n_bins,)
        Mean probability and share of the class in each interval; NaN where it is empty.
    error : float
        Expected calibration error: mean of ``|stated - observed|``, each interval
        weighted by its pixels.

    Raises
    ------
    ValueError
        If the shapes differ or a probability is not from 0 to 1.

    References
    ----------
    .. [1] Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using
       Bayesian binning", AAAI 2015, doi:10.1609/aaai.v29i1.9602.
    """
    truth = np.asarray(truth, bool).ravel()
    stated = np.asarray(probabilities, np.float64).ravel()
    if truth.shape != stated.shape:
        raise ValueError(
            f"expected arrays of one shape, received {np.shape(truth)} and "
            f"{np.shape(probabilities)}"
        )
    if not ((stated >= 0) & (stated <= 1)).all():
        raise ValueError("expected probabilities from 0 to 1")
    bins = np.minimum((stated * n_bins).astype(int), n_bins - 1)
    pixels = np.bincount(bins, minlength=n_bins)
    sums = [np.bincount(bins, weights=w, minlength=n_bins) for w in (stated, truth)]
    error = np.abs(sums[0] - sums[1]).sum() / pixels.sum()
    with np.errstate(invalid="ignore"):
        return sums[0] / pixels, sums[1] / pixels, float(error)
