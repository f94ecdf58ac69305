"""Pages elsewhere: the environments are what they say, and memory is enough."""

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "benchmarks")]

import _record  # noqa: E402
import elsewhere  # noqa: E402
import pairs  # noqa: E402


def names(pins):
    return {re.split("[=<>]", pin)[0].replace("-cpu", "") for pin in pins}


def test_every_place_has_what_the_package_needs():
    needed = names(elsewhere.libraries_of("oldest")) - {"algotom"}
    assert needed <= names(elsewhere.libraries_of("colab"))
    assert needed <= names(elsewhere.libraries_of("binder"))


def test_the_oldest_are_the_lower_bounds_of_the_package():
    pins = elsewhere.libraries_of("oldest")
    text = (ROOT / "pyproject.toml").read_text()
    for pin in pins[:-1]:
        name, bound = pin.removesuffix(".*").split("==")
        assert f'"{name}>={bound}' in text


def test_a_python_that_is_not_here_is_replaced_by_this_one():
    assert elsewhere.find_python("3.99") == sys.executable


@pytest.mark.skipif(sys.platform != "linux", reason="measured as Linux tells it")
def test_the_memory_of_children_counts():
    code = "import sys; x = bytearray(200_000_000); print('up', flush=True); input()"
    parent = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', "
        f"{code!r}]); p.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"up\n"
        found = elsewhere.memory(psutil.Process(process.pid))
        process.stdin.close()
    assert 200e6 < found < 300e6


def test_the_first_cell_finds_colab_and_this_checkout(tmp_path):
    settings = elsewhere._pretend_colab(tmp_path)
    code = "import sys; print('google.colab' in sys.modules)"
    variables = {"PYTHONPATH": settings["PYTHONPATH"]}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True
    )
    assert done.stdout == "True\n"
    assert settings["GIT_CONFIG_VALUE_0"].startswith("https://")


def test_every_page_has_room_on_binder(tmp_path):
    rows = [r for r in _record.read("elsewhere") if r["place"] == "binder"]
    memory = {row["page"]: int(row["peak MB"]) for row in rows}
    pages = pairs.pages([], ROOT)
    assert memory.keys() == {p.relative_to(ROOT / "book").as_posix() for p in pages}
    assert max(memory.values()) < elsewhere.ROOM / 1e6

    start = ROOT / "book" / "start.md"
    again = tmp_path / "start.md"
    again.write_text(start.read_text())
    elsewhere.show(again)
    assert again.read_text() == start.read_text()
    assert again.read_text().count("| [](./") == len(pages)


def test_every_page_was_executed_as_on_colab():
    rows = [r for r in _record.read("elsewhere") if r["place"] == "colab"]
    pages = pairs.pages([], ROOT)
    assert {r["page"] for r in rows} == {
        p.relative_to(ROOT / "book").as_posix() for p in pages
    }
