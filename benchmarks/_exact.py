"""An object made of ellipses: its image and its sinogram, without a projector."""

import numpy as np

# Attenuation, half axes, middle [sides of the image], tilt [degrees]
ELLIPSES = (
    (0.5, 0.38, 0.30, 0.00, 0.00, 20),
    (0.3, 0.16, 0.08, 0.10, 0.08, -35),
    (-0.3, 0.09, 0.15, -0.16, 0.04, 10),
    (0.4, 0.05, 0.05, 0.02, -0.18, 0),
    (0.5, 0.03, 0.06, 0.20, -0.08, 60),
)


def picture(size: int, middle: float) -> np.ndarray:
    """Return the mean over each pixel, from 16 x 16 points.

    Parameters
    ----------
    size : int
        Side of the image [pixels].
    middle : float
        Row and column of the middle of the object.

    Returns
    -------
    float32 array, shape (size, size)
    """
    fine = (np.arange(16 * size) + 0.5) / 16 - 0.5 - middle
    x, y = fine[None, :] / size, -fine[:, None] / size
    total = np.zeros((16 * size, 16 * size), np.float32)
    for value, a, b, x0, y0, tilt in ELLIPSES:
        c, s = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
        u, v = (x - x0) * c + (y - y0) * s, (y - y0) * c - (x - x0) * s
        total += value * ((u / a) ** 2 + (v / b) ** 2 < 1)
    return total.reshape(size, 16, size, 16).mean(axis=(1, 3))


def exact(size: int, angles, middle: float) -> np.ndarray:
    """Return the mean over each detector pixel of the line integrals [pixels].

    Parameters
    ----------
    size : int
        Number of detector pixels, and side of the image that they belong to.
    angles : array, shape (n_angles,)
        As of `srtools.tomography.ParallelBeam` [degrees].
    middle : float
        Detector pixel on which the middle of the object falls.

    Returns
    -------
    float32 array, shape (size, n_angles)
    """
    edges = (np.arange(size + 1) - 0.5 - middle) / size
    total = np.zeros((size, len(angles)))
    for value, a, b, x0, y0, tilt in ELLIPSES:
        turn = np.deg2rad(angles)
        lean = turn - np.deg2rad(tilt)
        r = np.sqrt((a * np.cos(lean)) ** 2 + (b * np.sin(lean)) ** 2)
        t = edges[:, None] - x0 * np.cos(turn) - y0 * np.sin(turn)
        t = np.clip(t / r, -1, 1)
        total += value * a * b * np.diff(t * np.sqrt(1 - t**2) + np.arcsin(t), axis=0)
    return (total * size**2).astype(np.float32)
