"""Short trainings that several tests share."""

import numpy as np


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


def assert_it_learns(model, x, y, *, steps, to=0.5):
    """Training moves every weight, and lowers the loss to a part of the first one."""
    before = model.get_weights()
    losses = learn(model, x, y, steps=steps)
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    assert not [w.path for w, old, new in pairs if np.array_equal(old, new)]
    assert losses[-1] < to * losses[0]
