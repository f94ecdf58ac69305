import numpy as np
import pytest

from srtools.tutorial import claim


def test_a_claim_that_holds_says_so_in_one_line(capsys):
    claim("Two is more than one", 2, at_least=1)
    claim("Two is two", 2, at_least=2, at_most=2)
    assert capsys.readouterr().out == (
        "holds: Two is more than one\nholds: Two is two\n"
    )


@pytest.mark.parametrize("value", [0.9, 3.1, np.nan, np.inf])
def test_a_claim_that_does_not_hold_tells_the_measurement(value, capsys):
    with pytest.raises(AssertionError, match=rf"one to three \(measured {value:.4g}, "):
        claim("From one to three", value, at_least=1, at_most=3)
    assert not capsys.readouterr().out


def test_a_claim_needs_a_bound():
    with pytest.raises(ValueError, match="at_least or at_most"):
        claim("Anything", 1)
