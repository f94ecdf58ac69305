"""Execute pages as they run elsewhere: on Colab, on Binder, with the oldest libraries.

    python scripts/elsewhere.py colab [page ...]    Colab's versions; the first cell
                                                    clones and installs, as there
    python scripts/elsewhere.py binder [page ...]   as binder/requirements.txt has it
    python scripts/elsewhere.py oldest [page ...]   each library at its lower bound

Makes the environment in the cache folder, executes pages (all, by default) from their
first cell, and writes benchmarks/results/elsewhere.csv: a row a place and page, with
the seconds and the largest memory of the page's processes. That of Binder is shown in
book/start.md. What pages train or download is kept, as on the reader's machine. The
Python is that of the place, where one can be had, and else this one. On Colab the clone
is of the last commit here, and lies in /content, which must not be in use.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "scripts")]

import _record  # noqa: E402
import pairs  # noqa: E402

from conftest import REAL  # noqa: E402
from srtools.datasets import available  # noqa: E402
from srtools.tutorial import cache_folder  # noqa: E402

PLACES = ("colab", "binder", "oldest")
# What Colab ships, of that which pages import (googlecolab/backend-info, August 2026).
COLAB = """distributed h5py==3.16.0 ipywidgets==7.7.1 joblib==1.5.3 keras==3.13.2
    lazy-loader matplotlib==3.10.0 numba numpy==2.1.3 pillow pooch PyWavelets requests
    scikit-image==0.25.2 scikit-learn==1.6.1 scipy==1.16.3 tensorflow-cpu==2.20.0
    threadpoolctl tifffile==2026.8.16 tqdm""".split()
CONTENT = Path("/content")  # where Colab's first cell works
# Around the table of memory in book/start.md.
MARKS = "<!-- memory of each page on Binder -->", "<!-- end of the table -->"
ROOM = 1.8e9  # bytes that a page may take on Binder, which has 2 GB
EVERY = 0.2  # seconds between two looks at the memory


def python_of(place: str) -> str:
    """Return the version of Python that a place has."""
    if place == "binder":
        text = (ROOT / "binder" / "runtime.txt").read_text()
        return text.strip().removeprefix("python-")
    return {"colab": "3.13", "oldest": "3.11"}[place]


def libraries_of(place: str) -> list[str]:
    """Return what to install in a place, for pip."""
    if place == "colab":
        return COLAB
    if place == "binder":
        lines = (ROOT / "binder" / "requirements.txt").read_text().splitlines()
        return [line for line in lines if not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["scan"]]
    asked += [name for name in extras["test"] if name.startswith("distributed")]
    pins = [re.sub(r">=([\d.]+).*", r"==\1.*", name) for name in asked]
    return [pin for pin in pins if not pin.startswith("zarr")] + ["ipywidgets==7.7.*"]


def find_python(version: str) -> str:
    """Return an interpreter of a version, or of this one's where there is none."""
    homes = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for python in (str(homes[-1]) if homes else None, shutil.which(f"python{version}")):
        if python:
            return python
    return sys.executable


def make(place: str) -> Path:
    """Make the environment of a place; return its interpreter."""
    folder = cache_folder() / "elsewhere" / place
    python = folder / "bin" / "python"
    wanted = libraries_of(place)
    done = folder / "installed.json"
    if done.exists() and json.loads(done.read_text()) == wanted:
        return python
    subprocess.run(
        [find_python(python_of(place)), "-m", "venv", "--clear", folder], check=True
    )
    pip = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *wanted, "ipykernel"], check=True)
    if place != "colab":  # there the page's first cell does it
        subprocess.run([*pip, "--no-deps", "--editable", ROOT], check=True)
    done.write_text(json.dumps(wanted))
    return python


@contextmanager
def kernel(place: str, python: Path):
    """Name a kernel of a place, with the variables that make it look like that."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "kernels" / "elsewhere"
        folder.mkdir(parents=True)
        variables = {"PYTHONPATH": "", "SRTOOLS_SCALE": "quick"}
        variables["SRTOOLS_CACHE"] = str(cache_folder())
        if place == "colab":
            variables |= _pretend_colab(folder)
        command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": command, "display_name": place, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec | {"env": variables}))
        old = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = temporary
        try:
            yield "elsewhere"
        finally:
            os.environ.pop("JUPYTER_PATH")
            if old is not None:
                os.environ["JUPYTER_PATH"] = old


def _pretend_colab(folder):
    """Let google.colab be there, and let the book's address lead to this checkout."""
    (folder / "sitecustomize.py").write_text(
        'import sys, types\nsys.modules["google.colab"] = types.ModuleType("colab")\n'
    )
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    return {
        "PYTHONPATH": str(folder),
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.file://{ROOT}.insteadOf",
        "GIT_CONFIG_VALUE_0": config["repository"]["url"],
        "GIT_CONFIG_KEY_1": "safe.directory",
        "GIT_CONFIG_VALUE_1": "*",
    }


def memory(process: psutil.Process) -> int:
    """Return the bytes that a process and its children hold; shared ones count once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            text = Path(f"/proc/{one.pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss: +(\d+)", text, re.MULTILINE)[1]) * 1024
        except (FileNotFoundError, ProcessLookupError, PermissionError, TypeError):
            pass  # it has ended meanwhile
    return total


def execute(page: Path, folder: Path, name: str) -> tuple[float, int]:
    """Execute a page with a kernel; return the seconds and the most memory [bytes]."""
    client = pairs.Client(
        pairs.derive(page),
        timeout=pairs.TIMEOUT,
        kernel_name=name,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    largest, over = 0, threading.Event()

    def watch():
        nonlocal largest
        while not over.wait(EVERY):
            if client.km is not None and client.km.has_kernel:
                process = client.km.provisioner.process
                if process is not None and psutil.pid_exists(process.pid):
                    largest = max(largest, memory(psutil.Process(process.pid)))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    try:
        client.execute()
    finally:
        over.set()
        watcher.join()
    return time.perf_counter() - start, largest


def main() -> int:
    """Make a place, execute pages there, keep what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("place", choices=PLACES)
    parser.add_argument("page", nargs="*", help="a page; all by default")
    asked = parser.parse_args()
    place, pages = asked.place, pairs.pages(asked.page, ROOT)
    python = make(place)
    version = subprocess.check_output([python, "-c", _VERSIONS], text=True).strip()
    print(f"{place}: {version} (the place itself has Python {python_of(place)})")
    if place == "colab":
        CONTENT.mkdir(exist_ok=True)
        shutil.rmtree(CONTENT / "superres-tomo", ignore_errors=True)
    failed = 0
    with kernel(place, python) as name:
        for page in pages:
            path = page.relative_to(ROOT).as_posix()
            needed = REAL.get(str(Path(path).with_suffix(".ipynb")), [])
            if missing := [data for data in needed if not available(data)]:
                print(f"{path}: skipped, there is no {', '.join(missing)}", flush=True)
                continue
            folder = CONTENT if place == "colab" else page.parent
            try:
                seconds, peak = execute(page, folder, name)
            except pairs.FAILURES as error:
                failed += 1
                print(f"{path}: FAILED\n{error}", flush=True)
                continue
            row = {"place": place, "page": path.removeprefix("book/"), "with": version}
            row |= {"seconds": f"{seconds:.0f}", "peak MB": f"{peak / 1e6:.0f}"}
            keep(row)
            if place == "binder":
                show()
            print(f"{path}: {seconds:.0f} s, {peak / 1e6:.0f} MB", flush=True)
            if place == "binder" and peak >= ROOM:
                failed += 1
                print(f"{path}: FAILED\nmore than {ROOM / 1e6:.0f} MB", flush=True)
    return failed


_VERSIONS = """
import importlib.metadata, platform
installed = importlib.metadata.distributions()
found = {d.name.replace("_", "-"): d.version for d in installed}
names = [n for n in ("numpy", "keras", "tensorflow", "tensorflow-cpu") if n in found]
print("; ".join(["Python " + platform.python_version()]
                + [f"{n} {found[n]}" for n in names]))
"""


def show(start: Path = ROOT / "book" / "start.md") -> None:
    """Write the table of pages and their memory on Binder, the largest first."""
    lines = ["| page | GB |", "|---|---|"]
    rows = [r for r in _record.read("elsewhere") if r["place"] == "binder"]
    for row in sorted(rows, key=lambda r: (-int(r["peak MB"]), r["page"])):
        notebook = Path(row["page"]).with_suffix(".ipynb")
        lines.append(f"| [](./{notebook}) | {int(row['peak MB']) / 1e3:.2f} |")
    text = start.read_text()
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    table = "\n".join(lines)
    start.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}")


def keep(row: dict) -> None:
    """Put a row into the table, in place of an older one of the same place and page."""
    rows = _record.read("elsewhere")
    key = row["place"], row["page"]
    rows = [r for r in rows if (r["place"], r["page"]) != key] + [row]
    _record.write("elsewhere", sorted(rows, key=lambda r: (r["place"], r["page"])))


if __name__ == "__main__":
    sys.exit(main())
