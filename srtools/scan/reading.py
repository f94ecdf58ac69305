"""Find projections, flats, darks and angles in the files that scanners write."""

import re
from itertools import groupby
from pathlib import Path

import h5py
import numpy as np

from srtools.files import build_list_images, open_hdf5, reading
from srtools.scan import stacks
from srtools.scan.angles import check_angles, read_angles
from srtools.scan.links import resolve
from srtools.scan.measured import Scan

_FLAT = re.compile(r"flat|white|open|bright|ref", re.IGNORECASE)
_DARK = re.compile(r"dark", re.IGNORECASE)
_EXCHANGE = {  # Data Exchange, De Carlo et al. 2014, doi:10.1107/S160057751401604X
    "projections": "exchange/data",
    "flats": "exchange/data_white",
    "darks": "exchange/data_dark",
    "angles": "exchange/theta",
}


def read_scan(
    path: str | Path,
    *,
    projections: str | None = None,
    flats=None,
    darks=None,
    angles=None,
    pixel_size: float | None = None,
) -> Scan:
    """Open a scan without reading its projections.

    Data Exchange and NXtomo files, and folders of TIFFs with names that tell, need no
    argument. Otherwise the arguments say what is what; one that is given is always
    believed.

    Parameters
    ----------
    path : str or Path
        An HDF5 file (Data Exchange, NXtomo or any other); a folder of TIFFs; one TIFF
        of many pages; or a ``.npy`` array (n, n_rows, n_columns).
    projections : str, optional
        Name of the dataset, or pattern of the files in the folder (``"raw_*.tif"``).
        Of an HDF5 file with several NXtomo entries, the name of the entry.
    flats, darks : str, array or number, optional
        Pictures without the sample, and without the beam: as `projections`, or a file
        beside, or an array (n, n_rows, n_columns). ``flats=1`` says that the
        projections are divided by the flat field already.
    angles : str or array, optional
        Degrees, one a projection: name of the dataset, a text or ``.npy`` file, or an
        array.
    pixel_size : float, optional
        Of the detector at the sample [micrometres].

    Returns
    -------
    Scan

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If something is missing, ambiguous, truncated, or does not fit together: the
        message says what was found, and which argument decides.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    asked = {"flats": flats, "darks": darks, "angles": angles}
    with reading(path, "a scan"):
        found = _open(path, projections, asked)
    for name in ("flats", "darks"):
        if asked[name] is not None:
            found[name] = _stack(path, name, asked[name], found["projections"])
    if angles is not None:
        found["angles"] = read_angles(path, angles)
    if found.get("angles") is None:
        raise ValueError(
            f"{path}: expected angles, found none; pass angles=, in degrees, one for "
            f"each of {found['projections'].shape[0]} projections"
        )
    found["angles"] = check_angles(path, found["angles"], found["projections"].shape[0])
    if pixel_size is not None:
        found["pixel_size"] = pixel_size
    return Scan(path=path, **found)


def _open(path, projections, asked):
    """What a file or folder tells by itself, but for what is asked for by arguments."""
    if path.is_dir():
        return _in_folder(path, projections, asked)
    if path.suffix.lower() in (".tif", ".tiff"):
        return {"projections": stacks.open_pages(path, [path])}
    if path.suffix.lower() == ".npy":
        return {"projections": stacks.open_npy(path)}
    return _in_hdf5(path, projections, asked)


def _stack(path, name, where, projections):
    """Flats or darks that an argument names."""
    if isinstance(where, (int, float)):
        shape = (1, *projections.shape[1:])
        return stacks.Constant(path, shape, np.dtype("f4"), float(where))
    if not isinstance(where, (str, Path)):
        return stacks.in_memory(f"{path}, {name}", where)
    if path.is_dir():
        if files := sorted(path.glob(str(where))):
            return stacks.open_pages(path, files)
        raise ValueError(f"{path}: expected files {where} for {name}=, found none")
    file = Path(where)
    if not file.exists():
        file = path.parent / where
    if file.suffix.lower() == ".npy" and file.exists():
        return stacks.open_npy(file)
    if file.suffix.lower() in (".tif", ".tiff") and file.exists():
        return stacks.open_pages(file, [file])
    if path.suffix.lower() in (".npy", ".tif", ".tiff"):
        raise FileNotFoundError(f"{file}: no such file, given as {name}=")
    return _dataset(path, str(where), name)


def _in_folder(path, pattern, asked):
    """Sort the TIFFs of a folder by their names."""
    files = build_list_images(path)
    kinds = {
        "flats": [f for f in files if _FLAT.search(f.stem)],
        "darks": [f for f in files if _DARK.search(f.stem)],
    }
    if pattern is None:
        named = {*kinds["flats"], *kinds["darks"]}
        rest = [f for f in files if f not in named]
        series = {k: len([*v]) for k, v in groupby(rest, _series)}
        if len(series) != 1:
            raise ValueError(
                f"{path}: expected one series of projections, found {series or 'none'} "
                "(files by name); say which with projections='...*.tif'"
            )
    else:
        rest = sorted(path.glob(pattern))
        if not rest:
            raise ValueError(f"{path}: expected files {pattern}, found none")
    found = {"projections": stacks.open_pages(path, rest)}
    for name, some in kinds.items():
        some = [f for f in some if f not in rest]
        if some and asked[name] is None:
            found[name] = stacks.open_pages(path, some)
    if asked["angles"] is None:
        lists = sorted([*path.glob("*.txt"), *path.glob("*.csv")])
        if len(lists) > 1:
            names = [f.name for f in lists]
            raise ValueError(
                f"{path}: expected one list of angles, found {names}; say which with "
                "angles="
            )
        found["angles"] = read_angles(path, lists[0].name) if lists else None
    return found


def _series(file):
    """The name without its number."""
    return re.sub(r"\d+$", "*", file.stem) + file.suffix


def _in_hdf5(path, projections, asked):
    """Data Exchange, NXtomo, or what the arguments name."""
    if projections is None and _is_there(path, _EXCHANGE["projections"]):
        names = {k: n for k, n in _EXCHANGE.items() if asked.get(k) is None}
        return _named(path, names)
    entries = [e for e in _entries(path) if projections in (None, e)]
    if len(entries) == 1:
        return _nxtomo(path, entries[0])
    if len(entries) > 1:
        raise ValueError(
            f"{path}: expected one NXtomo entry, found {entries}; say which with "
            "projections="
        )
    if projections is None:
        raise ValueError(
            f"{path}: expected Data Exchange or NXtomo, found {_listing(path)}; name "
            "what is what with projections=, flats=, darks= and angles="
        )
    return {"projections": _dataset(path, projections, "projections")}


def _named(path, names):
    """Open the datasets that are there; projections must be."""
    found = {}
    for what, name in names.items():
        if _is_there(path, name):
            read = read_angles if what == "angles" else stacks.open_dataset
            found[what] = read(path, name)
    return found


def _is_there(path, name):
    try:
        resolve(path, name)
    except KeyError:
        return False
    return True


def _dataset(path, name, what):
    try:
        return stacks.open_dataset(path, name)
    except KeyError:
        raise ValueError(
            f"{path}: expected a dataset {name} for {what}=, found {_listing(path)}"
        ) from None


def _listing(path):
    """Names and shapes of the datasets, for a message."""
    found = []

    def note(name, item):
        if isinstance(item, h5py.Dataset) and len(found) < 20:
            found.append(f"{name} {item.shape}")

    with open_hdf5(path) as file:
        file.visititems(note)
    return ", ".join(found) or "no dataset"


def _entries(path):
    """Names of the NXtomo entries; soft links are other names of the same."""
    with open_hdf5(path) as file:
        names = [
            k for k in file if type(file.get(k, getlink=True)) is not h5py.SoftLink
        ]
    entries = []
    for name in names:
        if _is_there(path, f"{name}/definition"):
            definition = _values(path, f"{name}/definition")[0]
            if definition in (b"NXtomo", "NXtomo"):
                entries.append(name)
    return entries


def _nxtomo(path, entry):
    """Split the pictures of an NXtomo entry by its image keys.

    0 is a projection, 1 a flat, 2 a dark, 3 not to be used.
    """
    detector = f"{entry}/instrument/detector"
    everything = _dataset(path, f"{detector}/data", "projections")
    keys = _values(path, f"{detector}/image_key")
    angles = read_angles(path, f"{entry}/sample/rotation_angle")
    n = everything.shape[0]
    if not len(keys) == len(angles) == n:
        raise ValueError(
            f"{path}: expected an image_key and a rotation_angle for each of {n} "
            f"pictures, found {len(keys)} and {len(angles)}"
        )
    parts = {k: np.flatnonzero(keys == number) for number, k in enumerate(_KEYS)}
    found = {k: everything.pick(p.tolist()) for k, p in parts.items() if len(p)}
    if "projections" not in found:
        raise ValueError(
            f"{path}: expected pictures with image_key 0, found {sorted({*keys})}"
        )
    return found | {
        "angles": angles[parts["projections"]],
        "pixel_size": _pixel_size(path, f"{detector}/x_pixel_size"),
    }


_KEYS = ("projections", "flats", "darks")
_MICROMETRES = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "micrometer": 1.0}
_MICROMETRES |= {"meter": 1e6, "metre": 1e6, "millimeter": 1e3, "micron": 1.0}


def _values(path, name):
    try:
        path, name = resolve(path, name)
    except KeyError as error:
        raise ValueError(f"expected a dataset {name}, found none ({error})") from None
    with open_hdf5(path) as file:
        return np.atleast_1d(file[name][()])


def _pixel_size(path, name):
    """Micrometres, or None where the file does not say."""
    try:
        path, name = resolve(path, name)
    except KeyError:
        return None
    with open_hdf5(path) as file:
        unit = file[name].attrs.get("units", "m")
        unit = unit.decode() if isinstance(unit, bytes) else unit
        if unit not in _MICROMETRES:
            raise ValueError(
                f"{path}: expected a pixel size in {sorted(_MICROMETRES)}, found {unit}"
            )
        return float(np.ravel(file[name][()])[0]) * _MICROMETRES[unit]
