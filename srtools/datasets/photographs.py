"""Photographs as objects: images full of detail, unlike any phantom."""

from pathlib import Path

import numpy as np
from skimage import color, data, io, transform

from srtools.files import build_list_images
from srtools.phantoms import circle

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Of the files that are read."""

_BUNDLED = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass")
_BUNDLED += ("gravel", "immunohistochemistry", "moon", "rocket")
_TOGETHER = 64  # crops of one photograph: reading it takes as long as they do


def crops(
    n: int,
    size: int,
    *,
    rng: np.random.Generator,
    folder: str | Path | None = None,
) -> np.ndarray:
    """Cut squares of random place and width out of photographs.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Side of the images [pixels]; what is cut is up to four times as wide and then
        made smaller.
    rng : numpy.random.Generator
    folder : str or Path, optional
        Where the photographs are; by default a dozen that come with scikit-image.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Brightness, 0 to 1, zero outside the inscribed circle.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder, or it holds no photograph, or one that is neither
        grey nor RGB, such as a stack, or of floats beyond 0 to 1.
    """
    if folder is None:
        photographs = [(name, getattr(data, name)) for name in _BUNDLED]
    else:
        files = build_list_images(folder, ENDINGS)
        photographs = [(file, lambda file=file: io.imread(file)) for file in files]
    images = np.empty((n, size, size, 1), np.float32)
    for first in range(0, n, _TOGETHER):
        name, read = photographs[rng.integers(len(photographs))]
        grey = _grey(read(), name)
        for image in images[first : first + _TOGETHER]:
            shortest = min(grey.shape)
            side = int(rng.integers(min(size, shortest), min(4 * size, shortest) + 1))
            row, column = (rng.integers(length - side + 1) for length in grey.shape)
            cut = grey[row : row + side, column : column + side]
            if side != size:
                cut = transform.resize(cut, (size, size), anti_aliasing=side > size)
            image[..., 0] = np.clip(cut, 0, 1)
    return images * circle(size)[:, :, None]


def _grey(photograph, name):
    """Brightness, 0 to 1."""
    if photograph.ndim != 2 and photograph.shape[2:] not in ((3,), (4,)):
        raise ValueError(
            f"{name}: expected a grey or RGB image, found an array of shape "
            f"{photograph.shape}"
        )
    real = photograph.dtype.kind == "f"
    if real and not (photograph.min() >= 0 and photograph.max() <= 1):
        raise ValueError(
            f"{name}: expected floats from 0 to 1, found {photograph.min():.3g} to "
            f"{photograph.max():.3g}"
        )
    if photograph.dtype.kind in "iu":
        largest = np.iinfo(photograph.dtype).max
    else:  # floats, and black and white
        largest = 1.0
    if photograph.ndim == 3:
        photograph = color.rgb2gray(photograph[..., :3] / largest)
        largest = 1.0
    return np.asarray(photograph / largest, np.float32)
