"""The book builds without a warning, and holds what its contents promise."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = [
    line.split("file:")[1].strip()
    for line in (ROOT / "_toc.yml").read_text().splitlines()
    if "file:" in line
] + [yaml.safe_load((ROOT / "_toc.yml").read_text())["root"]]


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """Build the book as if on a fork; it must leave the checkout alone."""
    folder = tmp_path_factory.mktemp("book")
    before = set(ROOT.iterdir()) | set((ROOT / "book").rglob("*"))
    program = "import jupyter_book.cli.main as book; book.main()"
    command = [sys.executable, "-c", program, "build", str(ROOT)]
    built = subprocess.run(
        [*command, "-W", "--keep-going", "--path-output", str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "GITHUB_REPOSITORY": "someone/fork", "NO_COLOR": "1"},
    )
    said = [line for line in built.stderr.splitlines() if "absl" not in line]
    assert built.returncode == 0, "\n".join(said)
    assert set(ROOT.iterdir()) | set((ROOT / "book").rglob("*")) == before
    return folder / "_build" / "html"


def read(html, page):
    return (html / page.removesuffix(".ipynb")).with_suffix(".html").read_text()


def test_every_page_and_the_search_are_there(html):
    for page in PAGES:
        assert "<h1" in read(html, page), page
    for name in ("index.html", "search.html", "searchindex.js", "genindex.html"):
        assert (html / name).is_file(), name


@pytest.mark.parametrize("page", PAGES)
def test_no_directive_is_left_raw(html, page):
    text = read(html, page)
    for raw in (":::{", "```", "{code-cell}", "{eval-rst}", "{image}", ".. automodule"):
        assert raw not in text


@pytest.mark.parametrize("page", [p for p in PAGES if p.endswith(".ipynb")])
def test_launch_buttons_open_the_notebook_of_the_fork(html, page):
    text = read(html, page)
    colab = "https://colab.research.google.com/github/someone/fork/blob/main/"
    assert f'href="{colab}{page}"' in text
    binder = "https://mybinder.org/v2/gh/someone/fork/main?urlpath=lab/tree/"
    assert f'href="{binder}{page}"' in text


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_drawn_without_the_network(html, page):
    for part in read(html, page).split("<")[1:]:
        tag = part.split(">")[0]
        loads = tag.startswith("script") or tag.startswith("link")
        # the buttons of a matplotlib animation: without the icons they still work
        if loads and "font-awesome" not in tag and 'rel="canonical"' not in tag:
            assert "http" not in tag


def test_the_reference_has_every_module():
    api = "".join(path.read_text() for path in (ROOT / "book" / "api").glob("*.md"))
    for path in sorted((ROOT / "srtools").rglob("[!_]*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if module == "srtools.catalogue":  # shown as part of srtools.datasets
            continue
        assert f"automodule:: {module}\n" in api, f"{module} is not in book/api"


def test_the_formulas_are_drawn_from_our_own_copy(html):
    assert (html / "_static" / "mathjax" / "tex-svg-full.js").stat().st_size > 1e6


def test_binder_has_everything_at_the_tested_versions():
    def pins(name):
        lines = (ROOT / name).read_text().splitlines()
        return dict(line.split("==") for line in lines if "==" in line)

    tested, binder = pins("requirements.txt"), pins("binder/requirements.txt")
    assert binder.pop("tensorflow-cpu") == tested["tensorflow"]
    assert binder.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {line.split(">")[0] for line in project["dependencies"]} - {"tensorflow"}
    assert needed <= binder.keys()
    assert needed <= tested.keys()
