"""Classes by their grey levels, and where to cut a probability."""

from itertools import combinations_with_replacement, product

import numpy as np
from skimage.filters import gaussian, threshold_multiotsu, threshold_otsu

from srtools.metrics import dice


def otsu_levels(image, n_thresholds: int, blur: float = 0, *, like=None) -> np.ndarray:
    """Divide the grey values of an image by thresholds that split the histogram best.

    Parameters
    ----------
    image : array, shape (height, width)
    n_thresholds : int
    blur : float
        Standard deviation of a Gaussian filter that comes first [pixels].
    like : array, shape (any, any), optional
        The image whose histogram gives the thresholds; by default the image itself.

    Returns
    -------
    int array, shape (height, width)
        From 0, darkest, to `n_thresholds`; 0 throughout for a constant histogram.

    Raises
    ------
    ValueError
        If the histogram has fewer grey values than there are levels, or is that of an
        image of another type, whose grey values mean something else.

    References
    ----------
    .. [1] Otsu, "A threshold selection method from gray-level histograms", IEEE Trans.
       Syst. Man Cybern. 9 (1979) 62, doi:10.1109/TSMC.1979.4310076.
    .. [2] Liao, Chen, Chung, "A fast algorithm for multilevel thresholding", J. Inf.
       Sci. Eng. 17 (2001) 713, doi:10.6688/JISE.2001.17.5.1.
    """
    image, like = np.asarray(image), np.asarray(image if like is None else like)
    if image.dtype != like.dtype and {image.dtype.kind, like.dtype.kind} != {"f"}:
        raise ValueError(
            f"expected `like` in the type of the image, {image.dtype}, "
            f"received {like.dtype}"
        )
    grey, known = gaussian(image, blur), gaussian(like, blur)
    if known.min() == known.max():
        return np.zeros(grey.shape, int)
    if n_thresholds == 1:
        return np.digitize(grey, [threshold_otsu(known)])
    return np.digitize(grey, threshold_multiotsu(known, n_thresholds + 1))


def otsu(images, *, blur: float, n_thresholds: int, first: int, last: int):
    """Find a class by its grey levels.

    Parameters
    ----------
    images : array, shape (n, height, width)
    blur, n_thresholds
        As in `otsu_levels`, for each image by itself.
    first, last : int
        The levels of the class.

    Returns
    -------
    bool array, shape (n, height, width)
    """
    levels = np.stack([otsu_levels(image, n_thresholds, blur) for image in images])
    return (first <= levels) & (levels <= last)


def tune_otsu(images, masks) -> dict[str, float]:
    """Choose blur, thresholds and levels for a class, on validation images.

    Parameters
    ----------
    images, masks : arrays, shape (n, height, width)
        The masks are nonzero, or True, where the class is.

    Returns
    -------
    dict
        Keywords for `otsu`, of the largest Dice coefficient.
    """
    scores = {}
    for blur, n in product((0, 1, 2, 4, 8), (1, 2, 3)):
        levels = np.stack([otsu_levels(image, n, blur) for image in images])
        for first, last in combinations_with_replacement(range(n + 1), 2):
            found = (first <= levels) & (levels <= last)
            scores[blur, n, first, last] = dice(masks, found)
    best = max(scores, key=scores.get)
    return dict(zip(("blur", "n_thresholds", "first", "last"), best, strict=True))


def tune_threshold(truth, probabilities, thresholds=(0.2, 0.3, 0.4, 0.5, 0.6)) -> float:
    """Choose the probability above which a pixel counts, on validation images.

    Parameters
    ----------
    truth : array
        Nonzero, or True, where the class is.
    probabilities : array of the same shape
    thresholds : sequence of float
        Values to try.

    Returns
    -------
    float
        That of the largest Dice coefficient.
    """
    return max(thresholds, key=lambda t: dice(truth, probabilities > t))
