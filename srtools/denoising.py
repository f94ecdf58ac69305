"""Simulate folders of noisy and noiseless images, to train a denoiser on."""

import json
from pathlib import Path

import numpy as np

from srtools.files import write_image
from srtools.template_objects import template_objects

PARTS = ("train", "val", "test")


def simulate_denoising(
    folder: str | Path,
    counts: tuple[int, int, int] = (1_000, 100, 200),
    *,
    size: int = 64,
    noise: float = 0.5,
    seed: int = 0,
) -> Path:
    """Write pairs of noisy and noiseless template objects as TIFF files.

    The tree is ``train|val|test`` / ``noisy|noiseless`` / ``00000.tiff``. A call after
    an interruption starts again; a call for a tree that is there returns at once. The
    same arguments give the same data.

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
    folder = Path(folder)
    if len(counts) != len(PARTS) or min(counts) < 1:
        raise ValueError(f"expected three counts of 1 or more, received {counts}")
    if not noise >= 0:
        raise ValueError(f"expected a noise of 0 or more, received {noise}")
    settings = {"counts": list(counts), "size": size, "noise": noise, "seed": seed}
    ledger = folder / "settings.json"
    if ledger.exists():
        found = json.loads(ledger.read_text())
        if found == settings:
            return folder
        raise ValueError(
            f"{folder}: expected a tree of {settings}, found one of {found}; remove it "
            "or choose another folder"
        )
    for number, (part, count) in enumerate(zip(PARTS, counts, strict=True)):
        rng = np.random.default_rng((seed, number))
        clean = template_objects(count, size, rng=rng)
        noisy = clean + noise * rng.standard_normal(clean.shape, dtype=np.float32)
        for kind, images in (("noisy", noisy), ("noiseless", clean)):
            place = folder / part / kind
            place.mkdir(parents=True, exist_ok=True)
            for i, image in enumerate(images.astype(np.float32)):
                write_image(place / f"{i:05}.tiff", image[..., 0])
    partial = ledger.with_suffix(".partial")
    partial.write_text(json.dumps(settings))
    partial.replace(ledger)  # last: it says "done"
    return folder
