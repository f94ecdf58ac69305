"""Feed networks from HDF5 libraries that need not fit into memory."""

from pathlib import Path

import keras
import numpy as np

from srtools.files import CHUNK, library_settings, open_library, read_pairs


class LibraryStream(keras.utils.PyDataset):
    """Batches of (sinograms, images) from a library, for ``model.fit``.

    Neighbours in the file (8 pairs, one chunk) stay together, so that every chunk is
    read once an epoch; the order of the chunks changes with every epoch. The pairs of a
    library should therefore be in no order, as those of
    `srtools.datasets.simulate_library` are.

    Parameters
    ----------
    path : str or Path
        A library as in `srtools.files.read_reconstruct_library`.
    batch_size : int
        Pairs a batch; the last batch may be smaller.
    part : slice
        The pairs to use, for example ``slice(9000)`` for training.
    shuffle : bool
        Whether to change the order with every epoch.
    seed : int
        Seed of the order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no library, `part` is empty or has a step, the batch size is not
        positive; when a batch is read, if it holds values that are not finite.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        batch_size: int = 32,
        part: slice = slice(None),
        shuffle: bool = True,
        seed: int = 0,
    ):
        super().__init__()
        self._file, n = open_library(path)
        first, stop, step = part.indices(n)
        if step != 1 or stop <= first or batch_size < 1:
            self._file.close()
            raise ValueError(
                f"{path}: expected a part of its {n} pairs without a step and a "
                f"positive batch size, received {part} and {batch_size}"
            )
        pairs = np.arange(first, stop)
        self._chunks = np.split(pairs, np.arange(CHUNK, len(pairs), CHUNK))
        self._path, self._batch_size = path, batch_size
        self._choice = {
            "part": [first, stop],
            "batch_size": batch_size,
            "shuffle": shuffle,
            "seed": seed if shuffle else None,
        }
        self._rng = np.random.default_rng(seed) if shuffle else None
        self.on_epoch_end()

    @property
    def recipe(self) -> dict:
        """What decides the batches, for the key of a training: the same everywhere.

        The library's settings, the part, the size and the order of the batches; no
        path, no time and no data.

        Raises
        ------
        AttributeError
            If the library does not say what it was made of: there is no recipe then.
        """
        try:
            return {"library": library_settings(self._path), **self._choice}
        except ValueError as error:
            raise AttributeError(str(error)) from error

    def __len__(self):
        """Return the number of batches."""
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index):
        """Return a batch: sinograms (n, T, A, 1) and images (n, H, W, 1)."""
        start = index * self._batch_size
        order = self._order[start : start + self._batch_size]
        runs = np.split(order, np.flatnonzero(np.diff(order) != 1) + 1)
        sinograms, images = (
            np.concatenate(
                [read_pairs(self._file, name, slice(r[0], r[-1] + 1)) for r in runs]
            )
            for name in ("Sinograms", "Images")
        )
        return sinograms, images

    def on_epoch_end(self):
        """Change the order of the chunks."""
        if self._rng is not None:
            self._rng.shuffle(self._chunks)
        self._order = np.concatenate(self._chunks)
