"""Noise of a measurement: white and Gaussian, or of counted photons."""

import numpy as np

_NORMAL_QUARTILE = 0.6745  # half of a normal noise is closer to zero, in deviations


def gaussian_noise(
    sinograms,
    percent: float,
    *,
    rng: np.random.Generator,
    largest: float | None = None,
) -> np.ndarray:
    """Add white Gaussian noise to clean sinograms.

    Parameters
    ----------
    sinograms : array
        Clean line integrals, of any shape.
    percent : float
        Standard deviation, in percent of the largest value.
    rng : numpy.random.Generator
        Source of the randomness.
    largest : float, optional
        The largest clean value of the whole library; by default of these sinograms.

    Returns
    -------
    float32 array
        Of the same shape.

    Raises
    ------
    ValueError
        If `percent` is negative.
    """
    if not percent >= 0:
        raise ValueError(f"expected a noise of 0 percent or more, received {percent}")
    sinograms = np.asarray(sinograms, dtype=np.float32)
    largest = float(sinograms.max()) if largest is None else largest
    noise = rng.standard_normal(sinograms.shape, dtype=np.float32)
    return sinograms + np.float32(percent / 100 * largest) * noise


def poisson_noise(
    sinograms, counts: float, *, scale: float, rng: np.random.Generator
) -> np.ndarray:
    r"""Count photons behind the object, and take the logarithm again.

    The detector counts :math:`I \sim` Poisson(:math:`I_0 e^{-s y}`); the noisy line
    integral is :math:`-\log(I / I_0) / s`. A ray with no photon counts as one.

    Parameters
    ----------
    sinograms : array
        Clean line integrals :math:`y` in pixel units, of any shape.
    counts : float
        Photons :math:`I_0` that meet a detector pixel without an object.
    scale : float
        Attenuation :math:`s` of an image value of 1, per pixel.
    rng : numpy.random.Generator
        Source of the randomness.

    Returns
    -------
    float32 array
        Of the same shape.

    Raises
    ------
    ValueError
        If `counts` or `scale` is not positive.
    """
    if not (counts > 0 and scale > 0):
        raise ValueError(
            f"expected positive counts and scale, received {counts} and {scale}"
        )
    sinograms = np.asarray(sinograms, dtype=np.float32)
    photons = rng.poisson(counts * np.exp(-scale * sinograms.astype(np.float64)))
    return (-np.log(np.maximum(photons, 1) / counts) / scale).astype(np.float32)


def noise_level(sinograms) -> np.ndarray:
    """Estimate the standard deviation of the noise of each sinogram.

    Third differences along the detector hold little of an object and all of a noise
    that differs from pixel to pixel; edges and single faulty pixels move their median
    little.

    Parameters
    ----------
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals; at least four translations.

    Returns
    -------
    float64 array, shape (n,)
        In the unit of the sinograms. Where there is little noise it is too high, by
        what the object puts into the differences: 1.04 times the truth for shapes of
        32 pixels and a noise of 5 % of the largest value, 1.4 times for 2 %.

    Raises
    ------
    ValueError
        If there are fewer than four translations.
    """
    sinograms = np.asarray(sinograms)
    if sinograms.dtype.kind != "f":
        sinograms = sinograms.astype(np.float32)  # counts would wrap around
    if sinograms.ndim != 4 or sinograms.shape[1] < 4:
        raise ValueError(
            "expected sinograms of shape (n, n_translations, n_angles, 1) with at "
            f"least four translations, received {sinograms.shape}"
        )
    differences = np.abs(np.diff(sinograms, 3, axis=1)) / np.sqrt(1 + 9 + 9 + 1)
    return np.median(differences, axis=(1, 2, 3)) / _NORMAL_QUARTILE
