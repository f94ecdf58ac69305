"""Open HDF5 files: what is wrong with one is told by its name, and no other is read."""

import math
from pathlib import Path

import h5py

from srtools.files.damage import check_claim, reading

_KIND = "an HDF5 file"


class _File(h5py.File):
    """A file that is named by whatever goes wrong in its ``with`` block."""

    def __init__(self, path):
        self._path, self._known = Path(path), set()
        super().__init__(path, "r")

    def __getitem__(self, name):
        """Return an object, if it can be in this file or in one beside it."""
        if name in self._known:
            return super().__getitem__(name)
        if isinstance(name, str):
            self._check_links(name)
        found = super().__getitem__(name)
        beside(self._path, found.file.filename)  # soft links may lead to external ones
        if isinstance(found, h5py.Dataset):
            self._check_dataset(found)
        if isinstance(name, str):
            self._known.add(name)
        return found

    def __exit__(self, *raised):
        """Close the file, and turn what h5py raised into a ValueError."""
        with reading(self._path, _KIND):
            super().__exit__(*raised)
            if isinstance(raised[1], Exception):
                raise raised[1]

    def _check_links(self, name):
        """Before HDF5 opens what a link names."""
        parts = [part for part in name.split("/") if part]
        for n in range(1, len(parts) + 1):
            link = self.get("/".join(parts[:n]), getlink=True)
            if isinstance(link, h5py.ExternalLink):
                beside(self._path, link.filename)
            if not isinstance(link, h5py.HardLink):
                return

    def _check_dataset(self, dataset):
        """Refuse numbers from elsewhere, and more of them than there can be."""
        for name, *_ in dataset.external or ():
            beside(self._path, name)
        if dataset.is_virtual:
            for source in dataset.virtual_sources():
                if source.file_name != ".":
                    there = beside(self._path, source.file_name)
                    with open_hdf5(there) as file:
                        file[source.dset_name]  # may lead on
        elif not dataset.external:
            items = max(dataset.size or 0, math.prod(dataset.chunks or ()))
            held = dataset.id.get_storage_size()
            check_claim(dataset.file.filename, items * dataset.dtype.itemsize, held)


def open_hdf5(path: str | Path) -> h5py.File:
    """Open an HDF5 file for reading, with errors that name it.

    What goes wrong in a ``with`` block over the file, as it does where bytes within it
    are wrong, becomes a ValueError too: see `srtools.files.reading`. Two things are
    refused there before anything is read: links to files that are not in the folder of
    this one, or below; and a dataset larger than the file can hold.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    h5py.File
        The caller closes it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is truncated or no HDF5 file.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    with reading(path, _KIND):
        return _File(path)


def beside(path: Path, name: str) -> Path:
    """Return the file that a link names, if it is beside another one, or below.

    Parameters
    ----------
    path : Path
        The file with the link.
    name : str
        What the link names; relative to the folder of that file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is elsewhere.
    """
    folder = path.resolve().parent
    with reading(path, "links to files"):  # the name may be anything
        there = (folder / name).resolve()
        exists = there.exists()
    if not there.is_relative_to(folder):
        raise ValueError(
            f"{path}: expected links to files in its own folder, found one to {name}"
        )
    if not exists:
        raise FileNotFoundError(f"{path}: links to {name}, which is not there")
    return there
