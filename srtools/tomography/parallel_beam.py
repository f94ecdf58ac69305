"""The parallel-beam tomograph: projection and filtered back-projection.

Everything here works on batches: images ``(n, size, size, 1)`` and sinograms
``(n, n_translations, n_angles, 1)``. The object turns about the middle of its image,
``(size - 1) / 2``; on the detector this axis may be anywhere.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy import fft, sparse

from srtools.phantoms import circle
from srtools.tomography.filters import fbp_filter
from srtools.tomography.geometry import check_batch
from srtools.tomography.strips import strip_matrix

# Sparse products run fastest on a few dozen images at once: they stay in the CPU cache.
# Up to three, on one at a time.
_BATCH, _FEW = 32, 3


class ParallelBeam:
    r"""The geometry of a parallel-beam scan, as one sparse matrix :math:`A`.

    A ray of the scan is a strip as wide as a detector pixel. The entry of the matrix
    for a ray and an image pixel is the area that they share, divided by the width of
    the strip. A sinogram is then :math:`y = A x`: line integrals, with the image pixel
    as the unit of length.

    Parameters
    ----------
    size : int
        Side of the square images [pixels].
    angles : sequence of float
        Directions of the projections [degrees].
    n_translations : int, optional
        Number of detector pixels; by default `size`.
    detector_spacing : float
        Width of a detector pixel [image pixels].
    axis : float, optional
        Where the rotation axis falls on the detector [detector pixels], counted from
        the centre of the first; by default the middle, ``(n_translations - 1) / 2``.
        Nothing is moved or padded: the strips lie where the detector was.

    Attributes
    ----------
    size, n_translations, n_angles : int
    angles : float64 array, shape (n_angles,)
    detector_spacing, axis : float

    Raises
    ------
    ValueError
        If a size is not positive, the angles are not a list of finite numbers, or the
        axis is not on the detector.

    Examples
    --------
    >>> beam = ParallelBeam(32, np.linspace(0, 180, 16, endpoint=False))
    >>> beam.project(np.ones((5, 32, 32, 1))).shape
    (5, 32, 16, 1)

    References
    ----------
    .. [1] Kak & Slaney, *Principles of Computerized Tomographic Imaging*, 1988, ch. 3,
       doi:10.1137/1.9780898719277.
    """

    def __init__(
        self,
        size: int,
        angles: Sequence[float],
        n_translations: int | None = None,
        *,
        detector_spacing: float = 1.0,
        axis: float | None = None,
    ):
        n_translations = size if n_translations is None else n_translations
        if size < 1 or n_translations < 1 or not detector_spacing > 0:
            raise ValueError(
                "expected positive size, n_translations and detector_spacing, "
                f"received {size}, {n_translations} and {detector_spacing}"
            )
        angles = np.asarray(angles, dtype=np.float64)
        if angles.ndim != 1 or not angles.size or not np.isfinite(angles).all():
            raise ValueError(
                "expected a list of finite angles in degrees, "
                f"received an array of shape {angles.shape}"
            )
        axis = (n_translations - 1) / 2 if axis is None else float(axis)
        if not -0.5 <= axis <= n_translations - 0.5:
            raise ValueError(
                f"expected an axis on the detector, from -0.5 to {n_translations - 0.5}"
                f" pixels, received {axis}"
            )
        self.size = size
        self.angles = angles
        self.n_translations = n_translations
        self.n_angles = len(angles)
        self.detector_spacing = float(detector_spacing)
        self.axis = axis

    @cached_property
    def matrix(self) -> sparse.csc_array:
        """Sparse matrix: row ``translation * n_angles + angle``, column ``pixel``.

        The shape is (n_translations * n_angles, size * size), the type float32.
        `project` keeps it a second time, row by row, which is faster for few images.
        """
        return strip_matrix(
            self.size,
            np.deg2rad(self.angles),
            self.n_translations,
            self.detector_spacing,
            self.axis,
        )

    @cached_property
    def _by_ray(self):
        """The matrix row by row, in which a product is a sum and not a scattering."""
        return self.matrix.tocsr()

    @property
    def settings(self) -> dict:
        """What makes this geometry, as plain numbers: ``ParallelBeam(**settings)``."""
        return {
            "size": self.size,
            "angles": self.angles.tolist(),
            "n_translations": self.n_translations,
            "detector_spacing": self.detector_spacing,
            "axis": self.axis,
        }

    @cached_property
    def norm(self) -> float:
        """The largest singular value of the matrix, by the power method."""
        x = np.ones(self.size**2, np.float32)
        for _ in range(20):
            x = self.matrix.T @ (self.matrix @ (x / np.linalg.norm(x)))
        return float(np.sqrt(np.linalg.norm(x)))

    @cached_property
    def angle_weights(self) -> np.ndarray:
        """What each projection adds to an integral over half a turn [radians].

        A float64 array, shape (n_angles,): half the gaps to the neighbours, modulo 180
        degrees. Projections from the same or from opposite sides share theirs. All add
        up to pi, but a gap wider than three times the second widest was not scanned: it
        counts as that much, and the views at its ends do not stand for all of it.
        """
        turns = np.round(self.angles % 180, 6) % 180  # 179.9999999 is 0
        turns, which, shared = np.unique(turns, return_inverse=True, return_counts=True)
        gaps = np.diff(turns, append=turns[0] + 180)
        second = np.sort(gaps)[-2:][0]
        gaps = np.minimum(gaps, 3 * second)
        return np.deg2rad((gaps + np.roll(gaps, 1)) / 2 / shared)[which]

    @cached_property
    def field_of_view(self) -> np.ndarray:
        """The pixels that every projection sees: bool array, shape (size, size).

        A circle about the middle of the image that ends where the nearer end of the
        detector does. Over a full turn an axis off the middle sees more than that,
        each pixel outside in half of the projections; it is not used here.
        """
        ends = self.axis + 0.5, self.n_translations - 0.5 - self.axis
        return circle(self.size, min(ends) * self.detector_spacing)

    def project(self, images) -> np.ndarray:
        """Measure the sinogram of each image.

        Parameters
        ----------
        images : array, shape (n, size, size, 1)
            Attenuation [1/pixel].

        Returns
        -------
        float32 array, shape (n, n_translations, n_angles, 1)
            Line integrals [dimensionless].

        Raises
        ------
        ValueError
            If the images are not square, not of this geometry's size, or not finite.
        """
        images = check_batch(images, (self.size, self.size), "images")
        shape = (self.n_translations, self.n_angles, 1)
        return _apply(self._by_ray, images).reshape(-1, *shape)

    def backproject(self, sinograms) -> np.ndarray:
        """Smear each sinogram back over the image: the adjoint of `project`.

        Parameters
        ----------
        sinograms : array, shape (n, n_translations, n_angles, 1)

        Returns
        -------
        float32 array, shape (n, size, size, 1)

        Raises
        ------
        ValueError
            If the sinograms are not of this geometry, or not finite.
        """
        sinograms = self._check_sinograms(sinograms)
        return _apply(self.matrix.T, sinograms).reshape(-1, self.size, self.size, 1)

    def fbp(
        self, sinograms, *, filter: str = "ramp", cutoff: float = 1.0
    ) -> np.ndarray:
        """Reconstruct by filtered back-projection.

        Each projection counts with its share of the half turn, `angle_weights`: angles
        may be uneven, repeated, or go over more than 180 degrees.

        Parameters
        ----------
        sinograms : array, shape (n, n_translations, n_angles, 1)
            Line integrals.
        filter : {"ramp", "shepp-logan", "cosine", "hann"}
            What rolls off the ramp towards high frequencies, where the noise is.
        cutoff : float
            Frequency above which nothing passes, in (0, 1]; 1 is the Nyquist frequency.

        Returns
        -------
        float32 array, shape (n, size, size, 1)
            Attenuation [1/pixel]; 0 outside the field of view.

        Raises
        ------
        ValueError
            If the sinograms are not of this geometry or not finite, or the filter or
            the cut-off is not one of those above.

        Notes
        -----
        A range short of 180 degrees leaves a wedge of the image's spectrum unmeasured:
        edges along the missing rays fade into streaks, and values come out too low by
        the missing share. Shapes of 64 pixels without noise, a view a degree, have
        29.9 dB over 180 degrees, 22.9 over 150, 19.5 over 120 and 17.5 over 90. From
        the same data `sirt` makes 35.8, 32.9, 29.7 and 26.2 dB in 200 iterations.

        References
        ----------
        .. [1] Kak & Slaney, *Principles of Computerized Tomographic Imaging*, 1988,
           ch. 3.3, doi:10.1137/1.9780898719277.
        """
        sinograms = self._check_sinograms(sinograms)
        response = fbp_filter(self.n_translations, filter, cutoff)
        spectrum = fft.rfft(sinograms, 2 * len(response) - 2, axis=1)
        filtered = fft.irfft(spectrum * response[:, None, None], axis=1)
        filtered = filtered[:, : self.n_translations]
        filtered *= self.angle_weights[:, None].astype(np.float32)
        return self.backproject(filtered) * self.field_of_view[:, :, None]

    def _check_sinograms(self, sinograms):
        shape = (self.n_translations, self.n_angles)
        return check_batch(sinograms, shape, "sinograms")


def _apply(matrix, batch):
    """Multiply each member of a batch, flattened, by a sparse matrix."""
    flat = batch.reshape(len(batch), -1)
    out = np.empty((len(flat), matrix.shape[0]), np.float32)
    if len(flat) <= _FEW:
        for image, product in zip(flat, out, strict=True):
            product[...] = matrix @ image
        return out
    for start in range(0, len(flat), _BATCH):
        part = slice(start, start + _BATCH)
        out[part] = (matrix @ np.ascontiguousarray(flat[part].T)).T
    return out
