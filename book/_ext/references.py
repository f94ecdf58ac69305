"""Lists of references: what a page links to, as ``book/references.bib`` has it.

A page cites by a plain link, ``[Kak & Slaney (1988)](https://doi.org/...)``, which
reads well wherever a notebook is opened. The book adds the list.
"""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from pybtex.database import parse_file

BIBLIOGRAPHY = Path(__file__).parents[1] / "references.bib"
LINK = re.compile(r"\]\((https?://[^\s)]+)\)")
DOI = "https://doi.org/"


@cache
def works() -> dict[str, str]:
    """Return the key of each work, by its address."""
    entries = parse_file(BIBLIOGRAPHY).entries
    return {
        address(work.fields.get("url") or DOI + work.fields["doi"]): key
        for key, work in entries.items()
    }


def address(url: str) -> str:
    """Return an address in one spelling; that of arXiv is its DOI."""
    url = url.replace("https://arxiv.org/abs/", f"{DOI}10.48550/arXiv.")
    return unquote(url).lower()


def cited(text: str) -> list[str]:
    """Return the keys of the works that a text links to."""
    found = (works().get(address(url)) for url in LINK.findall(text))
    return list(dict.fromkeys(key for key in found if key))


def listed(keys: list[str]) -> str:
    """Return the directive that lists works, for MyST."""
    chosen = "|".join(map(re.escape, keys))
    return f'```{{bibliography}}\n:filter: key % "^({chosen})$"\n:list: bullet\n```'
