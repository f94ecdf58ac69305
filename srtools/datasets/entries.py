"""What data sets there are: where they come from, what they hold, how to cite them."""

import difflib
import html
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_RAW = "https://raw.githubusercontent.com"

_UNKNOWN = "not stated; ask the authors before passing it on"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """All that is known of one data set: a table of ``catalogue.toml``.

    Attributes
    ----------
    name : str
        What `srtools.datasets` calls it.
    link : str
        Address that people know; for the seed's sets a link shortener.
    kind : str
        ``"real"`` or ``"synthetic"``.
    source, experiment, dimensions, number, notes : str
        As in the table of superres-tomo; ``notes`` also says where that table and
        the original repository's disagree.
    nbytes : int
        Memory of everything together, uncompressed [bytes].
    good_for, licence, cite : str
        Why, whether and how to use it.
    file : str
        Path of the file, or of a folder, in ``SRTOOLS_DATA`` and in the cache.
    url, sha256 : str
        Where the bytes come from and how to know them; empty where unknown.
    files : mapping from str to str
        Of a folder: what it holds, each by its path below ``url``, and its SHA-256.
    axes : str
        Of what `load` gives, a letter each: y and x of the image, z height, c
        diffraction channel, n number of the item; empty where it is no array.
    keys : mapping from str to list of int
        Datasets of the HDF5 file and the shape of one item in each, at full size; a
        TIFF stands for ``Images``.
    count, together : int
        Number of items of the stand-in, and how many are made together; 0 where there
        is no simulator.
    stand_in : str
        What to call when the link is dead.
    """

    name: str
    link: str
    kind: str = ""
    source: str
    experiment: str = ""
    dimensions: str
    number: str
    notes: str = ""
    nbytes: int = 0
    good_for: str
    licence: str = _UNKNOWN
    cite: str
    file: str
    url: str
    sha256: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    axes: str = ""
    keys: Mapping[str, list[int]] = field(default_factory=dict)
    count: int = 0
    together: int = 0
    stand_in: str = ""

    @property
    def memory(self) -> str:
        """`nbytes`, for people."""
        if not self.nbytes:
            return "not stated"
        unit, name = (1e9, "GB") if self.nbytes >= 1e8 else (1e6, "MB")
        return f"{self.nbytes / unit:.2g} {name}"


_COLUMNS = ("name", "link", "kind", "source", "experiment", "dimensions", "number")
_COLUMNS += ("notes",)


class Catalogue(Mapping[str, Entry]):
    """Data sets by name; a notebook shows them as a table.

    Parameters
    ----------
    entries : iterable of Entry
        In the order of the table.
    columns : sequence of str
        Attributes of `Entry` to show; by default those of superres-tomo's table.
    """

    def __init__(self, entries: Iterable[Entry], columns: Iterable[str] = _COLUMNS):
        self._entries = {entry.name: entry for entry in entries}
        self.columns = tuple(columns)

    def show(self, *columns: str) -> "Catalogue":
        """Return the same data sets with other columns beside the name.

        Parameters
        ----------
        *columns : str
            Attributes of `Entry`.

        Returns
        -------
        Catalogue

        Raises
        ------
        ValueError
            If `Entry` has no such attribute.
        """
        wrong = [c for c in columns if not hasattr(next(iter(self.values())), c)]
        if wrong:
            raise ValueError(f"expected attributes of Entry, received {wrong}")
        return Catalogue(self.values(), ("name", *columns))

    def __getitem__(self, name: str) -> Entry:
        """Return an entry; an unknown name raises KeyError with the nearest one."""
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            near = difflib.get_close_matches(str(name), self._entries, 1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(self._entries)
            raise KeyError(
                f"expected one of {known}, received {name!r}{hint}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order of the table."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return the number of data sets."""
        return len(self._entries)

    def rows(self) -> list[dict[str, str]]:
        """Return one dict a data set, ready for ``pandas.DataFrame``."""
        return [{c: getattr(e, c) for c in self.columns} for e in self.values()]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{c}</th>" for c in self.columns)
        body = "".join(
            "<tr>" + "".join(_cell(c, text) for c, text in row.items()) + "</tr>"
            for row in self.rows()
        )
        return (
            f'{_STYLE}<div style="overflow-x: auto"><table class="srtools-catalogue">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def __repr__(self) -> str:
        """Return the table as text, one data set a line."""
        rows = [self.columns, *(tuple(row.values()) for row in self.rows())]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.columns))]
        return "\n".join(
            "  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def _cell(column, text):
    text = html.escape(text)
    if column == "link" and text:
        short = text.split("://")[-1]
        short = short if len(short) < 22 else short.split("/")[0]
        text = f'<a href="{text}">{short}</a>'
    if column == "name":
        text = f"<code>{text}</code>"
    return f'<td data-column="{column}">{text}</td>'


# A table on a desk; on a phone, where eight columns do not fit, a list of cards.
_STYLE = """<style>
table.srtools-catalogue { font-size: 0.8em; }
table.srtools-catalogue :is(td, th) {
  text-align: left; vertical-align: top; padding: 0.3em 0.6em 0.3em 0;
}
@media (max-width: 640px) {
  table.srtools-catalogue { font-size: 1em; }
  table.srtools-catalogue thead { display: none; }
  table.srtools-catalogue tr { display: block; padding: 0.6em 0; }
  table.srtools-catalogue td { display: block; padding: 0; white-space: normal; }
  table.srtools-catalogue td:empty { display: none; }
  table.srtools-catalogue td:not(:first-child)::before {
    content: attr(data-column) ": "; opacity: 0.6;
  }
}
</style>"""


def _read(path: Path) -> Catalogue:
    """Read the entries of a TOML file, a table each."""
    entries = []
    for name, table in tomllib.loads(path.read_text("utf-8")).items():
        try:
            if repository := table.pop("repository", ""):
                commit, inside = table.pop("commit"), table.pop("path")
                table["link"] = f"https://github.com/{repository}"
                table["url"] = f"{_RAW}/{repository}/{commit}/{inside}"
            entries.append(Entry(name=name, **{"url": table.get("link"), **table}))
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{path}: expected the keys of Entry in [{name}], which its docstring "
                f"explains: {error}"
            ) from error
    return Catalogue(entries)


_CATALOGUE = _read(Path(__file__).with_name("catalogue.toml"))


def catalogue() -> Catalogue:
    """Return what is known of every data set, the seed's benchmarks first.

    Returns
    -------
    Catalogue
        A mapping from name to `Entry`; a notebook draws it as a table, and
        ``pandas.DataFrame(catalogue().rows())`` makes a frame of it.
    """
    return _CATALOGUE
