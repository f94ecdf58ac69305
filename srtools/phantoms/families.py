"""Families of objects that look alike, to inspect data with."""

from collections.abc import Callable

import numpy as np

from srtools.phantoms.shapes import (
    HEAD,
    axes,
    circle,
    ellipses,
    in_ellipse,
    random_shapes,
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
    x, y = axes(size)
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
    x, y = axes(size)
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
    x, y = axes(size)
    images = np.zeros((n, size, size, 1), np.float32)
    for image in images[..., 0]:
        head = np.deg2rad(rng.uniform(-20, 20))
        u, v = x * np.cos(head) + y * np.sin(head), y * np.cos(head) - x * np.sin(head)
        size_of_head = rng.uniform(0.9, 1.0)
        for i, (value, a, b, x0, y0, turn) in enumerate(HEAD):
            if i > 1:  # skull and brain stay as they are
                value, a, b = np.array([value, a, b]) * rng.uniform(0.7, 1.3, 3)
                x0, y0 = np.array([x0, y0]) + rng.normal(0, 0.04, 2)
                turn = turn + rng.normal(0, 10)
            place = u / size_of_head, v / size_of_head
            image[in_ellipse(*place, (a, b), (x0, y0), np.deg2rad(turn))] += value
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
"""What draws each kind of object: called with a number, a size and ``rng``."""


def _voronoi(size, number, rng):
    """Nearest seed of each pixel, and how much farther the second nearest is."""
    x, y = axes(size)
    seeds = rng.uniform(-1.1, 1.1, (number, 2))
    distances = np.hypot(x[..., None] - seeds[:, 0], y[..., None] - seeds[:, 1])
    two = np.partition(distances, 1, axis=-1)
    return distances.argmin(-1), two[..., 1] - two[..., 0]
