"""Powder diffraction: crystal structures, Bragg reflections, calculated patterns.

Reflections come from the whole unit cell: every (h, k, l) whose structure factor
vanishes is extinct, so that no table of extinction rules is needed.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from srtools.xrdct.phases import PHASES, Phase

WAVELENGTH = 0.17712
"""Of X-rays of 70 keV [angstrom]."""

N_CHANNELS = 2038
"""Of a diffraction pattern of the benchmark."""

CAGLIOTI = (0.02, -0.002, 9e-4)
"""Instrument: U, V, W of the squared full width at half maximum [degree^2]."""

# f(s) = sum a exp(-b s^2) + c with s = sin(theta) / wavelength, of neutral atoms;
# at s = 0 it is the number of electrons [1].
_FORM_FACTORS = {
    "O": (3.0485, 2.2868, 1.5463, 0.867, 13.2771, 5.7011, 0.3239, 32.9089, 0.2508),
    "Al": (6.4202, 1.9002, 1.5936, 1.9646, 3.0387, 0.7426, 31.5472, 85.0886, 1.1151),
    "Ni": (12.8376, 7.292, 4.4438, 2.38, 3.8785, 0.2565, 12.1763, 66.3421, 1.0341),
    "Zr": (17.8765, 10.948, 5.4173, 3.6572, 1.2762, 11.916, 0.1176, 87.6627, 2.0693),
    "Pd": (19.3319, 15.5017, 5.2954, 0.6058, 0.6987, 7.9893, 25.2052, 76.8986, 5.2659),
    "Ce": (21.1671, 19.7695, 11.8513, 3.3305, 2.8122, 0.2268, 17.6083, 127.113, 1.8626),
}
_DEBYE_WALLER = 0.4  # B of every atom, for its thermal motion [angstrom^2]


def channel_angles(n_channels: int = N_CHANNELS) -> np.ndarray:
    """Return the scattering angle of every channel of the benchmark's detector.

    Parameters
    ----------
    n_channels : int

    Returns
    -------
    float64 array, shape (n_channels,)
        1.5 to 10.5 degrees, evenly spaced: d-spacings from 6.8 to 0.97 angstrom at
        70 keV.
    """
    return np.linspace(1.5, 10.5, n_channels)


def form_factor(element: str, s) -> np.ndarray:
    """Return the scattering of an atom relative to that of one electron.

    Parameters
    ----------
    element : str
        One of O, Al, Ni, Zr, Pd, Ce.
    s : array
        sin(theta) / wavelength [1/angstrom].

    Returns
    -------
    float64 array, as `s`

    References
    ----------
    .. [1] Cromer & Mann, Acta Cryst. A 24 (1968) 321,
       doi:10.1107/S0567739468000550; *International Tables for Crystallography* C,
       ch. 6.1.
    """
    a, b, c = np.split(np.array(_FORM_FACTORS[element]), (4, 8))
    s2 = np.asarray(s, np.float64)[..., None] ** 2
    return (a * np.exp(-b * s2)).sum(-1) + c[0]


@lru_cache
def reflections(
    phase: Phase, wavelength: float = WAVELENGTH, largest: float = 11.0
) -> np.ndarray:
    r"""List the Bragg reflections of a powder.

    The angles obey Bragg's law, :math:`\lambda = 2 d \sin\theta`. The intensity, per
    volume of the phase, is :math:`m |F|^2 L / V^2 / 1000` with the multiplicity
    :math:`m`, the structure factor :math:`F`, the volume :math:`V` of the unit cell,
    and the Lorentz and polarisation factors :math:`L` of an unpolarised beam.

    Parameters
    ----------
    phase : Phase
    wavelength : float
        [angstrom]
    largest : float
        Largest scattering angle, two theta [degrees].

    Returns
    -------
    structured array
        Fields ``hkl`` (one of the equivalent ones), ``d`` [angstrom], ``two_theta``
        [degrees], ``intensity`` [relative], ``multiplicity``; by falling d.
        Reflections of equal d, such as 333 and 511 of cubic crystals, are one. Read
        only: copy it to change it.

    Raises
    ------
    ValueError
        If the wavelength is not positive, or the angle is not within 0 to 180 degrees.

    References
    ----------
    .. [1] Pecharsky & Zavalij, *Fundamentals of Powder Diffraction and Structural
       Characterization of Materials*, 2nd ed., 2009, ch. 8,
       doi:10.1007/978-0-387-09579-0.
    """
    if not wavelength > 0 or not 0 < largest < 180:
        raise ValueError(
            "expected a positive wavelength and an angle within 0 to 180 degrees, "
            f"received {wavelength} and {largest}"
        )
    d_min = wavelength / (2 * np.sin(np.deg2rad(largest / 2)))
    n_h, n_l = int(1.2 * phase.a / d_min) + 1, int(phase.c / d_min) + 1
    hkl = np.mgrid[-n_h : n_h + 1, -n_h : n_h + 1, -n_l : n_l + 1].reshape(3, -1).T
    in_plane = hkl[:, 0] ** 2 + hkl[:, 1] ** 2
    if phase.hexagonal:
        in_plane = 4 / 3 * (in_plane + hkl[:, 0] * hkl[:, 1])
    inverse_d2 = in_plane / phase.a**2 + hkl[:, 2] ** 2 / phase.c**2
    kept = (inverse_d2 > 0) & (inverse_d2 <= 1 / d_min**2)
    hkl, inverse_d2 = hkl[kept], inverse_d2[kept]

    s = np.sqrt(inverse_d2) / 2
    structure = np.zeros(len(hkl), np.complex128)
    for element, *position in phase.atoms:
        structure += form_factor(element, s) * np.exp(2j * np.pi * (hkl @ position))
    strength = np.abs(structure) ** 2 * np.exp(-2 * _DEBYE_WALLER * s**2)

    _, first, group = np.unique(
        np.round(inverse_d2, 9), return_index=True, return_inverse=True
    )
    theta = np.arcsin(wavelength * s[first])
    lorentz = (1 + np.cos(2 * theta) ** 2) / (2 * np.sin(theta) ** 2 * np.cos(theta))
    total = np.bincount(group, strength)
    fields = [("hkl", int, 3), ("d", float), ("two_theta", float)]
    fields += [("intensity", float), ("multiplicity", int)]
    lines = np.zeros(len(first), fields)
    lines["d"] = 1 / np.sqrt(inverse_d2[first])
    lines["two_theta"] = np.rad2deg(2 * theta)
    lines["intensity"] = 1e-3 * total * lorentz / phase.volume**2
    lines["multiplicity"] = np.bincount(group, strength > 1e-3)
    plain = (hkl >= 0).all(1) & (strength > 1e-3)  # of equal d: as people write it
    order = np.lexsort((*hkl.T[::-1], plain, group))
    lines["hkl"] = hkl[order[np.cumsum(np.bincount(group)) - 1]]
    lines = lines[total > 1e-3 * total.max(initial=0)]
    lines.flags.writeable = False  # it is kept for the next call
    return lines


def patterns(
    phase: Phase,
    two_theta,
    *,
    lattice=1.0,
    crystallite=20.0,
    wavelength: float = WAVELENGTH,
) -> np.ndarray:
    r"""Calculate the powder pattern of a phase, for many crystallite sizes at once.

    Every reflection is a pseudo-Voigt function of unit area times its intensity. Its
    Gaussian width is the instrument's, :math:`\Gamma_G^2 = U \tan^2\theta + V \tan
    \theta + W`; its Lorentzian width is Scherrer's, :math:`\Gamma_L = K \lambda / (L
    \cos\theta)` with K = 0.9 and the crystallite size L.

    Parameters
    ----------
    phase : Phase
    two_theta : array, shape (n_channels,)
        Scattering angles [degrees].
    lattice : float or array, shape (n,)
        Lattice constants relative to those of the phase.
    crystallite : float or array, shape (n,)
        Crystallite size [nm].
    wavelength : float
        [angstrom]

    Returns
    -------
    float32 array, shape (n, n_channels)
        Intensity per volume of the phase; n is 1 for two plain numbers.

    Raises
    ------
    ValueError
        If a lattice factor or a crystallite size is not positive.

    References
    ----------
    .. [1] Caglioti, Paoletti & Ricci, Nucl. Instrum. 3 (1958) 223,
       doi:10.1016/0369-643X(58)90029-X.
    .. [2] Thompson, Cox & Hastings, J. Appl. Cryst. 20 (1987) 79,
       doi:10.1107/S0021889887087090.
    """
    lattice, size = np.broadcast_arrays(np.atleast_1d(lattice), crystallite)
    if not (lattice > 0).all() or not (size > 0).all():
        raise ValueError(
            "expected positive lattice factors and crystallite sizes, received "
            f"{lattice.min()} and {size.min()} as the smallest"
        )
    two_theta = np.asarray(two_theta, np.float64)
    u, v, w = CAGLIOTI
    drawn = np.zeros((len(lattice), len(two_theta)), np.float32)
    # Peaks just beyond the last channel still reach into it.
    for line in reflections(phase, wavelength, min(1.05 * two_theta.max() + 0.2, 179)):
        theta = np.arcsin(wavelength / (2 * line["d"] * lattice))
        gauss = np.sqrt(u * np.tan(theta) ** 2 + v * np.tan(theta) + w)
        lorentz = np.rad2deg(0.9 * wavelength / (10 * size * np.cos(theta)))
        width, share = _pseudo_voigt(gauss, lorentz)
        place = (two_theta - 2 * np.rad2deg(theta)[:, None]) / (width[:, None] / 2)
        bell = np.sqrt(np.log(2) / np.pi) * np.exp(-np.log(2) * place**2)
        wings = 1 / (np.pi * (1 + place**2))
        profile = share[:, None] * wings + (1 - share[:, None]) * bell
        drawn += (line["intensity"] / (width[:, None] / 2) * profile).astype(np.float32)
    return drawn


def _pseudo_voigt(gauss, lorentz):
    """Width and Lorentzian share of the pseudo-Voigt nearest to the convolution.

    SciPy's `voigt_profile` is the convolution itself, and takes three times as long for
    a whole slice; the two differ by at most 1.2 % of a peak's height.
    """
    terms = (1, 2.69269, 2.42843, 4.47163, 0.07842, 1)
    powers = (gauss ** (5 - i) * lorentz**i for i in range(6))
    width = sum(t * p for t, p in zip(terms, powers, strict=True)) ** 0.2
    q = lorentz / width
    return width, 1.36603 * q - 0.47719 * q**2 + 0.11116 * q**3


def amorphous(two_theta, wavelength: float = WAVELENGTH) -> np.ndarray:
    """Calculate the smooth scattering of glass and of disorder.

    Parameters
    ----------
    two_theta : array, shape (n_channels,)
        Scattering angles [degrees].
    wavelength : float
        [angstrom]

    Returns
    -------
    float32 array, shape (n_channels,)
        A broad maximum at a d-spacing of 4.1 angstrom, as silica has it, on a slope
        that falls with the angle; its shape is a sketch, not a calculation.
    """
    two_theta = np.asarray(two_theta, np.float64)
    halo = 2 * np.rad2deg(np.arcsin(wavelength / (2 * 4.1)))
    hump = np.exp(-(((two_theta - halo) / (0.3 * halo)) ** 2))
    return (0.6 * hump + 0.4 * np.exp(-two_theta / 4)).astype(np.float32)


def air(two_theta) -> np.ndarray:
    """Calculate the scattering of the air along the beam, steep towards small angles.

    Parameters
    ----------
    two_theta : array, shape (n_channels,)
        Scattering angles [degrees].

    Returns
    -------
    float32 array, shape (n_channels,)
        1 at the first of `channel_angles`; a sketch, not a calculation.
    """
    return np.exp((1.5 - np.asarray(two_theta, np.float64)) / 1.5).astype(np.float32)


def mean_patterns(names: Iterable[str], two_theta, **settings) -> np.ndarray:
    """Stack the patterns of several phases, as references to fit with.

    Parameters
    ----------
    names : iterable of str
        Keys of `PHASES`.
    two_theta : array, shape (n_channels,)
        Scattering angles [degrees].
    **settings
        As for `patterns`.

    Returns
    -------
    float32 array, shape (n_phases, n_channels)
    """
    return np.concatenate([patterns(PHASES[k], two_theta, **settings) for k in names])
