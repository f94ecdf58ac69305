"""Objects to image: random shapes, ellipses, the Shepp-Logan head."""

import numpy as np
from skimage.data import shepp_logan_phantom
from skimage.draw import random_shapes as _draw_shapes
from skimage.transform import resize


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
            along = (x - x0) * np.cos(turn) + (y - y0) * np.sin(turn)
            across = (y - y0) * np.cos(turn) - (x - x0) * np.sin(turn)
            image += value * ((along / a) ** 2 + (across / b) ** 2 <= 1)
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
        Values from 0 to 1.

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
    head = resize(shepp_logan_phantom(), (size, size), anti_aliasing=True)
    return (head * circle(size)).astype(np.float32)[None, :, :, None]


def _check_size(size):
    if size < 16:
        raise ValueError(f"expected a size of at least 16 pixels, received {size}")
