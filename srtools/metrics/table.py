"""Numbers side by side, for people and for programs."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np


class Table(Mapping):
    """Rows of values under headings: a notebook shows them, a program reads them.

    Parameters
    ----------
    rows : mapping of str to a value, or to a sequence of values
        What stands in each row, by its name. None leaves a place empty, text stands as
        it is. ``table[name]`` gives it back.
    columns : mapping of str to str
        Heading of each column, and how its numbers are written, as for `format`.
    corner : str
        Heading of the names.

    Raises
    ------
    ValueError
        If a row has not one value for each column.

    Examples
    --------
    >>> Table({"FBP": (25.31, 96), "TV": (32.4, None)}, {"PSNR [dB]": ".1f", "s": "d"})
         PSNR [dB]   s
    FBP       25.3  96
    TV        32.4
    """

    def __init__(
        self, rows: Mapping[str, Any], columns: Mapping[str, str], corner: str = ""
    ):
        self._rows, self._headings = dict(rows), [corner, *columns]
        self._cells = []
        for name, row in self._rows.items():
            several = isinstance(row, Sequence | np.ndarray) and not isinstance(
                row, str
            )
            values = list(row) if several else [row]
            if len(values) != len(columns):
                raise ValueError(
                    f"expected a value for each of {list(columns)}, received {values} "
                    f"for {name!r}"
                )
            cells = map(_written, values, columns.values())
            self._cells.append([str(name), *cells])

    def __getitem__(self, name):
        """Return a row, as it was given."""
        return self._rows[name]

    def __iter__(self):
        """Go through the names of the rows."""
        return iter(self._rows)

    def __len__(self):
        """Return the number of rows."""
        return len(self._rows)

    def __repr__(self):
        """Write the table with spaces."""
        lines = [self._headings, *self._cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if k else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def _repr_html_(self):
        """Write the table for a notebook."""

        def line(cells, tag, scope):
            name, *values = map(escape, cells)
            name = f'<th scope="{scope}" style="text-align: left">{name}</th>'
            head = ' scope="col"' if tag == "th" else ""
            values = [
                f'<{tag}{head} style="text-align: right">{v}</{tag}>' for v in values
            ]
            return f"<tr>{name}{''.join(values)}</tr>"

        head = line(self._headings, "th", "col")
        body = "\n".join(line(cells, "td", "row") for cells in self._cells)
        return (
            '<div style="overflow-x: auto"><table class="dataframe">\n'
            f"<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
        )


def _written(value, form):
    if value is None:
        return ""
    return value if isinstance(value, str) else format(value, form)
