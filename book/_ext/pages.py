"""What the book adds to a notebook, so that sources and notebooks stay plain.

Cells with claims are folded, folded cells say what is inside, formulas have numbers,
notes stand in boxes. A page ends with its claims, the works that it cites and how to
cite it. One page of the book, ``book/claims``, lists the claims of all.
"""

import itertools
import json
import re
from html import escape
from pathlib import Path

import references
import yaml

FOLDED = "hide-input"
CLAIMS = "nbval-check-output"  # tag of the cells that the tests compare
COLLECTION = "book/claims"
FORMULA = re.compile(r"^\$\$.+?\$\$$", re.DOTALL | re.MULTILINE)
BOX = re.compile(r"^> \*\*(Note|Warning)\.?\*\* *(.*(?:\n>.*)*)", re.MULTILINE)
CITATION = yaml.safe_load((Path(__file__).parents[2] / "CITATION.cff").read_text())
CITE = """\
<details><summary>Cite this page</summary>

{authors}: "{{title}}". In: *{book}*, version {version}, {year}.

</details>""".format(
    authors=", ".join(author["name"] for author in CITATION["authors"]),
    book=CITATION["title"],
    version=CITATION["version"],
    year=CITATION["date-released"][:4],
)


def claims(notebook: dict) -> list[dict]:
    """Return what the claims of a notebook say, in their order."""
    return [
        output["metadata"]["claim"]
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "claim" in output.get("metadata", {})
    ]


def title(notebook: dict) -> str:
    """Return the title of a page."""
    cells = (c for c in notebook["cells"] if c["cell_type"] == "markdown")
    text = "\n".join("".join(cell["source"]) for cell in cells)
    return re.search(r"^# (.+)$", text, re.MULTILINE)[1]


def fold(cell: dict) -> None:
    """Fold a cell with claims; let each folded cell say what is inside."""
    tags = cell["metadata"].setdefault("tags", [])
    if CLAIMS in tags and not {FOLDED, "remove-input"} & set(tags):
        tags.append(FOLDED)
    if FOLDED not in tags:
        return
    code = "".join(cell["source"])
    if code.startswith("# @title "):  # for Colab
        code = code.replace("# @title ", "# ", 1)
        cell["source"] = code
    inside = "claims" if CLAIMS in tags else "code"
    if code.startswith("# "):
        inside = code.splitlines()[0].removeprefix("# ")
    prompts = cell["metadata"].setdefault("mystnb", {})
    prompts.setdefault("code_prompt_show", f"Show the code: {inside}")
    prompts.setdefault("code_prompt_hide", f"Hide the code: {inside}")


def stand_alone(cell: dict) -> None:
    """Let a matplotlib animation do without icons from another host, and say its alt.

    Its pictures are HTML, so that the alternative text of the cell does not reach them.
    """
    alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "Animation")
    changes = {
        r'<link[^>]*href="http[^>]*font-awesome[^>]*>': "",
        r'<img (?=id="_anim_img)': f'<img alt="{escape(alt)}" ',
        r'<input (?=id="_anim_slider)': '<input aria-label="Frame" ',
    }
    for output in cell.get("outputs", []):
        if html := "".join(output.get("data", {}).get("text/html", "")):
            for pattern, text in changes.items():
                html = re.sub(pattern, text, html)
            output["data"]["text/html"] = html


def listed(found: list[dict], page: str = "") -> str:
    """Return claims as a list with links to where they stand."""
    lines = [
        f'<li><a href="{page}#{claim["anchor"]}">{escape(claim["sentence"])}</a><br>'
        f"measured {escape(claim['measured'])}, claimed {escape(claim['claimed'])}</li>"
        for claim in found
    ]
    return "\n".join(['<ul class="claims">', *lines, "</ul>"])


def collected(folder: Path, start: str) -> str:
    """Return the claims of all pages in the order of the contents, page by page."""
    parts = []
    for name in re.findall(r"file: (\S+)\.ipynb", (folder / "_toc.yml").read_text()):
        path = (folder / name).with_suffix(".ipynb")
        notebook = json.loads(path.read_text())
        if found := claims(notebook):
            page = Path(name).relative_to(Path(start).parent).as_posix()
            head = f"## [{title(notebook)}]({page}.ipynb)"
            parts += [head, listed(found, f"{page}.html")]
    return "\n\n".join(parts)


def numbered(text: str, name: str, start: int) -> str:
    """Give each formula that stands alone a label, so that Sphinx numbers it."""
    count = itertools.count(start)
    name = name.replace("/", "-")
    return FORMULA.sub(lambda found: f"{found[0]} ({name}-{next(count)})", text)


def boxed(text: str) -> str:
    """Turn a quotation that begins with **Note** or **Warning** into a box."""
    return BOX.sub(
        lambda found: (
            f":::{{{found[1].lower()}}}\n"
            + re.sub(r"^> ?", "", found[2], flags=re.MULTILINE)
            + "\n:::"
        ),
        text,
    )


def ending(notebook: dict, title: str) -> str:
    """Return what the book adds to a page: claims, references, how to cite it."""
    prose = "\n\n".join(
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
    )
    parts = []
    if found := claims(notebook):
        parts += ["## What this page claims", listed(found)]
    keys = references.cited(prose)
    if keys and "\n## References" not in prose:
        parts += ["## References", references.listed(keys)]
    parts += [CITE.format(title=title)]
    return "\n\n".join(parts)


def _read(app, name, source):
    if name == COLLECTION:
        source[0] += "\n\n" + collected(Path(app.srcdir), name)
    if not app.env.doc2path(name).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    formulas = 1
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            fold(cell)
            stand_alone(cell)
        else:
            text = "".join(cell["source"])
            cell["source"] = boxed(numbered(text, name, formulas))
            formulas += len(FORMULA.findall(text))
    text = ending(notebook, title(notebook))
    cell = {"cell_type": "markdown", "id": "ending", "metadata": {}, "source": text}
    notebook["cells"].append(cell)
    source[0] = json.dumps(notebook)


def setup(app):
    """Connect to Sphinx."""
    app.connect("source-read", _read)
    app.connect("env-get-outdated", lambda app, env, *_: {COLLECTION} & env.found_docs)
    return {"parallel_read_safe": True}
