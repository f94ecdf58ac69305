"""Tables of results, whose rows say on what, when and by which commit they came."""

import csv
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
_STAMP = ("hardware", "date", "commit")


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of a table, none if there is no such table yet."""
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(name: str, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write a table in one go; rows that do not say where they came from are new."""
    stamp = {
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}{_gpus()}",
        "date": date.today().isoformat(),
        "commit": _commit(),
    }
    columns = dict.fromkeys(key for row in rows for key in row if key not in _STAMP)
    RESULTS.mkdir(exist_ok=True)
    path, partial = RESULTS / f"{name}.csv", RESULTS / f"{name}.csv.partial"
    with partial.open("w", newline="") as file:
        table = csv.DictWriter(file, [*columns, *_STAMP], lineterminator="\n")
        table.writeheader()
        table.writerows(stamp | dict(row) for row in rows)
    partial.replace(path)
    return path


def _gpus() -> str:
    names = _said("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return "".join(f", {name}" for name in names.splitlines())


def _commit() -> str:
    code = ":/srtools", ":/benchmarks/*.py"  # results and pages change meanwhile
    dirty = _said("git", "diff", "--name-only", "HEAD", "--", *code)
    commit = _said("git", "rev-parse", "--short", "HEAD") or "unknown"
    return f"{commit}-dirty" if dirty else commit


def _said(*command: str) -> str:
    """What a command answers; measurements are not lost for want of it."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=HERE
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
