"""Volumes on disk, slice by slice: HDF5, a folder of TIFFs, OME-Zarr."""

import json
import math
from abc import ABC, abstractmethod
from pathlib import Path

import h5py
import numpy as np
import tifffile

from srtools.files import (
    check_settings,
    check_space,
    create_reserved,
    open_hdf5,
    reading,
    reserve,
    writing,
)


class Volume(ABC):
    """A volume that grows where nobody takes it for whole.

    Parameters
    ----------
    partial : Path
        Where it grows, as `srtools.files.write_once` says, with what is there already.
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
    ValueError
        If an unfinished volume of other settings is there.
    """

    def __init__(self, partial: Path, settings: dict, pixel_size: float | None):
        self.partial, self.pixel_size = partial, pixel_size
        self.settings = json.loads(json.dumps(settings))
        self.table = partial.with_name("misfit.csv")
        self.done = set()
        if self.table.exists() and not self._whole_lines():
            self.table.unlink()  # interrupted before its first line was whole
        if self.table.exists():
            with reading(partial, "an unfinished volume"):
                stored = self._stored_settings()
                self.settings["size"] = stored.get("size")
                check_settings(partial.parent, self.settings, stored)
                lines = self._whole_lines()
                self._put("\n".join(lines) + "\n")  # without what was cut off
                self.done = {int(line.split(",")[0]) for line in lines[1:]}

    def write(self, rows: slice, images, misfits) -> None:
        """Add slices (n, size, size, 1), and what part of the data each leaves open.

        Raises
        ------
        OSError
            If they are the first, and the disk has no space for all.
        ValueError
            If they are of another size than the slices that are there.
        """
        images = np.asarray(images, np.float32)[..., 0]
        size = {"size": list(images.shape[1:])}
        if not self.table.exists():
            start, stop = self.settings["rows"]
            needed = 4 * (stop - start) * math.prod(images.shape[1:])
            check_space(self.partial, needed)
            self.settings |= size
            self._create(images.shape[1:])
            self._put("row,misfit\n")
        check_settings(self.partial.parent, self.settings | size, self.settings)
        numbers = range(rows.start, rows.stop)
        with writing(self.partial):
            self._write(rows, images)
            with self.table.open("a") as table:  # last: what stands here is written
                for row, value in zip(numbers, misfits, strict=True):
                    table.write(f"{row},{value:.6g}\n")
        self.done.update(range(rows.start, rows.stop))

    def finish(self, output: Path) -> None:
        """Sort the misfits, and put them where they stay."""
        head, *lines = self.table.read_text().splitlines()
        lines.sort(key=lambda line: int(line.split(",")[0]))
        self._put("\n".join([head, *lines]) + "\n")
        is_file = self.partial.is_file()
        beside = output.with_suffix(".csv") if is_file else self.partial / "misfit.csv"
        self.table.replace(beside)

    def _whole_lines(self):
        return self.table.read_text().split("\n")[:-1]

    def _put(self, text):
        """Write the table at one stroke: one without its head would be believed."""
        new = self.table.with_suffix(".new")
        with writing(self.table):
            new.write_text(text)
            new.replace(self.table)

    @abstractmethod
    def _stored_settings(self) -> dict: ...

    @abstractmethod
    def _create(self, shape) -> None: ...

    @abstractmethod
    def _write(self, rows, images) -> None: ...


class Hdf5Volume(Volume):
    """Dataset ``volume`` (n_rows, size, size) of an HDF5 file."""

    def _stored_settings(self):
        with open_hdf5(self.partial) as file:
            return json.loads(file.attrs["settings"])

    def _create(self, shape):
        start, stop = self.settings["rows"]
        with h5py.File(self.partial, "w") as file:
            volume = create_reserved(file, "volume", (stop - start, *shape))
            volume.attrs["axes"] = "row, y, x"
            volume.attrs["units"] = "1/pixel"
            if self.pixel_size:
                volume.attrs["pixel_size_um"] = self.pixel_size
            file.attrs["settings"] = json.dumps(self.settings)
            reserve(file)

    def _write(self, rows, images):
        start = rows.start - self.settings["rows"][0]
        with h5py.File(self.partial, "r+") as file:
            file["volume"][start : start + len(images)] = images


class TiffVolume(Volume):
    """A folder of TIFFs, float32, named by their detector row."""

    def _stored_settings(self):
        return json.loads((self.partial / "settings.json").read_text())

    def _create(self, shape):
        self.partial.mkdir(exist_ok=True)
        (self.partial / "settings.json").write_text(json.dumps(self.settings))

    def _write(self, rows, images):
        how = {"photometric": "minisblack"}
        if self.pixel_size:  # ImageJ reads it from there
            how |= {"resolution": (1e4 / self.pixel_size,) * 2}
            how |= {"resolutionunit": "CENTIMETER"}
        for row, image in zip(range(rows.start, rows.stop), images, strict=True):
            tifffile.imwrite(self.partial / f"{row:05d}.tif", image, **how)


class ZarrVolume(Volume):
    """An OME-Zarr image [1]_ of one resolution: axes z, y, x, one chunk a slice.

    References
    ----------
    .. [1] Moore et al., "OME-Zarr: a cloud-optimized bioimaging file format with
       international community support", Histochem. Cell Biol. 160 (2023) 223,
       doi:10.1007/s00418-023-02209-1; version 0.5 of ngff.openmicroscopy.org.
    """

    def _stored_settings(self):
        return dict(_zarr().open_group(self.partial, mode="r").attrs["srtools"])

    def _create(self, shape):
        start, stop = self.settings["rows"]
        group = _zarr().open_group(self.partial, mode="w")
        group.create_array(
            "0",
            shape=(stop - start, *shape),
            chunks=(1, *shape),
            dtype="float32",
            dimension_names=["z", "y", "x"],
        )
        unit = {"unit": "micrometer"} if self.pixel_size else {}
        axes = [{"name": name, "type": "space", **unit} for name in "zyx"]
        scale = [{"type": "scale", "scale": [self.pixel_size or 1.0] * 3}]
        levels = [{"path": "0", "coordinateTransformations": scale}]
        image = {"name": "volume", "axes": axes, "datasets": levels}
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
        group.attrs["srtools"] = self.settings

    def _write(self, rows, images):
        start = rows.start - self.settings["rows"][0]
        array = _zarr().open_group(self.partial, mode="r+")["0"]
        array[start : start + len(images)] = images


_KINDS = {".h5": Hdf5Volume, ".hdf5": Hdf5Volume, ".zarr": ZarrVolume}


def kind_of_volume(output: Path) -> type[Volume]:
    """Return how a volume is written, by the ending of its name; TIFFs without one."""
    return _KINDS.get(output.suffix.lower(), TiffVolume)


def _zarr():
    try:
        import zarr
    except ImportError as error:
        raise ImportError(
            "expected the library zarr, which writes OME-Zarr: pip install zarr"
        ) from error
    return zarr
