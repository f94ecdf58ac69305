"""Volumes on disk, slice by slice: an HDF5 file or a folder of TIFFs."""

import json
import shutil
from abc import ABC, abstractmethod
from pathlib import Path

import h5py
import numpy as np
import tifffile

from srtools.files import open_hdf5


class Volume(ABC):
    """A volume that grows under another name, and gets its own when it is whole.

    Parameters
    ----------
    output : Path
        The name when it is whole.
    settings : dict
        What the volume is made of, as plain numbers and text; kept with it.
    pixel_size : float or None
        Side of a voxel [micrometres].

    Attributes
    ----------
    done : set of int
        Rows that are written already.

    Raises
    ------
    FileExistsError
        If the output exists.
    ValueError
        If an unfinished volume of other settings stands there.
    OSError
        If the place cannot be written to.
    """

    def __init__(self, output: Path, settings: dict, pixel_size: float | None):
        self.output, self.settings, self.pixel_size = output, settings, pixel_size
        self.partial = output.with_name(output.name + ".partial")
        if output.exists():
            raise FileExistsError(f"{output}: exists, and is never overwritten")
        self.done = set()
        if self.partial.exists():
            self._resume()

    def write(self, rows: slice, images, misfits) -> None:
        """Add slices (n, size, size, 1), and what part of the data each leaves open."""
        images = np.asarray(images, np.float32)[..., 0]
        if not self.partial.exists():
            self._check_space(images.shape[1:])
            try:
                self.output.parent.mkdir(parents=True, exist_ok=True)
                self._create(images.shape[1:])
            except OSError as error:
                raise OSError(
                    f"{self.output}: expected a place that can be written to ({error})"
                ) from error
        self._write(rows, images)
        with self._table().open("a") as table:  # last: what stands here is written
            for row, value in zip(range(rows.start, rows.stop), misfits, strict=True):
                table.write(f"{row},{value:.6g}\n")
        self.done.update(range(rows.start, rows.stop))

    def finish(self) -> Path:
        """Give the volume its name."""
        _sort(self._table())
        self._rename()
        return self.output

    def _resume(self):
        found = self._stored_settings()
        if found != json.loads(json.dumps(self.settings)):
            other = [k for k in self.settings if found.get(k) != self.settings[k]]
            raise ValueError(
                f"{self.partial}: expected an unfinished volume of the same settings, "
                f"found another {', '.join(other)}; remove it or choose another name"
            )
        lines = self._table().read_text().splitlines()[1:]
        self.done = {int(line.split(",")[0]) for line in lines}

    def _check_space(self, shape):
        start, stop = self.settings["rows"]
        needed = 4 * (stop - start) * int(np.prod(shape))
        folder = self.output.absolute()
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise OSError(
                f"{self.output}: expected {needed / 1e9:.3g} GB of free disk space, "
                f"found {free / 1e9:.3g} GB"
            )

    @abstractmethod
    def _table(self) -> Path:
        """Where the misfits stand while the volume grows."""

    @abstractmethod
    def _stored_settings(self) -> dict: ...

    @abstractmethod
    def _create(self, shape) -> None: ...

    @abstractmethod
    def _write(self, rows, images) -> None: ...

    @abstractmethod
    def _rename(self) -> None: ...


class Hdf5Volume(Volume):
    """Dataset ``volume`` (n_rows, size, size) of an HDF5 file."""

    def _table(self):
        return self.output.with_suffix(".csv.partial")

    def _stored_settings(self):
        with open_hdf5(self.partial) as file:
            return json.loads(file.attrs["settings"])

    def _create(self, shape):
        start, stop = self.settings["rows"]
        self._table().write_text("row,misfit\n")
        with h5py.File(self.partial, "w") as file:
            volume = file.create_dataset("volume", (stop - start, *shape), "f4")
            volume.attrs["axes"] = "row, y, x"
            volume.attrs["units"] = "1/pixel"
            if self.pixel_size:
                volume.attrs["pixel_size_um"] = self.pixel_size
            file.attrs["settings"] = json.dumps(self.settings)

    def _write(self, rows, images):
        start = rows.start - self.settings["rows"][0]
        with h5py.File(self.partial, "r+") as file:
            file["volume"][start : start + len(images)] = images

    def _rename(self):
        self._table().replace(self.output.with_suffix(".csv"))
        self.partial.replace(self.output)


class TiffVolume(Volume):
    """A folder of TIFFs, float32, named by their detector row."""

    def _table(self):
        return self.partial / "misfit.csv"

    def _stored_settings(self):
        return json.loads((self.partial / "settings.json").read_text())

    def _create(self, shape):
        self.partial.mkdir()
        (self.partial / "settings.json").write_text(json.dumps(self.settings))
        self._table().write_text("row,misfit\n")

    def _write(self, rows, images):
        how = {}
        if self.pixel_size:  # ImageJ reads it from there
            how = {"resolution": (1e4 / self.pixel_size,) * 2}
            how["resolutionunit"] = "CENTIMETER"
        for row, image in zip(range(rows.start, rows.stop), images, strict=True):
            tifffile.imwrite(self.partial / f"{row:05d}.tif", image, **how)

    def _rename(self):
        self.partial.replace(self.output)


def open_volume(output: Path, settings: dict, pixel_size: float | None) -> Volume:
    """Return a new volume, or the one begun: HDF5 by its ending, otherwise TIFFs."""
    is_hdf5 = output.suffix.lower() in (".h5", ".hdf5")
    return (Hdf5Volume if is_hdf5 else TiffVolume)(output, settings, pixel_size)


def _sort(table):
    head, *lines = table.read_text().splitlines()
    lines.sort(key=lambda line: int(line.split(",")[0]))
    table.write_text("\n".join([head, *lines]) + "\n")
