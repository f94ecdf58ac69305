"""Rows of a large result that are kept on disk while others are still being made."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from math import prod
from pathlib import Path
from uuid import uuid4

import numpy as np


@contextmanager
def kept_rows(
    folder: Path,
    settings: dict,
    heights: Sequence[int],
    row: tuple[int, ...],
    dtype: np.dtype,
    make: Callable[[int], Iterable[np.ndarray]],
) -> Iterator[np.ndarray]:
    """Make blocks of rows, keep each as soon as it is made, and go through them all.

    Parameters
    ----------
    folder : Path
        Where they are kept, in the files ``rows`` and ``settings.json``. Both are gone
        when the block of ``with`` ends, but stay when it or the process is interrupted.
    settings : dict
        What the rows are made of. What was kept with others is removed.
    heights : sequence of int
        Rows of each block.
    row : tuple of int
        Shape of one row.
    dtype : numpy.dtype
    make : callable
        ``make(first)`` gives the blocks from this number on. It is not called for those
        that are there from an earlier call, which was interrupted.

    Yields
    ------
    iterator of arrays, shape (height, *row)
        From the disk, block by block: all have been made.
    """
    folder.mkdir(exist_ok=True)
    rows, notes = folder / "rows", folder / "settings.json"
    settings = json.loads(json.dumps(settings))
    if not notes.exists() or _read(notes) != settings:
        rows.write_bytes(b"")
        notes.write_text(json.dumps(settings))
    ends = [0, *accumulate(prod((n, *row)) * dtype.itemsize for n in heights)]
    done = sum(end <= rows.stat().st_size for end in ends[1:])
    try:
        with rows.open("r+b") as file:
            file.truncate(ends[done])
            file.seek(ends[done])
            for block in make(done) if done < len(heights) else ():
                file.write(np.ascontiguousarray(block, dtype).tobytes())
                file.flush()  # to the system, which kill -9 leaves alone
        with rows.open("rb") as file:
            yield (
                np.fromfile(file, dtype, prod((n, *row))).reshape(n, *row)
                for n in heights
            )
    except Exception:  # no interruption: the next call would fail too
        _remove(rows, notes)
        raise
    _remove(rows, notes)


def _remove(*files):
    for file in files:
        file.unlink(missing_ok=True)


def digest(model) -> str:
    """Tell a network from others, by its architecture and its weights.

    Parameters
    ----------
    model : keras.Model
        Or an object that only answers: it is told from all others, itself included.
    """
    if not hasattr(model, "to_json"):
        return uuid4().hex
    found = hashlib.sha256(model.to_json().encode())
    for weight in model.get_weights():
        found.update(np.ascontiguousarray(weight).tobytes())
    return found.hexdigest()


def _read(notes):
    try:
        return json.loads(notes.read_text())
    except ValueError:  # interrupted while they were written
        return None
