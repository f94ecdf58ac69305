"""Arrays in ``.npy`` files."""

from pathlib import Path

import numpy as np

from srtools.files.damage import reading


def open_npy(path: str | Path) -> np.memmap:
    """Open a ``.npy`` array without reading it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    numpy.memmap
        Mapped into memory, read only. It holds numbers: nothing is unpickled.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is truncated, of another format, or holds Python objects.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    with reading(path, "a .npy array"):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.memmap):
            array.close()
            raise ValueError("an archive of arrays")
    return array
