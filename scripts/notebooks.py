"""Keep each page's notebook in step with its source, and its outputs true.

A page is a pair: ``x.md`` (MyST), which a person edits, and ``x.ipynb``, which is
derived from it and holds the outputs that the book shows and the tests verify.

    python scripts/notebooks.py sync [page ...]    derive the notebooks, keep outputs
    python scripts/notebooks.py run [page ...]     sync, execute, store the outputs
    python scripts/notebooks.py check [page ...]   say what is not in order
    python scripts/notebooks.py turn N             name N notebooks that train, in turn
    python scripts/notebooks.py figures page ...   its figures as slides: PNG and SVG,
                                                   with titles and alternative texts
    python scripts/notebooks.py participants [page ...]
                                                   without solutions and outputs
    python scripts/notebooks.py margins page ...   how far claims are from their bounds,
                                                   over seeds and settings of
                                                   arithmetic; "tests" is for tests

Without a page all of them are meant. A page is a path, with or without its ending.
What the last two write is in ``_build``.
Reference outputs are those of the quick scale, unless SRTOOLS_SCALE says otherwise.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import margins
import nbformat
import slides
from pairs import (
    CLAIMS,
    FAILURES,
    code_hash,
    derive,
    for_participants,
    is_folded,
    pages,
    run,
    setup_cell,
    sync,
)

ROOT = Path(__file__).resolve().parents[1]
# What belongs to one machine or one run: absolute paths, addresses in memory.
LOCAL = re.compile(
    r"(?<![\w.])/(?:home|Users|work|tmp|root|private|mnt|var|opt|usr|content)/"
    r"|\b[A-Z]:\\\w"
    r"| at 0x[0-9a-f]+"
)


def check(source: Path, root: Path) -> list[str]:
    """Return what is not in order with a page, one sentence each."""
    stored = source.with_suffix(".ipynb")
    if not stored.exists():
        return ["there is no notebook: run"]
    notebook, fresh = nbformat.read(stored, as_version=4), derive(source)
    faults = []
    if _inputs(notebook) != _inputs(fresh):
        faults.append("the notebook differs from its source: sync")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code:
        return faults
    if notebook.metadata.get("superres_tomo", {}).get("code_hash") != code_hash(fresh):
        faults.append("the outputs are of other code: run")
    if code[0].source != setup_cell(source, root):
        faults.append(
            "the first code cell is not the setup cell: begin it with # setup, sync"
        )
    if "remove-cell" not in code[0].metadata.get("tags", []):
        faults.append("readers see the setup cell: tag it remove-cell")
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        faults.append("not every cell was executed, in order: run")
    claims = [cell for cell in code if CLAIMS in cell.metadata.get("tags", [])]
    if not claims:
        faults.append(
            f"the page claims nothing: call claim(...), tag the cell {CLAIMS}"
        )
    if not all(cell.outputs for cell in claims):
        faults.append(f"a cell tagged {CLAIMS} says nothing")
    for cell in code:
        if is_folded(cell) and cell not in claims and not cell.source.startswith("# "):
            first = cell.source.splitlines()[0]
            faults.append(f"a folded cell says in no comment what is inside: {first!r}")
    anchors = [output.get("metadata", {}) for cell in code for output in cell.outputs]
    anchors = [facts["claim"]["anchor"] for facts in anchors if "claim" in facts]
    for anchor in {anchor for anchor in anchors if anchors.count(anchor) > 1}:
        faults.append(f"two claims say the same, and have one address: {anchor}")
    for cell in code:
        where = f"below {cell.source.strip().splitlines()[0]!r}"
        for output in cell.outputs:
            if output.output_type == "error":
                faults.append(f"an error is stored {where}")
            if output.get("name") == "stderr":
                faults.append(f"standard error is stored {where}")
            if _has_picture(output) and not _alt(cell):
                faults.append(f"a picture has no alternative text {where}")
            if found := LOCAL.search(_text(output)):
                faults.append(
                    f"{found[0]!r} is stored {where}: it differs elsewhere; end the "
                    "line with ; or show less"
                )
    return faults


def _inputs(notebook):
    return [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]


def _has_picture(output):
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def _alt(cell):
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt")


def _text(output):
    data = output.get("data", {})
    shown = [str(data[kind]) for kind in data if not kind.startswith("image/")]
    return "\n".join([output.get("text", ""), *output.get("traceback", []), *shown])


def turn(number: int, root: Path) -> list[str]:
    """Return notebooks that introduce networks, others with every commit.

    Those that only use networks of other pages are left out: they would train them all.
    Neighbours in the list train alike long, so that pages far apart are taken together.
    """
    training = [p for p in pages([], root) if "trained(" in p.read_text()]
    training += [p for p in pages([], root) if "RECIPES[" in p.read_text()]
    names = sorted(
        {p.relative_to(root).with_suffix(".ipynb").as_posix() for p in training}
        - {"book/reconstruction/compare.ipynb"}
    )
    git = ["git", "-C", str(root), "rev-parse", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    first = int(commit, 16) % len(names)
    apart = max(len(names) // number, 1)
    return [names[(first + i * apart) % len(names)] for i in range(number)]


def main() -> int:
    """Read the command line, do what it says, return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    tasks = ["sync", "run", "check", "turn", "figures", "participants", "margins"]
    parser.add_argument("task", choices=tasks)
    parser.add_argument("page", nargs="*", help="for turn: how many")
    asked = parser.parse_args()
    if asked.task == "turn":
        print(*turn(int(asked.page[0]), ROOT))
        return False
    tests = [margins.TESTS] if asked.page == ["tests"] else []
    try:
        sources = tests or pages(asked.page, ROOT)
    except FileNotFoundError as error:
        parser.error(str(error))
    if asked.task == "margins":
        return margins.main(sources)
    failed, total = False, 0.0
    for source in sources:
        name = source.relative_to(ROOT)
        if asked.task == "sync":
            sync(source, ROOT)
        elif asked.task == "check":
            for fault in check(source, ROOT):
                failed = True
                print(f"{name}: {fault}")
        elif asked.task == "participants":
            path = ROOT / "_build" / "participants" / name.with_suffix(".ipynb")
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(for_participants(source), path)
        elif asked.task == "figures":
            folder = ROOT / "_build" / "figures" / name.with_suffix("")
            try:
                count = slides.export(source, folder)
            except FAILURES as error:
                failed = True
                print(f"{name}: failed; nothing is written\n{error}")
            else:
                print(f"{count} figures and slides.html: {folder.relative_to(ROOT)}")
        else:
            try:
                seconds = run(source, ROOT)
            except FAILURES as error:
                failed = True
                print(f"{name}: failed; its notebook is as it was\n{error}")
            else:
                total += seconds
                print(f"{seconds:7.1f} s  {name}", flush=True)
    if asked.task == "run":
        print(f"{total:7.1f} s  in all")
    return failed


if __name__ == "__main__":
    sys.exit(main())
