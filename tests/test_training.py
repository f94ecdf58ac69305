"""Networks and baselines are trained once, and never loaded for something else."""

import hashlib
import json
import os
import threading
from functools import partial

import keras
import numpy as np
import pytest
from small_network import X, same, train

from srtools.models import CVAE, automap, unet
from srtools.phantoms import ellipses, random_shapes
from srtools.segmentation import weighted_cross_entropy
from srtools.tomography import ParallelBeam
from srtools.tutorial import scale, trained, tuned
from srtools.tutorial.key import training_key

pytestmark = [pytest.mark.any_backend, pytest.mark.usefixtures("folder")]


def test_the_scale_is_quick_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("SRTOOLS_SCALE", raising=False)
    assert scale() == "quick"
    monkeypatch.setenv("SRTOOLS_SCALE", "full")
    assert scale() == "full"
    monkeypatch.setenv("SRTOOLS_SCALE", "huge")
    with pytest.raises(ValueError, match="quick or full, received 'huge'"):
        scale()


def test_a_network_is_trained_once_and_then_loaded(fits):
    first, before = train()
    again, after = train()
    assert len(fits) == 1
    assert before.history == after.history and len(before.history["loss"]) == 2
    assert (before.loaded, after.loaded) == (False, True)
    assert "trained now: 2 epochs" in repr(before)
    assert "loaded; trained earlier: 2 epochs" in repr(after)
    assert same(first, again)


def test_a_callback_counts_by_its_settings_and_not_by_what_it_noted(fits):
    stop = keras.callbacks.EarlyStopping("loss", patience=3)
    train(callbacks=[stop])
    assert stop.best < float("inf")
    train(callbacks=[stop])
    assert len(fits) == 1


class Noting(keras.callbacks.Callback):
    """A callback that holds a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function


def test_the_function_of_a_callback_counts(fits):
    for function in (random_shapes, ellipses):
        train(callbacks=[Noting(function)])
    assert len(fits) == 2


def test_whatever_determines_a_training_trains_again(fits):
    train()
    changes = [
        {"rate": 0.02},
        {"units": 5},
        {"epochs": 3},
        {"patience": 4},
        {"seed": 1},
        {"loss": "mae"},
        {"metrics": ["mae"]},
        {"metrics": [keras.metrics.MeanAbsoluteError()]},
        {"loss": keras.losses.Huber(0.5)},
        {"batch_size": 5},
        {"recipe": {"draw": random_shapes, "n": 21}},
        {"recipe": {"draw": ellipses, "n": 20}},
        {"x": np.zeros((21, 3), "float32")},
    ]
    for number, change in enumerate(changes, 2):
        train(**change)
        assert len(fits) == number, change


def test_the_setting_of_a_loss_and_the_value_in_a_closure_count(fits):
    def of_weight(weight):
        def loss(truth, guess):
            return weight * keras.ops.mean((truth - guess) ** 2)

        return loss

    of_weight.__module__ = "__main__"
    for weight in (1.0, 2.0, 2.0):
        loss = of_weight(weight)
        loss.__module__ = "__main__"  # as in a notebook
        train(loss=loss)
    assert len(fits) == 2


def test_the_setting_of_a_loss_of_the_package_counts():
    def key(loss):
        model = unet((8, 8, 1), filters=(2, 4))
        model.compile("adam", loss)
        return training_key(model, {}, 0, [X], {})

    assert key(weighted_cross_entropy(1)) == key(weighted_cross_entropy(1))
    assert key(weighted_cross_entropy(1)) != key(weighted_cross_entropy(2))


def test_the_code_of_a_regularizer_of_the_package_counts(monkeypatch):
    seen = []
    monkeypatch.setattr("srtools.tutorial.key.sources", seen.extend)
    model = automap(4, 4, filters=2)
    model.compile("adam", "mean_squared_error")
    training_key(model, {}, 0, [X], {})
    assert "srtools.models.reconstruction:L1OfSample" in seen


def test_a_function_makes_the_data_only_if_the_network_is_trained(fits):
    drawn = []

    def pairs(n, factor=1):
        drawn.append(X[:n])  # data, which do not count
        return X[:n], factor * X[:n, :1]

    def half_pairs(n, factor=1):
        drawn.append(X[:n])
        return X[:n], factor / 2 * X[:n, :1]

    def teach(data, **how):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("adam", "mse", run_eagerly=True)
        return model, trained("drawn", model, data, **how)

    for make in (pairs, half_pairs):  # functions of a notebook
        make.__module__ = "__main__"
    first, before = teach(partial(pairs, 16))
    again, after = teach(partial(pairs, 16))
    assert len(drawn) == 1 and len(fits) == 1 and same(first, again)
    assert after.loaded and not before.loaded
    # How many, what they are called with, how they are made, and what else is said.
    teach(partial(pairs, 12))
    teach(partial(pairs, 16, factor=2))
    teach(partial(half_pairs, 16))
    teach(partial(pairs, 16), recipe={"noise": 1.0})
    assert [len(data) for data in drawn] == [16, 12, 16, 16, 16]


def test_rounding_of_the_data_and_the_names_of_layers_do_not_count(fits):
    train()
    train(x=X + np.float32(1e-6))
    keras.layers.Dense(3)  # Keras counts names up
    train()
    assert len(fits) == 1


def test_the_seed_decides_all_that_is_random_whatever_happened_before():
    first, _ = train()
    keras.utils.set_random_seed(77)
    np.random.default_rng().normal(size=9)
    os.environ["SRTOOLS_CACHE"] += "-again"
    again, training = train()
    other, _ = train(seed=1)
    assert not training.loaded
    assert same(first, again) and not same(first, other)


def test_the_seed_decides_dropout_too():
    def with_dropout():
        inputs = keras.Input((3,))
        x = keras.layers.Dropout(0.5)(keras.layers.Dense(8)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(1)(x))
        model.compile("adam", "mse")
        return model

    models = []
    for turn in range(2):
        os.environ["SRTOOLS_CACHE"] += f"-{turn}"
        models.append(with_dropout())
        trained("drop", models[-1], X, X[:, :1], recipe={}, epochs=2)
    assert same(*models)


def test_the_card_says_what_was_done(folder):
    train(
        test_data=(X, np.tile(X[:, :1], 4)), validation_data=(X, np.tile(X[:, :1], 4))
    )
    (card,) = folder.glob("*.json")
    said = json.loads(card.read_text())
    assert said["architecture"]["parameters"] == 16
    assert said["data"] == {"draw": "srtools.phantoms.shapes:random_shapes", "n": 20}
    assert said["fit"] == {"epochs": 2, "batch_size": 32, "steps": 2}
    assert said["metrics"]["test"] == said["metrics"]["validation"]
    assert said["taught_in"]["input"] == pytest.approx([X.min(), X.max()])
    assert said["licence"] == "MIT" and said["seconds"] >= 0
    content = card.with_suffix(".keras").read_bytes()
    assert said["sha256"] == hashlib.sha256(content).hexdigest()


def test_test_data_may_be_made_only_for_a_training(folder):
    made = []

    def unseen():
        made.append(1)
        return X, np.tile(X[:, :1], 4)

    for _ in range(2):
        train(test_data=unseen)
    (card,) = folder.glob("*.json")
    assert len(made) == 1
    assert json.loads(card.read_text())["metrics"]["test"]["loss"] > 0


def test_weighted_validation_pairs_are_measured_with_their_weights(folder):
    y = np.tile(X[:, :1], 4)
    only = np.eye(1, len(X), dtype="float32")[0]
    for name, pairs in (("a", (X, y, only)), ("b", (X[:1], y[:1]))):
        train(name=name, validation_data=pairs)
    a, b = (json.loads(card.read_text()) for card in sorted(folder.glob("*.json")))
    expected = b["metrics"]["validation"]["loss"] / len(X)
    assert a["metrics"]["validation"]["loss"] == pytest.approx(expected, rel=1e-4)


def test_a_subclassed_network_is_kept_too():
    x = np.random.default_rng(0).random((8, 8, 8, 1), dtype="float32")
    first, again = CVAE(2, (8, 8, 1)), CVAE(2, (8, 8, 1))
    for model in (first, again):
        model.compile("adam", run_eagerly=True)
        training = trained("vae", model, x, x, recipe={}, validation_data=(x, x))
    assert training.loaded and same(first, again)


def test_of_two_that_train_the_same_network_one_waits(folder, monkeypatch, caplog):
    fit, begun, go_on, done = keras.Model.fit, *(threading.Event() for _ in range(3))
    trainings = []

    def slow(self, *args, **kwargs):
        begun.set()
        assert go_on.wait(60)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", slow)

    def one():
        trainings.append(train()[1])

    def two():
        begun.wait(60)
        trainings.append(train()[1])
        done.set()

    threads = [threading.Thread(target=target) for target in (one, two)]
    for thread in threads:
        thread.start()
    begun.wait(60)
    assert not done.wait(1)  # it waits for the other's
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert [training.loaded for training in trainings] == [False, True]
    assert "another process is writing it, waiting" in caplog.text
    assert sorted(f.suffix for f in folder.iterdir()) == [".json", ".keras"]


def test_an_interrupted_training_leaves_nothing(fits, folder, monkeypatch):
    def broken(self, path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save", broken)
        with pytest.raises(KeyboardInterrupt):
            train()
    assert not list(folder.glob("*"))
    train()
    assert len(fits) == 2


def test_a_folder_that_cannot_be_written_costs_the_file_and_not_the_network(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SRTOOLS_CACHE", str(tmp_path / "file"))
    model, training = train()
    assert training.history["loss"] and np.isfinite(model.get_weights()[0]).all()
    assert "small: trained, but its weights cannot be kept" in caplog.text
    assert tuned("weight", max, [1, 2], recipe={}) == 2
    assert "weight: tuned, but the result cannot be kept" in caplog.text


def test_data_without_a_recipe_are_refused():
    model, _ = train()
    with pytest.raises(TypeError, match=r"small: expected recipe=.*received ndarray"):
        trained("small", model, X, X)
    with pytest.raises(TypeError, match=r"functions and objects .* received object"):
        trained("small", model, X, X, recipe={"what": object()})
    with pytest.raises(TypeError, match="received ndarray"):
        trained("small", model, X, X, recipe=np.zeros(20_000))


def test_what_is_tuned_is_tuned_once(tmp_path):
    calls = []

    def best(beam, x, *, largest):
        calls.append(None)
        return {"weight": np.float64(x.max() * largest)}

    best.__module__ = "__main__"
    beam = ParallelBeam(8, [0.0, 90.0])
    for _ in range(2):
        assert tuned("tv", best, beam, X, recipe={"n": 1}, largest=2) == {
            "weight": X.max() * 2
        }
    assert len(calls) == 1
    tuned("tv", best, beam, X, recipe={"n": 2}, largest=2)
    tuned("tv", best, beam, X, recipe={"n": 1}, largest=3)
    tuned("tv", best, ParallelBeam(8, [0.0, 91.0]), X, recipe={"n": 1}, largest=2)
    assert len(calls) == 4


def test_each_call_of_a_shared_layer_and_the_weights_of_losses_count():
    def key(wire, **how):
        x = keras.Input((3,))
        model = keras.Model(x, wire(keras.layers.Dense(3), x))
        model.compile("sgd", "mean_squared_error", **how)
        data = [np.zeros((2, 3))]
        return training_key(model, "drawn", 0, data, {}), model

    add = keras.layers.add
    first, model = key(lambda s, x: add([s(x), s(s(x))]))
    assert first == key(lambda s, x: add([s(x), s(s(x))]))[0]
    assert first != key(lambda s, x: add([s(x), s(x)]))[0]
    assert first != key(lambda s, x: add([s(s(x)), s(x)]))[0]
    assert first != key(lambda s, x: add([s(x), s(s(x))]), loss_weights=[5.0])[0]
    keras.Model(model.input, model(model.layers[-1].output))  # calls it elsewhere
    assert first == training_key(model, "drawn", 0, [np.zeros((2, 3))], {})
