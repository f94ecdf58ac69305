"""The data sets: what there is, where to get it, how to read or to simulate it."""

import os
import shutil
import threading
import time
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from srtools.datasets.benchmarks import simulate, toy, verify
from srtools.datasets.entries import Catalogue, Entry, catalogue
from srtools.datasets.volumes import Volume, load

__all__ = [
    "Catalogue",
    "Entry",
    "Volume",
    "available",
    "catalogue",
    "fetch",
    "load",
    "simulate",
    "toy",
    "verify",
]

_ATTEMPTS = 3
_TIMEOUT = 20  # seconds without an answer
_HEADS = (b"\x89HDF\r\n\x1a\n", b"PK\x03\x04")  # HDF5, zip


def fetch(name: str) -> Path:
    """Return the file of a data set, downloading it if it is not there yet.

    It is looked for in the folder ``SRTOOLS_DATA``, then in the cache of `pooch`, then
    on the network. A broken download is resumed, by this call (three attempts) or by
    the next; a file takes its name only when it is whole and its SHA-256 is right.

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
        If a file has another SHA-256 than expected. One in ``SRTOOLS_DATA`` is left
        as it is; a downloaded one is kept beside the cache as ``<file>.mismatch``.
    ConnectionError
        If nothing could be downloaded. The message tells what to do: where to put a
        copy, or which stand-in to simulate.
    OSError
        If the disk has not enough space for the download.
    """
    entry = catalogue()[name]
    own = _own(entry)
    if own is not None:
        if not _is_right(own, entry):
            raise ValueError(
                f"{own}: expected SHA-256 {entry.sha256}, received {_sha256(own)}; "
                "remove the file or unset SRTOOLS_DATA to have it downloaded"
            )
        return own
    cached = _cache() / entry.file
    if cached.exists() and _is_right(cached, entry):
        return cached
    _download(entry, cached)
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
        True if the right file is at hand, or its address answers. The seed's links,
        of which no checksum is known, count only when the file is at hand.

    Raises
    ------
    KeyError
        If no data set has that name.
    """
    entry = catalogue()[name]
    own = _own(entry)
    if own is not None:
        return _is_right(own, entry)
    cached = _cache() / entry.file
    if cached.exists() and _is_right(cached, entry):
        return True
    return bool(entry.sha256) and _answers(entry.url, timeout)


def _own(entry):
    """The reader's own copy, if there is one."""
    folder = os.environ.get("SRTOOLS_DATA")
    path = Path(folder) / entry.file if folder else None
    return path if path is not None and path.is_file() else None


def _cache():
    return Path(pooch.os_cache("superres-tomo"))


def _sha256(path):
    return pooch.file_hash(str(path), alg="sha256")


def _is_right(path, entry):
    return not entry.sha256 or _sha256(path) == entry.sha256


def _answers(url, timeout):
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


def _download(entry, path):
    """Write the whole, right file to ``path``, or raise and leave nothing there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    reason = None
    for attempt in range(_ATTEMPTS):
        time.sleep(attempt)
        if not entry.sha256:  # pieces of two versions could not be told apart
            partial.unlink(missing_ok=True)
        resumed = partial.exists() and partial.stat().st_size > 0
        try:
            _append(entry.url, partial)
        except requests.RequestException as error:
            reason = error
            continue
        if _is_right(partial, entry):
            break
        if not resumed:
            aside = path.with_name(f"{path.name}.mismatch")
            partial.replace(aside)
            raise ValueError(
                f"{entry.url}: expected SHA-256 {entry.sha256}, received "
                f"{_sha256(aside)}; what came is kept as {aside} and not used"
            )
        partial.unlink()  # begun with another version of the file
        reason = "pieces that do not fit together"
    else:
        raise ConnectionError(_advice(entry, reason))

    if not entry.sha256:
        with partial.open("rb") as file:
            head = file.read(8)
        if not head.startswith(_HEADS):
            partial.unlink()
            raise ConnectionError(_advice(entry, "something else than HDF5 or zip"))
    partial.replace(path)


def _append(url, partial):
    """Download what ``partial`` still lacks."""
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, timeout=_TIMEOUT, stream=True) as answer:
        if start and answer.status_code == 416:  # nothing comes after what we have
            partial.unlink()
            return _append(url, partial)
        answer.raise_for_status()
        if answer.status_code != 206:  # the server gives the whole file anew
            start = 0
        size = int(answer.headers.get("Content-Length", 0)) + start
        free = shutil.disk_usage(partial.parent).free
        if size - start > free:
            raise OSError(
                f"{partial.parent}: expected {(size - start) / 1e9:.3g} GB of free "
                f"disk space, found {free / 1e9:.3g} GB"
            )
        name = partial.name.removesuffix(".partial")
        with (
            partial.open("ab" if start else "wb") as file,
            tqdm(
                desc=name, total=size, initial=start, unit="B", unit_scale=True
            ) as bar,
        ):
            for chunk in answer.iter_content(1 << 16):
                file.write(chunk)
                bar.update(len(chunk))


def _advice(entry, reason):
    message = (
        f"{entry.file}: expected a download from {entry.url}, received: {reason}. "
        f"Put a copy of {entry.file} into a folder and set SRTOOLS_DATA to it"
    )
    if entry.stand_in:
        message += f", or use the stand-in: srtools.datasets.{entry.stand_in}"
    return message
