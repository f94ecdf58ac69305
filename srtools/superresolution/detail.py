"""Is there something new in a fine image, and is it true?"""

from typing import NamedTuple

import numpy as np


class FourierCorrelation(NamedTuple):
    """How alike two images are, frequency by frequency.

    Attributes
    ----------
    frequency : float64 array, shape (n,)
        Middle of each ring or shell [1/pixel], up to the Nyquist frequency of 0.5.
    correlation : float64 array, shape (n,)
        1 where both agree, around 0 where they have nothing in common.
    half_bit : float64 array, shape (n,)
        Above this line a ring carries half a bit of information a pixel or more.
    """

    frequency: np.ndarray
    correlation: np.ndarray
    half_bit: np.ndarray

    @property
    def resolved(self) -> float:
        """The frequency [1/pixel] at which the correlation falls below the line."""
        below = np.flatnonzero(self.correlation[1:] < self.half_bit[1:])
        return float(self.frequency[1 + below[0]] if len(below) else 0.5)


def fourier_correlation(first, second) -> FourierCorrelation:
    r"""Correlate two images ring by ring, or two volumes shell by shell.

    Over the Fourier coefficients :math:`F_1, F_2` of a ring,
    :math:`C = \mathrm{Re} \sum F_1 F_2^* / \sqrt{\sum |F_1|^2 \sum |F_2|^2}`. Two
    images of one object whose noise is independent tell to which frequency the object
    is in them; an image and the truth, to which the image is right.

    Parameters
    ----------
    first, second : array, shape (size, size) or (size, size, size)
        On one grid. Objects that reach the border should fade to zero there: the edges
        of a frame correlate too.

    Returns
    -------
    FourierCorrelation

    Raises
    ------
    ValueError
        If the shapes differ or are not these, or values are not finite.

    References
    ----------
    .. [1] van Heel & Schatz, "Fourier shell correlation threshold criteria", J. Struct.
       Biol. 151 (2005) 250, doi:10.1016/j.jsb.2005.05.009.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    sides = set(first.shape)
    if first.shape != second.shape or first.ndim not in (2, 3) or len(sides) != 1:
        raise ValueError(
            "expected two images (size, size) or two volumes (size, size, size), "
            f"received shapes {first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("expected finite images, received NaN or infinite values")
    size = len(first)
    ring = np.rint(_radius(first.shape) * size).astype(int).ravel()
    n_rings = size // 2 + 1

    def sums(values):
        return np.bincount(ring, values.ravel(), ring.max() + 1)[:n_rings]

    one, two = np.fft.fftn(first), np.fft.fftn(second)
    together = sums((one * two.conj()).real)
    power = np.sqrt(sums(np.abs(one) ** 2) * sums(np.abs(two) ** 2))
    correlation = np.divide(together, power, out=np.zeros(n_rings), where=power > 0)
    root = np.sqrt(sums(np.ones(first.shape)))
    half_bit = (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    return FourierCorrelation(np.arange(n_rings) / size, correlation, half_bit)


def new_detail(truth, images, factor: int = 2) -> np.ndarray:
    """Correlate images with the truth where the coarse grid has nothing to say.

    Both lose all that is below the coarse grid's Nyquist frequency,
    ``0.5 / factor`` per pixel; what remains is correlated. PSNR counts mostly the
    coarse; this counts only what super-resolution adds.

    Parameters
    ----------
    truth, images : array, shape (n, size, size, 1)
    factor : int
        How many times the grid of the images is finer than that of the scan.

    Returns
    -------
    float64 array, shape (n,)
        1 for the truth, 0 for an image with nothing in there or with something
        unrelated, below 0 for something opposite.

    Raises
    ------
    ValueError
        If the shapes differ or are not these, values are not finite, or the factor is
        not above 1.
    """
    truth, images = np.asarray(truth, np.float64), np.asarray(images, np.float64)
    if truth.shape != images.shape or truth.ndim != 4 or truth.shape[-1] != 1:
        raise ValueError(
            "expected two batches of the same shape (n, size, size, 1), "
            f"received {truth.shape} and {images.shape}"
        )
    if not (np.isfinite(truth).all() and np.isfinite(images).all()):
        raise ValueError("expected finite images, received NaN or infinite values")
    if not factor > 1:
        raise ValueError(f"expected a factor above 1, received {factor}")
    fine = _radius(truth.shape[1:3]) > 0.5 / factor
    spectra = [np.fft.fft2(batch[..., 0]) for batch in (truth, images)]
    one, two = (spectrum * fine for spectrum in spectra)
    together = (one * two.conj()).real.sum(axis=(1, 2))
    power = _power(one) * _power(two)
    # What is left of rounding is no detail.
    there = [_power(s * fine) > 1e-10 * _power(s) for s in spectra]
    found = np.zeros(len(truth))
    np.divide(together, np.sqrt(power), out=found, where=there[0] & there[1])
    return found


def _power(spectra):
    """Sum of the squares of each spectrum of a batch."""
    return (np.abs(spectra) ** 2).sum(axis=(1, 2))


def _radius(shape):
    """Distance of each Fourier coefficient from the origin [1/pixel]."""
    axes = np.meshgrid(*[np.fft.fftfreq(n) for n in shape], indexing="ij")
    return np.sqrt(sum(axis**2 for axis in axes))
