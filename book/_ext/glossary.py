"""Link the first mention of a term on a page to the glossary.

The words stay plain in the sources, so that notebooks read well without the book.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

GLOSSARY = Path(__file__).parents[1] / "glossary.md"
# Where no link belongs: links, code, formulas, titles, captions.
APART = (nodes.reference, nodes.literal, nodes.math, nodes.title, nodes.caption)
APART += (addnodes.pending_xref,)


def terms() -> list[str]:
    """Return the terms that the glossary explains."""
    text = GLOSSARY.read_text().split("```{glossary}\n")[1].split("```")[0]
    return [line for line in text.splitlines() if line and not line.startswith(" ")]


def spelt(term: str) -> str:
    """Return a pattern for a term as it stands in a sentence, singular or plural."""
    first = f"[{term[0]}{term[0].upper()}]" if term[1:].islower() else term[0]
    return rf"(?<![\w-]){first}{re.escape(term[1:])}s?(?![\w-])"


def link(app, doctree) -> None:
    """Link the first mention of each term in the text of a tutorial."""
    page = app.env.docname
    if not app.env.doc2path(page).endswith(".ipynb"):
        return
    left = {term: re.compile(spelt(term)) for term in terms()}
    for text in list(doctree.findall(nodes.Text)):
        parents = [text.parent, text.parent.parent]
        is_prose = isinstance(
            parents[0], nodes.paragraph | nodes.strong | nodes.emphasis
        )
        if not is_prose or any(isinstance(parent, APART) for parent in parents):
            continue
        parts, rest = [], str(text)
        while found := _earliest(left, rest):
            term, match = found
            del left[term]
            parts += [
                nodes.Text(rest[: match.start()]),
                _reference(page, term, match[0]),
            ]
            rest = rest[match.end() :]
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(rest)])


def _earliest(patterns, text):
    """Return the term that comes first in a text, with its match."""
    matches = ((term, pattern.search(text)) for term, pattern in patterns.items())
    found = [(term, match) for term, match in matches if match]
    return min(found, key=lambda pair: pair[1].start(), default=None)


def _reference(page, term, text):
    """Return a link to a term, which Sphinx resolves when all pages are read."""
    inner = nodes.inline(text, text, classes=["std", "std-term"])
    options = {"refdomain": "std", "reftype": "term", "refdoc": page}
    return addnodes.pending_xref(
        "", inner, reftarget=term, refexplicit=True, refwarn=True, **options
    )


def setup(app):
    """Connect to Sphinx."""
    app.connect("doctree-read", link)
    return {"parallel_read_safe": True}
