"""The parallel-beam tomograph: projection, filtered back-projection, noise.

Everything here works on batches: images ``(n, size, size, 1)`` and sinograms
``(n, n_translations, n_angles, 1)``. The rotation axis is at ``(size - 1) / 2``.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy import fft, sparse

from srtools.phantoms import circle
from srtools.tomography.filters import fbp_filter

FILTERS = ("ramp", "shepp-logan", "cosine", "hann")

# Sparse products run fastest on a few dozen images at once: they stay in the CPU cache.
_BATCH = 32


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

    Attributes
    ----------
    size, n_translations, n_angles : int
    angles : float64 array, shape (n_angles,)
    detector_spacing : float

    Raises
    ------
    ValueError
        If a size is not positive, or the angles are not a list of finite numbers.

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
        self.size = size
        self.angles = angles
        self.n_translations = n_translations
        self.n_angles = len(angles)
        self.detector_spacing = float(detector_spacing)

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """Sparse matrix: row ``translation * n_angles + angle``, column ``pixel``.

        The shape is (n_translations * n_angles, size * size), the type float32.
        """
        # One column a pixel. At every angle a pixel meets at most `reach` strips, so
        # that all columns have the same length and are written in place, unsorted.
        spacing, centre = self.detector_spacing, (self.n_translations - 1) / 2
        reach = int(np.ceil(np.sqrt(2) / spacing)) + 1
        axis = np.arange(self.size) - (self.size - 1) / 2
        x, y = np.tile(axis, self.size), -np.repeat(axis, self.size)
        shape = (self.size**2, self.n_angles, reach)
        rows, weights = np.empty(shape, np.int32), np.empty(shape, np.float32)
        for i, angle in enumerate(np.deg2rad(self.angles)):
            cos, sin = np.cos(angle), np.sin(angle)
            place = x * cos + y * sin  # of the pixel on the detector, from the axis
            half = (abs(cos) + abs(sin)) / 2  # half the width of the pixel's shadow
            first = np.floor((place - half) / spacing + centre + 0.5).astype(np.int32)
            strips = first[:, None] + np.arange(reach)
            edges = (first[:, None] + np.arange(reach + 1) - centre - 0.5) * spacing
            below = _shadow_area_below(edges - place[:, None], abs(cos), abs(sin))
            seen = (strips >= 0) & (strips < self.n_translations)
            weights[:, i] = np.diff(below) / spacing * seen
            rows[:, i] = np.where(seen, strips, 0) * self.n_angles + i
        index = np.int32 if rows.size <= np.iinfo(np.int32).max else np.int64
        starts = np.arange(self.size**2 + 1, dtype=index) * (self.n_angles * reach)
        matrix = sparse.csc_array(
            (weights.ravel(), rows.ravel(), starts),
            shape=(self.n_translations * self.n_angles, self.size**2),
        ).tocsr()
        matrix.data[matrix.data < 1e-6] = 0  # rounding, in strips that only touch
        matrix.eliminate_zeros()
        return matrix

    @property
    def settings(self) -> dict:
        """What makes this geometry, as plain numbers: ``ParallelBeam(**settings)``."""
        return {
            "size": self.size,
            "angles": self.angles.tolist(),
            "n_translations": self.n_translations,
            "detector_spacing": self.detector_spacing,
        }

    @cached_property
    def norm(self) -> float:
        """The largest singular value of the matrix, by the power method."""
        x = np.ones(self.size**2, np.float32)
        for _ in range(20):
            x = self.matrix.T @ (self.matrix @ (x / np.linalg.norm(x)))
        return float(np.sqrt(np.linalg.norm(x)))

    @cached_property
    def field_of_view(self) -> np.ndarray:
        """The pixels that every projection sees: bool array, shape (size, size)."""
        return circle(self.size, self.n_translations * self.detector_spacing / 2)

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
        images = self._check(images, (self.size, self.size), "images")
        shape = (self.n_translations, self.n_angles, 1)
        return _apply(self.matrix, images).reshape(-1, *shape)

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
        sinograms = self.check_sinograms(sinograms)
        return _apply(self.matrix.T, sinograms).reshape(-1, self.size, self.size, 1)

    def fbp(
        self, sinograms, *, filter: str = "ramp", cutoff: float = 1.0
    ) -> np.ndarray:
        """Reconstruct by filtered back-projection.

        Parameters
        ----------
        sinograms : array, shape (n, n_translations, n_angles, 1)
            Line integrals at angles that are spread evenly over 180 degrees.
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

        References
        ----------
        .. [1] Kak & Slaney, *Principles of Computerized Tomographic Imaging*, 1988,
           ch. 3.3, doi:10.1137/1.9780898719277.
        """
        sinograms = self.check_sinograms(sinograms)
        response = fbp_filter(self.n_translations, filter, cutoff)
        spectrum = fft.rfft(sinograms, 2 * len(response) - 2, axis=1)
        filtered = fft.irfft(spectrum * response[:, None, None], axis=1)
        filtered = filtered[:, : self.n_translations]
        scale = np.pi / self.n_angles
        return self.backproject(filtered) * scale * self.field_of_view[:, :, None]

    def check_sinograms(self, sinograms) -> np.ndarray:
        """Return sinograms as float32, or say why they do not fit this geometry.

        Parameters
        ----------
        sinograms : array, shape (n, n_translations, n_angles, 1)

        Returns
        -------
        float32 array
            Of the same shape.

        Raises
        ------
        ValueError
            If the sinograms are not of this geometry, or not finite.
        """
        return self._check(sinograms, (self.n_translations, self.n_angles), "sinograms")

    def _check(self, batch, shape, name):
        batch = np.asarray(batch, dtype=np.float32)
        if batch.ndim != 4 or batch.shape[1:] != (*shape, 1):
            raise ValueError(
                f"expected {name} of shape (n, {shape[0]}, {shape[1]}, 1), "
                f"received {batch.shape}"
            )
        if not np.isfinite(batch).all():
            raise ValueError(f"expected finite {name}, received NaN or infinite values")
        return batch


def _shadow_area_below(u, a, b):
    """Area of a unit pixel whose projection falls below `u`.

    The shadow of the pixel is a trapezium: a box of width `a` blurred by one of `b`.
    """
    a, b = max(a, 1e-5), max(b, 1e-5)
    p, q = (a + b) / 2, (a - b) / 2
    corners = ((p, 1), (q, -1), (-q, -1), (-p, 1))
    # The squares cancel badly far away, and nothing happens beyond the shadow.
    u = np.clip(u, -p, p)
    return sum(s * np.maximum(u + c, 0) ** 2 for c, s in corners) / (2 * a * b)


def _apply(matrix, batch):
    """Multiply each member of a batch, flattened, by a sparse matrix."""
    flat = batch.reshape(len(batch), -1)
    out = np.empty((len(flat), matrix.shape[0]), np.float32)
    for start in range(0, len(flat), _BATCH):
        part = slice(start, start + _BATCH)
        out[part] = (matrix @ np.ascontiguousarray(flat[part].T)).T
    return out
