"""Two grids for one object: pixels that share edges, or that share corners."""

import numpy as np

from srtools.tomography import bicubic


def upsample(images, factor: int, grid: str = "pixels") -> np.ndarray:
    """Enlarge images by bicubic interpolation: the baseline of super-resolution.

    Parameters
    ----------
    images : array, shape (n, height, width, channels)
        At least 3 pixels a side.
    factor : int
        How many times finer.
    grid : {"pixels", "corners"}
        What both grids share. ``"pixels"``: the edges, as a detector with smaller
        pixels gives it; n pixels become ``factor * n``. ``"corners"``: the centres of
        the outermost pixels, as between 75 and 149 pixels of the reactor bed; n become
        ``factor * (n - 1) + 1``. Taking one for the other moves the image by up to half
        a pixel.

    Returns
    -------
    float32 array, shape (n, fine height, fine width, channels)
        The same values: attenuation per pixel of whichever grid stays that.

    Raises
    ------
    ValueError
        If the images are no such batch or not finite, the factor is no whole number
        from 2 on, or the grid is not one of those.
    """
    phases = bicubic(factor, grid)
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or min(images.shape[1:3]) < 3:
        raise ValueError(
            "expected images (n, height, width, channels) of at least 3 pixels a side, "
            f"received shape {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError("expected finite images, received NaN or infinite values")
    return _stretch(_stretch(images, phases, 1), phases, 2)


def _stretch(images, phases, axis):
    """Interpolate along one axis."""
    images = np.moveaxis(images, axis, 1)
    n = images.shape[1]
    edges = [(0, 0), (2, 2), *[(0, 0)] * (images.ndim - 2)]
    padded = np.pad(images, edges, mode=phases.padding)
    weights = phases.weights.astype(np.float32)
    fine = [sum(w * padded[:, k : k + n] for k, w in enumerate(row)) for row in weights]
    fine = np.stack(fine, 2).reshape(len(images), -1, *images.shape[2:])
    return np.moveaxis(fine[:, : fine.shape[1] - phases.beyond], 1, axis)
