import runpy
import sys
from pathlib import Path

import pytest

from srtools.datasets import command_line, verify

DATA = Path(__file__).parents[1] / "data"
OPTIONS = dict(
    name=(..., "of the set"),
    count=((3, 2, 1), "numbers"),
    noise=(0.5, "standard deviation"),
    output=(Path, "a file"),
)


def called(monkeypatch, *arguments, work=dict, **options):
    monkeypatch.setattr(sys, "argv", ["generatedata.py", *map(str, arguments)])
    return command_line(work, "Write a thing.", **(options or OPTIONS))


def test_options_have_the_kind_and_the_value_of_their_defaults(monkeypatch):
    assert called(monkeypatch, "toy") == {
        "name": "toy",
        "count": (3, 2, 1),
        "noise": 0.5,
        "output": None,
    }
    changed = "--count 4 5 6 toy --noise 2 --output a.h5".split()
    assert called(monkeypatch, *changed) == {
        "name": "toy",
        "count": (4, 5, 6),
        "noise": 2.0,
        "output": Path("a.h5"),
    }


def test_help_says_what_the_options_mean(monkeypatch, capsys):
    with pytest.raises(SystemExit, match="0"):
        called(monkeypatch, "--help")
    said = capsys.readouterr().out
    assert "Write a thing." in said and "standard deviation (default: 0.5)" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required: name"),
        (("toy", "--count", 1, 2), "--count: expected 3 arguments"),
        (("toy", "--noise", "loud"), "--noise: invalid float value: 'loud'"),
    ],
)
def test_a_wrong_command_line_is_one_line(monkeypatch, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        called(monkeypatch, *arguments)
    assert message in capsys.readouterr().err


def test_bad_input_is_one_line_and_a_bug_is_not(monkeypatch, capsys):
    def work(**options):
        raise error

    error = ValueError("expected more, received less")
    with pytest.raises(SystemExit, match="2"):
        called(monkeypatch, "toy", work=work)
    assert "expected more, received less" in capsys.readouterr().err
    error = TypeError("a bug")
    with pytest.raises(TypeError, match="a bug"):
        called(monkeypatch, "toy", work=work)


def test_every_script_runs_from_any_folder(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    scripts = sorted(DATA.glob("*/generatedata.py"))
    assert len(scripts) == 7
    for script in scripts:
        monkeypatch.setattr(sys, "argv", [script.name, "--help"])
        with pytest.raises(SystemExit, match="0"):
            runpy.run_path(str(script), run_name="__main__")
        assert "--seed" in capsys.readouterr().out, script


def test_the_script_writes_a_benchmark(monkeypatch, tmp_path, capsys):
    options = "--scale 0.25 --n 3 --jobs 1 --output a.h5"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["generatedata.py", "shapes", *options.split()])
    runpy.run_path(str(DATA / "benchmark" / "generatedata.py"), run_name="__main__")
    assert "a.h5" in capsys.readouterr().out
    verify("a.h5")
    monkeypatch.setattr(sys, "argv", ["generatedata.py", "shape"])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(DATA / "benchmark" / "generatedata.py"), run_name="__main__")
    assert "error: expected one of div2k, " in capsys.readouterr().err
