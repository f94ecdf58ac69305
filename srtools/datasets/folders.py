"""Write folders of simulated images that belong together, as TIFF files."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from srtools.files import write_image
from srtools.phantoms import scene, template_objects

PARTS = ("train", "val", "test")


def simulate_folders(
    folder: str | Path,
    counts: tuple[int, int, int],
    draw: Callable[[int, np.random.Generator], Iterator[dict[str, np.ndarray]]],
    *,
    seed: int,
    **settings,
) -> Path:
    """Write ``train|val|test`` / kind / ``00000.tiff``, one file at a time.

    A call after an interruption starts again; a call for a tree that is there returns
    at once. The same arguments give the same data.

    Parameters
    ----------
    folder : str or Path
        Where the tree is written.
    counts : tuple of int
        Images for training, validation and test.
    draw : callable
        ``draw(count, rng)`` gives, image by image, arrays (height, width) by their
        kind; each kind becomes a folder.
    seed : int
        Seed of everything that is random; each part has a stream of its own.
    **settings
        What else the data depend on. All of it is kept in ``settings.json``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        If a count is below 1, or a tree of other settings stands in the folder.
    """
    folder = Path(folder)
    if len(counts) != len(PARTS) or min(counts) < 1:
        raise ValueError(f"expected three counts of 1 or more, received {counts}")
    settings = {"counts": list(counts), **settings, "seed": seed}
    ledger = folder / "settings.json"
    if ledger.exists():
        found = json.loads(ledger.read_text())
        if found == settings:
            return folder
        raise ValueError(
            f"{folder}: expected a tree of {settings}, found one of {found}; remove it "
            "or choose another folder"
        )
    with tqdm(total=sum(counts), desc=f"writing {folder.name}", unit="image") as bar:
        for number, (part, count) in enumerate(zip(PARTS, counts, strict=True)):
            images = draw(count, np.random.default_rng((seed, number)))
            for i, kinds in enumerate(images):
                for kind, image in kinds.items():
                    place = folder / part / kind
                    place.mkdir(parents=True, exist_ok=True)
                    write_image(place / f"{i:05}.tiff", image)
                bar.update()
    partial = ledger.with_suffix(".partial")
    partial.write_text(json.dumps(settings))
    partial.replace(ledger)  # last: it says "done"
    return folder


def simulate_segmentation(
    folder: str | Path,
    counts: tuple[int, int, int] = (20, 4, 4),
    *,
    size: int = 1280,
    noise: float = 0.3,
    crack_share: float = 0.02,
    seed: int = 0,
) -> Path:
    """Write scenes and their labels as TIFF files.

    The tree is ``train|val|test`` / ``noisy|noiseless|label|cracks|classes`` /
    ``00000.tiff``; see `scene` for what they hold, and
    `srtools.datasets.simulate_folders` for interruptions.

    Parameters
    ----------
    folder : str or Path
        Where the tree is written.
    counts : tuple of int
        Scenes for training, validation and test.
    size, noise, crack_share
        As for `scene`.
    seed : int
        Seed of everything that is random.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        As `scene` and `srtools.datasets.simulate_folders`.
    """
    how = {"size": size, "noise": noise, "crack_share": crack_share}

    def draw(count: int, rng: np.random.Generator) -> Iterator[dict[str, np.ndarray]]:
        return (scene(rng=rng, **how) for _ in range(count))

    return simulate_folders(folder, counts, draw, seed=seed, **how)


def simulate_denoising(
    folder: str | Path,
    counts: tuple[int, int, int] = (1_000, 100, 200),
    *,
    size: int = 64,
    noise: float = 0.5,
    seed: int = 0,
) -> Path:
    """Write pairs of noisy and noiseless template objects as TIFF files.

    The tree is ``train|val|test`` / ``noisy|noiseless`` / ``00000.tiff``; see
    `srtools.datasets.simulate_folders` for interruptions.

    Parameters
    ----------
    folder : str or Path
        Where the tree is written.
    counts : tuple of int
        Pairs for training, validation and test.
    size : int
        Side of the images [pixels].
    noise : float
        Standard deviation of the Gaussian noise, in units of the brightest object.
    seed : int
        Seed of objects and noise.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        If a count is below 1 or the noise is negative, or a tree of other settings
        stands in the folder.
    """
    if not noise >= 0:
        raise ValueError(f"expected a noise of 0 or more, received {noise}")

    def draw(count: int, rng: np.random.Generator) -> Iterator[dict[str, np.ndarray]]:
        clean = template_objects(count, size, rng=rng)[..., 0]
        noisy = clean + noise * rng.standard_normal(clean.shape, dtype=np.float32)
        for pair in zip(noisy, clean, strict=True):
            yield dict(zip(("noisy", "noiseless"), pair, strict=True))

    return simulate_folders(folder, counts, draw, size=size, noise=noise, seed=seed)
