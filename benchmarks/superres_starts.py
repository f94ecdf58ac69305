"""What does the start of a training decide on the page on super-resolution?

    python benchmarks/superres_starts.py [seed]

Executes the page as far as it trains networks, with a seed from 0, the page's, to 2
that all of its trainings start from. Writes results/superres_starts.csv: the PSNR of
each method on each kind of object, and of the volumes of thick slices. Two minutes a
seed, and half an hour where the networks of a seed are not in the cache yet.
"""

import json
import os
import sys
from pathlib import Path

import _record
import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from pairs import execute  # noqa: E402

PAGE = ROOT / "book" / "superresolution" / "tomograms.ipynb"
AFTER = "## A real tooth"  # the first heading after the last training
ASK = """
import json
scores |= {(name, how): gain[name][how] for name in gain for how in gain[name]}
json.dumps([[kind, name, float(value)] for (kind, name), value in scores.items()])
"""


def judge(seed: int) -> list[list]:
    """Return kind, method and PSNR [dB] of all networks of a start."""
    os.environ["SRTOOLS_SEED"] = str(seed)
    page = nbformat.read(PAGE, as_version=4)
    end = [AFTER in cell.source.split("\n") for cell in page.cells].index(True)
    page.cells = page.cells[:end]
    page.cells.append(nbformat.v4.new_code_cell(ASK))
    execute(page, PAGE.parent)
    said = page.cells[-1].outputs[-1]["data"]["text/plain"]
    return json.loads(said.strip("'"))


def main() -> None:
    """Add the seeds that are asked for to the table."""
    for seed in sys.argv[1:] or "012":
        rows = _record.read("superres_starts")
        rows = [row for row in rows if row["seed"] != seed]
        for kind, name, value in judge(int(seed)):
            row = {"seed": seed, "objects": kind, "method": name}
            rows.append(row | {"PSNR [dB]": f"{value:.3f}"})
        rows.sort(key=lambda row: row["seed"])
        print(seed, _record.write("superres_starts", rows), flush=True)


if __name__ == "__main__":
    main()
