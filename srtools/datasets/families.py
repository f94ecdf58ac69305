"""Libraries of several families of objects, with planted anomalies."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np

from srtools.files import open_hdf5, read_reconstruct_library
from srtools.phantoms import FAMILIES
from srtools.tomography import (
    ParallelBeam,
    dead_column,
    gaussian_noise,
    shifted_axis,
)

ANOMALIES = ("none", "dead column", "shifted axis", "mislabelled", "empty scan")


def simulate_families(
    path: str | Path,
    beam: ParallelBeam,
    n: int,
    *,
    noise: float = 5.0,
    n_anomalies: int = 10,
    families: Mapping[str, Callable] = FAMILIES,
    seed: int = 0,
) -> Path:
    """Simulate a library of several families with a few planted anomalies.

    A call for a library that is there already returns at once.

    Parameters
    ----------
    path : str or Path
        The file to write: a library as `srtools.files` describes, with two more
        datasets, ``Families`` and ``Anomalies``, one integer a pair, whose names are
        in the attributes ``families`` and ``anomalies``.
    beam : ParallelBeam
        The geometry of the scan.
    n : int
        Number of pairs, in random order of family.
    noise : float
        Standard deviation of the Gaussian noise, in percent of the largest clean
        sinogram value of the library.
    n_anomalies : int
        How many pairs get each of `ANOMALIES` but the first.
    families : mapping of str to callable
        Functions such as `foam`, by name.
    seed : int
        Seed of objects, noise and anomalies.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If there are fewer pairs than families or anomalies, or a file of other
        settings stands at `path`.
    """
    path, partial = Path(path), Path(f"{path}.partial")
    kinds = len(ANOMALIES) - 1
    if n < max(len(families), n_anomalies * kinds, 1):
        raise ValueError(
            f"expected at least {max(len(families), n_anomalies * kinds, 1)} pairs for "
            f"{len(families)} families and {kinds} x {n_anomalies} anomalies, "
            f"received {n}"
        )
    settings = {
        "families": list(families),
        "anomalies": list(ANOMALIES),
        "n": n,
        "size": beam.size,
        "n_translations": beam.n_translations,
        "angles": beam.angles.tolist(),
        "noise": noise,
        "n_anomalies": n_anomalies,
        "seed": seed,
    }
    if path.exists():
        with open_hdf5(path) as file:
            if json.loads(file.attrs.get("settings", "{}")) == settings:
                return path
        raise ValueError(
            f"{path}: expected a library of other settings; remove it or choose "
            "another name"
        )

    rng = np.random.default_rng(seed)
    family = rng.permutation(np.arange(n) % len(families))
    anomaly = np.zeros(n, int)
    planted = rng.choice(n, n_anomalies * kinds, replace=False)
    anomaly[planted] = np.arange(len(planted)) % kinds + 1
    images = np.zeros((n, beam.size, beam.size, 1), np.float32)
    for number, draw in enumerate(families.values()):
        members = family == number
        images[members] = draw(int(members.sum()), beam.size, rng=rng)
    images[anomaly == ANOMALIES.index("empty scan")] = 0
    clean = beam.project(images)
    sinograms = gaussian_noise(clean, noise, rng=rng)
    for name, spoil in (("dead column", dead_column), ("shifted axis", shifted_axis)):
        chosen = anomaly == ANOMALIES.index(name)
        sinograms[chosen] = spoil(sinograms[chosen], rng=rng)
    wrong = anomaly == ANOMALIES.index("mislabelled")
    family[wrong] += rng.integers(1, max(2, len(families)), wrong.sum())
    family %= len(families)

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(partial, "w") as file:
        file["Images"] = np.moveaxis(images[..., 0], 0, -1)
        file["Sinograms"] = np.moveaxis(sinograms[..., 0], 0, -1)
        file["NImages"] = np.arange(n)
        file["Families"], file["Anomalies"] = family, anomaly
        file.attrs["families"], file.attrs["anomalies"] = list(families), ANOMALIES
        file.attrs["settings"] = json.dumps(settings)
    partial.replace(path)
    return path


def read_families(
    path: str | Path,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read a library that `simulate_families` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    images : float32 array, shape (n, size, size, 1)
    sinograms : float32 array, shape (n, n_translations, n_angles, 1)
    families : array of str, shape (n,)
        The label of each pair; wrong for those that are mislabelled.
    anomalies : array of str, shape (n,)
        What was planted, one of `ANOMALIES`.

    Raises
    ------
    FileNotFoundError, ValueError
        As in `srtools.files.read_reconstruct_library`, and if the file has no labels.
    """
    images, sinograms, _ = read_reconstruct_library(path)
    with open_hdf5(path) as file:
        if "Families" not in file or "Anomalies" not in file:
            raise ValueError(
                f"{path}: expected the datasets Families and Anomalies, "
                f"found {sorted(file)}"
            )
        families = np.array(file.attrs["families"].astype(str))[file["Families"][()]]
        anomalies = np.array(file.attrs["anomalies"].astype(str))[file["Anomalies"][()]]
    return images, sinograms, families, anomalies
