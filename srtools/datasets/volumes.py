"""Read slices of data sets that are larger than memory, whatever they are stored as."""

import json
from pathlib import Path

import h5py
import numpy as np
import tifffile

from srtools.datasets.entries import catalogue
from srtools.files import (
    build_list_images,
    check_pages,
    open_hdf5,
    open_npy,
    reading,
)

_TIFF = (".tif", ".tiff")
_MEANING = "y and x of the image, z height, c diffraction channel, n number of the item"


class Volume:
    """An array on disk: slicing reads what the slice needs, and no more.

    Parameters
    ----------
    stored : array-like
        With ``shape``, ``dtype`` and slicing, such as an HDF5 dataset.
    order : tuple of int
        The stored axis of each axis of the volume.
    axes : str
        A letter for each axis of the volume.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    axes : str
        y and x of the image, z height, c diffraction channel, n number of the item.
    """

    def __init__(self, stored, order: tuple[int, ...], axes: str):
        self._stored, self._order, self.axes = stored, order, axes
        self.shape = tuple(stored.shape[i] for i in order)
        self.dtype = np.dtype(stored.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """What the whole volume would take in memory [bytes]."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        """Length of the first axis."""
        return self.shape[0]

    def __repr__(self) -> str:
        """Name the axes and the size."""
        sides = ", ".join(
            f"{a}: {s}" for a, s in zip(self.axes, self.shape, strict=True)
        )
        return f"<Volume {sides}; {self.dtype}, {self.nbytes / 1e6:.4g} MB on disk>"

    def __getitem__(self, key) -> np.ndarray:
        """Read a part; integers and slices with positive steps are understood."""
        key = key if isinstance(key, tuple) else (key,)
        if Ellipsis in key:
            i = key.index(Ellipsis)
            fill = (slice(None),) * (self.ndim - len(key) + 1)
            key = (*key[:i], *fill, *key[i + 1 :])
        if len(key) > self.ndim:
            raise IndexError(f"expected up to {self.ndim} indices, received {len(key)}")
        key = (*key, *[slice(None)] * (self.ndim - len(key)))
        index = [None] * self.ndim
        for axis, part in zip(self._order, key, strict=True):
            if not isinstance(part, slice):
                part = int(part)
                length = self._stored.shape[axis]
                if not -length <= part < length:
                    raise IndexError(f"index {part} is out of range for {length} items")
                part %= length
            index[axis] = part
        read = np.asarray(self._stored[tuple(index)])
        left = [axis for axis in self._order if isinstance(index[axis], slice)]
        return read.transpose(np.argsort(np.argsort(left)))

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """Read everything."""
        return np.asarray(self[...], dtype=dtype)


class _Pages:
    """TIFF images as one array, the page as the first axis.

    A single file may hold any number of pages, each of several files just one.
    """

    def __init__(self, files):
        self._files = files
        self._n, page, self.dtype = _describe(files[0])
        self.shape = (self._n, *page)
        if len(files) > 1:
            for file in files:
                self._check(file)
            self._n, self.shape = len(files), (len(files), *page)

    def _check(self, file):
        n, *found = _describe(file)
        if n != 1:
            raise ValueError(
                f"{file}: expected one image in each file of a folder, found {n} pages"
            )
        if found != [self.shape[1:], self.dtype]:
            raise ValueError(
                f"{file}: expected an image of shape {self.shape[1:]} and type "
                f"{self.dtype} like the first, found {found[0]} and {found[1]}"
            )

    def __getitem__(self, key):
        pages, *rest = key
        numbers = range(self._n)[pages]
        if isinstance(numbers, int):
            return self._page(numbers)[tuple(rest)]
        read = [self._page(i)[tuple(rest)] for i in numbers]
        return np.stack(read) if read else np.empty((0, *self.shape[1:]), self.dtype)

    def _page(self, i):
        one = len(self._files) == 1
        file, page = (self._files[0], i) if one else (self._files[i], 0)
        with reading(file, f"to read page {page}"):
            image = tifffile.imread(file, key=page)
        if image.shape != self.shape[1:]:
            raise ValueError(
                f"{file}: expected page {page} of shape {self.shape[1:]} like the "
                f"first, found {image.shape}"
            )
        return image


def _describe(file):
    """Return number, shape and type of the images of a TIFF that is whole."""
    with reading(file, "a TIFF"), tifffile.TiffFile(file) as tiff:
        n, first = len(tiff.pages), tiff.pages[0]
        described = n, first.shape, np.dtype(first.dtype)
        check_pages(file, [first])
        promised = tiff.series[0].size // first.size
        # The last page says that no other follows, and its data are in the file.
        handle = tiff.filehandle
        handle.seek(tiff.pages.next_page_offset)
        cut = any(handle.read(tiff.tiff.offsetsize)) or any(
            start + length > handle.size
            for page in tiff.pages
            for start, length in zip(page.dataoffsets, page.databytecounts, strict=True)
        )
    if cut:
        raise ValueError(
            f"{file}: expected a whole TIFF, found one that breaks off after {n} "
            f"page{'s' if n > 1 else ''} or within"
        )
    if promised > n:
        raise ValueError(
            f"{file}: expected {promised} images as it says, found {n} page"
            f"{'s' if n > 1 else ''}: save it with a page for each image"
        )
    return described


def load(
    name: str, path: str | Path, *, key: str = "Images", axes: str | None = None
) -> Volume:
    """Open a copy of a benchmark data set without reading it into memory.

    Parameters
    ----------
    name : str
        A key of the catalogue, of a set with ``axes``.
    path : str or Path
        An HDF5 file with the seed's keys, a ``.npy`` file, a TIFF of several pages or
        a folder of TIFFs.
    key : str
        Dataset of an HDF5 file, such as ``"Sinograms"``.
    axes : str, optional
        Order of the axes as they are stored, with a letter for each: y and x of the
        image, z height, c diffraction channel, n number of the item. By default the
        seed's order, ``"yxn"``, ``"yxz"`` or ``"yxc"`` (``"yxcn"`` for several
        layers); TIFFs count their pages first, ``"zyx"``.

    Returns
    -------
    Volume
        In the seed's order.

    Raises
    ------
    KeyError
        If no data set has that name.
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If the data set is not of this kind, the dataset is not in the file, the file is
        damaged or of another data set, or the sides are not those of the catalogue,
        perhaps because the axes are in another order.
    """
    entry = catalogue()[name]  # an unknown name: suggest the nearest
    usual = entry.axes
    if not usual:
        known = ", ".join(k for k, e in catalogue().items() if e.axes)
        raise ValueError(
            f"expected one of {known}, received {name!r}; use fetch for its file"
        )
    sides = dict(zip(usual, entry.keys["Images"], strict=False))
    stored, settings = _open(Path(path), key)
    if settings:
        found = settings.get("name", "another kind of file")
        if found != name or "size" not in settings:
            raise ValueError(f"{path}: expected {name}, found {found}")
        sides = {**sides, "y": settings["size"], "x": settings["size"]}
    if key == "Sinograms":
        sides = {}
    elif key != "Images":
        sides = {k: v for k, v in sides.items() if k in "yx"}
    if isinstance(stored, _Pages):
        found = usual[-1] + usual[:-1]
    else:
        found = usual + ("n" if len(stored.shape) == 4 else "")
    axes = found if axes is None else axes
    wanted = usual + ("n" if len(axes) == 4 and "n" not in usual else "")
    if sorted(axes) != sorted(wanted) or len(axes) != len(stored.shape):
        raise ValueError(
            f"{path}: expected axes out of {wanted!r} ({_MEANING}) for an array of "
            f"shape {stored.shape}, received {axes!r}"
        )
    volume = Volume(stored, tuple(axes.index(letter) for letter in wanted), wanted)
    shown = [sides.get(letter, "any") for letter in wanted]
    if any(s not in ("any", v) for s, v in zip(shown, volume.shape, strict=True)):
        turned = _guess(stored.shape, wanted, sides)
        hint = f"; are the axes in another order? Then pass axes={turned!r}"
        raise ValueError(
            f"{path}: expected axes {wanted!r} of lengths {shown} ({_MEANING}), "
            f"found {list(volume.shape)}{hint if turned else ''}"
        )
    return volume


def _open(path, key):
    """The array on disk, and what `simulate` says of it."""
    if path.is_dir():
        return _Pages(build_list_images(path, _TIFF)), None
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix.lower() in _TIFF:
        return _Pages([path]), None
    if path.suffix.lower() == ".npy":
        return open_npy(path), None
    file = open_hdf5(path)
    try:
        with reading(path, "a data set"):
            if key not in file or not isinstance(file[key], h5py.Dataset):
                raise ValueError(
                    f"{path}: expected the dataset {key!r}, found {sorted(file)}"
                )
            settings = dict(json.loads(file.attrs.get("settings", "{}")))
            return _Dataset(path, file[key]), settings
    except BaseException:
        file.close()
        raise


class _Dataset:
    """The dataset of an HDF5 file, which is named where it cannot be read."""

    def __init__(self, path, stored):
        self._path, self._stored = path, stored
        self.shape, self.dtype = stored.shape, stored.dtype

    def __getitem__(self, key):
        with reading(self._path, "a data set"):
            return self._stored[key]


def _guess(shape, wanted, sides):
    """An order of axes in which the lengths fit, if there is just one kind of them."""
    left, order = list(range(len(shape))), {}
    for letter in (k for k in wanted if k in sides):
        fits = [i for i in left if shape[i] == sides[letter]]
        if not fits:
            return None
        order[fits[0]] = letter
        left.remove(fits[0])
    rest = iter(k for k in wanted if k not in sides)
    return "".join(order[i] if i in order else next(rest) for i in range(len(shape)))
