"""The symmetries of a patch: mirror images and turns that keep its shape."""

import numpy as np

_SQUARE = tuple(range(8))
_RECTANGLE = (0, 1, 4, 5)  # mirror images and half turns


def symmetry_numbers(patch_shape: tuple[int, int]) -> tuple[int, ...]:
    """Return the numbers of the symmetries of a patch, the identity first.

    Parameters
    ----------
    patch_shape : (int, int)
        Height and width [pixels].

    Returns
    -------
    tuple of int
        Eight if it is square, four if it is not.
    """
    return _SQUARE if patch_shape[0] == patch_shape[1] else _RECTANGLE


def turn(patches: np.ndarray, number: int) -> np.ndarray:
    """Apply a symmetry: mirror where the number is odd, then turn by quarters.

    Parameters
    ----------
    patches : array, shape (..., height, width, channels)
    number : int
        From `symmetry_numbers`.

    Returns
    -------
    array
        A view; of the same shape.
    """
    mirrored = patches[..., ::-1, :] if number % 2 else patches
    return np.rot90(mirrored, number // 2, axes=(-3, -2))


def turn_back(patches: np.ndarray, number: int) -> np.ndarray:
    """Undo `turn`: parameters and result are the same."""
    upright = np.rot90(patches, -(number // 2), axes=(-3, -2))
    return upright[..., ::-1, :] if number % 2 else upright
