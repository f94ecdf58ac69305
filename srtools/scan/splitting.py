"""Several reconstructions of one scan whose noise is independent: views, dealt out."""

import numpy as np

from srtools.tomography import ParallelBeam


class SplitViews:
    """The views of a scan, dealt out to several parts.

    Noise differs from view to view, the sample does not: images made of different
    views show the same sample with independent noise. That is what `Noise2Inverse`
    [1]_ learns from. Whatever is the same in all views, such as rings and a wrong axis,
    is the same in all parts: correct it first.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry of the whole scan.
    parts : int
        How many; in the order of the angles the first view goes to the first part, the
        second to the second, and so on in turn.

    Attributes
    ----------
    beams : list of ParallelBeam
        The geometry of each part: an `AstraBeam` where `beam` is one.
    numbers : list of int arrays
        The views of each part.

    Raises
    ------
    ValueError
        If there are fewer than two parts, or fewer than two views for each.

    Examples
    --------
    >>> beam = ParallelBeam(32, np.linspace(0, 180, 16, endpoint=False))
    >>> SplitViews(beam, 2).fbp(np.ones((5, 32, 16, 1))).shape
    (2, 5, 32, 32, 1)

    References
    ----------
    .. [1] Hendriksen, Pelt, Batenburg, "Noise2Inverse: self-supervised deep
       convolutional denoising for tomography", IEEE Trans. Comput. Imaging 6 (2020)
       1320, doi:10.1109/TCI.2020.3019647.
    """

    def __init__(self, beam: ParallelBeam, parts: int = 2):
        if not 2 <= parts <= beam.n_angles // 2:
            raise ValueError(
                f"expected 2 to {beam.n_angles // 2} parts of {beam.n_angles} views, "
                f"received {parts}"
            )
        order = np.argsort(beam.angles, kind="stable")
        self.numbers = [np.sort(order[part::parts]) for part in range(parts)]
        kind, settings = type(beam), beam.settings
        self.beams = [
            kind(**{**settings, "angles": beam.angles[numbers]})
            for numbers in self.numbers
        ]
        self._shape = beam.n_translations, beam.n_angles

    def fbp(self, sinograms, **settings) -> np.ndarray:
        """Reconstruct each part by filtered back-projection.

        Parameters
        ----------
        sinograms : array, shape (n, n_translations, n_angles, 1)
            Line integrals of the whole scan.
        **settings
            Of `ParallelBeam.fbp`.

        Returns
        -------
        float32 array, shape (parts, n, size, size, 1)
            Attenuation [1/pixel].

        Raises
        ------
        ValueError
            If the sinograms are not of this geometry, or as `ParallelBeam.fbp`.
        """
        sinograms = np.asarray(sinograms, np.float32)
        if sinograms.ndim != 4 or sinograms.shape[1:] != (*self._shape, 1):
            raise ValueError(
                f"expected sinograms (n, {self._shape[0]}, {self._shape[1]}, 1) of the "
                f"whole scan, received {sinograms.shape}"
            )
        return np.stack(
            [
                beam.fbp(sinograms[:, :, numbers], **settings)
                for beam, numbers in zip(self.beams, self.numbers, strict=True)
            ]
        )
