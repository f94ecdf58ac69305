import numpy as np
import pytest

from srtools.metrics import conformal_factor


def images(n, rng, side=6):
    """Truths, what a method finds, and how wrong it is: alike within an image."""
    scale = (0.1 + rng.gamma(0.5, size=(n, 1, 1, 1))) * np.ones((n, side, side, 1))
    truth = rng.normal(size=scale.shape)
    return truth, truth + scale * rng.standard_t(3, size=scale.shape), scale


@pytest.mark.parametrize("known", [True, False])
def test_intervals_of_new_images_hold_the_share_that_they_promise(known):
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):  # a promise on average over calibrations and new images
        truth, found, scale = images(20, rng)
        spread = scale if known else 1.0
        factor = conformal_factor(truth, found, spread, coverage=0.8)
        truth, found, scale = images(5, rng)
        spread = scale if known else 1.0
        held.append((np.abs(found - truth) <= factor * spread).mean())
    assert 0.8 <= np.mean(held) + 2 * np.std(held) / 20
    assert np.mean(held) < 0.85  # and is not wasteful


def test_a_good_spread_holds_the_share_where_errors_are_large_too():
    rng = np.random.default_rng(1)
    (truth, found, scale), (again, new, wide) = images(300, rng), images(300, rng)
    hard = wide > np.median(wide)

    def held(factor, spread):
        return (np.abs(new - again) <= factor * spread)[hard].mean()

    assert held(conformal_factor(truth, found, scale), wide) > 0.87
    assert held(conformal_factor(truth, found), 1) < 0.83


def test_the_unit_of_the_spread_does_not_matter():
    truth, found, scale = images(30, np.random.default_rng(2))
    factor = conformal_factor(truth, found, scale)
    assert conformal_factor(truth, found, 10 * scale) == pytest.approx(factor / 10)


def test_for_single_numbers_it_is_the_usual_rule():
    error = np.arange(1.0, 10)  # nine of them
    assert conformal_factor(error, 0 * error, coverage=0.9) == 9  # the largest
    assert conformal_factor(error, 0 * error, coverage=0.8) == 8  # rank ceil(10 * 0.8)
    assert conformal_factor(error, 0 * error, coverage=0.5) == 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"found": np.zeros((20, 3))}, r"one shape, received \(20, 2\) and \(20, 3\)"),
        ({"spread": np.ones(3)}, r"spread for \(20, 2\), received \(3,\)"),
        ({"spread": 0.0}, "positive spread, received 0"),
        ({"spread": np.nan}, "positive spread, received nan"),
        ({"coverage": 1.0}, "between 0 and 1, received 1.0"),
        ({"coverage": 0.99}, "at least 99 images for a coverage of 0.99, received 20"),
        ({"truth": np.full((20, 2), np.nan)}, "finite values"),
        ({"truth": np.zeros((0, 2)), "found": np.zeros((0, 2))}, "received 0"),
    ],
)
def test_bad_input_is_refused(change, says):
    good = {"truth": np.zeros((20, 2)), "found": np.ones((20, 2))}
    with pytest.raises(ValueError, match=says):
        conformal_factor(**good | change)
