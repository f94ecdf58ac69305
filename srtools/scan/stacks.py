"""Pictures of one size, read by detector rows and never all at once."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile

from srtools.files import check_pages, open_hdf5, reading
from srtools.files import open_npy as open_array
from srtools.scan.links import resolve

_ALL = slice(None)
_KIND = "a TIFF image"
_FAR = 32  # pictures between two that are wanted, which are not read along with them


@dataclass(frozen=True)
class Stack(ABC):
    """Pictures of one size, of which rows are read when they are wanted.

    No file is held open, so that a stack can go to other processes.

    Attributes
    ----------
    path : Path
        The file or folder.
    shape : tuple of int
        (n, n_rows, n_columns).
    dtype : numpy.dtype
        As stored: 8 or 16 bits or float.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype

    @abstractmethod
    def read(self, rows: slice, numbers: slice = _ALL) -> np.ndarray:
        """Read rows of pictures.

        Parameters
        ----------
        rows : slice
            Within the detector, without a step.
        numbers : slice
            The pictures, without a step; by default all.

        Returns
        -------
        array, shape (n, n_rows, n_columns)
            In the type of the file.

        Raises
        ------
        ValueError
            If a file is truncated.
        """

    def pick(self, numbers: Sequence[int]) -> "Stack":
        """Return the stack of some of the pictures, in the order given."""
        return _Picked(
            self.path, (len(numbers), *self.shape[1:]), self.dtype, self, numbers
        )


@dataclass(frozen=True)
class _Picked(Stack):
    whole: Stack
    numbers: Sequence[int]

    def read(self, rows, numbers=_ALL):
        wanted = np.asarray(self.numbers[numbers], int)
        order = np.unique(wanted)
        far = np.flatnonzero(np.diff(order) > _FAR) + 1
        parts = [
            self.whole.read(rows, slice(run[0], run[-1] + 1))[run - run[0]]
            for run in np.split(order, far)
        ]
        return np.concatenate(parts)[np.searchsorted(order, wanted)]


@dataclass(frozen=True)
class Constant(Stack):
    """One number everywhere: the flat field of projections that were divided by it."""

    value: float = 1.0

    def read(self, rows, numbers=_ALL):
        """Return the number, in the shape of the rows."""
        return np.full((1, rows.stop - rows.start, self.shape[2]), self.value, "f4")


@dataclass(frozen=True)
class InMemory(Stack):
    """An array."""

    array: np.ndarray = field(repr=False)

    def read(self, rows, numbers=_ALL):
        """Return the rows of the array."""
        return self.array[numbers, rows]


@dataclass(frozen=True)
class Dataset(Stack):
    """A dataset of an HDF5 file."""

    name: str

    def read(self, rows, numbers=_ALL):
        """Read the rows of the dataset."""
        with open_hdf5(self.path) as file:
            try:
                return file[self.name][numbers, rows]
            except OSError as error:
                raise ValueError(
                    f"{self.path}: expected to read {self.name}, but the file is "
                    f"truncated or its filter is missing ({error})"
                ) from error


@dataclass(frozen=True)
class Npy(Stack):
    """An array in a ``.npy`` file, mapped into memory."""

    def read(self, rows, numbers=_ALL):
        """Read the rows through a map."""
        with reading(self.path, "a .npy array"):
            return np.array(open_array(self.path)[numbers, rows])


@dataclass(frozen=True)
class Pages(Stack):
    """Pages of TIFF files, one after the other.

    Of uncompressed pages only the rows are read; compressed ones are decoded whole,
    anew for every block of rows.
    """

    files: tuple[Path, ...] = field(repr=False)
    n_pages: tuple[int, ...] = field(repr=False)

    def read(self, rows, numbers=_ALL):
        """Read the rows of the pages."""
        first, stop, _ = numbers.indices(self.shape[0])
        shape = stop - first, rows.stop - rows.start, self.shape[2]
        out, place = np.empty(shape, self.dtype), -first
        for path, n in zip(self.files, self.n_pages, strict=True):
            wanted = range(max(-place, 0), min(n, stop - first - place))
            if wanted:
                _read_pages(path, wanted, rows, out[place + wanted.start :])
            place += n
        return out


def _read_pages(path, wanted, rows, out):
    with reading(path, _KIND), tifffile.TiffFile(path) as tiff:
        for number, target in zip(wanted, out, strict=False):
            target[:] = _rows_of_page(tiff.pages[number], rows)


def open_dataset(path: Path, name: str) -> Stack:
    """Return a dataset (n, n_rows, n_columns) of an HDF5 file.

    Raises
    ------
    ValueError
        If it is no such dataset, or a link leads out of the folder of the file.
    """
    path, name = resolve(path, name)
    with open_hdf5(path) as file:
        dataset = file[name]
        shape, dtype = getattr(dataset, "shape", ()), getattr(dataset, "dtype", None)
    _check(f"{path}: {name}", shape, dtype)
    return Dataset(path, shape, dtype, name)


def open_npy(path: Path) -> Stack:
    """Return the array (n, n_rows, n_columns) of a ``.npy`` file.

    Raises
    ------
    ValueError
        If it is no such array, or truncated.
    """
    array = open_array(path)
    _check(path, array.shape, array.dtype)
    return Npy(path, array.shape, array.dtype)


def open_pages(path: Path, files: Sequence[Path]) -> Stack:
    """Return all pages of TIFF files, which must be grey and of one size and type.

    Every header is read, so that a file cut short is noticed now.

    Parameters
    ----------
    path : Path
        The folder, or the only file.
    files : sequence of Path

    Raises
    ------
    ValueError
        If a file is no grey TIFF, is truncated, or differs from the first.
    """
    first, n = None, []
    for file in files:
        with reading(file, _KIND):
            with tifffile.TiffFile(file) as tiff:
                pages = [page.aspage() for page in tiff.pages]
            ends = [
                o + k
                for p in pages
                for o, k in zip(p.dataoffsets, p.databytecounts, strict=True)
            ]
            check_pages(file, pages)
            if not pages or max(ends, default=0) > file.stat().st_size:
                raise ValueError("its pixels end before the picture does")
        for page in pages:
            kind = page.shape, page.dtype
            if first is None:
                first = kind
                _check(file, (1, *page.shape), page.dtype)
            if kind != first:
                raise ValueError(
                    f"{file}: expected pictures of {_size(*first)}, as in "
                    f"{files[0].name}, found {_size(*kind)}"
                )
        n.append(len(pages))
    return Pages(path, (sum(n), *first[0]), first[1], tuple(files), tuple(n))


def in_memory(name: str, array) -> Stack:
    """Return an array (n, n_rows, n_columns) as a stack; one picture may lack n."""
    array = np.asarray(array)
    array = array[None] if array.ndim == 2 else array
    _check(name, array.shape, array.dtype)
    return InMemory(Path(name), array.shape, array.dtype, array)


def _check(where, shape, dtype):
    if len(shape) != 3 or 0 in shape or dtype is None or dtype.kind not in "buif":
        raise ValueError(
            f"{where}: expected grey pictures (n, n_rows, n_columns) of numbers, found "
            f"shape {tuple(shape)} of {dtype}"
        )


def _rows_of_page(page, rows):
    """Rows of a page: straight from the file where its bytes lie there in order."""
    if not page.is_memmappable:
        return page.asarray()[rows]
    n, width, dtype = rows.stop - rows.start, page.shape[1], np.dtype(page.dtype)
    start = page.dataoffsets[0] + rows.start * width * dtype.itemsize
    order = page.parent.byteorder
    part = page.parent.filehandle.read_array(
        dtype.newbyteorder(order), n * width, offset=start
    )
    return part.reshape(n, width)


def _size(shape, dtype):
    return f"{' x '.join(map(str, shape))} {dtype}"
