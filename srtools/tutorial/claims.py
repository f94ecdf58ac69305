"""Claims: sentences of a page that a measured value bears out."""

import json
import os
import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

# Readable on light and dark ground, wherever a notebook is opened.
_BOX = "border-left: 4px solid #3c8c40; padding: 0.2em 0.8em; margin: 0.5em 0"


@dataclass(frozen=True)
class _Holds:
    """A claim that holds, as a notebook and a terminal show it."""

    sentence: str
    measured: str
    claimed: str

    def __repr__(self):
        values = f"measured {self.measured}, claimed {self.claimed}"
        return f"holds: {self.sentence} ({values})"

    def _repr_mimebundle_(self, include=None, exclude=None):
        words = re.findall(r"[a-z0-9]+", self.sentence.lower())
        anchor = "-".join(["claim", *words])
        box = (
            f'<div class="claim" id="{anchor}" style="{_BOX}">'
            f"{escape(self.sentence)}<br>"
            f"holds: measured <b>{escape(self.measured)}</b>, "
            f"claimed {escape(self.claimed)}</div>"
        )
        # Tests compare the texts without what was measured, and no metadata.
        facts = {**vars(self), "anchor": anchor}
        return {"text/plain": repr(self), "text/html": box}, {"claim": facts}


def claim(
    sentence: str,
    value: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: str = "",
) -> None:
    """Show a sentence of the page if a measured value bears it out, else raise.

    A notebook shows a box, a terminal one line. Both give the value and the bounds.
    Where ``SRTOOLS_CLAIMS`` names a file, claims are written there, and neither shown
    nor judged.

    Parameters
    ----------
    sentence : str
        What a reader may quote.
    value : float
        What was measured.
    at_least, at_most : float, optional
        The bounds that make the sentence true; at least one is needed.
    unit : str
        Of the value and the bounds, such as ``"dB"``.

    Raises
    ------
    AssertionError
        If the value lies outside the bounds or is not a number.
    ValueError
        If no bound is given.

    Examples
    --------
    >>> claim("The CNN is better than FBP", 2.957, at_least=2, unit="dB")
    holds: The CNN is better than FBP (measured 2.96 dB, claimed at least 2 dB)
    """
    if at_least is None and at_most is None:
        raise ValueError(f"expected at_least or at_most for the claim {sentence!r}")
    if path := os.environ.get("SRTOOLS_CLAIMS"):  # margins are measured
        bounds = {"at_least": at_least, "at_most": at_most}
        with Path(path).open("a", encoding="utf-8") as file:
            row = {"claim": sentence, "value": float(value)} | bounds
            file.write(json.dumps(row, default=float) + "\n")
        return
    low = -np.inf if at_least is None else at_least
    high = np.inf if at_most is None else at_most
    if not low <= value <= high:  # also catches NaN
        raise AssertionError(
            f"does not hold: {sentence} (measured {value:.4g}, "
            f"expected {low:.4g} to {high:.4g})"
        )
    if at_least is None:
        claimed = f"at most {_number(at_most)}"
    elif at_most is None:
        claimed = f"at least {_number(at_least)}"
    else:
        claimed = f"{_number(at_least)} to {_number(at_most)}"
    unit = f" {unit}" if unit else ""
    holds = _Holds(sentence, _number(value, 3) + unit, claimed + unit)
    if "IPython" in sys.modules:  # in a notebook; elsewhere, it prints
        from IPython.display import display

        display(holds)
    else:
        print(holds)


def _number(value, digits=4):
    """Write a number for people: no exponent where it can be helped."""
    value = float(value)
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.1e}"
