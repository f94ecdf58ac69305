"""Margins of claims: measured over seeds, gathered in a table."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from learning import holds

from srtools.tutorial import claim

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import margins


def found(value, **bounds):
    return {"claim": "It is so", "value": value, "at_least": None, "at_most": None} | (
        bounds
    )


def test_a_claim_is_written_and_not_judged_where_margins_are_measured(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("SRTOOLS_CLAIMS", str(tmp_path / "claims"))
    claim("It is so", 1, at_least=2)
    claim("It is so", 3, at_most=2, unit="dB")
    lines = (tmp_path / "claims").read_text().splitlines()
    assert [json.loads(line)["value"] for line in lines] == [1, 3]
    assert not capsys.readouterr().out


def test_runs_are_merged_into_ends_and_old_claims_leave():
    rows = margins.merge([], "a", "as shown", [found(2.0, at_least=1)])
    rows = margins.merge(rows, "b", "as shown", [found(7.0, at_most=8)])
    rows = margins.merge(rows, "a", "seed +1", [found(1.5, at_least=1)])
    assert [(r["page"], r["smallest"], r["largest"], r["runs"]) for r in rows] == [
        ("a", "1.5", "2", "as shown; seed +1"),
        ("b", "7", "7", "as shown"),
    ]
    rows = margins.merge(rows, "a", "seed +2", [found(2.0, at_least=1.2)])
    assert rows[0]["runs"] == "seed +2" and len(rows) == 2


@pytest.mark.parametrize(
    ("smallest", "largest", "bounds", "near"),
    [
        (3.1, 4, {"at_least": 1}, False),
        (2.9, 4, {"at_least": 1}, True),
        (0.5, 4, {"at_least": 1}, True),
        (3, 4, {"at_most": 5}, True),
        (3, 3, {"at_least": 2, "at_most": 4}, False),
    ],
)
def test_a_claim_is_thin_within_twice_its_spread(smallest, largest, bounds, near):
    rows = []
    for run, value in (("x", smallest), ("y", largest)):
        rows = margins.merge(rows, "a", run, [found(value, **bounds)])
    assert bool(margins.thin(rows)) == near


def test_what_a_page_shows_is_read_from_it():
    notebook = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell(source="claim(...)")
    for measured, claimed in (
        ("2.51 dB", "at least 2 dB"),
        ("12,345", "at most 20,000"),
        ("-0.9", "-1 to 1.0e-05 dB"),
    ):
        facts = {"sentence": claimed, "measured": measured, "claimed": claimed}
        output = nbformat.v4.new_output("display_data", metadata={"claim": facts})
        cell.outputs.append(output)
    notebook.cells.append(cell)
    assert [tuple(row.values())[1:] for row in margins.shown(notebook)] == [
        (2.51, 2, None),
        (12345, None, 20000),
        (-0.9, -1, 1e-5),
    ]


def test_a_run_is_made_again_for_a_claim_that_is_new(monkeypatch):
    page, made = margins.ROOT / "book" / "real" / "alloy.md", []
    kept = margins.merge([], "real/alloy", margins.SHOWN, [found(2.0, at_least=1)])
    table = {"rows": kept}
    shown = [found(2.0, at_least=1), found(3.0) | {"claim": "It is new"}]
    monkeypatch.setattr(margins, "shown", lambda notebook: shown)
    monkeypatch.setattr(margins, "measure", lambda *a: made.append(a) or shown)
    monkeypatch.setattr(margins._record, "read", lambda name: table["rows"])
    monkeypatch.setattr(
        margins._record, "write", lambda name, rows: table.update(rows=rows)
    )
    margins.main([page])
    assert {row["runs"] for row in table["rows"]} == {"; ".join(margins.RUNS)}
    assert len(made) == len(margins.RUNS) - 1
    margins.main([page])
    assert len(made) == len(margins.RUNS) - 1


ROWS = margins._record.read("margins")
PAGES = sorted({row["page"] for row in ROWS} - {"tests"})


@pytest.mark.parametrize("page", PAGES)
def test_margins_are_of_the_claims_that_a_page_makes(page):
    notebook = nbformat.read(Path(margins.ROOT, "book", f"{page}.ipynb"), 4)
    key = ("claim", "at_least", "at_most")
    made = {tuple(one[k] for k in key) for one in margins.shown(notebook)}
    rows = [row for row in ROWS if row["page"] == page]
    bounds = [[float(row[k]) if row[k] else None for k in key[1:]] for row in rows]
    assert made == {(row["claim"], *b) for row, b in zip(rows, bounds, strict=True)}


def test_margins_are_of_all_runs():
    assert all(set(row["runs"].split("; ")) == set(margins.RUNS) for row in ROWS)


def test_no_claim_is_nearer_to_its_bound_than_twice_its_spread():
    assert margins.thin(ROWS) == []


def test_a_test_states_no_bound_whose_margin_is_not_measured(monkeypatch):
    monkeypatch.delenv("SRTOOLS_CLAIMS", raising=False)
    with pytest.raises(AssertionError, match="nothing: its margin is not"):
        holds("nothing", 1, at_least=0)
    with pytest.raises(AssertionError, match=r"does not hold: .* nothing"):
        holds("nothing", 1, at_most=0)


def test_plain_arithmetic_switches_off_what_this_processor_has():
    code = (
        "import numpy; from numpy._core._multiarray_umath import __cpu_features__ as f"
    )
    code += f"; assert not any(f[name] for name in {margins.FEATURES})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=os.environ | margins.PLAIN
    )
    assert done.returncode == 0
