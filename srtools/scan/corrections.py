"""From counts to line integrals, and what spoils them taken out again.

Sinograms are (n_rows, n_translations, n_angles, 1) throughout: a batch of detector
rows. The order that works: flat field, air, rings; then the axis can be found.
"""

import numpy as np
from scipy import ndimage

from srtools.scan._algotom import algotom

_NEAR = 11  # columns whose median says what a pixel should be like


def flat_field(counts, flats, darks=None) -> tuple[np.ndarray, np.ndarray]:
    r"""Turn counts into line integrals: the law of Beer and Lambert.

    .. math:: y = -\log \frac{I - I_\text{dark}}{I_\text{flat} - I_\text{dark}}

    A pixel counts a little even in the dark, and no two pixels are equally sensitive,
    nor equally lit; both cancel. Where they cannot, the value is bridged from the
    nearest good pixels of the same row and view: at pixels that are *dead* or *hot*
    (their flat field is below half or above twice that of their neighbours), *stuck*
    (they count the same in all views, saturated for instance, while most neighbours
    change), and on rays of which no more light arrived than in the dark, or that have
    no finite count.

    Parameters
    ----------
    counts : array, shape (n_rows, n_columns, n_angles, 1)
        Behind the sample.
    flats : array, shape (n, n_rows, n_columns)
        Without the sample; their mean is taken.
    darks : array, shape (n, n_rows, n_columns), optional
        Without the beam; 0 if there are none.

    Returns
    -------
    sinograms : float32 array, shape (n_rows, n_columns, n_angles, 1)
        Line integrals [dimensionless].
    replaced : bool array, shape (n_rows, n_columns)
        The dead, hot and stuck pixels.

    Raises
    ------
    ValueError
        If the shapes do not fit, more than half of the rays of a row had to be
        bridged, or all rays of a row in one view, as where a picture was lost.

    References
    ----------
    .. [1] Kak & Slaney, *Principles of Computerized Tomographic Imaging*, 1988, ch. 4.
    """
    counts = np.asarray(counts, np.float32)
    if counts.ndim != 4 or counts.shape[-1] != 1:
        raise ValueError(
            f"expected counts (n_rows, n_columns, n_angles, 1), received {counts.shape}"
        )
    flat = _mean("flats", flats, counts)
    dark = 0 if darks is None else _mean("darks", darks, counts)
    light, white = counts[..., 0] - np.float32(dark)[..., None], flat - dark
    replaced = _faulty(light, white)
    bad = replaced[..., None] | ~((light > 0) & np.isfinite(light))
    share = bad.mean(axis=(1, 2))
    if share.max() > 0.5:
        worst = int(share.argmax())
        raise ValueError(
            f"expected rays with more light than in the dark, found {share[worst]:.0%} "
            f"of those of row {worst} without, or at dead pixels"
        )
    if len(lost := np.flatnonzero(bad.all(axis=1).any(axis=0))):
        raise ValueError(
            "expected light in each row of every view, found a row without any in "
            f"views {lost.tolist()}; leave them out with Scan.views"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        sinograms = -np.log(light / white[..., None])
    for row in np.flatnonzero(bad.any(axis=(1, 2))):
        _bridge(sinograms[row], bad[row])
    return sinograms.astype(np.float32)[..., None], replaced


def _mean(name, pictures, counts):
    pictures = np.asarray(pictures)
    if pictures.ndim != 3 or pictures.shape[1:] != counts.shape[:2]:
        raise ValueError(
            f"expected {name} (n, {counts.shape[0]}, {counts.shape[1]}), as the "
            f"counts, received {pictures.shape}"
        )
    return pictures.mean(axis=0, dtype=np.float64).astype(np.float32)


def _faulty(light, white):
    """Pixels that are unlike their neighbours in the row: (n_rows, n_columns)."""
    white = np.nan_to_num(white, nan=0, posinf=0, neginf=0)
    usual = ndimage.median_filter(white, (1, _NEAR), mode="mirror")
    fine = (white > 0.5 * usual) & (white < 2 * usual)
    if light.shape[-1] > 1:
        with np.errstate(invalid="ignore"):
            change = np.nan_to_num(np.ptp(light, axis=-1))
        usual = ndimage.median_filter(change, (1, _NEAR), mode="mirror")
        fine &= ~(change < 1e-3 * usual)
    return ~fine


def _bridge(values, bad):
    """Draw a line over the bad stretches of each view: (n_columns, n_angles)."""
    n = len(values)
    place = np.arange(n)[:, None]
    left = np.maximum.accumulate(np.where(bad, -1, place))
    right = np.minimum.accumulate(np.where(bad, n, place)[::-1])[::-1]
    left, right = np.where(left < 0, right, left), np.where(right == n, left, right)
    views = np.flatnonzero(bad.any(axis=0))
    left, right = left[:, views], right[:, views]
    part = (place - left) / np.maximum(right - left, 1)
    low = np.take_along_axis(values[:, views], left, 0)
    high = np.take_along_axis(values[:, views], right, 0)
    values[:, views] = low + part * (high - low)


def remove_air(sinograms, width: int, profile=None) -> np.ndarray:
    """Set the air beside the sample to zero, in each row and view.

    A line integral through air is 0. Where the beam has become weaker or stronger
    since the flats, the logarithm turns that into a constant, which drifts from view
    to view. A straight line from the mean of the outermost columns on the left to that
    on the right is subtracted. A beam that has changed its shape as well leaves
    something curved, which rows of the scan without a sample show.

    Parameters
    ----------
    sinograms : array, shape (n_rows, n_translations, n_angles, 1)
    width : int
        Columns on either side that see nothing but air in every view.
    profile : array, shape (n_translations,), optional
        Mean over the views of rows that see nothing but air: subtracted first, as if
        they were flats of the same minute.

    Returns
    -------
    float32 array
        Of the same shape.

    Raises
    ------
    ValueError
        If the width is not from 1 to half of the columns, or the profile has not one
        value a column.
    """
    sinograms = check_sinograms(sinograms)
    n = sinograms.shape[1]
    if profile is not None:
        profile = np.asarray(profile, np.float32)
        if profile.shape != (n,):
            raise ValueError(
                f"expected a profile of {n} columns, received {profile.shape}"
            )
        sinograms = sinograms - profile[:, None, None]
    if not 1 <= width <= n // 2:
        raise ValueError(
            f"expected 1 to {n // 2} columns of air on either side, received {width}"
        )
    left = sinograms[:, :width].mean(axis=1, keepdims=True)
    right = sinograms[:, n - width :].mean(axis=1, keepdims=True)
    place = (np.arange(n, dtype=np.float32) - (width - 1) / 2) / max(n - width, 1)
    return sinograms - left - place[:, None, None] * (right - left)


def remove_rings(sinograms, width: int = 9) -> np.ndarray:
    """Take out of each sinogram the stripes that become rings in the image.

    A pixel whose sensitivity has changed since the flats is off in all views alike: a
    stripe along the angles, and a circle about the axis. The slow part of each column
    is sorted by size, smoothed across the columns by a median, and sorted back
    (algorithms 2 and 3 of [1]_), by the library ``algotom``.

    Parameters
    ----------
    sinograms : array, shape (n_rows, n_translations, n_angles, 1)
        With their views in the order of the angles.
    width : int
        Columns of the median: twice the width of the widest stripe and a little. Wider
        than the sample's own details, and it takes those too.

    Returns
    -------
    float32 array
        Of the same shape.

    Raises
    ------
    ImportError
        If `algotom` is not installed.
    ValueError
        If the width is not positive.

    References
    ----------
    .. [1] Vo, Atwood, Drakopoulos, "Superior techniques for eliminating ring artifacts
       in X-ray micro-tomography", Opt. Express 26 (2018) 28396,
       doi:10.1364/OE.26.028396.
    """
    sinograms = check_sinograms(sinograms)
    if width < 1:
        raise ValueError(f"expected a width of at least one column, received {width}")
    removal = algotom("prep.removal")
    # Slow: up to about two waves over the scan. A stripe is (nearly) the same in all
    # views; with more waves, flanks of small dense parts are taken for stripes too.
    clean = [
        removal.remove_stripe_based_filtering(s[..., 0].T, 2, width).T
        for s in sinograms
    ]
    return np.stack(clean).astype(np.float32)[..., None]


def check_sinograms(sinograms) -> np.ndarray:
    """Return sinograms as float32, or say what shape they should have."""
    sinograms = np.asarray(sinograms, np.float32)
    if sinograms.ndim != 4 or sinograms.shape[-1] != 1:
        raise ValueError(
            "expected sinograms (n_rows, n_translations, n_angles, 1), received "
            f"{sinograms.shape}"
        )
    return sinograms
