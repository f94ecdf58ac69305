"""HDF5 names that may lead through links, but not out of the folder of the file."""

from pathlib import Path

import h5py

from srtools.files import open_hdf5

_DEEPEST = 20  # links in a row: more is a circle


def resolve(path: Path, name: str, depth: int = 0) -> tuple[Path, str]:
    """Follow the links on the way to an object of an HDF5 file.

    A scan often comes as a small file of links to larger ones. A link may name any
    file that the reader can open; only those beside the file, or below, are followed.

    Parameters
    ----------
    path : Path
        The HDF5 file.
    name : str
        Of a dataset or a group, for example ``"entry/data"``.

    Returns
    -------
    path : Path
        The file that holds the object.
    name : str
        Its name there, to which no link leads out of the file.

    Raises
    ------
    KeyError
        If there is no such object.
    FileNotFoundError
        If a link names a file that is not there.
    ValueError
        If a link leads out of the folder, or in a circle.
    """
    if depth > _DEEPEST:
        raise ValueError(f"{path}: expected {name} to end somewhere, found a circle")
    with open_hdf5(path) as file:
        parts, here = [p for p in name.split("/") if p], ""
        for number, part in enumerate(parts):
            rest = "/".join(parts[number + 1 :])
            group = file[here or "/"]
            is_group = isinstance(group, h5py.Group)
            link = group.get(part, getlink=True) if is_group else None
            if isinstance(link, h5py.ExternalLink):
                there = _beside(path, link.filename)
                return resolve(there, f"{link.path}/{rest}", depth + 1)
            if isinstance(link, h5py.SoftLink):
                start = "" if link.path.startswith("/") else here
                return resolve(path, f"{start}/{link.path}/{rest}", depth + 1)
            if link is None:
                raise KeyError(f"{path}: no {here}/{part}")
            here = f"{here}/{part}"
        found = file[here or "/"]
        if isinstance(found, h5py.Dataset):
            _check_sources(path, found, depth)
    return path, here or "/"


def _check_sources(path, dataset, depth):
    """Refuse a dataset whose numbers lie in files elsewhere."""
    for name, *_ in dataset.external or ():
        _beside(path, name)
    if dataset.is_virtual:
        for source in dataset.virtual_sources():
            if source.file_name != ".":
                there = _beside(path, source.file_name)
                resolve(there, source.dset_name, depth + 1)


def _beside(path, name):
    folder = path.resolve().parent
    there = (folder / name).resolve()
    if not there.is_relative_to(folder):
        raise ValueError(
            f"{path}: expected links to files in its own folder, found one to {name}"
        )
    if not there.exists():
        raise FileNotFoundError(f"{path}: links to {name}, which is not there")
    return there
