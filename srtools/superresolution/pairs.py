"""Pairs for networks that fuse: turned and mirrored, and some with a wrong guide."""

from collections.abc import Callable

import keras
import numpy as np

from srtools.superresolution.batches import check_finite
from srtools.superresolution.liars import draw_disc, shift


class FusionPairs(keras.utils.PyDataset):
    """Batches of ``[maps, guide]`` and the true maps, each time turned otherwise.

    Parameters
    ----------
    starts : array, shape (n, height, width, n_phases), or callable
        The maps that the network begins with: coarse ones, or fused ones. A function
        that returns them is called when the first batch is asked for.
    guides : array, shape (n, size, size, 1)
    truth : array, shape (n, size, size, n_phases)
    recipe
        How the data are made, as for `srtools.tutorial.trained`.
    guided : bool
        False leaves the guide out.
    wrong : float
        Share of the layers, from 0 to 1, that are given a wrong guide each time: that
        of another layer, their own shifted by up to 4 pixels, or their own with a disc
        that is not in the object, in equal parts. It teaches a network to doubt.
    augment : bool
        Turn and mirror; False for validation, where the order stays, too.
    batch_size : int
        Layers in a batch.
    seed : int
        Of order, turns and wrong guides.

    Raises
    ------
    ValueError
        If the numbers of layers differ, the share is not between 0 and 1, or there are
        NaN or infinite values in what a network would learn from.
    """

    def __init__(
        self,
        starts: np.ndarray | Callable[[], np.ndarray],
        guides,
        truth,
        *,
        recipe,
        guided: bool = True,
        wrong: float = 0.0,
        augment: bool = True,
        batch_size: int = 4,
        seed: int = 0,
    ):
        super().__init__()
        if not 0 <= wrong <= 1:
            raise ValueError(f"expected a share from 0 to 1, received {wrong}")
        if len(guides) != len(truth):
            raise ValueError(
                f"expected a guide for each layer, received {len(guides)} for "
                f"{len(truth)}"
            )
        check_finite(guides, "guides")
        check_finite(truth, "maps")
        if not callable(starts):
            check_finite(starts, "maps to begin with")
        self._starts, self.guides, self.truth = starts, guides, truth
        self.guided, self.wrong, self.augment = guided, wrong, augment
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        self.recipe = {
            "data": recipe,
            "pairs": FusionPairs,
            "guided": guided,
            "wrong": wrong,
            "augment": augment,
            "batch_size": batch_size,
            "seed": seed,
        }

    @property
    def starts(self) -> np.ndarray:
        """The maps that the network begins with."""
        if callable(self._starts):
            self._starts = self._starts()
            check_finite(self._starts, "maps to begin with")
        if len(self._starts) != len(self.truth):
            raise ValueError(
                f"expected maps of each layer, received {len(self._starts)} for "
                f"{len(self.truth)}"
            )
        return self._starts

    def __len__(self) -> int:
        """Return the number of batches; the last may be smaller."""
        return -(-len(self.truth) // self.batch_size)

    def on_epoch_end(self):
        """Go on to the next order and the next turns."""
        self.epoch += 1

    def __getitem__(self, number: int):
        """Return ``(maps, guide), truth``, or without a guide ``maps, truth``."""
        n = len(self.truth)
        chosen = np.arange(n)
        if self.augment:
            np.random.default_rng((self.seed, self.epoch)).shuffle(chosen)
        chosen = chosen[number * self.batch_size :][: self.batch_size]
        rng = np.random.default_rng((self.seed, self.epoch, number))
        starts, truth, guides = [], [], []
        for i in chosen:
            turn = int(rng.integers(8)) if self.augment else 0
            guide = self.guides[i]
            if rng.random() < self.wrong:
                guide = self._wrong(i, rng)
            for batch, image in (
                (starts, self.starts[i]),
                (truth, self.truth[i]),
                (guides, guide),
            ):
                batch.append(_turned(image, turn))
        if not self.guided:
            return np.stack(starts), np.stack(truth)
        return (np.stack(starts), np.stack(guides)), np.stack(truth)

    def _wrong(self, i, rng):
        """A guide that does not belong to a layer, or not quite."""
        kind = rng.integers(3)
        if kind == 0:
            other = (i + rng.integers(1, max(len(self.truth), 2))) % len(self.truth)
            return self.guides[other]
        if kind == 1:
            angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(1, 4)
            off = length * np.cos(angle), length * np.sin(angle)
            return shift(self.guides[i : i + 1], off)[0]
        return draw_disc(self.guides[i : i + 1], rng=rng)[0][0]


def _turned(image, number):
    """Mirror where the number is odd, then turn by quarters."""
    mirrored = image[:, ::-1] if number % 2 else image
    return np.rot90(mirrored, number // 2)
