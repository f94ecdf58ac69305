"""Read HDF5 libraries of image and sinogram pairs, and folders of TIFFs; write TIFFs.

A library is an HDF5 file with the datasets ``Images`` (height, width, N), ``Sinograms``
(n_translations, n_angles, N) and ``NImages`` (N); the last axis counts the pairs.
"""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import tifffile

CHUNK = 8  # pairs that lie, and are read, together


def open_hdf5(path: str | Path) -> h5py.File:
    """Open an HDF5 file for reading, with an error that names it.

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
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"{path}: expected an HDF5 file, but it is truncated or of another format "
            f"({error})"
        ) from error


def open_library(path: str | Path) -> tuple[h5py.File, int]:
    """Open a library of pairs without reading the data, and check that it is one.

    Parameters
    ----------
    path : str or Path
        As in `read_reconstruct_library`.

    Returns
    -------
    file : h5py.File
        Open for reading; the caller closes it.
    n : int
        The number of pairs.

    Raises
    ------
    FileNotFoundError, ValueError
        As in `read_reconstruct_library`.
    """
    file = open_hdf5(path)
    try:
        missing = [k for k in ("Images", "Sinograms", "NImages") if k not in file]
        if missing:
            raise ValueError(
                f"{path}: expected the datasets Images, Sinograms and NImages, "
                f"found {sorted(file)}"
            )
        images, sinograms = file["Images"].shape, file["Sinograms"].shape
        if len(images) != 3 or len(sinograms) != 3:
            raise ValueError(
                f"{path}: expected Images (height, width, N) and Sinograms "
                f"(n_translations, n_angles, N), found {images} and {sinograms}"
            )
        n = file["NImages"].size
        if not images[-1] == sinograms[-1] == n or n == 0:
            raise ValueError(
                f"{path}: expected equal numbers, found {images[-1]} images, "
                f"{sinograms[-1]} sinograms and {n} in NImages"
            )
    except ValueError:
        file.close()
        raise
    return file, n


def read_reconstruct_library(path: str | Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Read a library of pairs into memory.

    Parameters
    ----------
    path : str or Path
        An HDF5 file with the datasets ``Images`` (height, width, N), ``Sinograms``
        (n_translations, n_angles, N) and ``NImages``.

    Returns
    -------
    images : float32 array, shape (N, height, width, 1)
    sinograms : float32 array, shape (N, n_translations, n_angles, 1)
    n : int
        The number of pairs, N.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no HDF5 file, is truncated, lacks a dataset, holds unequal numbers of
        images and sinograms, or values that are not finite.
    """
    file, n = open_library(path)
    with file:
        images = read_pairs(file, "Images")
        sinograms = read_pairs(file, "Sinograms")
    return images, sinograms, n


def read_pairs(file: h5py.File, name: str, part: slice = slice(None)) -> np.ndarray:
    """Read a run of images or sinograms from an open library.

    Parameters
    ----------
    file : h5py.File
        From `open_library`.
    name : {"Images", "Sinograms"}
    part : slice
        The pairs to read.

    Returns
    -------
    float32 array, shape (n, height, width, 1) or (n, n_translations, n_angles, 1)

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    dataset = file[name]
    batch = np.asarray(dataset[:, :, part], dtype=np.float32)
    if not np.isfinite(batch).all():
        raise ValueError(
            f"{file.filename}: expected finite values, found NaN or infinite ones in "
            f"{name}"
        )
    return np.ascontiguousarray(np.moveaxis(batch, -1, 0))[..., None]


def build_list_images(
    path: str | Path, types: Sequence[str] = (".tif", ".tiff")
) -> list[Path]:
    """List the image files of a folder, sorted by name.

    Parameters
    ----------
    path : str or Path
        The folder.
    types : sequence of str
        Endings to look for, in upper or lower case, with or without the dot.

    Returns
    -------
    list of Path

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it holds no file of these types.
    """
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder")
    endings = tuple("." + kind.lstrip(".").lower() for kind in types)
    files = sorted(f for f in path.iterdir() if f.suffix.lower() in endings)
    if not files:
        found = sorted({f.suffix for f in path.iterdir()})
        raise ValueError(
            f"{path}: expected files of type {', '.join(endings)}, found types {found}"
        )
    return files


def pair_by_name(
    images: Sequence[Path], labels: Sequence[Path]
) -> list[tuple[Path, Path]]:
    """Pair files of the same name, whatever their endings.

    Parameters
    ----------
    images, labels : sequence of Path
        For example from `build_list_images`.

    Returns
    -------
    list of (Path, Path)
        Sorted by name.

    Raises
    ------
    ValueError
        If a file has no partner, or a name occurs twice in a list.
    """
    first, second = ({f.stem: f for f in files} for files in (images, labels))
    if len(first) < len(images) or len(second) < len(labels):
        raise ValueError("expected every file name once in each list")
    alone = [*(first[k] for k in first.keys() - second.keys())]
    alone += [*(second[k] for k in second.keys() - first.keys())]
    if alone:
        some = ", ".join(str(f) for f in sorted(alone)[:5])
        raise ValueError(
            f"expected pairs of files of the same name, but {len(alone)} have no "
            f"partner: {some}"
        )
    return [(first[k], second[k]) for k in sorted(first)]


def read_image(path: str | Path) -> np.ndarray:
    """Read a grey image from a TIFF file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    array, shape (height, width)
        In the type of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no TIFF file, is truncated, or holds anything but one grey image of
        finite values.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        image = tifffile.imread(path)
    except Exception as error:  # tifffile raises many kinds for a broken file
        raise ValueError(
            f"{path}: expected a TIFF image, but it is truncated or of another format "
            f"({error})"
        ) from error
    if image.ndim != 2:
        raise ValueError(
            f"{path}: expected one grey image (height, width), found shape "
            f"{image.shape}"
        )
    if not np.isfinite(image).all():
        raise ValueError(f"{path}: expected finite values, found NaN or infinite ones")
    return image


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image to a TIFF file, which appears only when it is whole.

    Parameters
    ----------
    path : str or Path
    image : array, shape (height, width)
        Stored in its own type.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    tifffile.imwrite(partial, image)
    partial.replace(path)


def build_autoencoder_data(
    Xfiles: Sequence[Path], yfiles: Sequence[Path], input_data: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Read pairs of images that differ in their noise, for training an autoencoder.

    Parameters
    ----------
    Xfiles, yfiles : sequence of Path
        Noisy and noiseless images, for example from `build_list_images`; they are
        paired by name, whatever their order.
    input_data : tuple of int
        (height, width, 1) that every image must have.

    Returns
    -------
    noisy, noiseless : float32 array, shape (n, height, width, 1)
        Values as stored, in the order of the names.

    Raises
    ------
    FileNotFoundError, ValueError
        As `pair_by_name` and `read_image`, or if an image has another size.
    """
    if len(input_data) != 3 or input_data[-1] != 1:
        raise ValueError(
            f"expected input_data (height, width, 1), received {input_data}"
        )
    pairs = pair_by_name(Xfiles, yfiles)
    both = np.empty((2, len(pairs), *input_data), np.float32)
    for i, pair in enumerate(pairs):
        for side, path in zip(both, pair, strict=True):
            image = read_image(path)
            if image.shape != tuple(input_data[:2]):
                raise ValueError(
                    f"{path}: expected an image of {input_data[0]} x {input_data[1]} "
                    f"pixels, found {image.shape[0]} x {image.shape[1]}"
                )
            side[i, ..., 0] = image
    return both[0], both[1]
