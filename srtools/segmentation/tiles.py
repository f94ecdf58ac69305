"""Cover a length with tiles, and read tiles of images that need not fit into memory."""

from functools import wraps
from pathlib import Path

import numpy as np
import tifffile

from srtools.files import broken, open_hdf5, reading
from srtools.segmentation.readers import BAND, Dataset, Mapped, Segments


def tile_starts(length: int, tile: int, step: int) -> np.ndarray:
    """Return where tiles start so that they cover a length without going beyond it.

    Parameters
    ----------
    length : int
        Pixels to cover.
    tile : int
        Pixels of a tile.
    step : int
        Pixels from one tile to the next; the last tile is moved in, so that it ends
        where the length ends.

    Returns
    -------
    int array, shape (n_tiles,)
        Strictly increasing from 0 to ``length - tile``.

    Raises
    ------
    ValueError
        If a tile is larger than the length, or a step is not between 1 and a tile.
    """
    if not 1 <= tile <= length:
        raise ValueError(
            f"expected patches no larger than the image, received patches of {tile} "
            f"pixels for an image of {length}"
        )
    if not 1 <= step <= tile:
        raise ValueError(
            f"expected an overlap from 0 to {tile - 1} pixels, received {tile - step}"
        )
    starts = np.arange(0, length - tile + step, step)
    return np.minimum(starts, length - tile)


class TiledImage:
    """A grey image, or a stack of them, that is read by regions.

    Of uncompressed TIFFs and of ``.npy`` files the pixels of a region are read; of
    other TIFFs the strips or tiles that it touches are decoded; HDF5 files give slices.
    A process keeps the files open that it opened last, and no others: there may be more
    images than it may open. Threads and forked processes may share an image.

    Parameters
    ----------
    path : str or Path
        A TIFF of one or more equal pages; a ``.npy`` array; or an HDF5 file
        (``.h5``, ``.hdf5``) with one dataset. (height, width) or
        (pages, height, width), 8 or 16 bits or float.

    Attributes
    ----------
    path : Path
    shape : tuple of int
        (pages, height, width).
    dtype : numpy.dtype

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is truncated, of another format, or not grey.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"{path}: no such file")
        kind = self.path.suffix.lower()
        if kind == ".npy":
            data = self._find_npy()
        elif kind in (".h5", ".hdf5"):
            data = self._find_hdf5()
        else:
            data = self._find_tiff()
        shape = tuple(data.shape)
        if len(shape) not in (2, 3) or 0 in shape or data.dtype.kind not in "buif":
            raise ValueError(
                f"{path}: expected grey images (height, width) or (pages, height, "
                f"width), found shape {shape} of {data.dtype}"
            )
        self.shape = (1,) * (3 - len(shape)) + shape
        self.dtype = data.dtype
        self._data = data

    def read(self, page: int, rows: slice, columns: slice) -> np.ndarray:
        """Read a region of a page.

        Parameters
        ----------
        page : int
        rows, columns : slice
            Within the image, without a step.

        Returns
        -------
        array, shape (height, width)
            In the type of the file.

        Raises
        ------
        ValueError
            If a value is not finite.
        """
        place = (rows, columns) if len(self._data.shape) == 2 else (page, rows, columns)
        region = self._data[place]
        if region.dtype.kind == "f" and not np.isfinite(region).all():
            raise ValueError(
                f"{self.path}: expected finite values, found NaN or infinite ones"
            )
        return region

    def bands(self):
        """Go through all pages in bands of rows, each (rows, width)."""
        pages, height, width = self.shape
        step = max(1, BAND // width)
        for page in range(pages):
            for y in range(0, height, step):
                yield self.read(page, slice(y, min(y + step, height)), slice(0, width))

    def _find_npy(self):
        try:
            return Mapped(np.load(self.path, mmap_mode="r"), self.path)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(
                f"{self.path}: expected a .npy array, but it is truncated or of "
                f"another format ({error})"
            ) from error

    def _find_hdf5(self):
        with open_hdf5(self.path) as file:
            names = [name for name in file if hasattr(file[name], "dtype")]
            if len(names) != 1:
                raise ValueError(f"{self.path}: expected one dataset, found {names}")
            return Dataset(file[names[0]], self.path)

    def _find_tiff(self):
        try:
            with tifffile.TiffFile(self.path) as tiff:
                pages = [page.aspage() for page in tiff.pages]
                places = [(p.dataoffsets, p.databytecounts) for p in pages]
                mapped = len(tiff.series) == 1 and tiff.series[0].dataoffset is not None
        except Exception as error:  # tifffile raises many kinds for a broken file
            raise self._broken(error) from error
        first = pages[0]
        colours = ("RGB", "PALETTE", "YCBCR", "CIELAB", "SEPARATED")
        if first.samplesperpixel != 1 or first.photometric.name in colours:
            raise ValueError(
                f"{self.path}: expected a grey image, found {first.samplesperpixel} "
                f"values a pixel ({first.photometric.name})"
            )
        if any((p.shape, p.dtype) != (first.shape, first.dtype) for p in pages):
            raise ValueError(f"{self.path}: expected pages of one size and type")
        ends = [o + n for place in places for o, n in zip(*place, strict=True)]
        size = self.path.stat().st_size
        if first.dtype is None or max(ends, default=size + 1) > size:
            raise self._broken("its pixels end before the image does")
        if mapped:
            return Mapped(tifffile.memmap(self.path, mode="r"), self.path)
        return Segments(self.path, pages, places, self._broken)

    def _broken(self, why) -> ValueError:
        return broken(self.path, "a TIFF image", why)


def _told(method):
    """Let a method name the file that it could not read, in one kind of error."""

    @wraps(method)
    def told(self, *args, **how):
        with reading(getattr(self, "path", *args[:1]), "an image"):
            return method(self, *args, **how)

    return told


# Here and not at the methods: what a broken file raises is no part of what networks
# learn from a whole one, and must not change the keys of their trainings.
for _name in ("__init__", "read"):
    setattr(TiledImage, _name, _told(getattr(TiledImage, _name)))


def check_scaling(scaling: tuple[float, float]) -> tuple[float, float]:
    """Return the grey values that become 0 and 1, if they can.

    Raises
    ------
    ValueError
        If they are equal or not finite.
    """
    low, high = (float(value) for value in scaling)
    if not np.isfinite([low, high]).all() or low == high:
        raise ValueError(
            "expected two different finite grey values to become 0 and 1, received "
            f"{low} and {high}"
        )
    return low, high
