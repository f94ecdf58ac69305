"""The book builds without a warning, and holds what its contents promise."""

import json
import posixpath
import re
import sys
import tomllib
from html import escape
from importlib import import_module
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import yaml
from matplotlib.animation import FuncAnimation
from sphinx.util.inventory import InventoryFile

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "scripts")]

import check_pages  # noqa: E402
import pages  # noqa: E402
import references  # noqa: E402

PAGES = [
    line.split("file:")[1].strip()
    for line in (ROOT / "_toc.yml").read_text().splitlines()
    if "file:" in line
] + [yaml.safe_load((ROOT / "_toc.yml").read_text())["root"]]

ROOMS = [path.parent.name for path in (ROOT / "srtools").glob("*/__init__.py")]
ROOMS += [path.stem for path in (ROOT / "srtools").glob("[!_]*.py")]


def read(html, page):
    return (html / page.removesuffix(".ipynb")).with_suffix(".html").read_text()


def test_every_page_and_the_search_are_there(html):
    for page in PAGES:
        assert "<h1" in read(html, page), page
    for name in ("index.html", "search.html", "searchindex.js", "genindex.html"):
        assert (html / name).is_file(), name


def test_no_directive_is_left_raw(html):
    raw = (":::{", "```", "{code-cell}", "{eval-rst}", "{image}", ".. automodule")
    assert not [(page, r) for page in PAGES for r in raw if r in read(html, page)]


def test_a_notebook_opens_from_the_fork_and_can_be_downloaded(html):
    colab = "https://colab.research.google.com/github/someone/fork/blob/main/"
    binder = "https://mybinder.org/v2/gh/someone/fork/main?urlpath=lab/tree/"
    for page in PAGES:
        if page.endswith(".ipynb"):
            assert f'href="{colab}{page}"' in read(html, page)
            assert f'href="{binder}{page}"' in read(html, page)
            assert f'_sources/{page}"' in read(html, page)  # the download


def test_pages_are_drawn_without_the_network(html):
    for page in PAGES:
        for part in read(html, page).split("<")[1:]:
            tag = part.split(">")[0]
            if tag.startswith(("script", "link")) and 'rel="canonical"' not in tag:
                assert "http" not in tag, page


@pytest.mark.skipif(bool(check_pages.missing()), reason=check_pages.missing())
def test_pages_hold_in_a_browser(html):
    assert check_pages.look(html, sorted(html.glob("book/**/*.html"))) == []


def test_every_claim_is_on_its_page_and_among_those_of_the_book(html):
    collected = read(html, "book/claims")
    for page in PAGES:
        if not page.endswith(".ipynb"):
            continue
        shown = read(html, page)
        for claim in pages.claims(json.loads((ROOT / page).read_text())):
            sentence, anchor = escape(claim["sentence"]), claim["anchor"]
            assert f'<div class="claim" id="{anchor}"' in shown
            assert f'<a href="#{anchor}">{sentence}</a>' in shown
            there = page.removeprefix("book/").replace(".ipynb", ".html")
            assert f'<a href="{there}#{anchor}">{sentence}</a>' in collected


def cell(code, *tags, outputs=()):
    outputs = [{"data": {"text/html": html}} for html in outputs]
    return {"metadata": {"tags": list(tags)}, "source": [code], "outputs": outputs}


@pytest.mark.parametrize(
    ("code", "tags", "says"),
    [
        ("# the imports\nimport os", ["hide-input"], "the imports"),
        ("# @title the imports\nimport os", ["hide-input"], "the imports"),
        ("import os", ["hide-input"], "code"),
        ("claim()", ["nbval-check-output"], "claims"),
    ],
)
def test_a_folded_cell_says_what_is_inside(code, tags, says):
    folded = cell(code, *tags)
    pages.fold(folded)
    assert "hide-input" in folded["metadata"]["tags"]
    assert "@title" not in "".join(folded["source"])
    shown = folded["metadata"]["mystnb"]["code_prompt_show"]
    assert shown == f"Show the code: {says}"


def test_other_cells_stay_open():
    is_open = cell("# a comment\nx = 1")
    pages.fold(is_open)
    assert is_open == cell("# a comment\nx = 1")


def test_an_animation_asks_no_other_host_and_has_a_text():
    figure, axis = plt.subplots(figsize=(1, 1))
    line = axis.plot([0, 1])
    drawn = FuncAnimation(figure, lambda _: line, frames=2).to_jshtml()
    plt.close(figure)
    assert "font-awesome" in drawn
    moving = cell("animate()", outputs=[drawn])
    moving["metadata"]["mystnb"] = {"image": {"alt": "A line that moves."}}
    pages.stand_alone(moving)
    html = moving["outputs"][0]["data"]["text/html"]
    assert "http" not in html and "font-awesome" not in html
    assert '<img alt="A line that moves." id="_anim_img' in html
    assert '<input aria-label="Frame" id="_anim_slider' in html


def test_formulas_are_numbered_and_notes_stand_in_boxes():
    text = "As\n\n$$y = A x$$\n\nand $x$ and\n\n$$\nz = 1\n$$"
    assert pages.numbered(text, "part/page", 3) == (
        "As\n\n$$y = A x$$ (part-page-3)\n\nand $x$ and\n\n$$\nz = 1\n$$ (part-page-4)"
    )
    text = "> **Warning** Mind\n> the gap.\n\n> a quotation"
    assert pages.boxed(text) == (":::{warning}\nMind\nthe gap.\n:::\n\n> a quotation")


def test_a_page_has_numbers_links_to_the_glossary_and_says_how_to_cite_it(html):
    for page in PAGES:
        if page.endswith(".ipynb"):
            shown = read(html, page)
            assert "Cite this page" in shown
            formulas = pages.FORMULA.findall(
                (ROOT / page).with_suffix(".md").read_text()
            )
            assert shown.count('class="eqno"') == len(formulas), page
    for term in ("sinogram", "FBP"):
        assert f'glossary.html#term-{term}"' in read(html, "book/reconstruction/cnn")


def dois_of_the_package():
    for path in [
        *(ROOT / "srtools").rglob("*.py"),
        *(ROOT / "srtools").rglob("*.toml"),
    ]:
        for doi in re.findall(
            r"doi:(10\.[^\s\"]+?)[.,;:]?(?=[\s\"])", path.read_text()
        ):
            yield path, references.address(references.DOI + doi)


def links_of_the_pages():
    scholarly = ("doi.org", "arxiv.org", "openreview.net", "jmlr.org")
    for path in (ROOT / "book").rglob("*.md"):
        for url in references.LINK.findall(path.read_text()):
            if any(host in url for host in scholarly):
                yield path, references.address(url)


def test_whatever_is_cited_is_in_the_bibliography_and_nothing_else():
    cited = [*dois_of_the_package(), *links_of_the_pages()]
    assert len(cited) > 50
    unknown = [(p.name, url) for p, url in cited if url not in references.works()]
    assert not unknown, "expected an entry in book/references.bib"
    unused = references.works().keys() - {url for _, url in cited}
    assert not unused, "expected a page or a docstring that refers to it"


def test_every_public_name_has_its_entry_in_the_reference(html):
    with (html / "objects.inv").open("rb") as file:
        objects = InventoryFile.load(file, "", posixpath.join)
    entries = {k: v[2] for kind in objects.values() for k, v in kind.items()}
    index = read(html, "book/api/index")
    for room in ROOMS:
        assert f'href="{room}.html"' in index
        names = public(import_module(f"srtools.{room}"))
        assert names, room
        for name in names:
            anchor = f"{room}.html#srtools.{room}.{name}"
            assert entries[f"srtools.{room}.{name}"] == f"book/api/{anchor}"
            assert f'href="{anchor}"' in index, name


def public(face):
    """Return the public names of a room: what its face lists, or what it defines."""
    if hasattr(face, "__all__"):
        return face.__all__
    found = {k: v for k, v in vars(face).items() if not k.startswith("_")}
    return [
        k for k, v in found.items() if getattr(v, "__module__", "") == face.__name__
    ]


def test_constants_in_the_reference_say_what_they_are(html):
    silent = []
    for room in ROOMS:
        for entry in read(html, f"book/api/{room}").split('<dl class="py data">')[1:]:
            if "<p>" not in entry.split("</dl>")[0]:
                silent.append(entry.split('id="')[1].split('"')[0])
    assert not silent, "expected a docstring below the assignment"


def test_contributors_are_told_of_every_room():
    told = (ROOT / "CONTRIBUTING.md").read_text()
    for room in ROOMS:
        ending = "/" if (ROOT / "srtools" / room).is_dir() else ".py"
        assert f"\n  {room}{ending} " in told and f"`{room}`" in told, room


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
