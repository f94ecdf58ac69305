"""Broken files: one kind of error, which names the file, and no memory for claims.

Libraries raise many kinds of errors over a file whose bytes are wrong, most of them
without its name; and a few wrong bytes can claim an array larger than any memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

_SMALL = 64e6  # bytes that may be claimed by any file
_DENSEST = 10_000  # beyond: how often more than the file holds; zlib packs 1000 times


@contextmanager
def reading(path: str | Path, kind: str) -> Iterator[None]:
    """Read a file, with one kind of error whatever is wrong with it.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : str
        What it should be, for the message: ``"a TIFF image"``.

    Raises
    ------
    ValueError
        In place of any error in the block, with that one as its cause. ValueErrors and
        OSErrors that name the file, and MemoryErrors, stay as they are.

    Examples
    --------
    >>> with reading(path, "a TIFF image"):
    ...     image = tifffile.imread(path)
    """
    try:
        yield
    except MemoryError:
        raise
    except (ValueError, OSError) as error:
        if Path(path).name in str(error):
            raise
        raise broken(path, kind, error) from error
    except Exception as error:
        raise broken(path, kind, error) from error


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Name the file in the error of a disk that is full, which says no more than that.

    Raises
    ------
    OSError
        In place of one that names no file.
    """
    try:
        yield
    except OSError as error:
        if type(error) is OSError and Path(path).name not in str(error):
            raise OSError(f"{path}: could not be written ({error})") from error
        raise


def broken(path: str | Path, kind: str, why) -> ValueError:
    """Return the error of a file that is not what was expected, or cannot be unpacked.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : str
        What was expected, such as "a TIFF image".
    why : Exception or str
        What was found.

    Returns
    -------
    ValueError
    """
    said = shorten(str(why), 300, placeholder=" ...") or type(why).__name__
    if "imagecodecs" in said:
        return ValueError(
            f"{path}: expected {kind} without compression or with deflate; for others "
            f"there is a package: pip install imagecodecs ({said})"
        )
    return ValueError(
        f"{path}: expected {kind}, but it is truncated or of another format ({said})"
    )


def check_claim(path: str | Path, nbytes: float, held: int | None = None) -> None:
    """Refuse an array that cannot be in a file, before memory is taken for it.

    Parameters
    ----------
    path : str or Path
        The file.
    nbytes : float
        What the file says the array takes in memory.
    held : int, optional
        How many bytes of the file are the array's, where it tells; by default all.

    Raises
    ------
    ValueError
        If that is more than 64 MB and ten thousand times what the file holds: more than
        zlib, LZW or LZMA can pack.
    """
    size = Path(path).stat().st_size
    size = size if held is None else min(held, size)
    if nbytes > max(_SMALL, _DENSEST * size):
        raise ValueError(
            f"{path}: expected an array that {size / 1e6:.3g} MB of a file can hold, "
            f"found one of {nbytes / 1e6:.3g} MB"
        )
