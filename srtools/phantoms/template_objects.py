"""Template objects: squares and discs, solid or hollow, that do not overlap."""

import numpy as np


def template_objects(
    n: int, size: int, *, rng: np.random.Generator, n_objects: int = 24
) -> np.ndarray:
    """Draw squares, discs and their rings at random places, without overlap.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Side of the images [pixels].
    rng : numpy.random.Generator
        Source of the randomness.
    n_objects : int
        Objects in an image; fewer where there is no room for more.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Values 0.2 to 1 in the objects, 0 between them.
    """
    axis = np.arange(size)
    images = np.zeros((n, size, size, 1), np.float32)
    for image in images[..., 0]:
        taken = np.zeros((size, size), bool)
        placed = 0
        for _ in range(40 * n_objects):
            half = rng.integers(3, 5)
            row, column = rng.integers(half + 1, size - half - 1, 2)
            y, x = np.abs(axis[:, None] - row), np.abs(axis[None, :] - column)
            far = np.hypot(y, x) if rng.random() < 0.5 else np.maximum(y, x)
            room = np.maximum(y, x) <= half + 1
            hollow = rng.random() < 0.5
            if taken[room].any():
                continue
            taken |= np.maximum(y, x) <= half
            inside = (far <= half) & (far > half - 2) if hollow else far <= half
            image[inside] = rng.uniform(0.2, 1)
            placed += 1
            if placed == n_objects:
                break
    return images
