"""Layers of a reactor bed, seen coarsely by diffraction and finely by micro-CT."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from srtools.files import create_library, library_settings, open_hdf5
from srtools.tomography import ParallelBeam, gaussian_noise
from srtools.xrdct import ATTENUATION, COMPONENTS, ParticleBed, downsample

N_PHASES = len(COMPONENTS)


class Layers(NamedTuple):
    """Layers of beds, of which no two are of the same bed.

    Attributes
    ----------
    maps : float32 array, shape (n, size, size, 6)
        The truth: volume fractions, in the order of `srtools.xrdct.COMPONENTS`. None
        where nobody knows it.
    sinograms : float32 array, shape (n, n_translations, n_angles, 6)
        Coarse and noisy line integrals of each phase, in pixels of the maps.
    guides : float32 array, shape (n, size, size, 1)
        Micro-CT of the same layer on the grid of the maps, with noise of its own.
    noise : float32 array, shape (n, 6)
        Standard deviation of the noise of each sinogram.
    beam : ParallelBeam
        The scan on the grid of the maps: its detector pixels are `factor` wide.
    """

    maps: np.ndarray | None
    sinograms: np.ndarray
    guides: np.ndarray
    noise: np.ndarray
    beam: ParallelBeam

    def part(self, which) -> "Layers":
        """Return some of the layers: a slice, or a list of numbers."""
        chosen = (v if v is None else v[which] for v in self[:-1])
        return Layers(*chosen, self.beam)

    @property
    def coarse_beam(self) -> ParallelBeam:
        """The same scan on the grid of its own steps, n for ``factor * (n - 1) + 1``.

        Sinograms are in the unit of the fine pixel: divide them by the factor.
        """
        return ParallelBeam(self.beam.n_translations, self.beam.angles)


def simulate_layers(
    path: str | Path,
    n: int,
    *,
    size: int = 149,
    factor: int = 4,
    n_angles: int = 60,
    noise_percent: float = 2.0,
    guide_noise: float = 0.02,
    seed: int = 0,
) -> Path:
    """Simulate the two scans of each layer, and its truth, into an HDF5 library.

    A layer is drawn with ``2 * size - 1`` pixels a side and measured there; the truth
    is what `srtools.xrdct.downsample` makes of it. So is the guide, which shows the sum
    of all phases by their attenuation: two phases of the same attenuation it cannot
    tell apart.

    Parameters
    ----------
    path : str or Path
        The file to write, for `read_layers`. One that is there is left as it is.
    n : int
        Number of layers, each of a bed of its own.
    size : int
        Side of maps and guides [pixels].
    factor : int
        Step of the coarse scan [pixels of the maps].
    n_angles : int
        Directions of the coarse scan, over 180 degrees.
    noise_percent : float
        Standard deviation of the Gaussian noise of a phase's sinogram, in percent of
        the largest value of that sinogram.
    guide_noise : float
        Standard deviation of the guide's noise; its largest value is about 1.
    seed : int
        Of beds and noise.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If `n` or a size is not positive, the size is not ``factor * (k - 1) + 1`` for
        a whole number k, noise is negative, or a file of other settings stands there.
    OSError
        If the disk has not enough space or cannot be written to.
    """
    if min(n, size - 2, factor - 1, n_angles) < 1:
        raise ValueError(
            "expected positive numbers, a size of 3 or more and a factor of 2 or more, "
            f"received {n=}, {size=}, {factor=}, {n_angles=}"
        )
    if not guide_noise >= 0:
        raise ValueError(f"expected a noise of 0 or more, received {guide_noise}")
    check_side(size, factor)
    settings = {
        "by": f"{__name__}:simulate_layers",
        "n": n,
        "size": size,
        "factor": factor,
        "n_angles": n_angles,
        "noise_percent": noise_percent,
        "guide_noise": guide_noise,
        "seed": seed,
    }
    beam = _beam(size, factor, n_angles)
    finer = _beam(2 * size - 1, 2 * factor, n_angles, beam.n_translations)
    layout = {
        "Images": (size, size, N_PHASES),
        "Sinograms": (beam.n_translations, n_angles, N_PHASES),
        "Guides": (size, size),
        "Noise": (N_PHASES,),
    }
    with create_library(path, settings, layout, n) as file:
        if file is not None:
            for i in tqdm(range(n), desc=f"writing {Path(path).name}"):
                rng = np.random.default_rng((seed, i))
                bed = ParticleBed(int(rng.integers(2**31)))
                item = _layer(bed, finer, noise_percent, guide_noise, rng)
                for name, values in zip(layout, item, strict=True):
                    file[name][..., i] = values
    return Path(path)


def _layer(bed, beam, noise_percent, guide_noise, rng):
    """Truth, sinograms, guide and noise of one layer, measured on the finer grid."""
    fine = bed.phase_maps(0.0, beam.size)
    maps = downsample(fine)
    clean = beam.project(fine[..., None])[..., 0] / 2  # in pixels of the maps
    noisy, noise = _noisy(clean, noise_percent, rng)
    guide = np.tensordot(np.array(ATTENUATION, np.float32), maps, 1)
    guide = guide + guide_noise * rng.standard_normal(guide.shape)
    return np.moveaxis(maps, 0, -1), np.moveaxis(noisy, 0, -1), guide, noise


def _noisy(clean, percent, rng):
    """Add noise to sinograms (n, translations, angles), each after its largest."""
    noisy = [gaussian_noise(sinogram, percent, rng=rng) for sinogram in clean]
    return np.stack(noisy), percent / 100 * clean.max(axis=(1, 2))


def read_layers(path: str | Path) -> Layers:
    """Read what `simulate_layers` wrote into memory.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Layers

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no HDF5 file or another kind of library.
    """
    settings = library_settings(path)
    if settings.get("by") != f"{__name__}:simulate_layers":
        raise ValueError(f"{path}: expected layers of a bed, found {settings}")
    beam = _beam(settings["size"], settings["factor"], settings["n_angles"])
    with open_hdf5(path) as file:
        maps, sinograms, guides, noise = (
            np.ascontiguousarray(np.moveaxis(file[name][...], -1, 0))
            for name in ("Images", "Sinograms", "Guides", "Noise")
        )
    return Layers(maps, sinograms, guides[..., None], noise, beam)


def _beam(size, factor, n_angles, n_translations=None):
    angles = np.linspace(0, 180, n_angles, endpoint=False)
    n_translations = n_translations or (size - 1) // factor + 1
    return ParallelBeam(size, angles, n_translations, detector_spacing=factor)


def check_side(size: int, factor: int) -> None:
    """Raise ValueError unless both grids can share their corners."""
    if (size - 1) % factor:
        low = (size - 1) // factor * factor + 1
        raise ValueError(
            f"expected a side of {factor} * (k - 1) + 1 pixels, so that a grid {factor}"
            f" times coarser has the same corners, such as {low} or {low + factor}, "
            f"received {size}"
        )
