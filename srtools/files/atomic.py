"""Files that appear under their name only when they are whole.

What is being written lies under its own name in a folder beside the file, whose name
ends in ``.partial``: there no reader takes it for the file.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from srtools.files.damage import writing

try:
    import fcntl
except ImportError:  # Windows: there only HDF5 keeps two processes apart
    fcntl = None

_log = logging.getLogger(__name__)


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Write a file that appears when the block ends, and not at all when it fails.

    A file that was there before is replaced. Of several processes that write the same
    file, each has a place of its own, and the last one counts.

    Parameters
    ----------
    path : str or Path
        The file to write, in a folder that exists.

    Yields
    ------
    Path
        Where to write it to: a file of the same name in another folder.

    Raises
    ------
    OSError
        If the folder cannot be written to, before the block begins; or where the disk
        is full, by the name of the file.

    Examples
    --------
    >>> with atomic_write("model.weights.h5") as partial:
    ...     model.save_weights(partial)
    """
    path = Path(path)
    try:
        place = tempfile.mkdtemp(".partial", f"{path.name}.", path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with writing(path):
            yield Path(place, path.name)
        Path(place, path.name).replace(path)
        Path(place).rmdir()
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


@contextmanager
def write_once(path: str | Path) -> Iterator[Path | None]:
    """Write a file that is never replaced, and go on with it after an interruption.

    The file appears when the block ends. When the block fails, or the process is
    killed, what was written stays in the folder ``<path>.partial`` for the next one.
    While a process is in the block, others that come to it for the same file wait.

    Parameters
    ----------
    path : str or Path
        The file to write, in a folder that exists.

    Yields
    ------
    Path or None
        Where to write it to, with what an earlier block left there; None if the file
        is there already, perhaps because another process has just written it.

    Raises
    ------
    OSError
        If the folder cannot be written to, before the block begins.
    """
    path = Path(path)
    if path.exists():
        yield None
        return
    with one_at_a_time(path) as place:
        if path.exists():  # while this process waited
            yield None
        else:
            yield place / path.name
            (place / path.name).replace(path)


@contextmanager
def one_at_a_time(path: str | Path) -> Iterator[Path]:
    """Be the only process that makes a file; others that come for it wait.

    Parameters
    ----------
    path : str or Path
        The file, in a folder that exists.

    Yields
    ------
    Path
        The folder ``<path>.partial``, which goes when nothing is left in it.

    Raises
    ------
    OSError
        If the folder cannot be written to, before the block begins.
    """
    path = Path(path)
    place = path.with_name(f"{path.name}.partial")
    turn = place / "turn"
    try:
        lock = _lock(path, place, turn)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield place
    finally:
        with suppress(OSError):  # the next process is there already
            for left in place.glob("*.partial"):  # of an `atomic_write` that was killed
                shutil.rmtree(left)
            if not any(file != turn for file in place.iterdir()):
                turn.unlink(missing_ok=True)
                place.rmdir()
        if lock is not None:
            os.close(lock)


def _lock(path, place, turn):
    """Wait for a lock that the system lifts however its owner ends."""
    while True:
        with suppress(FileExistsError):  # exist_ok fails where it goes meanwhile
            place.mkdir()
        if fcntl is None:
            return None
        try:
            lock = os.open(turn, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:  # its owner removed the folder just now
            continue
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _log.warning("%s: another process is writing it, waiting", path)
                fcntl.flock(lock, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), turn.stat()):
                    return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # of a folder that its owner has removed since


def _unwritable(path, error):
    return OSError(f"{path}: expected a place that can be written to ({error})")
