"""Find projections, flats, darks and angles in the files that scanners write."""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from srtools.files import build_list_images, reading, sort_naturally
from srtools.scan import stacks
from srtools.scan.angles import check_angles, read_angles
from srtools.scan.containers import in_hdf5, open_named
from srtools.scan.measured import Scan

_FLAT = re.compile(r"flat|white|open|bright|ref", re.IGNORECASE)
_DARK = re.compile(r"dark", re.IGNORECASE)
_TIFF = (".tif", ".tiff")


def read_scan(
    path: str | Path,
    *,
    projections: str | Path | None = None,
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
    projections : str or Path, optional
        Name of the dataset; or, of a folder, a file or folder, there or anywhere, or a
        pattern of files (``"raw_*.tif"``), which are sorted by their numbers. Of an
        HDF5 file with several NXtomo entries, the name of the entry.
    flats, darks : str, Path, array or number, optional
        Pictures without the sample, and without the beam: as `projections`, or a file
        beside, or an array (n, n_rows, n_columns). ``flats=1`` says that the
        projections are divided by the flat field already.
    angles : str or array, optional
        Degrees, one a projection: name of the dataset, a text or ``.npy`` file, or an
        array.
    pixel_size : float, optional
        Of the detector at the sample [micrometres]; by default what the file says, in
        a unit that is known.

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
    asked |= {"pixel_size": pixel_size}
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
    if path.suffix.lower() in _TIFF:
        return {"projections": stacks.open_pages(path, [path])}
    if path.suffix.lower() == ".npy":
        return {"projections": stacks.open_npy(path)}
    return in_hdf5(path, projections, asked)


def _stack(path, name, where, projections):
    """Flats or darks that an argument names."""
    if isinstance(where, (int, float)):
        shape = (1, *projections.shape[1:])
        return stacks.Constant(path, shape, np.dtype("f4"), float(where))
    if not isinstance(where, (str, Path)):
        return stacks.in_memory(f"{path}, {name}", where)
    if path.is_dir():
        files = _files(path, name, where)
        if [f.suffix.lower() for f in files] == [".npy"]:
            return stacks.open_npy(files[0])
        return stacks.open_pages(path, files)
    file = Path(where)
    if not file.exists():
        file = path.parent / where
    if file.suffix.lower() == ".npy" and file.exists():
        return stacks.open_npy(file)
    if file.suffix.lower() in _TIFF and file.exists():
        return stacks.open_pages(file, [file])
    if path.suffix.lower() in (".npy", *_TIFF):
        raise FileNotFoundError(f"{file}: no such file, given as {name}=")
    return open_named(path, str(where), name)


def _files(folder, name, where):
    """The files that an argument names: one, a folder of TIFFs, or a pattern."""
    place = folder / where  # an absolute one stays as it is
    if place.is_dir():
        return build_list_images(place)
    if place.is_file():
        return [place]
    root = Path(place.anchor) if Path(where).is_absolute() else folder
    pattern = str(place.relative_to(root))
    files = sort_naturally(f for f in root.glob(pattern) if f.is_file())
    if not files:
        raise ValueError(f"{folder}: expected files {where} for {name}=, found none")
    return files


def _in_folder(path, pattern, asked):
    """Sort the TIFFs of a folder by their names."""
    if pattern is None:
        files = build_list_images(path)
    else:
        rest = _files(path, "projections", pattern)
        files = sort_naturally(f for f in path.iterdir() if f.suffix.lower() in _TIFF)
    kinds = {
        "flats": [f for f in files if _FLAT.search(f.stem)],
        "darks": [f for f in files if _DARK.search(f.stem)],
    }
    if pattern is None:
        named = {*kinds["flats"], *kinds["darks"]}
        rest = [f for f in files if f not in named]
        series = dict(Counter(map(_series, rest)))
        if len(series) != 1:
            raise ValueError(
                f"{path}: expected one series of projections, found {series or 'none'} "
                "(files by name); say which with projections='...*.tif'"
            )
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
