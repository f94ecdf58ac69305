"""Families of objects that look alike, and faults of a scan, to inspect data with."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np

from srtools.files import open_hdf5, read_reconstruct_library
from srtools.phantoms import circle, ellipses, random_shapes
from srtools.tomography import ParallelBeam, gaussian_noise

# Shepp & Logan's head with Toft's contrasts: value, half-axes, centre, turn [degrees].
_HEAD = np.array(
    [
        (1.0, 0.69, 0.92, 0, 0, 0),
        (-0.8, 0.6624, 0.8740, 0, -0.0184, 0),
        (-0.2, 0.11, 0.31, 0.22, 0, -18),
        (-0.2, 0.16, 0.41, -0.22, 0, 18),
        (0.1, 0.21, 0.25, 0, 0.35, 0),
        (0.1, 0.046, 0.046, 0, 0.1, 0),
        (0.1, 0.046, 0.046, 0, -0.1, 0),
        (0.1, 0.046, 0.023, -0.08, -0.605, 0),
        (0.1, 0.023, 0.023, 0, -0.606, 0),
        (0.1, 0.023, 0.046, 0.06, -0.605, 0),
    ]
)


def packed_particles(n: int, size: int, *, rng: np.random.Generator) -> np.ndarray:
    """Draw a bed of round particles with rims, as in a packed reactor.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Side of the images [pixels].
    rng : numpy.random.Generator
        Source of the randomness.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Attenuation: cores 0.3 to 0.6, rims 0.8 to 1, and 0 between the particles and
        outside the inscribed circle. Particles do not overlap.
    """
    x, y = _axes(size)
    images = np.zeros((n, size, size, 1), np.float32)
    for image in images[..., 0]:
        core, rim = rng.uniform(0.3, 0.6), rng.uniform(0.8, 1)
        width = rng.uniform(0.04, 0.07)
        centres, radii = np.empty((0, 2)), np.empty(0)
        for radius in np.sort(rng.uniform(0.12, 0.28, 150))[::-1]:
            centre = rng.uniform(-1, 1, 2)
            gaps = np.hypot(*(centres - centre).T) - radii
            if np.hypot(*centre) + radius > 0.97 or (gaps < radius).any():
                continue
            centres, radii = np.vstack([centres, centre]), np.append(radii, radius)
            distance = np.hypot(x - centre[0], y - centre[1])
            image[distance <= radius] = rim
            image[distance <= radius - width] = core
    return images


def grains(n: int, size: int, *, rng: np.random.Generator) -> np.ndarray:
    """Draw Voronoi grains of constant value, as in a polycrystal.

    Parameters as in `packed_particles`.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Attenuation 0.3 to 1 in the grains, 0 outside the inscribed circle.
    """
    images = np.empty((n, size, size, 1), np.float32)
    for image in images[..., 0]:
        nearest, _ = _voronoi(size, rng.integers(15, 40), rng)
        image[:] = rng.uniform(0.3, 1, 40)[nearest]
    return images * circle(size)[:, :, None]


def foam(n: int, size: int, *, rng: np.random.Generator) -> np.ndarray:
    """Draw the walls between Voronoi cells, as in a closed foam.

    Parameters as in `packed_particles`.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Attenuation 0.7 to 1 in the walls, 0 in the cells and outside the inscribed
        circle.
    """
    images = np.empty((n, size, size, 1), np.float32)
    for image in images[..., 0]:
        _, gap = _voronoi(size, rng.integers(15, 40), rng)
        image[:] = rng.uniform(0.7, 1) * (gap < rng.uniform(0.07, 0.11))
    return images * circle(size)[:, :, None]


def fibres(n: int, size: int, *, rng: np.random.Generator) -> np.ndarray:
    """Draw straight fibres that share a direction, more or less.

    Parameters as in `packed_particles`.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Attenuation 0.5 to 1 in the fibres, 0 between them and outside the inscribed
        circle.
    """
    x, y = _axes(size)
    images = np.zeros((n, size, size, 1), np.float32)
    for image in images[..., 0]:
        direction = rng.uniform(0, np.pi)
        for _ in range(rng.integers(8, 16)):
            turn = direction + rng.normal(0, 0.15)
            offset, width = rng.uniform(-0.9, 0.9), rng.uniform(0.03, 0.07)
            across = np.abs(x * np.cos(turn) + y * np.sin(turn) - offset)
            image[across <= width] = rng.uniform(0.5, 1)
    return images * circle(size)[:, :, None]


def shepp_logan_variations(
    n: int, size: int, *, rng: np.random.Generator
) -> np.ndarray:
    """Draw heads like that of Shepp and Logan, no two the same.

    Parameters as in `packed_particles`.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Attenuation 0 to 1, 0 outside the inscribed circle. Every ellipse is moved,
        scaled and turned a little, and the head turned by up to 20 degrees.

    References
    ----------
    .. [1] Shepp & Logan, IEEE Trans. Nucl. Sci. 21 (1974) 21,
       doi:10.1109/TNS.1974.6499235.
    """
    x, y = _axes(size)
    images = np.zeros((n, size, size, 1), np.float32)
    for image in images[..., 0]:
        head = np.deg2rad(rng.uniform(-20, 20))
        u, v = x * np.cos(head) - y * np.sin(head), x * np.sin(head) + y * np.cos(head)
        size_of_head = rng.uniform(0.9, 1.0)
        for i, (value, a, b, x0, y0, turn) in enumerate(_HEAD):
            if i > 1:  # skull and brain stay as they are
                value, a, b = np.array([value, a, b]) * rng.uniform(0.7, 1.3, 3)
                x0, y0 = np.array([x0, y0]) + rng.normal(0, 0.04, 2)
                turn = turn + rng.normal(0, 10)
            cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
            p, q = u / size_of_head - x0, v / size_of_head + y0
            inside = ((p * cos - q * sin) / a) ** 2 + ((p * sin + q * cos) / b) ** 2
            image[inside <= 1] += value
    return np.clip(images, 0, 1) * circle(size)[:, :, None]


FAMILIES: dict[str, Callable] = {
    "random shapes": random_shapes,
    "ellipses": ellipses,
    "packed particles": packed_particles,
    "grains": grains,
    "foam": foam,
    "fibres": fibres,
    "Shepp-Logan": shepp_logan_variations,
}


def dead_column(sinograms, *, rng: np.random.Generator) -> np.ndarray:
    """Let one detector pixel of each scan read zero at all angles.

    Parameters
    ----------
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals.
    rng : numpy.random.Generator
        Chooses the pixel, in the middle half of the detector.

    Returns
    -------
    float32 array
        Of the same shape.
    """
    sinograms = np.array(sinograms, dtype=np.float32)
    width = sinograms.shape[1]
    columns = rng.integers(width // 4, width - width // 4, len(sinograms))
    sinograms[np.arange(len(sinograms)), columns] = 0
    return sinograms


def shifted_axis(sinograms, *, rng: np.random.Generator) -> np.ndarray:
    """Move each scan along the detector, as if its rotation axis were misjudged.

    Parameters
    ----------
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals.
    rng : numpy.random.Generator
        Chooses the side.

    Returns
    -------
    float32 array
        Of the same shape; moved by an eighth of the detector. On one side the object
        may be cut off, on the other the outermost pixel is repeated.
    """
    sinograms = np.asarray(sinograms, dtype=np.float32)
    width = sinograms.shape[1]
    shift = max(1, width // 8)
    padded = np.pad(sinograms, ((0, 0), (shift, shift), (0, 0), (0, 0)), mode="edge")
    left = rng.random(len(sinograms)) < 0.5
    sides = padded[:, 2 * shift :], padded[:, :width]
    return np.where(left[:, None, None, None], *sides)


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


def _axes(size):
    """Coordinates x and y of the pixels, from -1 to 1 over the image."""
    axis = (2 * np.arange(size) + 1) / size - 1
    return axis[None, :], -axis[:, None]


def _voronoi(size, number, rng):
    """Nearest seed of each pixel, and how much farther the second nearest is."""
    x, y = _axes(size)
    seeds = rng.uniform(-1.1, 1.1, (number, 2))
    distances = np.hypot(x[..., None] - seeds[:, 0], y[..., None] - seeds[:, 1])
    two = np.partition(distances, 1, axis=-1)
    return distances.argmin(-1), two[..., 1] - two[..., 0]
