"""Kill whatever writes for long at random moments, and let it go on.

Rows of ``benchmarks/results/killed.csv``, one a writer of ``tests/writers_to_kill.py``:
rounds, of which some end by themselves; kills; half, outputs that were there and not
whole; other, results that differed from those of an undisturbed run.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import _record

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from writers_to_kill import WRITERS, kill_and_go_on


def main():
    """Count, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=30, help="kills of each writer")
    parser.add_argument("--writer", default="", help="only those whose name holds this")
    asked = parser.parse_args()
    for name in WRITERS:
        if asked.writer not in name:
            continue
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            found = kill_and_go_on(name, Path(folder), asked.n)
        print(name, found, f"{time.perf_counter() - start:.0f} s", flush=True)
        rows = {row["writer"]: row for row in _record.read("killed")}
        rows[name] = {"writer": name, **found}
        _record.write("killed", list(rows.values()))


if __name__ == "__main__":
    main()
