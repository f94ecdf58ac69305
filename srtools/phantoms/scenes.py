"""Squares and discs, solid or hollow: scenes to segment, objects to denoise."""

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

BACKGROUND, SOLID, HOLLOW, CRACK = range(4)
"""Class of a pixel of a scene."""

_OBJECTS = 24
_HALVES = 3, 4  # half sides of template objects [pixels]
_BLUR, _RINGS = 1.0, 0.05  # [pixels], [grey values]


def scene(
    size: int,
    *,
    rng: np.random.Generator,
    noise_std: float = 0.3,
    crack_share: float = 0.02,
) -> dict[str, np.ndarray]:
    """Draw an image whose classes no threshold on its grey values can tell apart.

    Six each of solid squares, hollow squares, solid discs and hollow discs lie apart
    from each other, with values of 0.2 to 1 in front of 0. Dark cracks, 2 to 4 pixels
    wide, run across solid objects. The image is blurred by a pixel; a detector adds
    white noise and rings about the image centre, of standard deviation 0.05.

    Parameters
    ----------
    size : int
        Side of the image [pixels], at least 128. Objects grow with it: they are 0.09
        to 0.15 of it wide. Cracks, blur and noise do not.
    rng : numpy.random.Generator
        Source of the randomness.
    noise_std : float
        Standard deviation of the white noise [grey values].
    crack_share : float
        Cracked share of all pixels, at most 0.05.

    Returns
    -------
    dict of arrays, each of shape (size, size)
        ``noisy`` and ``noiseless``: float32 images. Labels, uint8: ``label``, 1 in
        hollow objects and their holes; ``cracks``, 1 in cracks; ``classes``, 0 for the
        background, 1 for solid objects, 2 for hollow ones with their holes, 3 for
        cracks.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    if size < 128:
        raise ValueError(f"expected a size of 128 pixels or more, received {size}")
    if not noise_std >= 0:
        raise ValueError(f"expected a noise_std of 0 or more, received {noise_std}")
    if not 0 <= crack_share <= 0.05:
        raise ValueError(f"expected a crack share of 0 to 0.05, received {crack_share}")
    value = np.zeros((size, size), np.float32)
    classes = np.zeros((size, size), np.uint8)
    solids = _draw_objects(value, classes, rng)
    _draw_cracks(value, classes, solids, crack_share, rng)

    noiseless = gaussian_filter(value, _BLUR)
    gain = _RINGS * rng.standard_normal(size, dtype=np.float32)
    noisy = noiseless + gain[_radius(size).astype(int)]
    noisy += noise_std * rng.standard_normal(noisy.shape, dtype=np.float32)
    return {
        "noisy": noisy,
        "noiseless": noiseless,
        "label": (classes == HOLLOW).astype(np.uint8),
        "cracks": (classes == CRACK).astype(np.uint8),
        "classes": classes,
    }


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
    images = np.zeros((n, size, size, 1), np.float32)
    for image in images[..., 0]:
        # The places where an object of a half side would touch another one.
        taken = {half: np.zeros((size, size), bool) for half in _HALVES}
        placed = 0
        for _ in range(40 * n_objects):
            half = int(rng.integers(min(_HALVES), max(_HALVES) + 1))
            row, column = rng.integers(half + 1, size - half - 1, 2).tolist()
            is_disc, hollow = rng.random() < 0.5, rng.random() < 0.5
            if taken[half][row, column]:
                continue
            for other, places in taken.items():
                places[_square(row, column, half + 1 + other)] = True
            template = _template(half, is_disc, hollow)
            image[_square(row, column, half)][template] = rng.uniform(0.2, 1)
            placed += 1
            if placed == n_objects:
                break
    return images


def _square(row, column, half):
    """The pixels of a square around a pixel, as far as there are any."""
    high, wide = (slice(max(k - half, 0), k + half + 1) for k in (row, column))
    return high, wide


@cache
def _template(half, is_disc, hollow):
    """The pixels of a square or disc, or of its ring."""
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    far = _distance(y, x, is_disc=is_disc)
    return (far <= half) & (far > half - 2) if hollow else far <= half


def _distance(y, x, *, is_disc):
    """Distance from a centre, whose contours are discs or else squares."""
    return np.hypot(y, x) if is_disc else np.maximum(np.abs(y), np.abs(x))


def _radius(size):
    axis = np.arange(size) - (size - 1) / 2
    return _distance(axis[:, None], axis[None, :], is_disc=True)


def _draw_objects(value, classes, rng):
    """Draw the objects, the largest first; return where the solid ones are."""
    size = len(value)
    kinds = rng.permutation(np.arange(_OBJECTS) % 4)  # square or disc, solid or hollow
    halves = np.sort(rng.uniform(0.045, 0.075, _OBJECTS) * size)[::-1]
    apart = 0.01 * size
    placed = np.empty((0, 3))
    solids = []
    for kind, half in zip(kinds, halves, strict=True):
        row, column = _find_room(size, half + apart, placed, rng)
        placed = np.vstack([placed, (row, column, half + apart)])
        first = np.floor((row - half, column - half)).astype(int)
        window = np.mgrid[: 2 * int(half) + 3, : 2 * int(half) + 3]
        y, x = window + (first - (row, column))[:, None, None]
        far = _distance(y, x, is_disc=kind % 2)
        here = tuple(slice(start, start + len(y)) for start in first)
        inside = far <= half
        if kind < 2:
            classes[here][inside] = SOLID
            solids.append((here, inside, row, column, half))
            drawn = inside
        else:
            classes[here][inside] = HOLLOW
            drawn = inside & (far > rng.uniform(0.6, 0.8) * half)
        value[here][drawn] = rng.uniform(0.2, 1)
    return solids


def _find_room(size, reach, placed, rng):
    """Return the centre of a square of half side `reach` that meets no other."""
    for _ in range(10_000):
        centre = rng.uniform(reach + 1, size - reach - 2, 2)
        gaps = np.abs(placed[:, :2] - centre).max(axis=1) - placed[:, 2]
        if (gaps > reach).all():
            return centre
    raise RuntimeError(
        f"expected room for an object of half side {reach:.1f} pixels, found none in "
        f"10 000 places among {len(placed)} others"
    )


def _draw_cracks(value, classes, solids, share, rng):
    """Draw wavy dark lines across solid objects until they cover the share."""
    wanted = round(share * value.size)
    done = 0
    while done < wanted:
        here, inside, row, column, half = solids[rng.integers(len(solids))]
        y, x = np.mgrid[here]
        turn = rng.uniform(0, np.pi)
        along = (x - column) * np.cos(turn) + (y - row) * np.sin(turn)
        across = (y - row) * np.cos(turn) - (x - column) * np.sin(turn)
        wave = rng.uniform(0.02, 0.1) * half
        wave = wave * np.sin(
            along / half * rng.uniform(2, 6) + rng.uniform(0, 2 * np.pi)
        )
        path = rng.uniform(-0.7, 0.7) * half + wave
        line = inside & (np.abs(across - path) <= rng.uniform(2, 4) / 2)
        done += int((line & (classes[here] == SOLID)).sum())
        classes[here][line] = CRACK
        value[here][line] = 0
