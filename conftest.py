"""Shared by tests and notebooks: scale, real data, the built book, seconds a page."""

import os
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "scripts"))

import kernels  # noqa: E402

LINES = "visible lines of code"  # which a test records, page by page
# Pages on real data, and the data sets that they need.
REAL = {
    "book/real/alloy.ipynb": ["ni_superalloy", "ni_superalloy_truth"],
    "book/real/noise2inverse.ipynb": ["tooth"],
    "book/real/few_views.ipynb": ["cement", "bone", "nerve", "tooth"],
    "book/real/own_scan.ipynb": ["savu_tube"],
    "book/real/tooth.ipynb": ["tooth"],
    "book/real/tooth_denoise.ipynb": ["tooth"],
    "book/superresolution/tomograms.ipynb": [
        "ni_superalloy",
        "tooth",
        "cement",
        "bone",
    ],
}

# Pages whose stored outputs are older than their code: skipped, and named, until they
# are executed. `tests/test_notebooks.py` fails as soon as one of them is in order.
WAITING: set[str] = set()

# Test modules that take ten seconds or more come before the others, as pages do: so the
# processes of a run end together.
LONG = {
    *("book", "command", "dense_automap", "embedding", "fusion_models", "notebooks"),
    *("physics_aware", "recipes", "scan_volume", "tomography", "training", "try"),
    "vae",
}

# Processes that share the cores take a thread each: to wait for one another's threads
# costs a quarter of the processor's time.
THREADS = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS")]
THREADS += [f"TF_NUM_{kind}_THREADS" for kind in ("INTRAOP", "INTEROP")]

os.environ.setdefault("SRTOOLS_SCALE", "quick")  # the scale of the stored outputs


def pytest_addoption(parser):
    """Add the options for what takes minutes."""
    parser.addoption("--slow", action="store_true", help="run the slow tests too")
    parser.addoption(
        "--retrain",
        action="store_true",
        help="train every network of the pages from nothing, and check their claims",
    )


def pytest_configure(config):
    """Compare bounds and not values; let ``--retrain`` find only its own weights."""
    config.option.nbval_sanitize_with = str(ROOT / "tests" / "nbval.cfg")
    for name, value in kernels.KEEP_MEMORY.items():
        os.environ.setdefault(name, value)
    first = not hasattr(config, "workerinput")  # its processes share one empty store
    if first and (config.getoption("numprocesses", 0) or 0) > 1:
        for name in THREADS:
            os.environ.setdefault(name, "1")
    if config.getoption("--retrain") and first:
        empty = tempfile.TemporaryDirectory(prefix="retrained-")
        config.add_cleanup(empty.cleanup)
        os.environ.update(SRTOOLS_TRAIN="1", SRTOOLS_CACHE=empty.name)
    config.kept = kept_here()
    kernels.fork_kernels()


def kept_here() -> set[str]:
    """Return the cards of what was trained and tuned on this machine."""
    folder = Path(os.environ.get("SRTOOLS_CACHE") or ROOT / ".cache")
    return {card.name for card in (folder / "trained").glob("*.json")}


def outgrown(new: set[str]) -> list[str]:
    """Return which cards have the name of one that ships, and so another key."""
    shipped = {card.stem for card in (ROOT / "srtools" / "weights").glob("*.json")}
    return sorted(name for name in new if name.rpartition("-")[0] in shipped)


def pytest_sessionfinish(session):
    """Fail where a page trained what ships: the key of the weights is not its own."""
    config = session.config
    on_purpose = config.getoption("--retrain") or config.getoption("--slow")
    config.outgrown = [] if on_purpose else outgrown(kept_here() - config.kept)
    if config.outgrown:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(config, items):
    """Skip, visibly, slow tests and pages whose data cannot be had; sort modules."""
    if "tensorflow" in sys.modules:  # imported by tests; it takes seconds
        from srtools.models import end_passes_in_time

        end_passes_in_time()
    short = {item: item.path.stem.removeprefix("test_") not in LONG for item in items}
    items.sort(key=lambda item: (item.path.suffix == ".py", short[item]))
    pages = defaultdict(list)
    for item in items:
        pages[item.path.relative_to(ROOT).as_posix()].append(item)
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))
    for page in WAITING & pages.keys():
        reason = f"{page} waits to be executed: its outputs are older than its code"
        for cell in pages[page]:
            cell.add_marker(pytest.mark.skip(reason=reason))
    for page in REAL.keys() & pages.keys():
        if missing := _missing(REAL[page]):
            reason = f"{page} needs {', '.join(missing)}: not in SRTOOLS_DATA, offline"
            for cell in pages[page]:
                cell.add_marker(pytest.mark.skip(reason=reason))


def _missing(names):
    from srtools.datasets import available

    return [name for name in names if not available(name)]


def pytest_terminal_summary(terminalreporter):
    """Print the ledger: seconds and visible code a page, and who was skipped, why."""
    seconds, skipped, lines = defaultdict(float), {}, {}
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            lines.update(
                v for k, v in getattr(report, "user_properties", ()) if k == LINES
            )
            name = getattr(report, "nodeid", "").split("::")[0]
            if name.endswith(".ipynb"):
                seconds[name] += getattr(report, "duration", 0)
                if outcome == "skipped":
                    skipped[name] = report.longrepr[2].removeprefix("Skipped: ")
    write = terminalreporter.write_line
    if anew := terminalreporter.config.outgrown:
        terminalreporter.section("trained anew, though the package has them")
        write("\n".join([*anew, "To renew them: python scripts/weights.py ship"]))
    if lines:
        terminalreporter.section(f"{LINES} a page")
        for name, value in sorted(lines.items()):
            write(f"{value:7}  {name}")
    if seconds:
        terminalreporter.section("seconds a page")
        for name, value in sorted(seconds.items()):
            note = f"  {skipped[name]}" if name in skipped else ""
            write(f"{value:7.1f}  {name}{note}")
        write(f"{sum(seconds.values()):7.1f}  in all")


@pytest.fixture(scope="session")
def html(tmp_path_factory, worker_id):
    """The built book, one for all processes of a run."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "book"
    html = folder / "_build" / "html"
    with FileLock(folder.with_suffix(".lock")):
        if not html.exists():
            _build(folder)
    return html


def _build(folder):
    """Build the book as if on a fork; it must leave the checkout alone."""
    before = set(ROOT.iterdir()) | set((ROOT / "book").rglob("*"))
    said = folder.with_suffix(".log")
    built = kernels.forks().Process(target=_jupyter_book, args=[folder, said])
    built.start()
    built.join()
    if built.exitcode:
        shutil.rmtree(folder, ignore_errors=True)  # no process shall take it for whole
    assert built.exitcode == 0, said.read_text()
    assert set(ROOT.iterdir()) | set((ROOT / "book").rglob("*")) == before


def _jupyter_book(folder, said):
    """Be a process that builds the book: what it says goes to a file."""
    with said.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(GITHUB_REPOSITORY="someone/fork", NO_COLOR="1")
    os.environ["PYTHONDONTWRITEBYTECODE"], sys.dont_write_bytecode = "1", True

    from jupyter_book.cli.main import main

    where = ["--path-output", str(folder)]
    main(["build", str(ROOT), "-W", "--keep-going", *where])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where networks are kept that are trained in a test; the book's are not used."""
    monkeypatch.setenv("SRTOOLS_CACHE", str(tmp_path))
    monkeypatch.delenv("SRTOOLS_TRAIN", raising=False)
    return tmp_path / "trained"


@pytest.fixture
def fits(monkeypatch):
    """The calls of ``fit`` that were made."""
    import keras  # only where it is needed: it takes seconds

    calls, fit = [], keras.Model.fit

    def counted(self, *args, **kwargs):
        calls.append(1)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", counted)
    return calls
