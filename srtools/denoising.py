"""Simulate folders of noisy and noiseless images, to train a denoiser on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from srtools.folders import simulate_folders
from srtools.template_objects import template_objects


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
    `srtools.folders.simulate_folders` for interruptions.

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
