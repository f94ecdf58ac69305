"""The list of angles: read it, and refuse one that cannot be right."""

from pathlib import Path

import h5py
import numpy as np

from srtools.files import open_hdf5, open_npy, reading
from srtools.scan.links import resolve


def read_angles(path: Path, where) -> np.ndarray:
    """Return a list of angles as it stands.

    Parameters
    ----------
    path : Path
        The scan.
    where : str, Path or array
        A dataset of the scan's HDF5 file, of which the attribute ``units`` is heeded
        (degrees, radians, or none: degrees); a text or ``.npy`` file, in the scan's
        folder or anywhere; or the angles.

    Returns
    -------
    float64 array

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such list, it is no list of numbers, or of another unit.
    """
    if not isinstance(where, (str, Path)):
        return np.asarray(where, np.float64)
    folder = path if path.is_dir() else path.parent
    for file in (folder / where, Path(where)):
        if file.is_file():
            return _from_file(file)
    if path.is_dir() or path.suffix.lower() in (".npy", ".tif", ".tiff"):
        raise FileNotFoundError(f"{folder / where}: no such list of angles")
    try:
        path, name = resolve(path, str(where))
    except KeyError:
        raise ValueError(f"{path}: expected angles in {where}, found none") from None
    with open_hdf5(path) as file:
        values = np.asarray(file[name][()], np.float64)
        unit = unit_of(file[name], "degree")
    if unit.lower().startswith("rad"):
        return np.rad2deg(values)
    if unit.lower().startswith("deg") or unit in ("", "°"):
        return values
    raise ValueError(
        f"{path}: expected {name} in degrees or radians, found the unit {unit!r}; pass "
        "the angles, in degrees, as angles="
    )


def unit_of(dataset, default: str) -> str:
    """Return the attribute ``units`` of a dataset, whichever way it is written."""
    unit = dataset.attrs.get("units", default)
    unit = "" if isinstance(unit, h5py.Empty) else np.ravel(unit)
    unit = unit[0] if len(unit) else ""
    return (unit.decode() if isinstance(unit, bytes) else str(unit)).strip()


def _from_file(file):
    if file.suffix.lower() == ".npy":
        with reading(file, "an array of angles"):
            return np.asarray(open_npy(file), np.float64)
    try:
        return np.loadtxt(file, delimiter="," if file.suffix == ".csv" else None)
    except Exception as error:  # numbers, letters, and warnings of nothing
        raise ValueError(
            f"{file}: expected a list of angles, one a line ({error})"
        ) from error


def check_angles(path: Path, angles: np.ndarray, n: int) -> np.ndarray:
    """Return the angles of n projections, if they can be right.

    Parameters
    ----------
    path : Path
        For the message.
    angles : array
    n : int
        Number of projections.

    Returns
    -------
    float64 array, shape (n,)
        Degrees. Falling angles, and any order, are as good as rising ones.

    Raises
    ------
    ValueError
        If there are not n finite numbers, one occurs twice, or they cover less than
        6.3 and more than 1, as radians do and degrees never.
    """
    angles = np.asarray(angles, np.float64)
    if angles.shape != (n,):
        raise ValueError(
            f"{path}: expected {n} angles for {n} projections, found "
            f"{angles.size if angles.ndim == 1 else angles.shape}; pass those of the "
            "projections alone as angles="
        )
    if not np.isfinite(angles).all():
        raise ValueError(f"{path}: expected finite angles, found NaN or infinite ones")
    values, counts = np.unique(angles, return_counts=True)
    if (counts > 1).any():
        most = counts.argmax()
        raise ValueError(
            f"{path}: expected every angle once, found {values[most]:g} "
            f"{counts[most]} times; pass the right ones as angles="
        )
    if n > 1 and 1 < np.ptp(angles) < 2 * np.pi + 0.1:
        raise ValueError(
            f"{path}: expected degrees, found angles from {angles.min():.4g} to "
            f"{angles.max():.4g}, which look like radians; pass "
            "angles=np.rad2deg(...)"
        )
    return angles


def missing_wedge(angles) -> float:
    """Return how much of the half turn no view looks at.

    Parameters
    ----------
    angles : array
        Degrees, in any order.

    Returns
    -------
    float
        The widest gap between neighbouring directions beyond the usual one [degrees];
        directions that differ by 180 degrees are the same.
    """
    angles = np.unique(np.round(np.mod(angles, 180), 6))
    gaps = np.diff(angles, append=angles[0] + 180)
    return float(gaps.max() - np.median(gaps))
