"""Libraries of several families of objects, with planted anomalies."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from srtools.files import (
    create_library,
    function_settings,
    open_hdf5,
    read_reconstruct_library,
)
from srtools.phantoms import FAMILIES
from srtools.tomography import (
    ParallelBeam,
    dead_column,
    gaussian_noise,
    shifted_axis,
)

ANOMALIES = ("none", "dead column", "shifted axis", "mislabelled", "empty scan")
"""What may be wrong with a pair of a library of families."""


def simulate_families(
    path: str | Path,
    beam: ParallelBeam,
    n: int,
    *,
    noise_percent: float = 5.0,
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
    noise_percent : float
        Standard deviation of the Gaussian noise, in percent of the largest clean
        sinogram value of the library.
    n_anomalies : int
        How many pairs get each of `ANOMALIES` but the first.
    families : mapping of str to callable
        Functions such as `srtools.phantoms.foam`, by name; they are told from others
        as in `simulate_library`.
    seed : int
        Seed of objects, noise and anomalies.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If there are fewer pairs than families or anomalies, a function cannot be told
        from others, or a file of other settings stands at `path`.
    OSError
        If the disk has not enough space or cannot be written to.
    """
    kinds = len(ANOMALIES) - 1
    if n < max(len(families), n_anomalies * kinds, 1):
        raise ValueError(
            f"expected at least {max(len(families), n_anomalies * kinds, 1)} pairs for "
            f"{len(families)} families and {kinds} x {n_anomalies} anomalies, "
            f"received {n}"
        )
    settings = {
        "by": f"{__name__}:simulate_families",
        "families": [[k, function_settings(draw)] for k, draw in families.items()],
        "anomalies": list(ANOMALIES),
        "n": n,
        **beam.settings,
        "noise_percent": noise_percent,
        "n_anomalies": n_anomalies,
        "seed": seed,
    }
    layout = {
        "Images": (beam.size, beam.size),
        "Sinograms": (beam.n_translations, beam.n_angles),
    }
    with create_library(path, settings, layout, n) as file:
        if file is not None:
            _fill(file, families, beam, n, noise_percent, n_anomalies, seed)
    return Path(path)


def _fill(file, families, beam, n, noise_percent, n_anomalies, seed):
    """Draw, measure and spoil all pairs at once."""
    rng = np.random.default_rng(seed)
    family = rng.permutation(np.arange(n) % len(families))
    anomaly, kinds = np.zeros(n, int), len(ANOMALIES) - 1
    planted = rng.choice(n, n_anomalies * kinds, replace=False)
    anomaly[planted] = np.arange(len(planted)) % kinds + 1
    images = np.zeros((n, beam.size, beam.size, 1), np.float32)
    for number, draw in enumerate(families.values()):
        members = family == number
        images[members] = draw(int(members.sum()), beam.size, rng=rng)
    images[anomaly == ANOMALIES.index("empty scan")] = 0
    clean = beam.project(images)
    sinograms = gaussian_noise(clean, noise_percent, rng=rng)
    for name, spoil in (("dead column", dead_column), ("shifted axis", shifted_axis)):
        chosen = anomaly == ANOMALIES.index(name)
        sinograms[chosen] = spoil(sinograms[chosen], rng=rng)
    wrong = anomaly == ANOMALIES.index("mislabelled")
    family[wrong] += rng.integers(1, max(2, len(families)), wrong.sum())
    family %= len(families)

    file["Images"][:] = np.moveaxis(images[..., 0], 0, -1)
    file["Sinograms"][:] = np.moveaxis(sinograms[..., 0], 0, -1)
    for name, numbers in (("Families", family), ("Anomalies", anomaly)):
        file.pop(name, None)  # of a run that was interrupted here
        file[name] = numbers
    file.attrs["families"], file.attrs["anomalies"] = list(families), ANOMALIES


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
