"""What a geometry needs to serve the methods of this room, whoever computes it."""

from typing import Protocol

import numpy as np


class Geometry(Protocol):
    """A scan as a linear operator on batches, with its adjoint.

    `ParallelBeam` is one; so is any object with these members, around ASTRA or a
    beamline's own projector, and `sirt` and `tv` work with it. Entries of the operator
    must not be negative, as lengths and areas are not.

    Attributes
    ----------
    size : int
        Side of the square images [pixels].
    n_translations, n_angles : int
        Sides of the sinograms.
    field_of_view : bool array, shape (size, size)
        The pixels to reconstruct; all others stay 0.
    """

    size: int
    n_translations: int
    n_angles: int

    @property
    def field_of_view(self) -> np.ndarray: ...  # noqa: D102

    def project(self, images: np.ndarray) -> np.ndarray:
        """Measure float32 images (n, size, size, 1).

        Returns
        -------
        float32 array, shape (n, n_translations, n_angles, 1)
            Line integrals.
        """

    def backproject(self, sinograms: np.ndarray) -> np.ndarray:
        """Apply the adjoint of `project`, to float32 sinograms.

        Returns
        -------
        float32 array, shape (n, size, size, 1)
        """


def check_batch(batch, sides: tuple, name: str) -> np.ndarray:
    """Return a batch as float32, or say why it is none.

    Parameters
    ----------
    batch : array, shape (n, height, width, 1)
    sides : tuple
        The height and width that are expected.
    name : str
        What to call it in the message.

    Returns
    -------
    float32 array
        Of the same shape.

    Raises
    ------
    ValueError
        If the shape is another one, or values are not finite.
    """
    batch = np.asarray(batch, dtype=np.float32)
    if batch.ndim != 4 or batch.shape[1:] != (*sides, 1):
        raise ValueError(
            f"expected {name} of shape (n, {sides[0]}, {sides[1]}, 1), "
            f"received {batch.shape}"
        )
    if not np.isfinite(batch).all():
        raise ValueError(f"expected finite {name}, received NaN or infinite values")
    return batch
