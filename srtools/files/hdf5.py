"""Read and write HDF5 libraries of image and sinogram pairs.

A library is an HDF5 file with the datasets ``Images`` (height, width, N), ``Sinograms``
(n_translations, n_angles, N) and ``NImages`` (N); the last axis counts the pairs. Those
that are written here say in their attribute ``settings``, as JSON, what they are of.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np

from srtools.files.atomic import write_once
from srtools.files.damage import reading
from srtools.files.opening import open_hdf5
from srtools.files.reserving import check_space, create_reserved, reserve
from srtools.files.settings import check_settings

CHUNK = 8
"""Pairs that lie, and are read, together."""

_PLACES = {"meta_block_size": 1}  # no gaps: the same bytes, interrupted or not
_log = logging.getLogger(__name__)


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
        with reading(path, "a library of pairs"):
            return file, _count(path, file)
    except BaseException:
        file.close()
        raise


def _count(path, file):
    """Return the number of pairs, if it is the same wherever it stands."""
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
    return n


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
        If the file is damaged, or a value is not finite.
    """
    with reading(file.filename, "a library of pairs"):
        batch = np.asarray(file[name][:, :, part], dtype=np.float32)
    if not np.isfinite(batch).all():
        raise ValueError(
            f"{file.filename}: expected finite values, found NaN or infinite ones in "
            f"{name}"
        )
    return np.ascontiguousarray(np.moveaxis(batch, -1, 0))[..., None]


def library_settings(path: str | Path) -> dict:
    """Read what a library was made of: its identity, whatever machine it was made on.

    Parameters
    ----------
    path : str or Path
        A file that `create_library` began, or a folder with its ``settings.json``, as
        `srtools.datasets.simulate_folders` writes it.

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no HDF5 file, or does not say in JSON what it was made of.
    """
    if Path(path).is_dir():
        ledger = Path(path) / "settings.json"
        if not ledger.exists():
            raise FileNotFoundError(f"{ledger}: no such file")
        with reading(ledger, "settings as JSON"):
            return dict(json.loads(ledger.read_text(encoding="utf-8")))
    with open_hdf5(path) as file:
        try:
            return dict(json.loads(file.attrs["settings"]))
        except Exception as error:  # h5py raises many kinds for a broken file
            raise ValueError(
                f"{path}: expected a file with its settings as JSON in the attribute "
                f"settings, as srtools writes them, found attributes "
                f"{_names(file.attrs)}"
            ) from error


def _names(attributes):
    try:
        return sorted(attributes)
    except Exception:  # they are broken too
        return "none that can be read"


@contextmanager
def create_library(
    path: str | Path,
    settings: dict,
    layout: Mapping[str, tuple[int, ...]],
    n: int,
) -> Iterator[h5py.File | None]:
    """Write a library once, and go on with it after an interruption.

    The file appears under its name when the block ends, as with `write_once`. Several
    processes may be asked for the same library: one writes it, the others wait for it.

    Parameters
    ----------
    path : str or Path
        The file to write; folders are made where they are missing.
    settings : dict
        What the data depend on, and nothing else, in words that JSON can hold.
    layout : mapping of str to tuple of int
        Shape of one item of each dataset.
    n : int
        Number of items.

    Yields
    ------
    h5py.File or None
        Open for writing, with ``NImages`` and the float32 datasets of the layout, the
        item as their last axis; or as an earlier block of the same settings left it,
        so that progress can be noted in its attributes. None if the library is there.

    Raises
    ------
    ValueError
        If a file of other settings stands at `path`; it is not touched.
    BlockingIOError
        If another program has the unfinished file open.
    OSError
        If the disk has not enough space or cannot be written to, before the block.
    """
    path, settings = Path(path), json.loads(json.dumps(settings))
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_once(path) as partial:
        if partial is not None:
            file = _resume(partial, settings) or _start(partial, settings, layout, n)
            with file:
                yield file
            return
    check_settings(path, settings, library_settings(path))
    yield None


def _resume(partial, settings):
    """The file that an earlier block left, if it is readable and of these settings."""
    if not partial.exists():
        return None
    try:
        file = h5py.File(partial, "r+", **_PLACES)
    except BlockingIOError as error:
        raise BlockingIOError(
            f"{partial}: expected to go on with this file, but another program has it "
            f"open ({error})"
        ) from error
    except Exception:  # interrupted before anything useful was in it
        _log.info("starting %s again: it cannot be read", partial)
        return None
    with suppress(Exception):  # it is as broken, where nobody has looked yet
        if file.attrs.get("settings") == json.dumps(settings):
            _log.info("going on with %s", partial)
            return file
    file.close()
    return None


def _start(partial, settings, layout, n):
    needed = sum(4 * n * int(np.prod(shape)) for shape in layout.values())
    check_space(partial, needed)
    file = h5py.File(partial, "w", **_PLACES)
    for name, shape in layout.items():
        chunk = (*shape, min(n, CHUNK))
        if len(shape) == 3:  # few channels, so that an image can be read by itself
            chunk = (*shape[:2], min(shape[2], 32), 1)
        create_reserved(file, name, (*shape, n), chunk)
    file["NImages"] = np.arange(n)
    file.attrs["settings"] = json.dumps(settings)
    reserve(file)
    return file
