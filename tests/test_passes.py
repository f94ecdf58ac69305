import inspect

import keras
import numpy as np
import pytest

from srtools.models import end_passes_in_time

tf = pytest.importorskip("tensorflow")


@pytest.fixture
def as_ever(monkeypatch):
    """Give TensorFlow back the threads that tune."""
    monkeypatch.setattr(tf.data.Options, "__init__", begin())


def begin():
    return inspect.unwrap(tf.data.Options.__init__)


def train():
    """Train and predict by shuffled batches, the last of which is smaller."""
    keras.utils.set_random_seed(3)
    x = np.random.default_rng(0).random((70, 6, 6, 1), dtype="float32")
    layers = keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers])
    model.compile("adam", "mse")
    how = {"epochs": 3, "batch_size": 8, "verbose": 0, "validation_split": 0.2}
    history = model.fit(x, x.mean((1, 2)), **how).history
    return history, model.predict(x, verbose=0)


def tunes(dataset):
    return dataset.options().autotune.enabled is not False


def test_no_pass_has_a_thread_that_tunes():
    end_passes_in_time()
    end_passes_in_time()
    assert not tunes(tf.data.Dataset.range(3).map(lambda i: i).prefetch(1))
    assert tf.data.Options.__init__.__wrapped__ is begin()  # not wrapped twice


def test_before_it_was_called_there_was_one(as_ever):
    assert tunes(tf.data.Dataset.range(3))


def test_batches_their_order_and_the_results_stay_the_same(monkeypatch):
    end_passes_in_time()
    history, found = train()
    monkeypatch.setattr(tf.data.Options, "__init__", begin())
    before, expected = train()
    assert history == before
    assert np.array_equal(found, expected)
