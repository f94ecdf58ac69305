"""X-ray diffraction computed tomography: a pencil beam, a pattern for every ray.

The sample is moved through the beam and turned; a detector behind it records the powder
pattern of everything along the ray. Reconstruction channel by channel gives a pattern
at every pixel, and from these the maps of phases, lattice constants and sizes.
"""

from dataclasses import dataclass

import numpy as np

from srtools.tomography import ParallelBeam
from srtools.xrdct.phases import PHASES
from srtools.xrdct.powder import air
from srtools.xrdct.slices import BedSlice

_STRIPS = 4  # of a ray that misses its place; their edges are that much finer


@dataclass(frozen=True)
class Measurement:
    """An XRD-CT measurement.

    Attributes
    ----------
    sinograms : float32 array, shape (n_channels, n_translations, n_angles, 1)
        Scattered intensity.
    transmission : float32 array, shape (n_translations, n_angles, 1)
        Share of the beam that passes the sample, from a diode behind it and a monitor
        before it; it has the noise of the diode.
    offset : float64 array, shape (n_angles,)
        How far the rotation axis was from the middle of the scan [translations]; for
        comparison with what a correction finds.
    beam_intensity : float32 array, shape (n_angles,)
        Of the beam before the sample, relative to that at the start; likewise.
    """

    sinograms: np.ndarray
    transmission: np.ndarray
    offset: np.ndarray
    beam_intensity: np.ndarray


def measure(
    sample: BedSlice,
    beam: ParallelBeam,
    two_theta,
    *,
    attenuation: float = 0.0,
    diode_counts: float | None = None,
    decay: float = 0.0,
    top_ups: int = 8,
    jitter: float = 0.0,
    shift: float = 0.0,
    air_scatter: float = 0.0,
    gain: float = 0.0,
    hot_spots: int = 0,
    counts: float | None = None,
    rng: np.random.Generator | None = None,
) -> Measurement:
    r"""Measure the sinogram of every channel of a slice.

    The parts of the slice are projected, not the channels: :math:`y_{cta} = \sum_k
    p_{kc} (A m_k)_{ta}`, with the maps :math:`m_k` and the patterns :math:`p_k`. All
    imperfections are off by default, and then this equation is all there is.

    Parameters
    ----------
    sample : BedSlice
    beam : ParallelBeam
        The translations and rotations of the scan.
    two_theta : array, shape (n_channels,)
        Scattering angles [degrees].
    attenuation : float
        Largest line integral of the absorption. The scattered rays leave at a few
        degrees, so that all are weakened as the direct beam is, by exp(-line integral).
    diode_counts : float, optional
        Photons that the diode behind the sample expects in a ray that misses it, from
        the beam at the start: the noise of the transmission. None: without noise.
    decay : float
        Share of the beam that is lost before each refill of the storage ring, 0 to 1;
        angle after angle is scanned, in `top_ups` exponential decays.
    top_ups : int
        Number of such decays during the scan, with a refill between each two.
    jitter : float
        Standard deviation of the position of the translation stage, new for every
        angle [translations].
    shift : float
        Distance of the rotation axis from the middle of the scan [translations].
    air_scatter : float
        Scattering of the air in every ray, relative to the mean scattering of a ray;
        its beam is attenuated like that of the sample.
    gain : float
        Standard deviation of a factor of each translation that stays through the
        rotation, as the gain of the detector's columns does in micro-CT and uneven
        speed does in a continuous (fly) scan. It makes rings.
    hot_spots : int
        Number of large grains that each, for one ray, send a single reflection of
        their phase onto the detector 5 to 50 times too bright. The channels, at least
        three, have to show the top of a reflection of every crystalline phase.
    counts : float, optional
        Photons to expect in the brightest channel of the brightest ray of the powder
        alone, before any of the other imperfections. The numbers measured are then
        Poisson counts, divided so as to keep the scale.
    rng : numpy.random.Generator, optional
        Needed by jitter, gain, hot spots and both counts.

    Returns
    -------
    Measurement

    Raises
    ------
    ValueError
        If an amount is negative, the decay is 1 or more, the axis leaves the scan, the
        slice is not of the beam's size, or randomness is asked for without `rng`.
    """
    amounts = dict(
        attenuation=attenuation,
        diode_counts=diode_counts or 0,
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
    if rng is None and (jitter or gain or hot_spots or counts or diode_counts):
        raise ValueError(
            "expected rng, since jitter, gain, hot_spots, counts or diode_counts is on"
        )
    offset = np.full(beam.n_angles, float(shift))
    if jitter:
        offset += rng.normal(0, jitter, beam.n_angles)
    if not np.abs(offset).max() < beam.n_translations:  # also catches NaN
        raise ValueError(
            f"expected an axis that stays within {beam.n_translations} translations, "
            f"received shift {shift} and jitter {jitter}"
        )

    lines = _project(beam, sample.maps, offset)
    spectra = sample.patterns(two_theta)
    sinograms = np.tensordot(spectra.T, lines, 1)[..., None]
    unit = sinograms.max() / counts if counts else None
    if air_scatter:
        haze = air(two_theta)
        level = air_scatter * sinograms.mean((1, 2, 3)).sum() / haze.sum()
        sinograms += level * haze[:, None, None, None]
    if hot_spots:
        _add_hot_spots(sinograms, lines, sample, spectra, two_theta, hot_spots, rng)

    passed = np.ones((*lines.shape[1:], 1), np.float32)
    if attenuation:
        grey = sample.attenuation()[None]
        largest = beam.project(grey[..., None]).max()
        depth = _project(beam, grey, offset)[0, ..., None]
        passed = np.exp(-attenuation / max(largest, 1e-12) * depth)
    time = (np.arange(beam.n_angles) * top_ups / beam.n_angles) % 1
    intensity = ((1 - decay) ** time).astype(np.float32)
    factor = passed * intensity[:, None]
    transmission = passed
    if diode_counts:
        seen = rng.poisson(diode_counts * factor)
        transmission = np.maximum(seen, 1) / (diode_counts * intensity[:, None])
    if gain:
        factor = factor * np.exp(rng.normal(0, gain, (beam.n_translations, 1, 1)))
    if attenuation or decay or gain:
        sinograms *= factor.astype(np.float32)
    if counts:
        sinograms = (rng.poisson(sinograms / unit) * unit).astype(np.float32)
    return Measurement(sinograms, transmission.astype(np.float32), offset, intensity)


def _project(beam, maps, offset):
    """Project along rays that miss their places, at each angle by an offset.

    A ray is the mean of narrow strips, of which the outermost two count in part.
    Nothing is interpolated between rays: what undoes an offset later has to.
    """
    if not offset.any():
        return beam.project(maps[..., None])[..., 0]
    margin = int(np.abs(offset).max()) + 1
    n_rays = beam.n_translations
    strips = ParallelBeam(
        beam.size,
        beam.angles,
        _STRIPS * (n_rays + 2 * margin),
        detector_spacing=beam.detector_spacing / _STRIPS,
        axis=_STRIPS * (beam.axis + 0.5 + margin) - 0.5,
    ).project(maps[..., None])[..., 0]
    edge = _STRIPS * (np.arange(n_rays)[:, None] + margin - offset)
    first = np.floor(edge).astype(int)
    cut = (edge - first).astype(np.float32)  # off the first strip, and added at the end
    angle = np.arange(beam.n_angles)
    start, end = (strips[:, first + i, angle] for i in (0, _STRIPS))
    lines = start + cut * (end - start)
    for i in range(1, _STRIPS):
        lines += strips[:, first + i, angle]
    return lines / _STRIPS


def _add_hot_spots(sinograms, lines, sample, spectra, two_theta, n, rng):
    """Let n single grains shine, each in one ray and one reflection."""
    crystalline = np.flatnonzero(sample.phase < len(PHASES))
    seen = np.argwhere(lines[crystalline] > 0.1 * lines[crystalline].max())
    chosen = seen[rng.integers(len(seen), size=n)]
    for part, translation, angle in chosen:
        part = crystalline[part]
        pattern = spectra[part]
        tops = np.flatnonzero(
            (pattern[1:-1] > pattern[:-2])
            & (pattern[1:-1] >= pattern[2:])
            & (pattern[1:-1] > 0.1 * pattern.max())
        )
        if not len(tops):
            raise ValueError(
                "expected channels that show a reflection of every crystalline phase "
                f"for hot spots, received {len(two_theta)} channels from "
                f"{two_theta[0]} to {two_theta[-1]} degrees"
            )
        top = 1 + rng.choice(tops)
        step = two_theta[1] - two_theta[0]
        spot = np.exp(-(((np.arange(len(pattern)) - top) * step / 0.03) ** 2))
        amount = rng.uniform(5, 50) * lines[part, translation, angle]
        sinograms[:, translation, angle, 0] += amount * pattern[top] * spot
