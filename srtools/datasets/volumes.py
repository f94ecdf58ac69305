"""Read slices of data sets that are larger than memory, whatever they are stored as."""

import json
from pathlib import Path

import h5py
import numpy as np
import tifffile

from srtools.datasets.entries import catalogue
from srtools.files import build_list_images, open_hdf5

_TIFF = (".tif", ".tiff")
_MEANING = "y and x of the image, z height, c diffraction channel, n number of the item"

# What `load` gives: names of the axes, and the sides that are known.
_EXPECTED = {
    "div2k": ("yxn", {"y": 64, "x": 64}),
    "shapes": ("yxn", {"y": 128, "x": 128}),
    "microct_185": ("yxz", {"y": 185, "x": 185}),
    "microct_369": ("yxz", {"y": 369, "x": 369}),
    "xrdct_75": ("yxc", {"y": 75, "x": 75, "c": 2038}),
    "xrdct_149": ("yxc", {"y": 149, "x": 149, "c": 2038}),
}


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
        wish = [None] * self.ndim
        for axis, part in zip(self._order, key, strict=True):
            if not isinstance(part, slice):
                part = int(part)
                length = self._stored.shape[axis]
                if not -length <= part < length:
                    raise IndexError(f"index {part} is out of range for {length} items")
                part %= length
            wish[axis] = part
        read = np.asarray(self._stored[tuple(wish)])
        left = [axis for axis in self._order if isinstance(wish[axis], slice)]
        return read.transpose(np.argsort(np.argsort(left)))

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """Read everything."""
        return np.asarray(self[...], dtype=dtype)


class _Pages:
    """TIFF images as one array, the page as the first axis."""

    def __init__(self, files):
        self._files = files
        with tifffile.TiffFile(files[0]) as tiff:
            first, pages = tiff.pages[0], len(tiff.pages)
            self._n = pages if len(files) == 1 else len(files)
            self.shape, self.dtype = (self._n, *first.shape), first.dtype

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
        image = tifffile.imread(file, key=page)
        if image.shape != self.shape[1:]:
            raise ValueError(
                f"{file}: expected an image of shape {self.shape[1:]} like the first, "
                f"found {image.shape}"
            )
        return image


def load(
    name: str, path: str | Path, *, key: str = "Images", axes: str | None = None
) -> Volume:
    """Open a copy of a benchmark data set without reading it into memory.

    Parameters
    ----------
    name : str
        A key of the catalogue, of one of the six benchmarks.
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
    catalogue()[name]  # an unknown name: suggest the nearest
    if name not in _EXPECTED:
        raise ValueError(
            f"expected one of {', '.join(_EXPECTED)}, received {name!r}; "
            "use fetch for its file"
        )
    usual, sides = _EXPECTED[name]
    stored, settings = _open(Path(path), key)
    if settings:
        if settings["name"] != name:
            raise ValueError(f"{path}: expected {name}, found {settings['name']}")
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
        try:
            return _Pages([path]), None
        except tifffile.TiffFileError as error:
            raise ValueError(f"{path}: expected a TIFF ({error})") from error
    if path.suffix.lower() == ".npy":
        try:
            return np.load(path, mmap_mode="r"), None
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: expected a .npy file ({error})") from error
    file = open_hdf5(path)
    if key not in file or not isinstance(file[key], h5py.Dataset):
        found = sorted(file)
        file.close()
        raise ValueError(f"{path}: expected the dataset {key!r}, found {found}")
    return file[key], json.loads(file.attrs.get("settings", "null"))


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
