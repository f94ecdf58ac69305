"""Find a scan in an HDF5 file: Data Exchange, NXtomo, or datasets that are named."""

import logging
from pathlib import Path

import h5py
import numpy as np

from srtools.files import open_hdf5
from srtools.scan import stacks
from srtools.scan.angles import read_angles, unit_of
from srtools.scan.links import resolve

_log = logging.getLogger(__name__)
_EXCHANGE = {  # Data Exchange, De Carlo et al. 2014, doi:10.1107/S160057751401604X
    "projections": "exchange/data",
    "flats": "exchange/data_white",
    "darks": "exchange/data_dark",
    "angles": "exchange/theta",
}


def in_hdf5(path: Path, projections: str | Path | None, asked: dict) -> dict:
    """Find what an HDF5 file tells by itself, but for what arguments say.

    Parameters
    ----------
    path : Path
    projections : str, Path or None
        Name of a dataset or of an NXtomo entry.
    asked : dict
        What is given otherwise, or None: flats, darks, angles and pixel_size.

    Returns
    -------
    dict
        Parts of a `Scan`.

    Raises
    ------
    ValueError
        If projections are not found, or several.
    """
    projections = None if projections is None else str(projections)
    if projections is None and _is_there(path, _EXCHANGE["projections"]):
        names = {k: n for k, n in _EXCHANGE.items() if asked.get(k) is None}
        return _named(path, names)
    entries = [e for e in _entries(path) if projections in (None, e)]
    if len(entries) == 1:
        return _nxtomo(path, entries[0], asked)
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
    return {"projections": open_named(path, projections, "projections")}


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


def open_named(path: Path, name: str, what: str) -> stacks.Stack:
    """Return a dataset as a stack, or say which datasets there are.

    Raises
    ------
    ValueError
        If there is none of this name; `what` is the argument for the message.
    """
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


def _nxtomo(path, entry, asked):
    """Split the pictures of an NXtomo entry by its image keys.

    0 is a projection, 1 a flat, 2 a dark, 3 not to be used.
    """
    detector = f"{entry}/instrument/detector"
    everything = open_named(path, f"{detector}/data", "projections")
    keys = _values(path, f"{detector}/image_key")
    n = everything.shape[0]
    if len(keys) != n:
        raise ValueError(
            f"{path}: expected an image_key for each of {n} pictures, found {len(keys)}"
        )
    parts = {k: np.flatnonzero(keys == number) for number, k in enumerate(_KEYS)}
    found = {k: everything.pick(p.tolist()) for k, p in parts.items() if len(p)}
    if "projections" not in found:
        raise ValueError(
            f"{path}: expected pictures with image_key 0, found {sorted({*keys})}"
        )
    if asked["angles"] is None:
        angles = read_angles(path, f"{entry}/sample/rotation_angle")
        if len(angles) != n:
            raise ValueError(
                f"{path}: expected a rotation_angle for each of {n} pictures, found "
                f"{len(angles)}; pass those of the projections as angles="
            )
        found["angles"] = angles[parts["projections"]]
    if asked["pixel_size"] is None:
        found["pixel_size"] = _pixel_size(path, f"{detector}/x_pixel_size")
    return found


_KEYS = ("projections", "flats", "darks")
_MICROMETRES = {"m": 1e6, "mm": 1e3, "um": 1.0, "micron": 1.0, "microns": 1.0}
_MICROMETRES |= {"\N{MICRO SIGN}m": 1.0, "\N{GREEK SMALL LETTER MU}m": 1.0}
_MICROMETRES |= {
    f"{prefix}met{ending}": size
    for prefix, size in (("", 1e6), ("milli", 1e3), ("micro", 1.0))
    for ending in ("er", "ers", "re", "res")
}


def _values(path, name):
    try:
        path, name = resolve(path, name)
    except KeyError as error:
        raise ValueError(f"expected a dataset {name}, found none ({error})") from None
    with open_hdf5(path) as file:
        return np.atleast_1d(file[name][()])


def _pixel_size(path, name):
    """Micrometres, or None where the file does not say, or in an unknown unit."""
    try:
        path, name = resolve(path, name)
    except KeyError:
        return None
    with open_hdf5(path) as file:
        unit = unit_of(file[name], "m")
        if unit not in _MICROMETRES:
            _log.warning("%s: %s has the unknown unit %r: not used", path, name, unit)
            return None
        return float(np.ravel(file[name][()])[0]) * _MICROMETRES[unit]
