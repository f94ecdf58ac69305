"""Simulate libraries of image and sinogram pairs that need not fit into memory."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from srtools.files import CHUNK, open_hdf5
from srtools.tomography import ParallelBeam, gaussian_noise

_log = logging.getLogger(__name__)
_BLOCK = 512  # pairs that are simulated together


def simulate_library(
    path: str | Path,
    draw: Callable,
    beam: ParallelBeam,
    n: int,
    *,
    noise: float = 5.0,
    seed: int = 0,
) -> Path:
    """Simulate pairs of images and noisy sinograms into an HDF5 library.

    The library grows in a file ``<path>.partial``, which is renamed when it is whole. A
    call after an interruption goes on where the last one stopped; a call for a library
    that is there already returns at once. The same arguments give the same data.

    Parameters
    ----------
    path : str or Path
        The file to write.
    draw : callable
        ``draw(n, size, rng=...)`` gives images of shape (n, size, size, 1), as the
        functions of `srtools.phantoms` do.
    beam : ParallelBeam
        The geometry of the scan.
    n : int
        Number of pairs.
    noise : float
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
        If `n` is not positive, or a file of other settings stands at `path`.
    """
    path, partial = Path(path), Path(f"{path}.partial")
    if n < 1:
        raise ValueError(f"expected at least one pair, received {n}")
    settings = {
        "objects": draw.__name__,
        "n": n,
        "size": beam.size,
        "n_translations": beam.n_translations,
        "angles": beam.angles.tolist(),
        "noise": noise,
        "seed": seed,
    }
    if path.exists():
        with open_hdf5(path) as file:
            found = json.loads(file.attrs.get("settings", "{}"))
        if found != settings:
            raise ValueError(
                f"{path}: expected a library of {_short(settings)}, found one of "
                f"{_short(found)}; remove it or choose another name"
            )
        return path

    path.parent.mkdir(parents=True, exist_ok=True)
    starts = range(0, n, _BLOCK)
    with _start_or_resume(partial, settings) as file:
        images, sinograms, state = file["Images"], file["Sinograms"], file.attrs
        progress = tqdm(
            total=2 * len(starts),
            initial=int(state["drawn"] + state["measured"]),
            desc=f"writing {path.name}",
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
                beam.project(drawn), noise, rng=rng, largest=state["largest"]
            )
            sinograms[:, :, part] = np.moveaxis(noisy[..., 0], 0, -1)
            state["measured"] = block + 1
            file.flush()
            progress.update()
        progress.close()
        file["NImages"] = np.arange(n)
    partial.replace(path)
    return path


def _start_or_resume(partial, settings):
    if partial.exists():
        try:
            file = h5py.File(partial, "r+")
            if json.loads(file.attrs["settings"]) == settings:
                _log.info("going on with %s", partial)
                file.pop("NImages", None)
                return file
            file.close()
        except (OSError, KeyError):  # interrupted before anything useful was in it
            _log.info("starting %s again: it can not be read", partial)
    file = h5py.File(partial, "w")
    n = settings["n"]
    chunk = min(CHUNK, n)
    for name, shape in (
        ("Images", (settings["size"], settings["size"])),
        ("Sinograms", (settings["n_translations"], len(settings["angles"]))),
    ):
        file.create_dataset(name, (*shape, n), "float32", chunks=(*shape, chunk))
    file.attrs.update(drawn=0, measured=0, largest=0.0)
    file.attrs["settings"] = json.dumps(settings)
    return file


def _short(settings):
    """Settings in which long lists do not hide the rest."""
    lists = {k: f"{len(v)} values" for k, v in settings.items() if isinstance(v, list)}
    return settings | lists
