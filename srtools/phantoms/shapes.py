"""Objects to image: random shapes, ellipses, the Shepp-Logan head."""

import numpy as np
from skimage.draw import random_shapes as _draw_shapes

# Shepp & Logan's head with Toft's contrasts: value, half-axes, centre (x to the right,
# y up, from -1 to 1), turn [degrees].
HEAD = np.array(
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

_FINER = 4  # points a pixel, each way, of the head


def circle(size: int, radius: float | None = None) -> np.ndarray:
    """Return a disc about the image centre: the part that every projection sees.

    Parameters
    ----------
    size : int
        Side of the image [pixels]; the centre is at ``(size - 1) / 2``.
    radius : float, optional
        In pixels; by default ``size / 2``, the inscribed circle.

    Returns
    -------
    bool array, shape (size, size)
        True where the centre of the pixel lies inside.
    """
    axis = np.arange(size) - (size - 1) / 2
    radius = size / 2 if radius is None else radius
    return axis[:, None] ** 2 + axis[None, :] ** 2 <= radius**2


def random_shapes(
    n: int, size: int, *, rng: np.random.Generator, max_shapes: int = 6
) -> np.ndarray:
    """Draw rectangles, circles, triangles and ellipses of constant value.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Side of the images [pixels], at least 16.
    rng : numpy.random.Generator
        Source of the randomness.
    max_shapes : int
        Largest number of shapes in an image; there are at least two.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Attenuation, 0.2 to 1 in the shapes, 0 in the background and outside the
        inscribed circle.

    Raises
    ------
    ValueError
        If the size is below 16.

    Notes
    -----
    The drawing is scikit-image's `skimage.draw.random_shapes`.
    """
    _check_size(size)
    images = np.empty((n, size, size, 1), np.float32)
    for image in images:
        drawing, _ = _draw_shapes(
            (size, size),
            max_shapes=max_shapes,
            min_shapes=2,
            min_size=size // 8,
            max_size=size // 3,
            num_channels=1,
            intensity_range=(51, 254),
            allow_overlap=True,
            rng=rng,
        )
        drawing[drawing == 255] = 0  # scikit-image draws on white
        image[:] = drawing / 254
    return images * circle(size)[:, :, None]


def ellipses(n: int, size: int, *, rng: np.random.Generator) -> np.ndarray:
    """Draw sums of random ellipses, as the ellipses benchmark defines them.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Side of the images [pixels]; the benchmark has 128.
    rng : numpy.random.Generator
        Source of the randomness.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Values from 0 to 1. No circular mask: ellipses may touch the border.

    Raises
    ------
    ValueError
        If the size is below 16.

    Notes
    -----
    An image has min(Poisson(40), 70) ellipses on the square [-1, 1] x [-1, 1]: value
    U(-0.4, 1), half-axes 0.2 Exponential(1), centre U(-0.9, 0.9), any rotation. Their
    sum is shifted, where it is not zero, to a minimum of 0 and divided by its maximum.

    References
    ----------
    .. [1] Otero Baguer, Leuschner, Schmidt, Inverse Problems 36 (2020) 094004,
       doi:10.1088/1361-6420/aba415.
    """
    _check_size(size)
    axis = (2 * np.arange(size) + 1) / size - 1
    y, x = axis[:, None], axis[None, :]
    images = np.zeros((n, size, size), np.float64)
    for image in images:
        number = min(rng.poisson(40), 70)
        values = rng.uniform(-0.4, 1, number)
        half_axes = 0.2 * rng.exponential(1, (number, 2))
        centres = rng.uniform(-0.9, 0.9, (number, 2))
        turns = rng.uniform(0, 2 * np.pi, number)
        for value, (a, b), (x0, y0), turn in zip(
            values, half_axes, centres, turns, strict=True
        ):
            image += value * in_ellipse(x, y, (a, b), (x0, y0), turn)
        image[image != 0] -= image.min()
        image /= image.max() or 1
    return images[..., None].astype(np.float32)


def shepp_logan(size: int) -> np.ndarray:
    """Return the Shepp-Logan head, zero outside the inscribed circle.

    Parameters
    ----------
    size : int
        Side of the image [pixels], at least 16.

    Returns
    -------
    float32 array, shape (1, size, size, 1)
        Values from 0 to 1, means over the pixels: 1 in the skull, 0.2 in the brain.
        The forehead is up, as in scikit-image.

    Raises
    ------
    ValueError
        If the size is below 16.

    References
    ----------
    .. [1] Shepp & Logan, IEEE Trans. Nucl. Sci. 21 (1974) 21,
       doi:10.1109/TNS.1974.6499235.
    """
    _check_size(size)
    x, y = axes(_FINER * size)
    head = np.zeros((_FINER * size, _FINER * size))
    for value, a, b, x0, y0, turn in HEAD:
        head += value * in_ellipse(x, y, (a, b), (x0, y0), np.deg2rad(turn))
    head = head.reshape(size, _FINER, size, _FINER).mean(axis=(1, 3))
    return (head * circle(size)).astype(np.float32)[None, :, :, None]


def axes(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x (to the right) and y (up) of the pixels, from -1 to 1 over the image.

    Parameters
    ----------
    size : int
        Side of the image [pixels].

    Returns
    -------
    x, y : float64 arrays, shapes (1, size) and (size, 1)
    """
    axis = (2 * np.arange(size) + 1) / size - 1
    return axis[None, :], -axis[:, None]


def in_ellipse(x, y, half_axes, centre, turn: float) -> np.ndarray:
    """Say which points lie in an ellipse.

    Parameters
    ----------
    x, y : array
        The points.
    half_axes, centre : pair of float
        Along x and y before the turn.
    turn : float
        From x towards y [radians].

    Returns
    -------
    bool array
    """
    x, y = x - centre[0], y - centre[1]
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    return (along / half_axes[0]) ** 2 + (across / half_axes[1]) ** 2 <= 1


def _check_size(size):
    if size < 16:
        raise ValueError(f"expected a size of at least 16 pixels, received {size}")
