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
                                                   over seeds and settings of arithmetic

Without a page all of them are meant. A page is a path, with or without its ending.
What the last two write is in ``_build``.
Reference outputs are those of the quick scale, unless SRTOOLS_SCALE says otherwise.
"""

import argparse
import base64
import hashlib
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import margins
import nbclient
import nbformat
import slides
import yaml
from jupytext.combine import combine_inputs_with_outputs
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 1800  # seconds a cell may take
SOLUTION = re.compile(r"\n*^ *<details><summary>Solution.*?</details>", re.M | re.S)
# Large arrays stay with the kernel's process: to give them back to Linux after a step
# of a training, and to fetch them for the next, takes up to a third of the time.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "16000000000",
}
CLAIMS = "nbval-check-output"  # tag of the cells whose outputs the tests compare

# The first code cell of every page.
SETUP = """\
# setup: on Colab, get the repository and its package; anywhere else, nothing to do
import logging
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no start-up log of TensorFlow
logging.getLogger("tensorflow").addFilter(lambda r: r.levelno >= 40)  # nor advice
if "google.colab" in sys.modules:
    ![ -d /content/{name} ] || git clone -q --depth 1 {url} /content/{name}
    %pip install -q --no-deps /content/{name} algotom
    %cd -q /content/{name}/{folder}"""

# What belongs to one machine or one run: absolute paths, addresses in memory.
LOCAL = re.compile(
    r"(?<![\w.])/(?:home|Users|work|tmp|root|private|mnt|var|opt|usr|content)/"
    r"|\b[A-Z]:\\\w"
    r"| at 0x[0-9a-f]+"
)
FAILURES = (
    nbclient.exceptions.CellControlSignal,  # an error, or too slow
    nbclient.exceptions.DeadKernelError,
)


def pages(names: list[str], root: Path) -> list[Path]:
    """Return the sources of the pages named, or of all pages with a MyST header."""
    if names:
        named = [Path(name).resolve().with_suffix(".md") for name in names]
        for path in named:
            if not path.is_file():
                raise FileNotFoundError(f"expected a page, received {path}")
        return named
    found = sorted((root / "book").rglob("*.md"))
    return [path for path in found if "format_name: myst" in path.read_text()[:600]]


def setup_cell(source: Path, root: Path) -> str:
    """Return the text that the first code cell of a page must have."""
    config = yaml.safe_load((root / "_config.yml").read_text())
    url = config["repository"]["url"]
    folder = source.parent.relative_to(root).as_posix()
    return SETUP.format(name=url.rstrip("/").split("/")[-1], url=url, folder=folder)


def code_hash(notebook) -> str:
    """Return a hash of the code cells: it changes when an output may.

    The setup cell is left out. It acts on Colab alone, and a fork has another one.
    """
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    code = [source for source in code if not source.startswith("# setup")]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def stamp(source: Path, root: Path) -> None:
    """Write the setup cell into a page: the first code cell that begins ``# setup``."""
    text = source.read_text()
    setup = setup_cell(source, root) + "\n"
    pattern = r"(\{code-cell\}[^`]*?^)# setup.*?(?=^```)"
    stamped = re.sub(
        pattern, lambda m: m[1] + setup, text, count=1, flags=re.DOTALL | re.MULTILINE
    )
    if stamped != text:
        source.write_text(stamped)


def is_folded(cell) -> bool:
    """Tell whether a reader sees a cell's code only when asking for it."""
    return bool({"hide-input", CLAIMS} & set(cell.metadata.get("tags", [])))


def visible_lines(notebook) -> list[str]:
    """Return the lines of code, blank ones aside, that a reader of the book sees."""
    hidden = {"remove-cell", "remove-input", "hide-cell"}
    return [
        line
        for cell in notebook.cells
        if cell.cell_type == "code" and not is_folded(cell)
        if not hidden & set(cell.metadata.get("tags", []))
        for line in cell.source.splitlines()
        if line.strip()
    ]


def _title(cell):
    """Let Colab show the first comment of a folded cell as its title."""
    if is_folded(cell) and cell.source.startswith("# "):
        cell.source = cell.source.replace("# ", "# @title ", 1)


def _fold(cell):
    """Fold a cell in Colab and in JupyterLab too; the book goes by its tag."""
    for key in ("cellView", "jupyter"):
        cell.metadata.pop(key, None)
    if is_folded(cell) or "remove-cell" in cell.metadata.get("tags", []):
        cell.metadata.update(cellView="form", jupyter={"source_hidden": True})


def derive(source: Path):
    """Return the notebook of a page, with the outputs that are stored beside it."""
    notebook = jupytext.read(source)
    for cell in notebook.cells:
        _title(cell)
    stored = source.with_suffix(".ipynb")
    kept = set()
    if stored.exists():
        old = nbformat.read(stored, as_version=4)
        kept = {cell.id for cell in old.cells}
        notebook = combine_inputs_with_outputs(notebook, old)
        notebook.metadata["superres_tomo"] = old.metadata.get("superres_tomo", {})
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(notebook.cells):
        _fold(cell)
        if cell.id not in kept:  # the same for everybody: small differences
            text = f"{number} {cell.source}"
            cell["id"] = hashlib.sha256(text.encode()).hexdigest()[:8]
    return notebook


def sync(source: Path, root: Path) -> None:
    """Stamp the setup cell, then derive the notebook from the source."""
    stamp(source, root)
    nbformat.write(derive(source), source.with_suffix(".ipynb"))


def for_participants(source: Path):
    """Return the notebook of a page without its solutions and its outputs."""
    notebook = derive(source)
    notebook.metadata.pop("superres_tomo", None)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = SOLUTION.sub("", cell.source)
        else:
            cell.update(outputs=[], execution_count=None)
    return notebook


def execute(notebook, folder: Path) -> float:
    """Run all cells in a folder, at the quick scale; return the seconds it took."""
    os.environ.setdefault("SRTOOLS_SCALE", "quick")
    for name, value in KEEP_MEMORY.items():
        os.environ.setdefault(name, value)
    start = time.perf_counter()
    nbclient.NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    return time.perf_counter() - start


def run(source: Path, root: Path) -> float:
    """Execute a page; return the seconds that it took.

    Its notebook is written when every cell has succeeded, and not before.
    """
    stamp(source, root)
    notebook = derive(source)
    seconds = execute(notebook, source.parent)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _joined([o for o in cell.outputs if _is_lasting(o)])
            for output in cell.outputs:
                _pack(output)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["superres_tomo"] = {"code_hash": code_hash(notebook)}
    nbformat.write(notebook, source.with_suffix(".ipynb"))
    return seconds


def _is_lasting(output):
    """Tell results from progress bars, logs, and widgets, which need a live kernel."""
    is_widget = "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    return output.get("name") != "stderr" and not is_widget


def _joined(outputs):
    """Join neighbouring pieces of text, which a progress bar had kept apart."""
    joined = []
    for output in outputs:
        if joined and output.get("name") == joined[-1].get("name") == "stdout":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _pack(output):
    """Store a picture in fewer bytes, pixel for pixel: one channel for a grey one."""
    if not (stored := output.get("data", {}).get("image/png")):
        return
    picture, packed = Image.open(io.BytesIO(base64.b64decode(stored))), io.BytesIO()
    *colours, alpha = (part.tobytes() for part in picture.convert("RGBA").split())
    if set(alpha) == {255}:  # nothing shines through
        picture = picture.convert("RGB" if len(set(colours)) > 1 else "L")
    picture.save(packed, "PNG", optimize=True)
    text = base64.b64encode(packed.getvalue()).decode()
    output["data"]["image/png"] = min(stored, text, key=len)


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
    try:
        sources = pages(asked.page, ROOT)
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
