"""A slice of a sample by its parts, as micro-CT and as XRD-CT see it."""

from dataclasses import dataclass, replace

import numpy as np

from srtools.xrdct.phases import PHASES
from srtools.xrdct.powder import amorphous, patterns

COMPONENTS = (*PHASES, "amorphous")
"""What the bed is made of; the last is the wall of the tube."""

ATTENUATION = (0.38, 0.90, 0.80, 0.72, 1.0, 0.28)
"""Grey value of each component, solid; in the order of `COMPONENTS`."""


@dataclass(frozen=True)
class BedSlice:
    """A slice of the bed by its parts: one phase of one particle each.

    Attributes
    ----------
    maps : float32 array, shape (n_parts, size, size)
        Volume fraction of each part.
    phase : int array, shape (n_parts,)
        Index into `COMPONENTS`.
    lattice : float array, shape (n_parts,)
        Lattice constants relative to those of the phase.
    crystallite : float array, shape (n_parts,)
        Crystallite size [nm].
    """

    maps: np.ndarray
    phase: np.ndarray
    lattice: np.ndarray
    crystallite: np.ndarray

    def downsample(self) -> "BedSlice":
        """Return the slice at half the resolution, as `downsample` does."""
        return replace(self, maps=downsample(self.maps))

    def phase_maps(self) -> np.ndarray:
        """Return the volume fractions: float32, shape (6, size, size)."""
        fractions = np.zeros((len(COMPONENTS), *self.maps.shape[1:]), np.float32)
        np.add.at(fractions, self.phase, self.maps)
        return fractions

    def lattice_maps(self) -> np.ndarray:
        """Return the mean lattice constant a of each crystalline phase [angstrom].

        Returns
        -------
        float32 array, shape (5, size, size)
            NaN where the phase is not.
        """
        own = np.array([phase.a for phase in PHASES.values()])
        return self._mean(self.lattice) * own[:, None, None].astype(np.float32)

    def crystallite_maps(self) -> np.ndarray:
        """Return the mean crystallite size of each crystalline phase [nm].

        Returns
        -------
        float32 array, shape (5, size, size)
            NaN where the phase is not.
        """
        return self._mean(self.crystallite)

    def _mean(self, values):
        total = np.zeros((len(COMPONENTS), *self.maps.shape[1:]))
        np.add.at(total, self.phase, self.maps * values[:, None, None])
        fractions = self.phase_maps()
        mean = np.full(total.shape, np.nan, np.float32)
        np.divide(total, fractions, out=mean, where=fractions > 0, casting="unsafe")
        return mean[:-1]

    def attenuation(self) -> np.ndarray:
        """Return the grey values of micro-CT: float32, shape (size, size)."""
        grey = np.array(ATTENUATION, np.float32)
        return np.tensordot(grey, self.phase_maps(), 1)

    def patterns(self, two_theta) -> np.ndarray:
        """Calculate the diffraction pattern of each part.

        Parameters
        ----------
        two_theta : array, shape (n_channels,)
            Scattering angles [degrees].

        Returns
        -------
        float32 array, shape (n_parts, n_channels)
        """
        drawn = np.empty((len(self.phase), len(two_theta)), np.float32)
        for i, name in enumerate(COMPONENTS):
            these = self.phase == i
            if name not in PHASES:
                drawn[these] = amorphous(two_theta)
            elif these.any():
                drawn[these] = patterns(
                    PHASES[name],
                    two_theta,
                    lattice=self.lattice[these],
                    crystallite=self.crystallite[these],
                )
        return drawn

    def images(self, two_theta) -> np.ndarray:
        """Return what a perfect XRD-CT gives: a pattern at every pixel.

        Parameters
        ----------
        two_theta : array, shape (n_channels,)
            Scattering angles [degrees].

        Returns
        -------
        float32 array, shape (n_channels, size, size, 1)
            A batch of images, one a channel.
        """
        return np.tensordot(self.patterns(two_theta).T, self.maps, 1)[..., None]


def downsample(images) -> np.ndarray:
    """Halve the resolution, keeping the corners where they are.

    Each pixel of the result is the mean of its neighbourhood with weights 1, 2, 1 along
    either side; what lies outside the image counts as zero. The sum of an image that
    is zero at its edge falls to exactly a quarter.

    Parameters
    ----------
    images : array, shape (..., size, size)
        Of odd size.

    Returns
    -------
    float32 array, shape (..., (size + 1) / 2, (size + 1) / 2)

    Raises
    ------
    ValueError
        If the images are not square or the size is even.
    """
    images = np.asarray(images, np.float32)
    if images.ndim < 2 or images.shape[-1] != images.shape[-2]:
        raise ValueError(
            f"expected images (..., size, size), received shape {images.shape}"
        )
    if images.shape[-1] % 2 == 0:
        raise ValueError(
            f"expected an odd size, 2 n - 1 for n pixels, received {images.shape[-1]}"
        )
    for _ in range(2):  # along one side, then along the other
        padded = np.pad(images, [(0, 0)] * (images.ndim - 1) + [(1, 1)])
        images = (
            padded[..., :-2:2] / 4 + padded[..., 1:-1:2] / 2 + padded[..., 2::2] / 4
        )
        images = np.swapaxes(images, -1, -2)
    return images
