"""Claims: what a reader sees, and what the check of the notebooks compares."""

import os
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from srtools.tutorial import claim


def test_a_claim_that_holds_says_what_was_measured_and_claimed(capsys):
    claim("Two is more than one", 2, at_least=1)
    claim("Two is two", 2, at_least=2, at_most=2.5, unit="dB")
    assert capsys.readouterr().out == (
        "holds: Two is more than one (measured 2, claimed at least 1)\n"
        "holds: Two is two (measured 2 dB, claimed 2 to 2.5 dB)\n"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2.9567, "2.96"),
        (-0.5, "-0.5"),
        (np.float32(0.000123), "0.000123"),
        (4.2e-6, "4.2e-06"),
        (0, "0"),
        (123.4, "123"),
        (12345.6, "12,346"),
    ],
)
def test_a_value_is_shown_as_people_write_it(value, shown, capsys):
    claim("Small", value, at_most=28_090.5)
    assert f"measured {shown}, claimed at most 28,090" in capsys.readouterr().out


@pytest.mark.parametrize("value", [0.9, 3.1, np.nan, np.inf])
def test_a_claim_that_does_not_hold_tells_the_measurement(value, capsys):
    with pytest.raises(AssertionError, match=rf"one to three \(measured {value:.4g}, "):
        claim("From one to three", value, at_least=1, at_most=3)
    assert not capsys.readouterr().out


def test_a_claim_needs_a_bound():
    with pytest.raises(ValueError, match="at_least or at_most"):
        claim("Anything", 1)


@pytest.fixture
def shell():
    """Run as in a notebook."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_a_notebook_gets_a_box_its_text_and_the_facts(shell):
    with capture_output() as seen:
        claim("1 < 2, surely", 2.96, at_least=2, unit="dB")
    (output,) = seen.outputs
    assert output.data["text/plain"].startswith(
        "holds: 1 < 2, surely (measured 2.96 dB"
    )
    assert "1 &lt; 2, surely" in output.data["text/html"]
    assert 'id="claim-1-2-surely"' in output.data["text/html"]
    assert output.metadata["claim"] == {
        "sentence": "1 < 2, surely",
        "measured": "2.96 dB",
        "claimed": "at least 2 dB",
        "anchor": "claim-1-2-surely",
    }


def test_the_check_compares_verdict_and_bound_not_the_value(
    shell, tmp_path, pytestconfig
):
    run = {
        '"One", 1.7, at_least=1': "PASSED",
        '"One", 1234.5, at_least=1': "PASSED",
        '"One", 1.2, at_least=0.9': "FAILED",
        '"One", 1.2, at_least=1, unit="dB"': "FAILED",
        '"Two", 1.2, at_least=1': "FAILED",
        '"One", 0.2, at_least=1': "FAILED",
    }
    with capture_output() as stored:
        claim("One", 1.2, at_least=1)
    (output,) = stored.outputs
    output = nbformat.v4.new_output(
        "display_data", output.data, metadata=output.metadata
    )
    cells = [
        nbformat.v4.new_code_cell(
            f"from srtools.tutorial import claim\nclaim({arguments})",
            metadata={"tags": ["nbval-check-output"]},
            outputs=[output],
            execution_count=1,
        )
        for arguments in run
    ]
    page = tmp_path / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), page)
    rules = pytestconfig.getoption("nbval_sanitize_with")
    command = f"pytest -rA -p no:cacheprovider --nbval-lax --nbval-current-env {page}"
    checked = subprocess.run(
        [sys.executable, "-m", *command.split(), "--nbval-sanitize-with", rules],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
    )
    found = re.findall(r"^(PASSED|FAILED) .*Cell", checked.stdout, re.MULTILINE)
    assert sorted(found) == sorted(run.values()), checked.stdout
    for number, verdict in enumerate(run.values()):
        assert re.search(f"{verdict} .*Cell {number}", checked.stdout), checked.stdout
