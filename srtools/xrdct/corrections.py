"""From a measured XRD-CT sinogram to one that filtered back-projection understands.

The channels are the batch: sinograms are arrays (n_channels, n_translations, n_angles,
1). The order that works: hot spots, attenuation (divide by the transmission), total,
rings, air, total again, centre.
"""

import numpy as np
from scipy import ndimage, signal

_SMOOTH = 9  # translations over which a mean projection is nearly a parabola


def remove_hot_spots(sinograms, *, factor: float = 3.0, width: int = 5) -> np.ndarray:
    """Replace what is far brighter than the same channel at neighbouring angles.

    A powder looks the same from one angle and from the next; a single grain shines at
    one angle only.

    Parameters
    ----------
    sinograms : array, shape (n_channels, n_translations, n_angles, 1)
    factor : float
        Brighter than so many times the running median: a hot spot, which takes the
        value of the median.
    width : int
        Angles of the running median.

    Returns
    -------
    float32 array, as `sinograms`

    References
    ----------
    .. [1] Vamvakeros et al., "Removing multiple outliers and single-crystal artefacts
       from X-ray diffraction computed tomography data", J. Appl. Cryst. 48 (2015) 1943,
       doi:10.1107/S1600576715020701.
    """
    sinograms = _check(sinograms)
    # mirrored, lest the first and the last angle be their own median
    usual = ndimage.median_filter(sinograms, (1, 1, width, 1), mode="mirror")
    floor = 0.02 * usual.max()  # below it a few photons look like a spot
    return np.where(sinograms > factor * (usual + floor), usual, sinograms)


def remove_rings(sinograms, *, weight: float = 3.0, bands: int = 40) -> np.ndarray:
    r"""Divide out a factor of each translation, found from the sinograms themselves.

    The mean over all angles is smooth along the translation, and what it lacks of that
    is a first guess of the factors. Whatever the angle, the sample scatters the same in
    total, in every band of channels b: with the right factors :math:`w_t`, the sum
    :math:`\sum_t w_t y_{tab}` does not depend on the angle a. Least squares solve
    this, each band weighted as photon noise asks for; a ridge penalty keeps the factors
    near the guess, and the mean intensity stays.

    Parameters
    ----------
    sinograms : array, shape (n_channels, n_translations, n_angles, 1)
        Of a sample that all projections see whole, in a beam that does not decay.
    weight : float
        Of the penalty. Small ones, to 0.01, trust sinograms without noise: noise is a
        change with the angle as well.
    bands : int
        Number of equations for each angle.

    Returns
    -------
    float32 array, as `sinograms`

    Raises
    ------
    ValueError
        If the weight is not positive, or there are fewer than 9 translations.
    """
    sinograms = _check(sinograms)
    if not weight > 0:
        raise ValueError(f"expected a positive weight, received {weight}")
    if sinograms.shape[1] < _SMOOTH:
        raise ValueError(
            f"expected at least {_SMOOTH} translations, received {sinograms.shape[1]}"
        )
    bands = np.array_split(sinograms[..., 0], min(bands, len(sinograms)))
    total = np.stack([band.sum(0, dtype=np.float64) for band in bands])
    mean = total.sum(0).mean(1)
    smooth = signal.savgol_filter(mean, _SMOOTH, 2, mode="nearest")
    lit = mean > 0.1 * mean.mean()
    guess = np.divide(smooth, mean, where=lit, out=np.ones_like(mean)).clip(2 / 3, 1.5)

    total /= np.sqrt(np.maximum(total.sum(1).mean(1), 1e-12))[:, None, None]
    change = total - total.mean(2, keepdims=True)
    change = np.moveaxis(change, 1, 2).reshape(-1, len(mean))
    normal = change.T @ change
    ridge = weight * max(np.trace(normal) / len(normal), 1e-12)
    wanted = np.stack([normal @ guess, mean], 1)
    less, more = np.linalg.solve(normal + ridge * np.eye(len(mean)), wanted).T
    factor = guess - less
    factor += more * (mean.sum() - mean @ factor) / max(mean @ more, 1e-12)
    return sinograms * factor.astype(np.float32)[:, None, None]


def remove_air(sinograms, *, edge: int = 2) -> np.ndarray:
    """Subtract, angle by angle, the pattern of the rays that miss the sample.

    Parameters
    ----------
    sinograms : array, shape (n_channels, n_translations, n_angles, 1)
    edge : int
        Number of such rays on either side.

    Returns
    -------
    float32 array, as `sinograms`

    Raises
    ------
    ValueError
        If the scan has fewer rays than that.
    """
    sinograms = _check(sinograms)
    half = sinograms.shape[1] // 2
    if not 1 <= edge <= half:
        raise ValueError(f"expected an edge of 1 to {half} rays, received {edge}")
    left, right = sinograms[:, :edge], sinograms[:, -edge:]
    return sinograms - (left.mean(1, keepdims=True) + right.mean(1, keepdims=True)) / 2


def normalise_total(sinograms) -> np.ndarray:
    """Give all angles the same total, as the sample is the same from all sides.

    Parameters
    ----------
    sinograms : array, shape (n_channels, n_translations, n_angles, 1)
        Without hot spots and attenuation. Air may be there: it is the same at all
        angles.

    Returns
    -------
    float32 array, as `sinograms`
        With the total of the brightest angle.

    Raises
    ------
    ValueError
        If the total of an angle is not positive and finite.
    """
    sinograms = _check(sinograms)
    total = sinograms.sum((0, 1), dtype=np.float64)
    _check_total(total[:, 0])
    return sinograms * (total.max() / total).astype(np.float32)


def find_offset(sinograms, angles) -> np.ndarray:
    r"""Find how far each angle's projection is from where it should be.

    The centre of mass of a projection is the projection of the centre of mass: over the
    angle :math:`\theta` it follows :math:`a \cos\theta + b \sin\theta` about the
    rotation axis. What is left of a fit is the motor's error; the constant is the axis.
    Errors that happen to follow a sine move the image as a whole and stay unseen.

    Parameters
    ----------
    sinograms : array, shape (n_channels, n_translations, n_angles, 1)
        Without air scattering.
    angles : array, shape (n_angles,)
        Of the projections [degrees].

    Returns
    -------
    float64 array, shape (n_angles,)
        Distance of the axis from the middle of the scan [translations].

    Raises
    ------
    ValueError
        If the total of an angle is not positive and finite.

    References
    ----------
    .. [1] Azevedo et al., "Calculation of the rotational centers in computed tomography
       sinograms", IEEE Trans. Nucl. Sci. 37 (1990) 1525, doi:10.1109/23.55866.
    """
    sinograms = _check(sinograms)
    total = sinograms.sum((0, 3), dtype=np.float64)
    _check_total(total.sum(0))
    place = np.arange(len(total)) - (len(total) - 1) / 2
    mass = place @ total / total.sum(0)
    theta = np.deg2rad(angles)
    terms = np.stack([np.ones_like(theta), np.cos(theta), np.sin(theta)], 1)
    fit = np.linalg.lstsq(terms, mass)[0]
    return mass - terms[:, 1:] @ fit[1:]


def centre(sinograms, angles) -> np.ndarray:
    """Put the rotation axis into the middle of the scan, angle by angle.

    Parameters
    ----------
    sinograms : array, shape (n_channels, n_translations, n_angles, 1)
        Without air scattering.
    angles : array, shape (n_angles,)
        Of the projections [degrees].

    Returns
    -------
    float32 array, as `sinograms`
        Cubic splines between the rays, zero beyond the ends; not below zero where the
        sinograms are not.

    Raises
    ------
    ValueError
        If the total of an angle is not positive and finite.
    """
    sinograms = _check(sinograms)
    moved = np.empty_like(sinograms)
    for i, offset in enumerate(find_offset(sinograms, angles)):
        # splines along the translation only; the first axis is many of the same
        ndimage.shift(sinograms[:, :, i, 0], (0, -offset), moved[:, :, i, 0], order=3)
    return np.maximum(moved, min(sinograms.min(), 0), out=moved)


def unmix(spectra, references) -> np.ndarray:
    """Fit spectra as sums of reference patterns, by least squares.

    Parameters
    ----------
    spectra : array, shape (n_channels, ...)
        Sinograms or images, a batch of channels: the fit is linear, so that it may
        come before or after reconstruction.
    references : array, shape (n_references, n_channels)

    Returns
    -------
    float32 array, shape (n_references, ...)
        How much of each; noise and misfit may make it negative.

    Raises
    ------
    ValueError
        If the numbers of channels differ, or the references do not differ.
    """
    spectra = np.asarray(spectra, np.float32)
    references = np.asarray(references, np.float64)
    if len(spectra) != references.shape[-1]:
        raise ValueError(
            f"expected spectra of {references.shape[-1]} channels, "
            f"received {len(spectra)}"
        )
    if np.linalg.matrix_rank(references) < len(references):
        raise ValueError("expected references that differ, received dependent ones")
    return np.tensordot(np.linalg.pinv(references).T.astype(np.float32), spectra, 1)


def _check(sinograms):
    sinograms = np.asarray(sinograms, np.float32)
    if sinograms.ndim != 4 or sinograms.shape[-1] != 1:
        raise ValueError(
            "expected sinograms (n_channels, n_translations, n_angles, 1), "
            f"received shape {sinograms.shape}"
        )
    return sinograms


def _check_total(total):
    """Refuse dead angles: no factor makes them as bright as the others."""
    wrong = np.flatnonzero(~(np.isfinite(total) & (total > 0)))
    if len(wrong):
        more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
        raise ValueError(
            "expected a positive and finite total at every angle, received others at "
            f"the angles with the numbers {', '.join(map(str, wrong[:8]))}{more}; "
            "leave these out"
        )
