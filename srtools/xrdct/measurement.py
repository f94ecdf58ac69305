"""X-ray diffraction computed tomography: a pencil beam, a pattern for every ray.

The sample is moved through the beam and turned; a detector behind it records the powder
pattern of everything along the ray. Reconstruction channel by channel gives a pattern
at every pixel, and from these the maps of phases, lattice constants and sizes.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from srtools.tomography import ParallelBeam
from srtools.xrdct.phases import PHASES
from srtools.xrdct.powder import air
from srtools.xrdct.slices import Layer


@dataclass(frozen=True)
class Scan:
    """An XRD-CT measurement.

    Attributes
    ----------
    sinograms : float32 array, shape (n_translations, n_angles, n_channels)
        Scattered intensity.
    attenuation : float32 array, shape (n_translations, n_angles)
        Line integrals of the absorption, from a diode in the direct beam; zero where
        attenuation is switched off.
    offset : float array, shape (n_angles,)
        How far the rotation axis was from the middle of the scan [pixels]; for
        comparison with what a correction finds.
    beam : float32 array, shape (n_translations, n_angles)
        Intensity of the beam relative to that at the start; likewise.
    """

    sinograms: np.ndarray
    attenuation: np.ndarray
    offset: np.ndarray
    beam: np.ndarray


def measure(
    layer: Layer,
    beam: ParallelBeam,
    angles,
    *,
    attenuation: float = 0.0,
    decay: float = 0.0,
    top_ups: int = 8,
    jitter: float = 0.0,
    shift: float = 0.0,
    air_scatter: float = 0.0,
    gain: float = 0.0,
    hot_spots: int = 0,
    counts: float | None = None,
    rng: np.random.Generator | None = None,
) -> Scan:
    r"""Measure the sinogram of every channel of a layer.

    The parts of the layer are projected, not the channels: :math:`y_{tac} = \sum_k (A
    m_k)_{ta} p_{kc}`, with the maps :math:`m_k` and the patterns :math:`p_k`. All
    imperfections are off by default, and then this equation is all there is.

    Parameters
    ----------
    layer : Layer
    beam : ParallelBeam
        The translations and rotations of the scan.
    angles : array, shape (n_channels,)
        Scattering angles, two theta [degrees].
    attenuation : float
        Largest line integral of the absorption. The scattered rays leave at a few
        degrees, so that all are weakened as the direct beam is, by exp(-line integral).
    decay : float
        Share of the beam that is lost before each refill of the storage ring, 0 to 1;
        angle after angle is scanned, in `top_ups` exponential decays.
    top_ups : int
        Number of refills during the scan.
    jitter : float
        Standard deviation of the position of the translation stage, new for every
        angle [pixels].
    shift : float
        Distance of the rotation axis from the middle of the scan [pixels].
    air_scatter : float
        Scattering of the air in every ray, relative to the mean scattering of a ray;
        its beam is attenuated like that of the sample.
    gain : float
        Standard deviation of a factor of each translation that stays through the
        rotation, as the gain of the detector's columns does in micro-CT and uneven
        speed does in a continuous (fly) scan. It makes rings.
    hot_spots : int
        Number of large grains that each, for one ray, send a single reflection of
        their phase onto the detector 5 to 50 times too bright.
    counts : float, optional
        Expected photons in the brightest channel of the brightest ray. The numbers
        measured are then Poisson counts, divided so as to keep the scale.
    rng : numpy.random.Generator, optional
        Needed by jitter, gain, hot spots and counts.

    Returns
    -------
    Scan

    Raises
    ------
    ValueError
        If an amount is negative, the decay is 1 or more, the layer is not of the beam's
        size, or randomness is asked for without `rng`.
    """
    amounts = dict(
        attenuation=attenuation,
        decay=decay,
        jitter=jitter,
        air_scatter=air_scatter,
        gain=gain,
        hot_spots=hot_spots,
        counts=counts or 0,
    )
    wrong = {k: v for k, v in amounts.items() if not 0 <= v < np.inf}
    if wrong or decay >= 1 or top_ups < 1:
        raise ValueError(
            "expected finite amounts of at least 0, a decay below 1 and at least one "
            f"top-up, received {wrong or {'decay': decay, 'top_ups': top_ups}}"
        )
    if rng is None and (jitter or gain or hot_spots or counts):
        raise ValueError("expected rng, since jitter, gain, hot_spots or counts is on")

    lines = beam.project(layer.maps[..., None])[..., 0]
    depth = np.zeros(lines.shape[1:], np.float32)
    if attenuation:
        depth = beam.project(layer.attenuation()[None, :, :, None])[0, ..., 0]
        depth *= attenuation / max(depth.max(), 1e-12)
    offset = np.full(beam.n_angles, float(shift))
    if jitter:
        offset += rng.normal(0, jitter, beam.n_angles)
    if offset.any():
        lines, depth = move(lines, offset), move(depth[None], offset)[0]

    spectra = layer.patterns(angles)
    if hot_spots:
        lines_of_spots, spots = _hot_spots(
            lines, layer, spectra, angles, hot_spots, rng
        )
    sinograms = np.tensordot(np.moveaxis(lines, 0, -1), spectra, 1)
    if air_scatter:
        haze = air(angles)
        level = air_scatter * sinograms.mean((0, 1)).sum() / haze.sum()
        sinograms += level * haze
    if hot_spots:
        np.add.at(sinograms, lines_of_spots, spots)

    time = (np.arange(beam.n_angles) * top_ups / beam.n_angles) % 1
    current = np.broadcast_to((1 - decay) ** time, depth.shape).astype(np.float32)
    factor = current * np.exp(-depth)
    if gain:
        factor = factor * np.exp(rng.normal(0, gain, (beam.n_translations, 1)))
    if attenuation or decay or gain:
        sinograms *= factor.astype(np.float32)[..., None]
    if counts:
        unit = sinograms.max() / counts
        sinograms = (rng.poisson(sinograms / unit) * unit).astype(np.float32)
    return Scan(sinograms, depth, offset, current)


def move(sinograms, offset) -> np.ndarray:
    """Shift sinograms along the translation, each angle by its own amount.

    Parameters
    ----------
    sinograms : array, shape (n, n_translations, n_angles)
    offset : array, shape (n_angles,)
        Towards larger translations [pixels].

    Returns
    -------
    float32 array, shape (n, n_translations, n_angles)
        Cubic splines between the rays, zero beyond the ends; not below zero where the
        sinograms are not.
    """
    sinograms = np.asarray(sinograms, np.float32)
    moved = np.empty_like(sinograms)
    for i, by in enumerate(offset):
        # splines along the translation only; the first axis is many of the same
        ndimage.shift(sinograms[:, :, i], (0, by), moved[:, :, i], order=3)
    lowest = sinograms.min(initial=0)
    return np.maximum(moved, min(lowest, 0), out=moved)


def _hot_spots(lines, layer, spectra, angles, n, rng):
    """Where n single grains shine, and with what."""
    crystalline = np.flatnonzero(layer.phase < len(PHASES))
    seen = np.argwhere(lines[crystalline] > 0.1 * lines[crystalline].max())
    chosen = seen[rng.integers(len(seen), size=n)]
    part = crystalline[chosen[:, 0]]
    step = angles[1] - angles[0]
    shine = np.zeros((n, len(angles)), np.float32)
    for i, k in enumerate(part):
        pattern = spectra[k]
        tops = np.flatnonzero(
            (pattern[1:-1] > pattern[:-2])
            & (pattern[1:-1] >= pattern[2:])
            & (pattern[1:-1] > 0.1 * pattern.max())
        )
        top = 1 + rng.choice(tops)
        spot = np.exp(-(((np.arange(len(angles)) - top) * step / 0.03) ** 2))
        amount = rng.uniform(5, 50) * lines[k, chosen[i, 1], chosen[i, 2]]
        shine[i] = amount * pattern[top] * spot
    return (chosen[:, 1], chosen[:, 2]), shine
