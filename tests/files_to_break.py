"""Small files of every kind that a public reader takes, to be broken by tests.

`SAMPLES` says by name how to write one, and how to read all of it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import tifffile
from PIL import Image

from srtools.datasets import load, read_families
from srtools.files import library_settings, read_image, read_reconstruct_library
from srtools.scan import read_scan
from srtools.segmentation.tiles import TiledImage  # the room's face loads Keras

N, ROWS, COLUMNS = 6, 16, 24
ANGLES = np.arange(N) * 30.0
COUNTS = np.random.default_rng(0).integers(1, 200, (N, ROWS, COLUMNS), np.uint16)
IMAGE = COUNTS[0]
_SLICES = np.arange(2 * 185 * 185, dtype=np.uint8).reshape(2, 185, 185)


@dataclass(frozen=True)
class Sample:
    """A file to be broken.

    Attributes
    ----------
    name : str
        Of the file, with a blank and letters beyond ASCII, as people have them.
    write : callable
        Writes it, and what belongs to it.
    read : callable
        Reads it, and what belongs to it, and returns what is in it.
    """

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], list]


def _tiff(path, array=IMAGE, **how):
    tifffile.imwrite(path, array, **how)


def _lzw(path):
    Image.fromarray(IMAGE.astype(np.uint8)).save(path, compression="tiff_lzw")


def _exchange(path, **packed):
    with h5py.File(path, "w") as file:
        file.create_dataset("exchange/data", data=COUNTS, **packed)
        file["exchange/data_white"] = COUNTS[:2]
        file["exchange/data_dark"] = COUNTS[:1] // 200
        file["exchange/theta"] = ANGLES
        file["exchange/theta"].attrs["units"] = "degree"


def _nxtomo(path):
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomo"
        entry["instrument/detector/data"] = np.concatenate([COUNTS[:1], COUNTS])
        entry["instrument/detector/image_key"] = [1] + [0] * N
        entry["instrument/detector/x_pixel_size"] = 2e-6
        entry["instrument/detector/x_pixel_size"].attrs["units"] = "m"
        entry["sample/rotation_angle"] = np.concatenate([[0], ANGLES])


def _folder(path):
    for name, array in (("raw", COUNTS), ("flat", COUNTS[:2])):
        for i, picture in enumerate(array):
            tifffile.imwrite(path.with_name(f"{name}_{i:04}.tif"), picture)
    np.savetxt(path.with_name("angles.txt"), ANGLES)


def _plain(path):
    with h5py.File(path, "w") as file:
        file["counts"], file["white"] = COUNTS, COUNTS[:2]


def _library(path, more=()):
    images = np.moveaxis(COUNTS, 0, -1).astype(np.float32)
    with h5py.File(path, "w") as file:
        for name in ("Images", "Sinograms"):
            file.create_dataset(name, data=images, chunks=(ROWS, COLUMNS, 2))
        file["NImages"] = np.arange(N)
        file.attrs["settings"] = json.dumps({"n": N})
        for name in more:
            file[name.title()] = np.arange(N) % 2
            file.attrs[name] = ["foam", "grains"]


def _one_dataset(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("counts", data=COUNTS, chunks=(1, 8, 8), compression="gzip")


def _microct(path):
    with h5py.File(path, "w") as file:
        images = np.zeros((16, 16, N), np.float32)
        file.create_dataset("Images", data=images + np.arange(N), chunks=(16, 16, 1))
        settings = {"name": "microct_185", "size": 16}
        file.attrs["settings"] = json.dumps(settings)


def _whole_scan(path, **how):
    scan = read_scan(path, **how)
    stacks = [scan.projections, scan.flats, scan.darks]
    rows = slice(0, scan.n_rows)
    return [scan.counts(rows), scan.angles, *(s.read(rows) for s in stacks if s)]


def _whole_tiles(path):
    image = TiledImage(path)
    _, height, width = image.shape
    last = slice(max(0, height - 5), height), slice(max(0, width - 5), width)
    return [*image.bands(), image.read(0, *last)]


def _whole_volume(path, name, **how):
    volume = load(name, path, **how)
    return [volume[0], volume[..., 0]]


def _in_folder(path):
    return _whole_scan(path.parent)


def _angles(path):
    scan = path.with_name("whole.npy")
    np.save(scan, COUNTS)
    return [read_scan(scan, angles=path, flats=1).angles]


_given = {"angles": ANGLES, "flats": 1}
_scan = partial(_whole_scan, **_given)
_load = partial(_whole_volume, name="microct_185")
_save = partial(np.save, arr=COUNTS)
_by_names = {"projections": "counts", "flats": "white", "angles": ANGLES}
_TIFFS = {
    "plain": _tiff,
    "zlib": partial(_tiff, compression="zlib", predictor=True, rowsperstrip=5),
    "tiles": partial(_tiff, tile=(16, 16)),
    "zlib tiles": partial(_tiff, tile=(16, 16), compression="zlib"),
    "LZW": _lzw,
    "BigTIFF": partial(_tiff, bigtiff=True),
    "big-endian": partial(_tiff, byteorder=">"),
}
_STACK = {"array": COUNTS, "photometric": "minisblack"}
_LARGER = {"array": _SLICES, "photometric": "minisblack"}
_PAGES = {
    "pages": partial(_tiff, **_STACK),
    "zlib pages": partial(_tiff, **_STACK, compression="zlib", metadata=None),
}
_READERS = {"image": read_image, "tiles": _whole_tiles}
_STACKS = {"scan": _scan, "tiles": _whole_tiles}
_HDF5 = {
    "Data Exchange": (_exchange, _whole_scan),
    "gzip": (partial(_exchange, compression="gzip", shuffle=True), _whole_scan),
    "NXtomo": (_nxtomo, _whole_scan),
    "by names": (_plain, partial(_whole_scan, **_by_names)),
    "library": (_library, read_reconstruct_library),
    "settings": (_library, lambda path: [library_settings(path)]),
    "families": (partial(_library, more=["families", "anomalies"]), read_families),
    "volume": (_microct, partial(_whole_volume, name="microct_185")),
    "tiles": (_one_dataset, _whole_tiles),
}
SAMPLES = {
    f"TIFF {kind}, {name}": Sample("größe 1.tif", write, read)
    for kinds, readers in ((_TIFFS, _READERS), (_PAGES, _STACKS))
    for kind, write in kinds.items()
    for name, read in readers.items()
}
SAMPLES |= {
    f"HDF5 {kind}": Sample("scan é.h5", write, read)
    for kind, (write, read) in _HDF5.items()
}
SAMPLES |= {
    f"NPY {name}": Sample("größe 1.npy", _save, read) for name, read in _STACKS.items()
}
SAMPLES |= {
    "TIFF volume": Sample("größe 1.tif", partial(_tiff, **_LARGER), _load),
    "TIFF zlib volume": Sample(
        "größe 1.tif", partial(_tiff, **_LARGER, compression="zlib"), _load
    ),
    "NPY volume": Sample(
        "größe 1.npy",
        partial(np.save, arr=_SLICES),
        partial(_load, axes="zyx"),
    ),
    "TIFF folder": Sample("raw_0002.tif", _folder, _in_folder),
    "text of angles": Sample("angles é.txt", partial(np.savetxt, X=ANGLES), _angles),
    "NPY of angles": Sample("angles é.npy", partial(np.save, arr=ANGLES), _angles),
}


def outcome(sample: Sample, path: Path) -> str:
    """Read a file that may be broken, and say what came of it.

    Returns
    -------
    str
        ``"read"``; ``"told"``, an error that names the file; ``"nameless"``, one that
        does not; or the name of an error that is neither ValueError nor OSError.
    """
    try:
        sample.read(path)
    except (ValueError, OSError) as error:
        named = path.name in str(error) or str(path.parent) in str(error)
        return "told" if named else "nameless"
    except Exception as error:
        return type(error).__name__
    return "read"
