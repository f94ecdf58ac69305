"""Read regions of files: mapped arrays, HDF5 datasets, and compressed TIFFs."""

import os
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from weakref import ref

import numpy as np

from srtools.files import open_hdf5

BAND = 2**22  # pixels that are read together where a whole image is gone through
_OPEN = 64  # files that a process keeps open; most systems allow 256 or more
_SEGMENTS = 64  # decoded strips or TIFF tiles of a file that are kept

_opened = deque()  # readers whose file was opened last, by weak references


class _Kept:
    """Data of a file that stays open until so many others have been opened.

    Threads share what is open. A forked process opens files of its own.
    """

    def __init__(self, data, path):
        self._path, self._open_data = path, None
        self.dtype, self.shape = data.dtype, data.shape

    def __getitem__(self, region):
        """Read a region: slices, the page first where there are several."""
        kept = self._open_data  # another thread may close it, but not what is held here
        if kept is None or kept[0] != os.getpid():
            kept = self._open_data = os.getpid(), self._open()
            _opened.append(ref(self))
            while len(_opened) > _OPEN:
                oldest = _opened.popleft()()
                if oldest is not None:
                    oldest.close()
        return kept[1][region]

    def close(self):
        """Close the file, until it is read again."""
        self._open_data = None  # nobody else holds it, and so it closes


class Mapped(_Kept):
    """An array that lies in a file as in memory."""

    def __init__(self, array, path):
        super().__init__(array, path)
        self._offset, self._seen = array.offset, 0
        self._order = "C" if array.flags.c_contiguous else "F"

    def _open(self):
        with self._path.open("rb") as file:
            data = mmap(file.fileno(), 0, access=ACCESS_READ)
        end = self._offset + int(np.prod(self.shape)) * self.dtype.itemsize
        if len(data) < end:  # it has changed since it was checked
            raise ValueError(f"{self._path}: expected {end} bytes, found {len(data)}")
        where = {"buffer": data, "offset": self._offset, "order": self._order}
        return np.ndarray(self.shape, self.dtype, **where)

    def __getitem__(self, region):
        """Read a region: slices, the page first where there are several."""
        found = super().__getitem__(region).copy()
        self._seen += found.size
        if self._seen > BAND:  # what was read through a map stays in memory with it
            self._seen = 0
            self.close()
        return found


class Dataset(_Kept):
    """The dataset of an HDF5 file."""

    def __init__(self, dataset, path):
        super().__init__(dataset, path)
        self._name = dataset.name

    def _open(self):
        return open_hdf5(self._path)[self._name]  # open as long as its dataset


class Segments:
    """Pages of a TIFF whose strips or tiles are decoded when they are touched."""

    def __init__(self, path, pages, places, broken: Callable[[object], ValueError]):
        self._path, self._pages, self._places = path, pages, places
        self._broken = broken
        page = pages[0]
        self.dtype = page.dtype
        self.shape = (len(pages), page.imagelength, page.imagewidth)
        self._segment = (
            (page.tilelength, page.tilewidth)
            if page.is_tiled
            else (min(page.rowsperstrip, page.imagelength), page.imagewidth)
        )
        # a row of segments must stay, or each would be decoded again for every patch
        across = -(-self.shape[2] // self._segment[1])
        self._decode = lru_cache(max(_SEGMENTS, 2 * across))(self._decode)

    def __getitem__(self, region):
        """Read a region: a page, and slices of rows and columns."""
        number, rows, columns = region
        region = np.zeros(
            (rows.stop - rows.start, columns.stop - columns.start), self.dtype
        )
        high, wide = self._segment
        across = -(-self.shape[2] // wide)
        for i in range(rows.start // high, -(-rows.stop // high)):
            for j in range(columns.start // wide, -(-columns.stop // wide)):
                part = self._decode(number, i * across + j)
                y, x = i * high - rows.start, j * wide - columns.start
                top, left = max(-y, 0), max(-x, 0)
                part = part[top : region.shape[0] - y, left : region.shape[1] - x]
                y, x = max(y, 0), max(x, 0)
                region[y : y + part.shape[0], x : x + part.shape[1]] = part
        return region

    def _decode(self, number, index):
        offsets, counts = self._places[number]
        try:
            with self._path.open("rb") as file:
                file.seek(offsets[index])
                data = file.read(counts[index])
            part, _, shape = self._pages[number].decode(data, index)
        except Exception as error:  # each codec raises its own kind
            raise self._broken(error) from error
        if part is None:  # TIFF leaves out segments that are all zero
            return np.zeros(self._segment, self.dtype)
        return part.reshape(part.shape[1:3])[: shape[1], : shape[2]]
