"""Stand-ins for the benchmark data sets, streamed to disk by all cores.

The work is cut into chunks whose random generators depend on the seed and on the number
of the chunk alone, so that the same seed gives the same bytes on any number of workers.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

import joblib
import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from srtools.datasets.entries import catalogue
from srtools.datasets.photographs import ENDINGS, crops
from srtools.files import (
    build_list_images,
    create_library,
    library_settings,
    open_hdf5,
)
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam
from srtools.xrdct import COMPONENTS, ParticleBed, channel_angles, downsample

_SLICES_PER_LAYER = 26  # 38 layers of XRD-CT among 1000 slices of micro-CT


def simulate(
    name: str,
    path: str | Path | None = None,
    *,
    n: int | None = None,
    scale: float = 1.0,
    seed: int = 0,
    photographs: str | Path | None = None,
    n_jobs: int = -1,
) -> Path:
    """Write a stand-in for one of the six benchmark data sets to an HDF5 file.

    The file appears when it is whole. A call after an interruption goes on where the
    last one stopped; a call for a file that is there already returns at once, and one
    for a file that another process is writing waits for it.

    Parameters
    ----------
    name : str
        ``"div2k"``, ``"shapes"``: pairs, in the layout of
        `srtools.files.read_reconstruct_library`, without noise.
        ``"microct_185"``, ``"microct_369"``: ``Images`` (y, x, z).
        ``"xrdct_75"``, ``"xrdct_149"``: ``Images`` (y, x, channel, layer), with the
        truth beside it: ``Phases``, ``Lattice`` [angstrom], ``Crystallite`` [nm] (y, x,
        phase, layer), ``TwoTheta`` [degrees] and ``Slice``, the slice of micro-CT at
        which each layer lies.
    path : str or Path, optional
        The file to write; by default ``<name>.h5`` in the working folder.
    n : int, optional
        Number of pairs, slices or layers; by default that of the catalogue (1000
        slices).
    scale : float
        Of the sides, at most 1. The bed's two resolutions stay in step: the finer has
        2 n - 1 pixels where the coarser has n, and `srtools.xrdct.downsample` leads
        from one to the other.
    seed : int
        Seed of everything that is random. The four sets of the same seed and scale
        show the same bed.
    photographs : str or Path, optional
        Folder of PNG, JPEG or TIFF images for ``"div2k"``; by default those that come
        with scikit-image.
    n_jobs : int
        Number of processes, as for `joblib.Parallel`; -1 for one a core. Inside
        ``joblib.parallel_config(backend="dask")`` those of a Dask cluster work.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    KeyError
        If no data set has that name.
    ValueError
        If the data set has no stand-in, the scale is not in (0, 1] or leaves less than
        16 pixels, n is not positive, or a file of other settings stands at the path.
    OSError
        If the disk has not enough space, checked before anything is written.
    """
    entry = catalogue()[name]  # an unknown name: suggest the nearest
    if not entry.count:
        known = ", ".join(k for k, e in catalogue().items() if e.count)
        raise ValueError(f"expected one of {known}, received {name!r}")
    if not 0 < scale <= 1:
        raise ValueError(f"expected a scale above 0 and up to 1, received {scale}")
    n = entry.count if n is None else n
    size = _size(name, scale)
    if n < 1 or size < 16:
        raise ValueError(
            f"expected at least 1 item and 16 pixels, received {n} and {size}"
        )
    settings = {
        "by": f"{__name__}:simulate",
        "name": name,
        "n": n,
        "scale": scale,
        "size": size,
        "seed": seed,
    }
    if photographs is not None:
        settings["photographs"] = str(photographs)
        build_list_images(photographs, ENDINGS)  # complain now, not in a worker
    path = Path(f"{name}.h5" if path is None else path)
    with create_library(path, settings, _layout(settings), n) as file:
        if file is not None:
            _fill(file, settings, n_jobs)
    return path


def verify(path: str | Path) -> None:
    """Check every number of a file that `simulate` wrote.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it was not written by `simulate`, has another number of items than it says,
        or a chunk has another checksum.
    """
    settings = library_settings(path)
    with open_hdf5(path) as file:
        if "Checksums" not in file:
            raise ValueError(
                f"{path}: expected a stand-in that `simulate` wrote, with Checksums, "
                f"found {sorted(file)}"
            )
        if file["Images"].shape[-1] != settings["n"]:
            raise ValueError(
                f"{path}: expected {settings['n']} items, "
                f"found {file['Images'].shape[-1]}"
            )
        names = list(_layout(settings))
        for i, part in enumerate(_parts(settings)):
            if _digest({k: file[k][..., part] for k in names}) != bytes(
                file["Checksums"][i]
            ):
                raise ValueError(
                    f"{path}: items {part.start} to {part.stop - 1} are damaged: "
                    "remove the file and simulate it again"
                )
        total = hashlib.sha256(file["Checksums"][:].tobytes()).hexdigest()
        if total != file.attrs["sha256"]:
            raise ValueError(
                f"{path}: expected checksum {file.attrs['sha256']}, found {total}"
            )


def toy(rng: int | np.random.Generator = 0) -> np.ndarray:
    """Draw 64 random shapes at once: for tests, and to try a function out.

    Parameters
    ----------
    rng : int or numpy.random.Generator

    Returns
    -------
    float16 array, shape (64, 64, 64, 1)
        Attenuation, 0 to 1; half a megabyte.
    """
    return random_shapes(64, 64, rng=np.random.default_rng(rng)).astype(np.float16)


def _size(name, scale):
    """Side of an image; the finer sets of the bed follow the coarser."""
    coarse = {"microct_369": "microct_185", "xrdct_149": "xrdct_75"}
    if name in coarse:
        return 2 * _size(coarse[name], scale) - 1
    return round(catalogue()[name].keys["Images"][0] * scale)


def _parts(settings):
    """The slices of items that are made together."""
    n, step = settings["n"], catalogue()[settings["name"]].together
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def _layout(settings):
    """Shape of one item of every dataset."""
    size = settings["size"]
    keys = catalogue()[settings["name"]].keys
    return {key: (size, size, *channels) for key, (_, _, *channels) in keys.items()}


def _fill(file, settings, n_jobs):
    """Make part after part on all cores; the attributes say how far it came."""
    parts = _parts(settings)
    if "done" not in file.attrs:
        file["Checksums"] = np.zeros((len(parts), 32), np.uint8)
        if settings["name"].startswith("xrdct"):
            file["TwoTheta"] = channel_angles()
            file["Slice"] = _SLICES_PER_LAYER * np.arange(settings["n"])
            file.attrs["phases"] = list(COMPONENTS)
        file.attrs["done"] = 0
    done = int(file.attrs["done"])
    work = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
        joblib.delayed(_make)(settings, part.start, part.stop) for part in parts[done:]
    )
    name = Path(file.filename).name
    bar = tqdm(work, desc=f"writing {name}", initial=done, total=len(parts))
    for i, made in enumerate(bar, done):
        for key, items in made.items():
            file[key][..., parts[i]] = items
        file["Checksums"][i] = np.frombuffer(_digest(made), np.uint8)
        file.attrs["done"] = i + 1
        file.flush()
    checksums = file["Checksums"][:].tobytes()
    file.attrs["sha256"] = hashlib.sha256(checksums).hexdigest()


def _digest(items):
    digest = hashlib.sha256()
    for key in sorted(items):
        digest.update(np.ascontiguousarray(items[key]).tobytes())
    return digest.digest()


def _make(settings, start, stop):
    """Make the items of one chunk, the item as the last axis."""
    with threadpool_limits(1):  # more threads could add in another order
        name, size, seed = settings["name"], settings["size"], settings["seed"]
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(start,)))
        if name == "shapes":
            return _pairs(random_shapes(stop - start, size, rng=rng))
        if name == "div2k":
            folder = settings.get("photographs")
            return _pairs(crops(stop - start, size, rng=rng, folder=folder))
        fine = name in ("microct_369", "xrdct_149")
        drawn = size if fine else 2 * size - 1
        step = 2 / (_size("microct_369", settings["scale"]) - 1)
        bed = ParticleBed(seed)
        if name.startswith("microct"):
            slices = bed.micro_ct(step * np.arange(start, stop), drawn)
            slices = slices if fine else downsample(slices)
            return {"Images": np.moveaxis(slices, 0, -1)}
        layers = [
            bed.slice(step * _SLICES_PER_LAYER * i, drawn) for i in range(start, stop)
        ]
        return _xrd_ct(layers if fine else [layer.downsample() for layer in layers])


def _xrd_ct(layers):
    two_theta = channel_angles()
    made = {
        "Images": [
            np.moveaxis(layer.images(two_theta)[..., 0], 0, -1) for layer in layers
        ],
        "Phases": [np.moveaxis(layer.phase_maps(), 0, -1) for layer in layers],
        "Lattice": [np.moveaxis(layer.lattice_maps(), 0, -1) for layer in layers],
        "Crystallite": [
            np.moveaxis(layer.crystallite_maps(), 0, -1) for layer in layers
        ],
    }
    return {key: np.stack(items, -1) for key, items in made.items()}


@lru_cache(maxsize=2)
def _beam(size):
    return ParallelBeam(size, np.linspace(0, 180, size, endpoint=False))


def _pairs(images):
    sinograms = _beam(images.shape[1]).project(images)
    made = {"Images": images, "Sinograms": sinograms}
    return {key: np.moveaxis(items[..., 0], 0, -1) for key, items in made.items()}
