"""Simulate libraries of image and sinogram pairs that need not fit into memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from srtools.files import create_library, function_settings
from srtools.tomography import ParallelBeam, gaussian_noise

_BLOCK = 512  # pairs that are simulated together


def simulate_library(
    path: str | Path,
    draw: Callable,
    beam: ParallelBeam,
    n: int,
    *,
    noise_percent: float = 5.0,
    seed: int = 0,
) -> Path:
    """Simulate pairs of images and noisy sinograms into an HDF5 library.

    The library appears when it is whole. A call after an interruption goes on where the
    last one stopped; a call for a library that is there already returns at once, and
    one for a library that another process is writing waits for it. The same arguments
    give the same data.

    Parameters
    ----------
    path : str or Path
        The file to write.
    draw : callable
        ``draw(n, size, rng=...)`` gives images of shape (n, size, size, 1), as the
        functions of `srtools.phantoms` do. Its name and arguments tell libraries
        apart, as `srtools.files.function_settings` describes.
    beam : ParallelBeam
        The geometry of the scan.
    n : int
        Number of pairs.
    noise_percent : float
        Standard deviation of the Gaussian noise, in percent of the largest clean
        sinogram value of the whole library.
    seed : int
        Seed of objects and noise.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If `n` is not positive, `draw` cannot be told from other functions, or a file of
        other settings stands at `path`.
    OSError
        If the disk has not enough space or cannot be written to.
    """
    if n < 1:
        raise ValueError(f"expected at least one pair, received {n}")
    settings = {
        "by": f"{__name__}:simulate_library",
        "draw": function_settings(draw),
        "n": n,
        **beam.settings,
        "noise_percent": noise_percent,
        "seed": seed,
    }
    layout = {
        "Images": (beam.size, beam.size),
        "Sinograms": (beam.n_translations, beam.n_angles),
    }
    with create_library(path, settings, layout, n) as file:
        if file is not None:
            _fill(file, draw, beam, n, noise_percent, seed)
    return Path(path)


def _fill(file, draw, beam, n, noise_percent, seed):
    """Draw and measure block by block; the attributes say how far it came."""
    images, sinograms, state = file["Images"], file["Sinograms"], file.attrs
    if "drawn" not in state:
        state.update(drawn=0, measured=0, largest=0.0)
    starts = range(0, n, _BLOCK)
    progress = tqdm(
        total=2 * len(starts),
        initial=int(state["drawn"] + state["measured"]),
        desc=f"writing {Path(file.filename).name}",
    )
    # The noise depends on the largest value of all: draw first, measure afterwards.
    for block, start in enumerate(starts[state["drawn"] :], state["drawn"]):
        part = slice(start, min(start + _BLOCK, n))
        rng = np.random.default_rng((seed, 0, block))
        drawn = draw(part.stop - part.start, beam.size, rng=rng)
        images[:, :, part] = np.moveaxis(drawn[..., 0], 0, -1)
        state["largest"] = max(state["largest"], beam.project(drawn).max())
        state["drawn"] = block + 1
        file.flush()
        progress.update()
    for block, start in enumerate(starts[state["measured"] :], state["measured"]):
        part = slice(start, min(start + _BLOCK, n))
        rng = np.random.default_rng((seed, 1, block))
        drawn = np.moveaxis(images[:, :, part], -1, 0)[..., None]
        noisy = gaussian_noise(
            beam.project(drawn), noise_percent, rng=rng, largest=state["largest"]
        )
        sinograms[:, :, part] = np.moveaxis(noisy[..., 0], 0, -1)
        state["measured"] = block + 1
        file.flush()
        progress.update()
    progress.close()
