"""Find the files of a data set on this machine, or download them."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from srtools.datasets.entries import Entry, catalogue

_ATTEMPTS = 3
_TIMEOUT = 20  # seconds without an answer
_HEADS = (b"\x89HDF\r\n\x1a\n", b"PK\x03\x04")  # HDF5, zip


def fetch(name: str) -> Path:
    """Return the file or folder of a data set, downloading it if it is not there yet.

    It is looked for in the folder ``SRTOOLS_DATA``, then in the cache of `pooch`, then
    on the network, three times. A file takes its name only when it is whole and its
    SHA-256 is right; of a folder only what is missing is downloaded.

    Parameters
    ----------
    name : str
        A key of `catalogue`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    KeyError
        If no data set has that name.
    ValueError
        If a file has another SHA-256 than expected, or is missing in a folder. What
        is in ``SRTOOLS_DATA`` is left as it is; nothing is kept of a download.
    ConnectionError
        If nothing could be downloaded. The message tells what to do: where to put a
        copy, or which stand-in to simulate.
    OSError
        If the cache cannot be written, perhaps because the disk is full.
    """
    entry = catalogue()[name]
    own = _own(entry)
    if own is not None:
        if wrong := _what_is_wrong(own, entry):
            raise ValueError(
                f"{wrong}; remove {own} or unset SRTOOLS_DATA to have it downloaded"
            )
        return own
    cached = _cache() / entry.file
    if _what_is_wrong(cached, entry):
        _download(entry)
    return cached


def available(name: str, *, timeout: float = 3.0) -> bool:
    """Tell, without raising and soon, whether `fetch` would find the data set.

    Parameters
    ----------
    name : str
        A key of `catalogue`.
    timeout : float
        Wait so long at most for the server's answer [s].

    Returns
    -------
    bool
        True if the right files are at hand, or their address answers. The seed's links,
        of which no checksum is known, count only when the file is at hand.

    Raises
    ------
    KeyError
        If no data set has that name.
    """
    entry = catalogue()[name]
    own = _own(entry)
    if own is not None:
        return not _what_is_wrong(own, entry)
    if not _what_is_wrong(_cache() / entry.file, entry):
        return True
    (url, sha256), *_ = _sources(entry).values()
    return bool(sha256) and _answers(url, timeout)


def _own(entry: Entry) -> Path | None:
    """The reader's own copy, if there is one."""
    folder = os.environ.get("SRTOOLS_DATA")
    if not folder:
        return None
    places = Path(folder) / entry.file, Path(folder) / Path(entry.file).name
    return next((path for path in places if path.exists()), None)


def _cache() -> Path:
    return Path(pooch.os_cache("superres-tomo"))


def _sources(entry: Entry) -> dict[Path, tuple[str, str]]:
    """Address and SHA-256 of each file, by its path in the cache."""
    if not entry.files:
        return {Path(entry.file): (entry.url, entry.sha256)}
    return {
        Path(entry.file, Path(path).name): (f"{entry.url}/{path}", sha256)
        for path, sha256 in entry.files.items()
    }


def _what_is_wrong(copy: Path, entry: Entry) -> str:
    """Say which file of a copy is missing or another one; nothing if all are right."""
    for path, (_, sha256) in _sources(entry).items():
        file = copy / path.relative_to(entry.file)
        if not file.is_file():
            return f"{file}: expected a file, found none"
        if sha256 and (found := pooch.file_hash(str(file))) != sha256:
            return f"{file}: expected SHA-256 {sha256}, received {found}"
    return ""


def _answers(url: str, timeout: float) -> bool:
    """Ask the server in a thread: looking up its name has no time limit of its own."""
    answers = []

    def ask():
        try:
            with requests.head(url, timeout=timeout, allow_redirects=True) as answer:
                answers.append(answer.ok)
        except OSError:
            pass

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout)
    return answers == [True]


def _download(entry: Entry) -> None:
    """Bring the files into the cache, whole and right, or raise."""
    sources = {path.as_posix(): source for path, source in _sources(entry).items()}
    store = pooch.create(
        path=_cache(),
        base_url="",
        registry={file: sha256 or None for file, (_, sha256) in sources.items()},
        urls={file: url for file, (url, _) in sources.items()},
        retry_if_failed=_ATTEMPTS - 1,
    )
    alone = len(sources) == 1  # otherwise one bar for all
    get = pooch.HTTPDownloader(progressbar=alone, chunk_size=1 << 16, timeout=_TIMEOUT)

    def get_data(url, target, store):
        """Refuse the web page that a dead link leads to, where no checksum would."""
        get(url, target, store)
        with Path(target).open("rb") as file:
            if not file.read(8).startswith(_HEADS):
                raise requests.RequestException("something else than HDF5 or zip")

    try:
        with _quiet():
            for file in tqdm(sources, desc=entry.file, disable=alone):
                store.fetch(file, downloader=get if sources[file][1] else get_data)
    except requests.RequestException as error:
        raise ConnectionError(_advice(entry, error)) from error
    except ValueError as error:
        url, sha256 = sources[file]
        raise ValueError(
            f"{url}: expected SHA-256 {sha256}, received another {_ATTEMPTS} times; "
            "nothing of it is kept"
        ) from error
    except OSError as error:
        raise OSError(
            f"{_cache()}: expected to write {file} there, received: {error}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pooch from telling, for every file, where on this machine it goes."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _advice(entry: Entry, reason: Exception) -> str:
    message = (
        f"{entry.file}: expected a download from {entry.url}, received: {reason}. "
        f"Put a copy of {entry.file} into a folder and set SRTOOLS_DATA to it"
    )
    if entry.stand_in:
        message += f", or use the stand-in: srtools.datasets.{entry.stand_in}"
    return message
