"""Read HDF5 libraries of image and sinogram pairs, and folders of TIFFs; write TIFFs.

A library is an HDF5 file with the datasets ``Images`` (height, width, N), ``Sinograms``
(n_translations, n_angles, N) and ``NImages`` (N); the last axis counts the pairs.
"""

from pathlib import Path

import h5py
import numpy as np

CHUNK = 8  # pairs that lie, and are read, together


def open_hdf5(path: str | Path) -> h5py.File:
    """Open an HDF5 file for reading, with an error that names it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    h5py.File
        The caller closes it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is truncated or no HDF5 file.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"{path}: expected an HDF5 file, but it is truncated or of another format "
            f"({error})"
        ) from error


def open_library(path: str | Path) -> tuple[h5py.File, int]:
    """Open a library of pairs without reading the data, and check that it is one.

    Parameters
    ----------
    path : str or Path
        As in `read_reconstruct_library`.

    Returns
    -------
    file : h5py.File
        Open for reading; the caller closes it.
    n : int
        The number of pairs.

    Raises
    ------
    FileNotFoundError, ValueError
        As in `read_reconstruct_library`.
    """
    file = open_hdf5(path)
    try:
        missing = [k for k in ("Images", "Sinograms", "NImages") if k not in file]
        if missing:
            raise ValueError(
                f"{path}: expected the datasets Images, Sinograms and NImages, "
                f"found {sorted(file)}"
            )
        images, sinograms = file["Images"].shape, file["Sinograms"].shape
        if len(images) != 3 or len(sinograms) != 3:
            raise ValueError(
                f"{path}: expected Images (height, width, N) and Sinograms "
                f"(n_translations, n_angles, N), found {images} and {sinograms}"
            )
        n = file["NImages"].size
        if not images[-1] == sinograms[-1] == n or n == 0:
            raise ValueError(
                f"{path}: expected equal numbers, found {images[-1]} images, "
                f"{sinograms[-1]} sinograms and {n} in NImages"
            )
    except ValueError:
        file.close()
        raise
    return file, n


def read_reconstruct_library(path: str | Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Read a library of pairs into memory.

    Parameters
    ----------
    path : str or Path
        An HDF5 file with the datasets ``Images`` (height, width, N), ``Sinograms``
        (n_translations, n_angles, N) and ``NImages``.

    Returns
    -------
    images : float32 array, shape (N, height, width, 1)
    sinograms : float32 array, shape (N, n_translations, n_angles, 1)
    n : int
        The number of pairs, N.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no HDF5 file, is truncated, lacks a dataset, holds unequal numbers of
        images and sinograms, or values that are not finite.
    """
    file, n = open_library(path)
    with file:
        images = read_pairs(file, "Images")
        sinograms = read_pairs(file, "Sinograms")
    return images, sinograms, n


def read_pairs(file: h5py.File, name: str, part: slice = slice(None)) -> np.ndarray:
    """Read a run of images or sinograms from an open library.

    Parameters
    ----------
    file : h5py.File
        From `open_library`.
    name : {"Images", "Sinograms"}
    part : slice
        The pairs to read.

    Returns
    -------
    float32 array, shape (n, height, width, 1) or (n, n_translations, n_angles, 1)

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    dataset = file[name]
    batch = np.asarray(dataset[:, :, part], dtype=np.float32)
    if not np.isfinite(batch).all():
        raise ValueError(
            f"{file.filename}: expected finite values, found NaN or infinite ones in "
            f"{name}"
        )
    return np.ascontiguousarray(np.moveaxis(batch, -1, 0))[..., None]
