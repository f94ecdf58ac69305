"""The parallel beam by ASTRA: nothing is stored, so that slices may be large."""

from functools import cached_property

import numpy as np

from srtools.tomography.geometry import check_batch
from srtools.tomography.parallel_beam import ParallelBeam


class AstraBeam(ParallelBeam):
    """A `ParallelBeam` whose projections are computed by the ASTRA toolbox.

    The same geometry, the same strips and the same methods, but no matrix: each
    projection is computed when it is asked for. That is slower for small images, and
    the only way for large ones: the matrix of 2 048 pixels and 1 800 views would have
    20 thousand million entries.

    Where ASTRA finds a GPU it is used. A ray is then a line and not a strip, and
    `backproject` is the adjoint of `project` only nearly; FBP, SIRT and TV bear that.

    Parameters
    ----------
    size, angles, n_translations, detector_spacing, axis
        As of `ParallelBeam`.

    Raises
    ------
    ImportError
        If the package `astra-toolbox` is not installed.
    ValueError
        As `ParallelBeam`.

    References
    ----------
    .. [1] van Aarle et al., "Fast and flexible X-ray tomography using the ASTRA
       toolbox", Optics Express 24, 2016, doi:10.1364/OE.24.025129.
    """

    def __init__(self, *geometry, **settings):
        super().__init__(*geometry, **settings)
        _ = self._operator  # says now what is missing

    def project(self, images) -> np.ndarray:
        """Measure the sinogram of each image: as `ParallelBeam.project`."""
        images = check_batch(images, (self.size, self.size), "images")
        shape = self.n_angles, self.n_translations
        found = [(self._operator @ i.ravel()).reshape(shape).T for i in images]
        return np.stack(found)[..., None].astype(np.float32, copy=False)

    def backproject(self, sinograms) -> np.ndarray:
        """Apply the adjoint of `project`: as `ParallelBeam.backproject`."""
        sinograms = self._check_sinograms(sinograms)
        shape = self.size, self.size, 1
        found = [
            (self._operator.T @ s[..., 0].T.ravel()).reshape(shape) for s in sinograms
        ]
        return np.stack(found).astype(np.float32, copy=False)

    @cached_property
    def norm(self) -> float:
        """The largest singular value of the operator, by the power method."""
        x = np.ones((1, self.size, self.size, 1), np.float32)
        for _ in range(20):
            x = self.backproject(self.project(x / np.linalg.norm(x)))
        return float(np.sqrt(np.linalg.norm(x)))

    @property
    def matrix(self):
        """There is none."""
        raise AttributeError("AstraBeam stores no matrix: use project and backproject")

    @cached_property
    def _operator(self):
        try:
            import astra
        except ImportError as error:
            raise ImportError(
                "expected the ASTRA toolbox, which is not installed: "
                "pip install astra-toolbox"
            ) from error
        angles = np.deg2rad(self.angles)
        scan = astra.create_proj_geom(
            "parallel", self.detector_spacing, self.n_translations, angles
        )
        # ASTRA moves the detector, so that the axis comes to lie elsewhere on it.
        scan = astra.geom_postalignment(scan, (self.n_translations - 1) / 2 - self.axis)
        volume = astra.create_vol_geom(self.size, self.size)
        kind = "cuda" if astra.use_cuda() else "strip"
        return astra.OpTomo(astra.create_projector(kind, scan, volume))
