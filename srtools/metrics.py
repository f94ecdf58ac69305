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
