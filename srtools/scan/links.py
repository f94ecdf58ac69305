"""HDF5 names that may lead through links, but not out of the folder of the file."""

from pathlib import Path

import h5py

from srtools.files import beside, open_hdf5

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
        here, left, link = _walk(file, [part for part in name.split("/") if part])
        file[here]  # looks where its numbers are
    if left:
        rest = "/".join(left[1:])
        if isinstance(link, h5py.ExternalLink):
            there = beside(path, link.filename)
            return resolve(there, f"{link.path}/{rest}", depth + 1)
        if isinstance(link, h5py.SoftLink):
            start = "" if link.path.startswith("/") else here
            return resolve(path, f"{start}/{link.path}/{rest}", depth + 1)
        raise KeyError(f"{path}: no {here}/{left[0]}")
    return path, here


def _walk(file, parts):
    """Go along a name to its end, or to what is no group or plain object on the way.

    Returns how far it came, what is left of the name, and the link there, if any.
    """
    here = "/"
    for number, part in enumerate(parts):
        group = file[here]
        is_group = isinstance(group, h5py.Group)
        link = group.get(part, getlink=True) if is_group else None
        if not isinstance(link, h5py.HardLink):
            return here, parts[number:], link
        here = f"{here.rstrip('/')}/{part}"
    return here, [], None
