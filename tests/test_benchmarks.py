import csv
import re
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = BENCHMARKS.parent / "scripts"
RESULTS = sorted((BENCHMARKS / "results").glob("*.csv"))


@pytest.fixture
def record(monkeypatch, tmp_path):
    """The module of that name, writing to an empty folder."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import _record

    monkeypatch.setattr(_record, "RESULTS", tmp_path / "results")
    return _record


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_every_result_says_on_what_when_and_by_which_commit(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert re.fullmatch(r"\d+ (CPU )?cores, .+", row["hardware"])
        assert date.fromisoformat(row["date"]) > date(2026, 1, 1)
        assert re.fullmatch(r"[0-9a-f]{7,}(-dirty)?", row["commit"])
    scripts = [folder / f"{path.stem}.py" for folder in (BENCHMARKS, SCRIPTS)]
    (script,) = [script.read_text() for script in scripts if script.exists()]
    assert f'"{path.stem}"' in script, "written by the script of its name"


def test_tv_stands_still_after_its_steps_and_without_the_ramp_does_not():
    with (BENCHMARKS / "results" / "standstill.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    far = {}
    for row in rows:
        far.setdefault(row["solver"], []).append(float(row["after 100"]))
        if row["solver"] == "as it is" and row["pixel"] == "1":
            assert far["as it is"][-1] < 0.03  # as the docstring of tv says
    for solver in far.keys() - {"as it is", "share of 0.5"}:
        assert max(far[solver]) > 2 * max(far["as it is"]), solver


def test_rows_are_stamped_once_and_kept(record):
    record.write("some", [{"what": "first, of all", "value": 1.5}])
    old = record.read("some")
    assert old[0]["what"] == "first, of all" and old[0]["value"] == "1.5"
    assert old[0]["date"] == date.today().isoformat()
    old[0] |= {"date": "2026-01-02", "hardware": "1 core, abacus", "commit": "0000000"}
    path = record.write("some", [*old, {"what": "second", "value": 2, "more": "x"}])
    first, second = record.read("some")
    assert first == old[0] | {"more": ""}
    assert second["date"] == date.today().isoformat() and second["more"] == "x"
    assert path.read_text().splitlines()[0] == "what,value,more,hardware,date,commit"
    assert [file.name for file in path.parent.iterdir()] == ["some.csv"]
    assert record.read("none") == []


def test_minutes_of_a_resumed_training_are_those_of_all_its_parts(monkeypatch, record):
    import ellipses

    class Network:
        def predict(self, measured, **_):
            return np.zeros((2, 8, 8, 1), np.float32)

        def count_params(self):
            return 5

    truth = np.random.default_rng(0).random((2, 8, 8, 1)).astype(np.float32)
    monkeypatch.setattr(ellipses, "train", lambda *_: (Network(), 47.0, "94 epochs"))
    monkeypatch.setattr(ellipses, "pairs", lambda *_: (truth, truth))
    monkeypatch.setattr(sys, "argv", ["ellipses.py", "fbp_unet", "--train", "32"])
    ellipses.main()
    ellipses.main()  # replaces its own row
    (row,) = record.read("ellipses")
    assert row["minutes"] == "47.0" and row["n_train"] == "32"
