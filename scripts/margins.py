"""What the claims of pages measure with other seeds, and with other arithmetic.

Called by ``scripts/notebooks.py margins``. Beside what a page shows, it is executed
anew with two other seeds of its trainings, and with the weights that ship, but one
thread and plain instructions, as an old processor has them. Tests of what a network
learns (marked ``training``) are run the same way. What each claim or test measured is
gathered in benchmarks/results/margins.csv: the bound, the smallest and largest value,
and the runs behind them. A run that the table has for all claims of a page is not made
again, so that one can stop and go on; hours in all.
"""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import _record  # noqa: E402

TESTS = ROOT / "tests"  # what they learn is judged by such bounds, too
SHOWN = "as shown"  # what the page says already
# What this processor has beyond the least that NumPy asks for, by NumPy's own names.
FEATURES = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
PLAIN = {  # rounding of another machine
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": " ".join(FEATURES),
}
RUNS = {
    SHOWN: {},
    "plain arithmetic": PLAIN,
    "seed +1": {"SRTOOLS_SEED": "1"},
    "seed +2": {"SRTOOLS_SEED": "2"},
}
BOUNDS = re.compile(r"at least (\S+)|at most (\S+)|(\S+) to (\S+)")


def shown(notebook: nbformat.NotebookNode) -> list[dict]:
    """Return what the claims of a page measured when it was last executed.

    Parameters
    ----------
    notebook : NotebookNode
        With its outputs.

    Returns
    -------
    list of dict
        A claim each: sentence, value, at_least, at_most.
    """
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    facts = [o.metadata["claim"] for o in outputs if "claim" in o.get("metadata", {})]
    return [
        {"claim": fact["sentence"], "value": _value(fact["measured"].split()[0])}
        | _bounds(fact["claimed"])
        for fact in facts
    ]


def _bounds(claimed):
    least, most, low, high = map(_value, BOUNDS.match(claimed).groups())
    return {
        "at_least": low if least is None else least,
        "at_most": high if most is None else most,
    }


def _value(text):
    return None if text is None else float(text.replace(",", ""))


def measure(page: Path, settings: dict[str, str]) -> list[dict]:
    """Execute a page in a process of its own; return what its claims measured.

    Parameters
    ----------
    page : Path
        The source of a page, or the folder of the tests.
    settings : dict
        Environment variables.

    Returns
    -------
    list of dict
        A claim each: sentence, value, at_least, at_most.

    Raises
    ------
    RuntimeError
        If the page does not run to its end, or a test fails: with the end of what it
        said.
    """
    if page == TESTS:
        command = ["-m", "pytest", "-n", "0", "-q", "-m", "training", page]
    else:
        code = (
            "import sys, pathlib, pairs; p = pathlib.Path(sys.argv[1]);"
            "pairs.execute(pairs.derive(p), p.parent)"
        )
        command = ["-c", code, page]
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "claims.jsonl"
        variables = {**os.environ, **settings, "SRTOOLS_CLAIMS": str(said)}
        done = subprocess.run(
            [sys.executable, *command],
            env=variables,
            cwd=ROOT / "scripts",
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{page}: {(done.stdout + done.stderr)[-2000:]}")
        return [json.loads(line) for line in said.read_text().splitlines()]


def merge(rows: Sequence[dict], page: str, run: str, found: Sequence[dict]) -> list:
    """Return a table with a run added; claims that the page has no longer are dropped.

    Parameters
    ----------
    rows : sequence of dict
        The table: page, claim, at_least, at_most, smallest, largest, runs.
    page, run : str
        What was executed, and how.
    found : sequence of dict
        What `measure` returned.

    Returns
    -------
    list of dict
    """
    key = ("claim", "at_least", "at_most")
    before = {tuple(r[k] for k in key): r for r in rows if r["page"] == page}
    merged = [row for row in rows if row["page"] != page]
    for one in found:
        bounds = {k: "" if one[k] is None else f"{one[k]:.4g}" for k in key[1:]}
        new = {"page": page, "claim": one["claim"], **bounds}
        values, runs = [one["value"]], [run]
        if old := before.get(tuple(new[k] for k in key)):
            values += [float(old["smallest"]), float(old["largest"])]
            runs = list(dict.fromkeys([*old["runs"].split("; "), run]))
        ends = {"smallest": f"{min(values):.4g}", "largest": f"{max(values):.4g}"}
        merged.append(new | ends | {"runs": "; ".join(runs)})
    return sorted(merged, key=lambda row: row["page"])


def thin(rows: Sequence[dict]) -> list[dict]:
    """Return the claims whose distance to a bound is under twice their spread."""
    spread = [float(row["largest"]) - float(row["smallest"]) for row in rows]
    pairs = zip(rows, spread, strict=True)
    return [row for row, wide in pairs if _distance(row) < 2 * wide]


def _distance(row):
    """How far the nearest value is from its bound; negative beyond it."""
    low, high = float(row["smallest"]), float(row["largest"])
    below = low - float(row["at_least"] or "-inf")
    return min(below, float(row["at_most"] or "inf") - high)


def main(sources: Sequence[Path]) -> bool:
    """Make the runs that are missing; say which claims stand too near to a bound.

    Parameters
    ----------
    sources : sequence of Path
        Pages, and the folder of the tests; these are run anew each time.

    Returns
    -------
    bool
        Whether a claim does not hold in one of the runs.
    """
    table = _record.RESULTS / "margins.csv"
    for source in sources:
        if source == TESTS:
            page, claims = TESTS.name, None
        else:
            page = source.relative_to(ROOT / "book").with_suffix("").as_posix()
            claims = shown(nbformat.read(source.with_suffix(".ipynb"), 4))
        for run, settings in RUNS.items():
            made = {
                row["claim"]
                for row in _record.read("margins")
                if row["page"] == page and run in row["runs"].split("; ")
            }
            if claims is not None and made.issuperset(c["claim"] for c in claims):
                continue
            known = run == SHOWN and claims is not None  # the page shows it
            found = claims if known else measure(source, settings)
            rows = _record.read("margins")  # others may have written meanwhile
            _record.write("margins", merge(rows, page, run, found))
            print(f"{page}: {run}, {len(found)} claims", flush=True)
    with table.open(newline="") as file:
        near = thin(list(csv.DictReader(file)))
    for row in near:
        print("{page}: {claim}: {smallest} to {largest}".format(**row), end="; ")
        print("bound {at_least}{at_most}".format(**row))
    return any(_distance(row) < 0 for row in near)
