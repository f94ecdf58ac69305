"""Feed networks with a few objects, turned and mirrored, and never the same noise."""

from collections.abc import Mapping

import keras
import numpy as np

from srtools.tomography import ParallelBeam, gaussian_noise


class FreshNoise(keras.utils.PyDataset):
    """Batches of (noisy sinograms, images) for ``model.fit``, with new noise each time.

    Each image comes in its eight symmetries: turned by quarters, and mirrored. All are
    projected once. A batch takes some of the sinograms and adds noise that no other
    batch of any epoch has: a network cannot learn it by heart.

    Parameters
    ----------
    images : array, shape (n, size, size, 1)
        Attenuation [1/pixel].
    beam : ParallelBeam
        The geometry.
    percent : float
        Standard deviation of the noise, in percent of the largest clean value.
    recipe : mapping
        How the images are made, for the key of a training: see
        `srtools.tutorial.trained`.
    batch_size : int
        Pairs a batch.
    steps : int
        Batches an epoch. What they hold is drawn anew from all images.
    seed : int
        Of the choice and of the noise.

    Attributes
    ----------
    largest : float
        The largest clean value, for scans of other objects with the same noise.
    recipe : dict
        What decides the batches.

    Raises
    ------
    ValueError
        If there are no images or they are not of this geometry, or a number is not
        positive.
    """

    def __init__(
        self,
        images,
        beam: ParallelBeam,
        *,
        percent: float,
        recipe: Mapping,
        batch_size: int = 4,
        steps: int = 100,
        seed: int = 0,
    ):
        super().__init__()
        images = np.asarray(images, np.float32)
        sides = (beam.size, beam.size, 1)
        if images.shape[1:] != sides or not len(images):
            raise ValueError(f"expected images (n, *{sides}), received {images.shape}")
        if min(batch_size, steps) < 1 or not percent > 0:
            raise ValueError(
                "expected positive numbers, received "
                f"{percent=}, {batch_size=}, {steps=}"
            )
        self._images = _symmetries(images)
        self._clean = beam.project(self._images)
        self.largest = float(self._clean.max())
        self._batch_size, self._steps = batch_size, steps
        self._percent, self._seed, self._epoch = percent, seed, 0
        self.recipe = {
            "by": f"{__name__}:FreshNoise",
            "images": {"count": len(images), **recipe},
            "beam": beam,
            "percent": percent,
            "batch_size": batch_size,
            "steps": steps,
            "seed": seed,
        }

    def __len__(self):
        """Return the number of batches an epoch."""
        return self._steps

    def __getitem__(self, index):
        """Return a batch: sinograms (n, T, A, 1) and images (n, H, W, 1)."""
        rng = np.random.default_rng((self._seed, self._epoch, index))
        chosen = rng.integers(len(self._images), size=self._batch_size)
        sinograms = gaussian_noise(
            self._clean[chosen], self._percent, rng=rng, largest=self.largest
        )
        return sinograms, self._images[chosen]

    def on_epoch_end(self):
        """Draw other batches in the next epoch."""
        self._epoch += 1


def _symmetries(images):
    both = images, images[:, ::-1]
    return np.concatenate([np.rot90(x, k, (1, 2)) for x in both for k in range(4)])
