"""Noise of a measurement: white and Gaussian, or of counted photons."""

import numpy as np


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
