"""How near are labels, and probabilities of labels, to the truth?"""

import numpy as np


def dice(truth, labels, ignore: int | None = None) -> float:
    r"""Overlap of two sets of pixels, the Dice coefficient, also called F1.

    .. math:: 2 \, |A \cap B| \, / \, (|A| + |B|)

    Parameters
    ----------
    truth, labels : arrays of one shape
        Nonzero, or True, in the set.
    ignore : int, optional
        The value in `truth` of pixels that nobody labelled: they do not count.

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
    truth, labels = _labelled(truth, labels, ignore)
    truth, labels = truth.astype(bool), labels.astype(bool)
    both, each = (truth & labels).sum(), truth.sum() + labels.sum()
    return float(2 * both / each) if each else 1.0


def calibration(
    truth, probabilities, n_bins: int = 10, ignore: int | None = None
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
    ignore : int, optional
        As in `dice`.

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
    truth, stated = _labelled(truth, probabilities, ignore)
    truth, stated = truth.astype(bool), stated.astype(np.float64)
    if not ((stated >= 0) & (stated <= 1)).all():
        raise ValueError(
            f"expected probabilities from 0 to 1, received {stated.min():.3g} to "
            f"{stated.max():.3g}"
        )
    bins = np.minimum((stated * n_bins).astype(int), n_bins - 1)
    pixels = np.bincount(bins, minlength=n_bins)
    sums = [np.bincount(bins, weights=w, minlength=n_bins) for w in (stated, truth)]
    error = np.abs(sums[0] - sums[1]).sum() / pixels.sum()
    with np.errstate(invalid="ignore"):
        return sums[0] / pixels, sums[1] / pixels, float(error)


def _labelled(truth, values, ignore):
    """Both arrays in a row, without the pixels that nobody labelled."""
    truth, values = np.asarray(truth), np.asarray(values)
    if truth.shape != values.shape:
        raise ValueError(
            f"expected arrays of one shape, received {truth.shape} and {values.shape}"
        )
    known = slice(None) if ignore is None else (truth != ignore).ravel()
    return truth.ravel()[known], values.ravel()[known]
