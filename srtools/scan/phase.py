"""Phase retrieval."""

import numpy as np
from scipy import fft

from srtools.scan.corrections import check_sinograms


def paganin(
    sinograms,
    *,
    pixel_size: float,
    distance: float,
    energy: float,
    delta_over_beta: float,
) -> np.ndarray:
    r"""Retrieve the thickness of a sample of one material from its bright fringes.

    On the way from the sample to a distant detector, phase becomes contrast: edges
    gain fringes. For a refractive index :math:`1 - \delta + i \beta` of one ratio,
    the transmission :math:`T` behind the sample follows from the intensity by

    .. math:: \hat T(f) = \hat I(f) / (1 + \pi \lambda z \, \delta / \beta \, |f|^2) ,

    a filter in two dimensions: give neighbouring rows together, and leave out the
    first and last of them.

    Parameters
    ----------
    sinograms : array, shape (n_rows, n_translations, n_angles, 1)
        Of neighbouring rows.
    pixel_size : float
        Of the detector at the sample [micrometres].
    distance : float
        From sample to detector [mm].
    energy : float
        Of the photons [keV].
    delta_over_beta : float
        Refraction over absorption of the material; larger is smoother.

    Returns
    -------
    float32 array
        Of the same shape.

    Raises
    ------
    ValueError
        If a parameter is not positive.

    References
    ----------
    .. [1] Paganin et al., "Simultaneous phase and amplitude extraction from a single
       defocused image of a homogeneous object", J. Microscopy 206 (2002) 33,
       doi:10.1046/j.1365-2818.2002.01010.x.
    """
    sinograms = check_sinograms(sinograms)
    if not min(pixel_size, distance, energy, delta_over_beta) > 0:
        raise ValueError(
            "expected positive pixel_size, distance, energy and delta_over_beta, "
            f"received {pixel_size}, {distance}, {energy} and {delta_over_beta}"
        )
    wavelength = 1.23984e-3 / energy  # micrometres
    strength = np.pi * wavelength * distance * 1e3 * delta_over_beta / pixel_size**2
    rows, columns = (_room(n) for n in sinograms.shape[:2])
    light = np.exp(-sinograms[..., 0])
    light = np.pad(light, (rows, columns, (0, 0)), mode="edge")
    f = fft.fftfreq(light.shape[0])[:, None], fft.rfftfreq(light.shape[1])
    response = 1 / (1 + strength * (f[0] ** 2 + f[1] ** 2))
    spectrum = fft.rfft2(light, axes=(0, 1)) * response[..., None].astype(np.float32)
    light = fft.irfft2(spectrum, light.shape[:2], axes=(0, 1))
    light = light[rows[0] :, columns[0] :][: sinograms.shape[0], : sinograms.shape[1]]
    return -np.log(np.maximum(light, 1e-6)).astype(np.float32)[..., None]


def _room(n):
    """Pixels to add on either side, so that nothing wraps round."""
    length = fft.next_fast_len(2 * n, real=True)
    return (length - n) // 2, length - n - (length - n) // 2
