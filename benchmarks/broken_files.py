"""Count what readers say of broken files.

Of every kind of file in ``tests/files_to_break.py`` so many copies are made, of which
every fourth is cut short and the others have up to eight random bytes changed, half of
them in their first 512. Each is read in a process that has 2 GB beyond
Python's own, in five seconds at most.
``benchmarks/results/broken_files.csv`` counts by kind:

- changed: the files;
- raw: errors other than ValueError and OSError, crashes, and reads of over 5 seconds;
- nameless: errors that do not name the file;
- peak_mb: memory of the process that read them, Python and its libraries included.

Every column is there twice, before and after the readers were mended.

The seed of a file is its kind and its number: ``--show`` prints what is wrong.
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
import warnings
import zlib
from collections import Counter
from pathlib import Path

import _record
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from files_to_break import SAMPLES, outcome

_SECONDS, _MEMORY, _HEAD = 5, 2e9, 512


def broken(whole: bytes, rng) -> bytes:
    """Cut a file short, or change up to eight of its bytes."""
    if rng.random() < 0.25:
        return whole[: rng.integers(len(whole))]
    data = bytearray(whole)
    end = min(len(data), _HEAD) if rng.random() < 0.5 else len(data)
    for place in rng.integers(end, size=rng.integers(1, 9)):
        data[place] = rng.integers(256)
    return bytes(data)


def _read_some(kind, path, whole, numbers, answer):
    """Read broken files, one after the other, and write down each outcome."""
    warnings.simplefilter("error")  # as the tests do
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + int(_MEMORY),) * 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries complain there as well
    for number in numbers:
        rng = np.random.default_rng((zlib.crc32(kind.encode()), number))
        path.write_bytes(broken(whole, rng))
        signal.alarm(_SECONDS)
        said = outcome(SAMPLES[kind], path)
        signal.alarm(0)
        os.write(answer, f"{said}\n".encode())


def outcomes(kind: str, n: int, folder: Path) -> tuple[list[str], float]:
    """What comes of n broken files of a kind, and the memory it took [MB]."""
    path = folder / SAMPLES[kind].name
    SAMPLES[kind].write(path)
    whole, found, peak = path.read_bytes(), [], 0
    while len(found) < n:
        out, answer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _read_some(kind, path, whole, range(len(found), n), answer)
            finally:
                os._exit(0)
        os.close(answer)
        with os.fdopen(out) as lines:
            found += lines.read().splitlines()
        _, status, used = os.wait4(child, 0)
        peak = max(peak, used.ru_maxrss / 1e3)
        if os.WIFSIGNALED(status):
            found.append(signal.Signals(os.WTERMSIG(status)).name)
    return found, peak


def main():
    """Count, and write or complete the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("when", choices=["before", "after"], help="the columns to fill")
    parser.add_argument("-n", type=int, default=300, help="files of each kind")
    parser.add_argument("--show", action="store_true", help="write no table")
    parser.add_argument("--kind", default="", help="only kinds whose name holds this")
    asked = parser.parse_args()
    rows = {row["kind"]: row for row in _record.read("broken_files")}
    for kind in SAMPLES:
        if asked.kind not in kind:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found, peak = outcomes(kind, asked.n, Path(folder))
        counts = Counter(found)
        nameless = counts["nameless"]
        raw = len(found) - counts["read"] - counts["told"] - nameless
        print(f"{kind:28} {peak:4.0f} MB", dict(counts), flush=True)
        if asked.show:
            wrong = [i for i, f in enumerate(found) if f not in ("read", "told")]
            print("   ", [(i, found[i]) for i in wrong][:12])
        row = rows.setdefault(kind, {"kind": kind})
        row["changed"] = asked.n
        row[f"raw_{asked.when}"], row[f"nameless_{asked.when}"] = raw, nameless
        row[f"peak_mb_{asked.when}"] = round(peak)
    if not asked.show:
        _record.write("broken_files", list(rows.values()))


if __name__ == "__main__":
    main()
