import keras
import numpy as np
import pytest

from srtools.tutorial import scale, trained, training


def test_the_scale_is_what_the_environment_says(monkeypatch):
    monkeypatch.delenv("SRTOOLS_SCALE", raising=False)
    assert scale() in ("quick", "full")
    monkeypatch.setenv("SRTOOLS_SCALE", "full")
    assert scale() == "full"
    monkeypatch.setenv("SRTOOLS_SCALE", "huge")
    with pytest.raises(ValueError, match="quick or full, received 'huge'"):
        scale()


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A function that trains a small network, and the calls of ``fit`` it made."""
    monkeypatch.setenv("SRTOOLS_CACHE", str(tmp_path))
    fits = []
    fit = keras.Model.fit

    def counted(self, *args, **kwargs):
        fits.append(1)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", counted)
    x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")

    def train(*, x=x, rate=0.01, units=4, epochs=2, patience=3):
        inputs = keras.Input((3,), name="x")
        outputs = keras.layers.Dense(units, name="y")(inputs)
        model = keras.Model(inputs, outputs, name="small")
        model.compile(keras.optimizers.Adam(rate), "mse")
        stop = keras.callbacks.EarlyStopping("loss", patience=patience)
        y = np.tile(x[:, :1], units)
        return model, trained("small", model, x, y, epochs=epochs, callbacks=[stop])

    return train, fits, x


def test_a_network_is_trained_once_and_then_loaded(task):
    train, fits, _ = task
    first, before = train()
    again, after = train()
    assert len(fits) == 1
    assert before == after and len(before.history["loss"]) == 2 and before.seconds > 0
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_whatever_changes_the_network_trains_it_again(task):
    train, fits, x = task
    train()
    other = [{"x": x + 1e-6}, {"rate": 0.02}, {"units": 5}, {"epochs": 3}]
    for change in [*other, {"patience": 4}]:
        before = len(fits)
        train(**change)
        assert len(fits) == before + 1, change


def test_a_change_of_the_code_of_a_layer_trains_again(task, monkeypatch):
    train, fits, _ = task
    train()
    monkeypatch.setattr(training, "_sources", lambda model: ["other code"])
    train()
    assert len(fits) == 2


def test_an_interrupted_training_leaves_nothing(task, tmp_path, monkeypatch):
    train, fits, _ = task

    def broken(self, path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save_weights", broken)
        with pytest.raises(KeyboardInterrupt):
            train()
    train()
    assert len(fits) == 2


def test_data_that_can_not_be_told_apart_are_refused(task):
    train, _, _ = task
    model, _ = train()
    with pytest.raises(TypeError, match="`fingerprint`, received"):
        trained("small", model, object())
