"""Folders of TIFF images: list, pair, read, write."""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tifffile

from srtools.files.atomic import atomic_write
from srtools.files.damage import check_claim, reading


def build_list_images(
    path: str | Path, types: Sequence[str] = (".tif", ".tiff")
) -> list[Path]:
    """List the image files of a folder, in the order of `sort_naturally`.

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
    files = sort_naturally(f for f in path.iterdir() if f.suffix.lower() in endings)
    if not files:
        found = sorted({f.suffix for f in path.iterdir()})
        raise ValueError(
            f"{path}: expected files of type {', '.join(endings)}, found types {found}"
        )
    return files


def sort_naturally(files: Iterable[Path]) -> list[Path]:
    """Sort files by name, and by number where names have numbers: 2 before 10.

    Parameters
    ----------
    files : iterable of Path

    Returns
    -------
    list of Path

    Examples
    --------
    >>> [f.name for f in sort_naturally([Path("p_10.tif"), Path("p_2.tif")])]
    ['p_2.tif', 'p_10.tif']
    """

    def key(file):
        parts = re.split(r"(\d+)", str(file))  # text, digits, text, ...
        parts[1::2] = map(int, parts[1::2])
        return parts, str(file)

    return sorted(files, key=key)


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
    with reading(path, "a TIFF image"), tifffile.TiffFile(path) as tiff:
        check_claim(path, tiff.series[0].nbytes)
        check_pages(path, [tiff.pages[0]])
        n, meaning = len(tiff.pages), tiff.pages[0].photometric.name
        image = tiff.asarray()
    if image.ndim != 2:
        raise ValueError(
            f"{path}: expected one grey image (height, width), found shape "
            f"{image.shape}"
        )
    if n != 1 or meaning not in ("MINISBLACK", "MINISWHITE") or np.iscomplexobj(image):
        raise ValueError(
            f"{path}: expected one page of real grey values, found {n} of "
            f"{image.dtype} and the kind {meaning}"
        )
    if not np.isfinite(image).all():
        raise ValueError(f"{path}: expected finite values, found NaN or infinite ones")
    return image


def check_pages(path: str | Path, pages: Sequence[tifffile.TiffPage]) -> None:
    """Refuse pages that claim more memory than their file can hold.

    Raises
    ------
    ValueError
        If the pages together, or a tile of one, are too large: see
        `srtools.files.damage.check_claim`.
    """
    size = [np.dtype(page.dtype).itemsize for page in pages]
    check_claim(
        path, sum(math.prod(p.shape) * n for p, n in zip(pages, size, strict=True))
    )
    for page, itemsize in zip(pages, size, strict=True):
        if page.is_tiled:
            check_claim(path, math.prod(page.chunks) * itemsize)


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image to a TIFF file, which appears only when it is whole.

    Parameters
    ----------
    path : str or Path
    image : array, shape (height, width)
        Stored in its own type.
    """
    with atomic_write(path) as partial:
        tifffile.imwrite(partial, image)


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
