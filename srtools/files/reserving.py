"""Datasets whose place on the disk is taken before the work begins.

A disk that fills up while HDF5 writes leaves a file that cannot even be closed: the
process crashes. And a process that is killed while places are being found for its data
leaves a file whose index is half written.
"""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import h5py

_CAN = hasattr(os, "posix_fallocate")  # neither Windows nor macOS has it
_MORE = 1.01  # times: what a file says of its data takes space as well


def create_reserved(
    file: h5py.File,
    name: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...] | None = None,
) -> h5py.Dataset:
    """Create a float32 dataset that has its whole place in the file.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    name : str
    shape : tuple of int
    chunks : tuple of int, optional
        By default the dataset lies in one piece.

    Returns
    -------
    h5py.Dataset
        Its values are arbitrary, until they are written.
    """
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    return file.create_dataset(name, shape, "float32", chunks=chunks, dcpl=create)


def check_space(path: str | Path, nbytes: int) -> None:
    """Raise an error if a disk has not enough space for a file.

    Parameters
    ----------
    path : str or Path
        Where it will be, in a folder that exists.
    nbytes : int

    Raises
    ------
    OSError
        It says how much is needed, and why it is not there.
    """
    folder = Path(path).parent
    needed = f"{folder.parent}: expected {nbytes / 1e9:.3g} GB of free disk space"
    free = shutil.disk_usage(folder).free
    if nbytes * _MORE > free:
        raise OSError(f"{needed}, found {free / 1e9:.3g} GB")
    with tempfile.TemporaryFile(dir=folder) as trial:  # there may be a quota
        try:
            _take(trial, int(nbytes * _MORE))
        except OSError as error:
            raise OSError(f"{needed} for {Path(path).name} ({error})") from error


def reserve(file: h5py.File) -> None:
    """Take the space on the disk that a file of such datasets needs.

    Raises
    ------
    OSError
        If the disk has not enough; where a system cannot reserve, it is not noticed.
    """
    file.flush()
    if not _CAN:
        return
    path = Path(file.filename)
    with path.open("rb+") as plain:
        _take(plain, path.stat().st_size)


def _take(file, nbytes):
    try:
        if _CAN:
            os.posix_fallocate(file.fileno(), 0, max(1, nbytes))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
