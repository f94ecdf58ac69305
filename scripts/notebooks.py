"""Keep each page's notebook in step with its source, and its outputs true.

A page is a pair: ``x.md`` (MyST), which a person edits, and ``x.ipynb``, which is
derived from it and holds the outputs that the book shows and the tests verify.

    python scripts/notebooks.py sync [page ...]    derive the notebooks, keep outputs
    python scripts/notebooks.py run [page ...]     sync, execute, store the outputs
    python scripts/notebooks.py check [page ...]   say what is not in order

Without a page all of them are meant. A page is a path, with or without its ending.
"""

import argparse
import hashlib
import re
import sys
import time
from pathlib import Path

import jupytext
import nbclient
import nbformat
import yaml
from jupytext.combine import combine_inputs_with_outputs

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 900  # seconds a cell may take

# The first code cell of every page.
SETUP = """\
# setup: on Colab, get the repository and its package; anywhere else, nothing to do
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no start-up log of TensorFlow
if "google.colab" in sys.modules:
    ![ -d /content/{name} ] || git clone -q --depth 1 {url} /content/{name}
    %pip install -q --no-deps /content/{name}
    %cd -q /content/{name}/{folder}"""

# What a machine's own paths look like. "/content" is Colab's, in the setup cell only.
ABSOLUTE_PATH = re.compile(
    r"(?<![\w./:])/(?:home|Users|work|tmp|root|private|mnt|var/folders)/|\b[A-Z]:\\"
)


def pages(names: list[str], root: Path = ROOT) -> list[Path]:
    """Return the sources of the pages named, or of all pages with a MyST header."""
    if names:
        return [Path(name).resolve().with_suffix(".md") for name in names]
    found = sorted((root / "book").rglob("*.md"))
    return [path for path in found if "format_name: myst" in path.read_text()[:600]]


def setup_cell(source: Path, root: Path = ROOT) -> str:
    """Return the text that the first code cell of a page must have."""
    config = yaml.safe_load((root / "_config.yml").read_text())
    url = config["repository"]["url"]
    folder = source.parent.relative_to(root).as_posix()
    return SETUP.format(name=url.rstrip("/").split("/")[-1], url=url, folder=folder)


def code_hash(notebook) -> str:
    """Return a hash of the code cells: it changes when an output may."""
    code = "\0".join(c.source for c in notebook.cells if c.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def derive(source: Path):
    """Return the notebook of a page, with the outputs that are stored beside it."""
    notebook = jupytext.read(source)
    stored = source.with_suffix(".ipynb")
    if stored.exists():
        old = nbformat.read(stored, as_version=4)
        notebook = combine_inputs_with_outputs(notebook, old)
        notebook.metadata["superres_tomo"] = old.metadata.get("superres_tomo", {})
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # the same for everybody: small differences
    return notebook


def sync(source: Path, root: Path = ROOT) -> None:
    """Stamp the setup cell, then derive the notebook from the source."""
    text = source.read_text()
    setup = setup_cell(source, root)
    pattern = r"(:tags: \[remove-cell\]\n\n)# setup.*?(?=\n```)"
    stamped = re.sub(pattern, lambda m: m[1] + setup, text, count=1, flags=re.DOTALL)
    if stamped != text:
        source.write_text(stamped)
    nbformat.write(derive(source), source.with_suffix(".ipynb"))


def run(source: Path, root: Path = ROOT) -> float:
    """Execute a page and store its outputs; return the seconds that it took."""
    sync(source, root)
    notebook = derive(source)
    start = time.perf_counter()
    nbclient.NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(source.parent)}},
    ).execute()
    seconds = time.perf_counter() - start
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # Progress bars and logs differ from run to run.
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["superres_tomo"] = {"code_hash": code_hash(notebook)}
    nbformat.write(notebook, source.with_suffix(".ipynb"))
    return seconds


def check(source: Path, root: Path = ROOT) -> list[str]:
    """Return what is not in order with a page, one sentence each."""
    stored = source.with_suffix(".ipynb")
    if not stored.exists():
        return ["there is no notebook: run sync, then run"]
    notebook = nbformat.read(stored, as_version=4)
    fresh = derive(source)
    faults = []

    def texts(n):
        return [(c.cell_type, c.source, c.metadata.get("tags")) for c in n.cells]

    if texts(notebook) != texts(fresh):
        faults.append("the notebook differs from its source: sync")
    code = [c for c in notebook.cells if c.cell_type == "code"]
    if not code:
        return faults
    if notebook.metadata.get("superres_tomo", {}).get("code_hash") != code_hash(fresh):
        faults.append("the outputs are of other code: run")
    if code[0].source != setup_cell(source, root):
        faults.append("the first code cell is not the setup cell: sync")
    if [c.execution_count for c in code] != list(range(1, len(code) + 1)):
        faults.append("not every cell was executed, in order: run")
    if not any("nbval-check-output" in c.metadata.get("tags", []) for c in code):
        faults.append("the page claims nothing: tag a cell nbval-check-output")
    for cell in code:
        start = cell.source.strip().split("\n")[0]
        for output in cell.outputs:
            if output.output_type == "error":
                faults.append(f"an error is stored below {start!r}")
            if output.get("name") == "stderr":
                faults.append(f"standard error is stored below {start!r}")
            shown = output.get("text", "") + str(
                {k: v for k, v in output.get("data", {}).items() if k[:5] == "text/"}
            )
            if found := ABSOLUTE_PATH.search(shown):
                faults.append(f"a path {found[0]!r} is stored below {start!r}")
    return faults


def main() -> int:
    """Read the command line, do what it says, return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=["sync", "run", "check"])
    parser.add_argument("page", nargs="*")
    wish = parser.parse_args()
    failed, total = False, 0.0
    for source in pages(wish.page):
        name = source.relative_to(ROOT)
        if wish.task == "sync":
            sync(source)
        elif wish.task == "check":
            for fault in check(source):
                failed = True
                print(f"{name}: {fault}")
        else:
            try:
                seconds = run(source)
            except nbclient.exceptions.CellExecutionError as error:
                failed = True
                print(f"{name}: failed; its stored outputs are as they were\n{error}")
            else:
                total += seconds
                print(f"{seconds:7.1f} s  {name}", flush=True)
    if wish.task == "run":
        print(f"{total:7.1f} s  in all")
    return failed


if __name__ == "__main__":
    sys.exit(main())
