"""Write folders of simulated images that belong together, as TIFF files."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from srtools.files import (
    atomic_write,
    check_settings,
    function_settings,
    write_image,
    write_once,
)
from srtools.phantoms import scene, template_objects

PARTS = ("train", "val", "test")
"""Sub-folders of a data set that is split."""


def simulate_folders(
    folder: str | Path,
    counts: tuple[int, int, int],
    draw: Callable[[int, np.random.Generator], Iterator[dict[str, np.ndarray]]],
    *,
    seed: int,
) -> Path:
    """Write ``train|val|test`` / kind / ``00000.tiff``, one file at a time.

    A call after an interruption starts again; a call for a tree that is there returns
    at once, and one for a tree that another process is writing waits for it. The same
    arguments give the same data.

    Parameters
    ----------
    folder : str or Path
        Where the tree is written.
    counts : tuple of int
        Images for training, validation and test.
    draw : callable
        ``draw(count, rng)`` gives, image by image, arrays (height, width) by their
        kind; each kind becomes a folder. Bind what else the data depend on with
        `functools.partial`: name and arguments tell trees apart, as
        `srtools.files.function_settings` describes, and are kept in ``settings.json``.
    seed : int
        Seed of everything that is random; each part has a stream of its own.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        If a count is below 1, `draw` cannot be told from other functions, or a tree of
        other settings stands in the folder, whole or begun.
    FileExistsError
        If the folder holds images that are not of such a tree. Nothing is written.
    """
    folder = Path(folder)
    if len(counts) != len(PARTS) or min(counts) < 1:
        raise ValueError(f"expected three counts of 1 or more, received {counts}")
    settings = {
        "by": f"{__name__}:simulate_folders",
        "counts": list(counts),
        "draw": function_settings(draw),
        "seed": seed,
    }
    ledger = folder / "settings.json"
    folder.mkdir(parents=True, exist_ok=True)
    with write_once(ledger) as begun:  # it is there when the tree is
        if begun is None:
            check_settings(folder, settings, _read(ledger))
            return folder
        _begin(folder, begun, settings)
        _fill(folder, counts, draw, seed)
    return folder


def _begin(folder, begun, settings):
    """Say whose the images will be, unless there are images of somebody else."""
    if begun.exists():
        check_settings(folder, settings, _read(begun))
        return
    for image in (f for part in PARTS for f in (folder / part).glob("*/*")):
        if image.suffix.lower() in (".tif", ".tiff"):
            raise FileExistsError(
                f"{image}: expected a folder without images of other origin; remove "
                "them or choose another folder"
            )
    with atomic_write(begun) as partial:
        partial.write_text(json.dumps(settings))


def _read(ledger):
    try:
        return dict(json.loads(ledger.read_text()))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{ledger}: expected the settings of a tree of images, found something "
            f"else ({error})"
        ) from error


def _fill(folder, counts, draw, seed):
    with tqdm(total=sum(counts), desc=f"writing {folder.name}", unit="image") as bar:
        for number, (part, count) in enumerate(zip(PARTS, counts, strict=True)):
            images = draw(count, np.random.default_rng((seed, number)))
            for i, kinds in enumerate(images):
                for kind, image in kinds.items():
                    place = folder / part / kind
                    place.mkdir(parents=True, exist_ok=True)
                    write_image(place / f"{i:05}.tiff", image)
                bar.update()


def simulate_segmentation(
    folder: str | Path,
    counts: tuple[int, int, int] = (20, 4, 4),
    *,
    size: int = 1280,
    noise_std: float = 0.3,
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
    size, noise_std, crack_share
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
    draw = partial(_scenes, size=size, noise_std=noise_std, crack_share=crack_share)
    return simulate_folders(folder, counts, draw, seed=seed)


def _scenes(count, rng, **how):
    return (scene(rng=rng, **how) for _ in range(count))


def simulate_denoising(
    folder: str | Path,
    counts: tuple[int, int, int] = (1_000, 100, 200),
    *,
    size: int = 64,
    noise_std: float = 0.5,
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
    noise_std : float
        Standard deviation of the Gaussian noise [grey values]; objects have
        0.2 to 1.
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
    if not noise_std >= 0:
        raise ValueError(f"expected a noise_std of 0 or more, received {noise_std}")
    draw = partial(_pairs, size=size, noise_std=noise_std)
    return simulate_folders(folder, counts, draw, seed=seed)


def _pairs(count, rng, size, noise_std):
    clean = template_objects(count, size, rng=rng)[..., 0]
    noisy = clean + noise_std * rng.standard_normal(clean.shape, dtype=np.float32)
    for pair in zip(noisy, clean, strict=True):
        yield dict(zip(("noisy", "noiseless"), pair, strict=True))
