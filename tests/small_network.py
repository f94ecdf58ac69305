"""A small network that tests train as pages do, through `trained`."""

import keras
import numpy as np

from srtools.phantoms import random_shapes
from srtools.tutorial import trained

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")


def train(
    *,
    x=X,
    rate=0.01,
    units=4,
    loss="mse",
    recipe=None,
    seed=0,
    patience=3,
    metrics=None,
    name="small",
    **fit,
):
    inputs = keras.Input((3,), name="x")
    outputs = keras.layers.Dense(units, name="y")(inputs)
    model = keras.Model(inputs, outputs, name="small")
    # To trace so small a step takes longer than to take it.
    adam = keras.optimizers.Adam(rate)
    model.compile(adam, loss, metrics=metrics, run_eagerly=True)
    stop = keras.callbacks.EarlyStopping("loss", patience=patience)
    fit = {"epochs": 2, "callbacks": [stop], **fit}
    recipe = {"draw": random_shapes, "n": 20} if recipe is None else recipe
    y = np.tile(x[:, :1], units)
    return model, trained(name, model, x, y, recipe=recipe, seed=seed, **fit)


def same(first, second):
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
