"""Noise2Inverse: learn to denoise from nothing but the noisy scan itself."""

import keras
import numpy as np
from tqdm import tqdm

from srtools.models.passes import end_passes_in_time
from srtools.models.scale import rescaled
from srtools.models.u_net import unet

STRATEGIES = ("X:1", "1:X", "half")
"""What is shown: all parts but one, one part, or half of them, drawn at random."""

_MULTIPLE = 32  # sides that any U-Net of the package can halve


class SplitPatches(keras.utils.PyDataset):
    """Patches of independent reconstructions of one scan, for ``model.fit``.

    A batch is drawn when it is asked for: at random places of random slices, turned
    and mirrored at random, from one part of the views and from the others. What the
    network is shown and what it is to predict have the sample in common, and no noise:
    it can only learn the sample [1]_. No clean image is used.

    Parameters
    ----------
    images : array, shape (parts, n, height, width, 1)
        Reconstructions of disjoint parts of the views, as `srtools.scan.SplitViews`
        makes them.
    strategy : {"X:1", "1:X", "half"}
        ``"X:1"`` shows the mean of all parts but one and predicts that one, ``"1:X"``
        the other way round: the two of [1]_. ``"half"`` shows the mean of half of the
        parts, others each time, and predicts the mean of the rest: no image is seen
        twice, and streaks, which differ from half to half, are noise like any other.
        Of two parts, all are the same.
    patch : int
        Side of the patches [pixels].
    batch_size : int
        Patches a batch.
    batches : int
        Batches an epoch.
    seed : int
        Of all that is drawn.

    Raises
    ------
    ValueError
        If the images have another shape, fewer than two parts, are smaller than a
        patch or not finite; or the strategy is unknown.

    References
    ----------
    .. [1] Hendriksen, Pelt, Batenburg, "Noise2Inverse: self-supervised deep
       convolutional denoising for tomography", IEEE Trans. Comput. Imaging 6 (2020)
       1320, doi:10.1109/TCI.2020.3019647.
    """

    def __init__(
        self,
        images,
        strategy: str = "X:1",
        *,
        patch: int = 64,
        batch_size: int = 16,
        batches: int = 100,
        seed: int = 0,
    ):
        super().__init__()
        self._images = _checked(images, strategy)
        smallest = min(self._images.shape[2:4])
        if not 1 <= patch <= smallest:
            raise ValueError(
                f"expected patches of 1 to {smallest} pixels, as the images allow, "
                f"received {patch}"
            )
        self.settings = {
            "images": list(self._images.shape),
            "strategy": strategy,
            "patch": patch,
            "batch_size": batch_size,
            "batches": batches,
            "seed": seed,
        }
        self._epoch = 0

    def __len__(self):
        """Return the number of batches."""
        return self.settings["batches"]

    def __getitem__(self, index):
        """Return a batch: what is shown and what is wanted, (n, patch, patch, 1)."""
        side, n = self.settings["patch"], self.settings["batch_size"]
        rng = np.random.default_rng((self.settings["seed"], self._epoch, index))
        parts, slices, height, width, _ = self._images.shape

        def draw(stop):
            return rng.integers(stop, size=(n, 1, 1))

        number = draw(slices)
        row, column = draw(height - side + 1), draw(width - side + 1)
        along, across = np.mgrid[:side, :side]
        swapped = draw(2) == 1
        i, j = np.where(swapped, across, along), np.where(swapped, along, across)
        i = row + np.where(draw(2) == 1, side - 1 - i, i)
        j = column + np.where(draw(2) == 1, side - 1 - j, j)
        order = rng.permuted(np.tile(np.arange(parts), (n, 1)), axis=1)
        shown = order < _n_shown(self.settings["strategy"], parts)
        patches = self._images[:, number, i, j]
        return _mean(patches, shown), _mean(patches, ~shown)

    def on_epoch_end(self):
        """Draw others in the next epoch."""
        self._epoch += 1


def train_split(
    images,
    strategy: str = "X:1",
    *,
    model: keras.Model | None = None,
    steps: int = 2000,
    seed: int = 0,
) -> keras.Model:
    """Train a network on a noisy scan alone, to denoise that scan.

    Parameters
    ----------
    images, strategy
        As in `SplitPatches`; sides of 8 pixels at least, in any unit.
    model : keras.Model, optional
        Uncompiled, for images (n, height, width, 1) whose sides may vary; by default a
        residual `unet`.
    steps : int
        Batches of 16 patches of 64 pixels, or less where the images are smaller. The
        U-Net takes about a minute for 1000 on two cores.
    seed : int
        Of the patches and of their order; the first weights are those of the model.

    Returns
    -------
    keras.Model
        For images in the unit of those given, its scaling inside; uncompiled.

    Raises
    ------
    ValueError
        As `SplitPatches`, or if there are no steps or the images are all zero.
    """
    images = _checked(images, strategy)
    largest = float(np.percentile(np.abs(images.mean(axis=0)), 99.9))
    if steps < 1 or not largest > 0:
        raise ValueError(
            "expected at least one step and images that are not zero, received "
            f"{steps} steps and values up to {largest}"
        )
    side = min(64, *(length // 8 * 8 for length in images.shape[2:4]))
    epochs = -(-steps // 100)
    batches = -(-steps // epochs)
    patches = SplitPatches(
        images / largest, strategy, patch=side, batches=batches, seed=seed
    )
    if model is None:
        model = unet((None, None, 1), residual=True)
    falling = keras.optimizers.schedules.CosineDecay(2e-3, epochs * batches)
    model.compile(keras.optimizers.Adam(falling), "mean_squared_error")
    # Otherwise Keras traces the first step twice, which takes seconds.
    model.optimizer.build(model.trainable_variables)
    end_passes_in_time()
    with tqdm(total=epochs, desc="training", unit="epoch") as bar:
        advance = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: bar.update()
        )
        model.fit(patches, epochs=epochs, callbacks=[advance], verbose=0)
    return rescaled(model, 1 / largest)


def denoise_split(model: keras.Model, images, strategy: str = "X:1") -> np.ndarray:
    """Denoise a scan with a network that was trained on `SplitPatches` of it.

    Each part in turn is left out (``"X:1"``) or shown alone (``"1:X"``), or so many
    halves are (``"half"``); what the network makes of them is averaged.

    Parameters
    ----------
    model : keras.Model
        Images (n, height, width, 1) to images of that shape, with sides that may vary.
    images : array, shape (parts, n, height, width, 1)
        Of any height and width.
    strategy : {"X:1", "1:X", "half"}
        That of the training.

    Returns
    -------
    float32 array, shape (n, height, width, 1)

    Raises
    ------
    ValueError
        As `SplitPatches`.
    """
    images = _checked(images, strategy)
    parts, height, width = len(images), *images.shape[2:4]
    extra = ((0, 0), (0, -height % _MULTIPLE), (0, -width % _MULTIPLE), (0, 0))
    total = np.zeros(images.shape[1:], np.float32)
    turns = _in_turn(strategy, parts)
    for shown in turns:
        wide = np.pad(images[shown].mean(axis=0), extra, mode="reflect")
        total += model.predict(wide, batch_size=1, verbose=0)[:, :height, :width]
    return total / len(turns)


def _n_shown(strategy, parts):
    return {"X:1": parts - 1, "1:X": 1, "half": parts // 2}[strategy]


def _in_turn(strategy, parts):
    """What to show, in turn: bool (times, parts)."""
    if strategy == "half":
        rng = np.random.default_rng(0)
        order = rng.permuted(np.tile(np.arange(parts), (parts // 2, 1)), axis=1)
        shown = order < _n_shown(strategy, parts)
        return shown if parts % 2 else np.concatenate([shown, ~shown])
    number = (np.arange(parts)[:, None] - np.arange(parts)) % parts
    return number < _n_shown(strategy, parts)


def _mean(patches, chosen):
    """Mean of the chosen parts: (parts, n, ...) and bool (n, parts) to (n, ...)."""
    weights = (chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.einsum("pn...,np->n...", patches, weights)


def _checked(images, strategy):
    images = np.asarray(images, np.float32)
    if images.ndim != 5 or images.shape[-1] != 1 or len(images) < 2:
        raise ValueError(
            "expected images (parts, n, height, width, 1) of two parts or more, "
            f"received {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError("expected finite images, received NaN or infinite values")
    if strategy not in STRATEGIES:
        raise ValueError(f"expected a strategy of {STRATEGIES}, received {strategy!r}")
    return images
