"""A page and its notebook: the source that a person edits, and what is derived from it.

A page is a pair: ``x.md`` (MyST), which a person edits, and ``x.ipynb``, which is
derived from it and holds the outputs that the book shows and the tests verify.
``scripts/notebooks.py`` is the command line.
"""

import base64
import hashlib
import io
import os
import re
import time
from pathlib import Path

import jupytext
import nbclient
import nbformat
import yaml
import zmq
from jupytext.combine import combine_inputs_with_outputs
from kernels import KEEP_MEMORY
from PIL import Image

TIMEOUT = 7200  # seconds a cell may take: four trainings on a slow, busy machine do
SOLUTION = re.compile(r"\n*^ *<details><summary>Solution.*?</details>", re.M | re.S)
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


class Client(nbclient.NotebookClient):
    """Runs a notebook; a reply that comes while a widget is served is not missed."""

    def process_message(self, msg, cell, cell_index):
        """Note what the kernel says; look then whether its reply has come.

        For an output widget the client sends, on the channel on which it waits for the
        reply, and sending can swallow the signal that a message is there.
        """
        try:
            return super().process_message(msg, cell, cell_index)
        finally:
            self.kc.shell_channel.socket.get(zmq.EVENTS)  # signals again


def execute(notebook, folder: Path) -> float:
    """Run all cells in a folder, at the quick scale; return the seconds it took."""
    os.environ.setdefault("SRTOOLS_SCALE", "quick")
    for name, value in KEEP_MEMORY.items():
        os.environ.setdefault(name, value)
    start = time.perf_counter()
    Client(
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
