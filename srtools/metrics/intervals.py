"""Intervals that hold what they promise, calibrated on images that were kept back."""

import numpy as np


def conformal_factor(truth, found, spread=1.0, *, coverage: float = 0.9) -> float:
    r"""Find the factor by which to stretch a spread so that intervals hold the truth.

    The intervals are ``found - factor * spread`` to ``found + factor * spread``. The
    spread may come from anywhere: draws of a network, the strength of edges, or one
    number for all pixels. It does not change the coverage, only where intervals are
    wide and how wide they have to be.

    Parameters
    ----------
    truth, found : arrays, shape (n, ...)
        Images that no network was taught with, and what the method makes of them.
    spread : float or array that fits to these shapes
        Positive; in the unit of the images, or in any other.
    coverage : float
        Share of the pixels that the intervals shall hold, between 0 and 1.

    Returns
    -------
    float
        The factor, 0 or more.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, a spread is not positive, the
        coverage is not between 0 and 1, or there are too few images for it.

    Notes
    -----
    Split conformal prediction, for images: the factor is the smallest one with which a
    share of at most :math:`((n + 1) (1 - c) - 1) / n` of all pixels is missed. If new
    images and these n are drawn alike, intervals of a new image hold the share c of its
    pixels or more, on average over images, whatever the method and the distribution
    are. Pixels of one image need not be independent: images count. For images of one
    pixel it is the usual rule. It says nothing of a single image, or of a kind of
    pixels, and nothing of images that are drawn from elsewhere.

    References
    ----------
    .. [1] Angelopoulos & Bates, "Conformal prediction: a gentle introduction", Found.
       Trends Mach. Learn. 16 (2023) 494, sections 1 and 4.3, doi:10.1561/2200000101.
    """
    truth, found, spread = (np.asarray(a, np.float64) for a in (truth, found, spread))
    if truth.shape != found.shape or not truth.ndim:
        raise ValueError(
            "expected two batches of one shape, "
            f"received {truth.shape} and {found.shape}"
        )
    try:
        spread = np.broadcast_to(spread, truth.shape)
    except ValueError:
        raise ValueError(
            f"expected a spread for {truth.shape}, received {spread.shape}"
        ) from None
    if not (spread > 0).all():
        raise ValueError(f"expected a positive spread, received {spread.min():.3g}")
    if not 0 < coverage < 1:
        raise ValueError(f"expected a coverage between 0 and 1, received {coverage}")
    n = len(truth)
    missed = ((n + 1) * (1 - coverage) - 1) / max(n, 1)
    if missed < -1e-9:
        raise ValueError(
            f"expected at least {np.ceil(coverage / (1 - coverage) - 1e-9):.0f} images "
            f"for a coverage of {coverage}, received {n}"
        )
    ratios = np.abs(found - truth) / spread
    if not np.isfinite(ratios).all():
        raise ValueError("expected finite values, received NaN or infinite ones")
    return float(np.quantile(ratios, min(1 - missed, 1), method="inverted_cdf"))
