import keras
import numpy as np
import pytest
from pairs_on_disk import IMAGE, MASK, save

from srtools.segmentation import PatchDataset, fit_resumable


@pytest.fixture
def begin(tmp_path):
    """A network and its data, as each call of a script would make them."""
    save(tmp_path, "0.tif", IMAGE, MASK)

    def new(rate=0.01, jitter=0.1):
        files = [[tmp_path / kind / "0.tif"] for kind in ("noisy", "label")]
        data = PatchDataset(*files, (16, 16), batch_size=4, augment=True, jitter=jitter)
        keras.utils.set_random_seed(0)
        image = keras.Input((16, 16, 1))
        x = keras.layers.Conv2D(3, 3, padding="same", activation="relu")(image)
        x = keras.layers.Dropout(0.3)(x)
        model = keras.Model(image, keras.layers.Conv2D(1, 1)(x))
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss)
        return model, data

    return new


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(begin, tmp_path):
    model, data = begin()
    initial = model.get_weights()
    history = fit_resumable(model, data, tmp_path / "whole.npz", epochs=3)
    assert len(history["loss"]) == 3 and np.isfinite(history["loss"]).all()
    whole = model.get_weights()
    assert all(np.any(a != b) for a, b in zip(initial, whole, strict=True))

    model, data = begin()
    fit_resumable(model, data, tmp_path / "a.npz", epochs=1)
    model, data = begin()
    read, calls = data._read, []

    def fails(patch):
        calls.append(patch)
        if len(calls) > 5:
            raise RuntimeError("interrupted")
        return read(patch)

    data._read = fails
    with pytest.raises(Exception, match="interrupted"):  # TensorFlow has its own kind
        fit_resumable(model, data, tmp_path / "a.npz", epochs=3)
    model, data = begin()
    again = fit_resumable(model, data, tmp_path / "a.npz", epochs=3)
    assert again == history
    for a, b in zip(whole, model.get_weights(), strict=True):
        assert np.array_equal(a, b)
    fit_resumable(model, data, tmp_path / "a.npz", epochs=3)  # it is over
    assert np.array_equal(model.get_weights()[0], whole[0])


def test_the_file_of_another_training_is_refused(begin, tmp_path):
    path = tmp_path / "a.npz"
    fit_resumable(*begin(), path, epochs=1)
    for other in ({"rate": 0.02}, {"jitter": 0.2}):
        with pytest.raises(ValueError, match=r"a\.npz: expected"):
            fit_resumable(*begin(**other), path, epochs=2)
    with pytest.raises(ValueError, match=r"a\.npz: expected seed 1, found seed 0"):
        fit_resumable(*begin(), path, epochs=2, seed=1)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"a\.npz: expected an interrupted training"):
        fit_resumable(*begin(), path, epochs=2)
