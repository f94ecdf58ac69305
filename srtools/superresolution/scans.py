"""Scans that are coarser than what one wants to see, simulated as a scanner makes them.

An object is drawn on a grid finer than any that it is looked at with, and measured with
wide detector pixels. The truth is its mean over the pixels of the fine image.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from skimage.transform import downscale_local_mean
from tqdm import tqdm

from srtools.files import create_library, function_settings
from srtools.tomography import ParallelBeam, gaussian_noise
from srtools.xrdct import ParticleBed

_BLOCK = 16  # objects that are drawn together


def coarse_scan(
    beam: ParallelBeam, objects, *, noise_percent: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Measure objects that are drawn more finely than the images to reconstruct.

    Parameters
    ----------
    beam : ParallelBeam
        The scan on the grid of the fine images. Its `detector_spacing` says how many of
        their pixels a detector pixel is wide: 2 for super-resolution by a factor of 2.
    objects : array, shape (n, k * size, k * size, 1)
        Attenuation, with a whole number of points to a pixel of the beam's images; 2 or
        more, since the truth of a scan is no grid.
    noise_percent : float
        Standard deviation of the Gaussian noise, in percent of the largest value.
    rng : numpy.random.Generator

    Returns
    -------
    truth : float32 array, shape (n, size, size, 1)
        The objects' mean over each pixel.
    sinograms : float32 array, shape (n, n_translations, n_angles, 1)
        Line integrals in the unit of the fine pixel. For a grid ``factor`` times
        coarser, divide them by it.

    Raises
    ------
    ValueError
        If the objects' side is no multiple of the beam's, they are not finite, or the
        noise is negative.
    """
    objects = np.asarray(objects, np.float32)
    side = objects.shape[1] if objects.ndim == 4 else 0
    finer, rest = divmod(side, beam.size)
    if finer < 2 or rest or objects.shape[1:] != (side, side, 1):
        raise ValueError(
            f"expected objects (n, k * {beam.size}, k * {beam.size}, 1) with a whole "
            f"number k from 2 on, received shape {objects.shape}"
        )
    clean = _on_finer_grid(beam, finer).project(objects) / finer
    truth = downscale_local_mean(objects, (1, finer, finer, 1)).astype(np.float32)
    return truth, gaussian_noise(clean, noise_percent, rng=rng)


@lru_cache(maxsize=2)
def _on_finer_grid(beam, finer):
    """The same scan, of an object with so many times as many pixels a side."""
    settings = dict(beam.settings)
    settings["size"] *= finer
    settings["detector_spacing"] *= finer
    return ParallelBeam(**settings)


def simulate_scans(
    path: str | Path,
    draw: Callable,
    beam: ParallelBeam,
    n: int,
    *,
    finer: int = 2,
    noise_percent: float = 1.0,
    seed: int = 0,
) -> Path:
    """Simulate coarse scans and their truths into an HDF5 library.

    The library appears when it is whole; a call for one that is there already returns
    at once. The same arguments give the same data.

    Parameters
    ----------
    path : str or Path
        The file to write, for `srtools.files.read_reconstruct_library`: ``Images`` are
        the truths, ``Sinograms`` the scans, as `coarse_scan` makes them.
    draw : callable
        ``draw(n, size, rng=...)`` gives objects (n, size, size, 1), as the functions of
        `srtools.phantoms` and `beds` do.
    beam : ParallelBeam
        As for `coarse_scan`.
    n : int
        Number of pairs.
    finer : int
        How many times finer than the beam's images the objects are drawn.
    noise_percent : float
        Standard deviation of the Gaussian noise, in percent of the largest value among
        16 objects that are drawn together.
    seed : int
        Seed of objects and noise.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If `n` is not positive, `draw` cannot be told from other functions, a file of
        other settings stands at `path`, or as `coarse_scan`.
    OSError
        If the disk has not enough space or cannot be written to.
    """
    if n < 1:
        raise ValueError(f"expected at least one pair, received {n}")
    settings = {
        "by": f"{__name__}:simulate_scans",
        "draw": function_settings(draw),
        "n": n,
        **beam.settings,
        "finer": finer,
        "noise_percent": noise_percent,
        "seed": seed,
    }
    layout = {
        "Images": (beam.size, beam.size),
        "Sinograms": (beam.n_translations, beam.n_angles),
    }
    path = Path(path)
    with create_library(path, settings, layout, n) as file:
        if file is not None:
            for first in tqdm(range(0, n, _BLOCK), desc=f"writing {path.name}"):
                part = slice(first, min(first + _BLOCK, n))
                rng = np.random.default_rng((seed, first))
                objects = draw(part.stop - first, finer * beam.size, rng=rng)
                pair = coarse_scan(beam, objects, noise_percent=noise_percent, rng=rng)
                for name, batch in zip(layout, pair, strict=True):
                    file[name][:, :, part] = np.moveaxis(batch[..., 0], 0, -1)
    return path


def beds(n: int, size: int, *, rng: np.random.Generator) -> np.ndarray:
    """Draw layers of reactor beds, each of a bed of its own.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Side of the images [pixels].
    rng : numpy.random.Generator

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Attenuation as `srtools.xrdct.ParticleBed.micro_ct` gives it, 0 to 1.
    """
    seeds = rng.integers(2**31, size=n)
    layers = [ParticleBed(int(seed)).micro_ct([0.0], size) for seed in seeds]
    return np.concatenate(layers)[..., None]
