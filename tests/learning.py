"""Short trainings that several tests share, and how their results are judged."""

import csv
import os
from pathlib import Path

import numpy as np

from srtools.tutorial import claim

_KEY = "claim", "at_least", "at_most"
_TABLE = Path(__file__).parents[1] / "benchmarks" / "results" / "margins.csv"


def seeded(seed=0):
    """Seed Keras, and return the seed: where margins are measured, another one."""
    import keras

    seed += int(os.environ.get("SRTOOLS_SEED", "0"))
    keras.utils.set_random_seed(seed)
    return seed


def holds(what, value, *, at_least=None, at_most=None):
    """Judge the result of a training by a bound whose margin has been measured.

    The test is marked ``training``; ``python scripts/notebooks.py margins tests``
    measures its margin, over seeds and settings of arithmetic.
    """
    test = os.environ["PYTEST_CURRENT_TEST"].removeprefix("tests/").rpartition(" ")[0]
    sentence = f"{test}: {what}"
    claim(sentence, value, at_least=at_least, at_most=at_most)
    if "SRTOOLS_CLAIMS" not in os.environ:  # there it is being measured
        bounds = ["" if b is None else f"{b:.4g}" for b in (at_least, at_most)]
        with _TABLE.open(newline="") as file:
            known = [[row[k] for k in _KEY] for row in csv.DictReader(file)]
        assert [sentence, *bounds] in known, f"{sentence}: its margin is not measured"


def learn(model, x, y, *, steps):
    """Train on one batch and return the loss of every step.

    ``fit`` takes longer: it starts every epoch anew, and it traces its first step twice
    where the optimizer has not been built.
    """
    model.optimizer.build(model.trainable_variables)
    losses = []
    for _ in range(steps):
        model.reset_metrics()  # else the loss is a mean over all steps so far
        losses.append(float(model.train_on_batch(x, y)))
    return losses


def assert_it_learns(model, x, y, *, steps):
    """Training moves every weight, and lowers the loss to half of the first one."""
    before = model.get_weights()
    losses = learn(model, x, y, steps=steps)
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    assert not [w.path for w, old, new in pairs if np.array_equal(old, new)]
    holds("its last loss is a part of the first", losses[-1] / losses[0], at_most=0.5)
