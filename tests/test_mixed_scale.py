import keras
import numpy as np
import pytest
from keras import layers, ops
from learning import assert_it_learns, seeded

from srtools.models import msd

pytestmark = pytest.mark.any_backend


@pytest.fixture(scope="module")
def batch():
    """Noisy images, 16 x 24 on purpose, and what is in them."""
    rng = np.random.default_rng(0)
    clean = np.zeros((8, 16, 24, 1), "float32")
    for image, (row, column) in zip(clean, rng.integers(0, 12, (8, 2)), strict=True):
        image[row : row + 5, column : column + 8] = 1
    return clean + 0.3 * rng.normal(size=clean.shape).astype("float32"), clean


@pytest.fixture
def model():
    seeded()
    return msd((None, None, 1), depth=11)


@pytest.mark.training
def test_training_moves_every_weight_and_lowers_the_loss(model, batch):
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    assert_it_learns(model, *batch, steps=30)


def test_it_is_what_layers_of_keras_make(model, batch):
    """The same weights in dilated convolutions: the same image, the same gradient."""
    weights = [np.random.default_rng(1).normal(size=w.shape) for w in model.weights]
    model.set_weights([w / 3 for w in weights])
    maps = image = keras.Input((None, None, 1))
    for i in range(11):
        conv = layers.Conv2D(1, 3, padding="same", dilation_rate=i % 10 + 1)
        maps = layers.Concatenate()([maps, layers.ReLU()(conv(maps))])
    plain = keras.Model(image, layers.Conv2D(1, 1)(maps))
    names = {w.name: w for w in model.weights}
    ordered = []
    for i in range(11):
        ordered += [names[f"kernel{i}"].numpy().reshape(3, 3, i + 1, 1)]
        ordered += [names[f"bias{i}"].numpy()]
    ordered += [names["sum"].numpy().reshape(1, 1, 12, 1), names["offset"].numpy()]
    plain.set_weights(ordered)
    one, other = (ops.convert_to_numpy(m(batch[0])) for m in (model, plain))
    np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(other).max())
    for m in (model, plain):  # one step downhill
        m.compile(keras.optimizers.SGD(1e-3), "mse", run_eagerly=True)
        m.train_on_batch(*batch)
    below, other_below = (ops.convert_to_numpy(m(batch[0])) for m in (model, plain))
    change = np.abs(other_below - other).max()
    assert change > 1e-3 * np.abs(other).max()
    np.testing.assert_allclose(below, other_below, atol=1e-2 * change)


def test_it_takes_images_of_any_size(model):
    for shape in ((1, 19, 37, 1), (3, 5, 4, 1)):  # smaller than its holes, too
        assert model(np.zeros(shape, "float32")).shape == shape


def test_it_has_few_weights():
    assert msd((64, 64, 1), 30).count_params() == 9 * 465 + 30 + 31 + 1


def test_a_saved_network_predicts_the_same(model, batch, tmp_path):
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) / 9 for w in model.weights])
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    one, other = (ops.convert_to_numpy(m(batch[0])) for m in (model, again))
    np.testing.assert_array_equal(one, other)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"\(height, width, 1\), received \(8, 8, 3\)"):
        msd((8, 8, 3))
    with pytest.raises(ValueError, match="depth of at least 1, received 0"):
        msd((8, 8, 1), 0)
