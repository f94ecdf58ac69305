import keras
import numpy as np
import pytest
from learning import assert_it_learns, seeded
from numpy.testing import assert_allclose

from srtools.models import Bicubic, SubPixels, edsr, espcn
from srtools.phantoms import random_shapes
from srtools.superresolution import upsample

pytestmark = pytest.mark.any_backend

SMALL = {
    "espcn": lambda factor=2: espcn(factor, filters=(8, 8)),
    "edsr": lambda factor=2: edsr(8, 2, factor),
}


@pytest.fixture(scope="module")
def batch():
    """Coarse images, 12 x 16 on purpose, and fine ones."""
    rng = np.random.default_rng(0)
    fine = random_shapes(8, 48, rng=rng)[:, 12:36, 8:40]
    return fine.reshape(8, 12, 2, 16, 2, 1).mean((2, 4)), fine


@pytest.mark.training
@pytest.mark.parametrize("name", SMALL)
def test_training_moves_every_weight_and_lowers_the_loss(name, batch):
    seeded()
    model = SMALL[name]()
    model.compile(keras.optimizers.Adam(1e-2), "mean_squared_error")
    coarse, fine = batch
    noise = np.random.default_rng(0).normal(size=coarse.shape).astype("float32")
    assert_it_learns(model, coarse + 0.3 * noise, fine, steps=40)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("name", SMALL)
def test_an_untrained_network_enlarges_images_of_any_size(name, factor, batch):
    model = SMALL[name](factor)
    for images in (batch[0], batch[0][:3, :7, :5]):
        found = model.predict_on_batch(images)
        assert_allclose(found, upsample(images, factor), atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_network_predicts_the_same(name, batch, tmp_path):
    model = SMALL[name]()
    rng = np.random.default_rng(0)
    weights = [w + 0.1 * rng.standard_normal(w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    found = again.predict_on_batch(batch[0])
    assert_allclose(found, model.predict_on_batch(batch[0]), rtol=1e-5, atol=1e-6)
    assert np.abs(found - upsample(batch[0], 2)).max() > 0.01


def test_the_published_sizes():
    assert espcn().count_params() == 21_284
    assert edsr().count_params() == 121_700


@pytest.mark.parametrize("grid", ["pixels", "corners"])
def test_the_layer_enlarges_as_the_function_does(grid):
    images = np.random.default_rng(0).random((2, 5, 7, 3)).astype("float32")
    layer = Bicubic(3, grid)
    expected = upsample(images, 3, grid)
    assert_allclose(keras.ops.convert_to_numpy(layer(images)), expected, atol=1e-5)
    assert layer.compute_output_shape((2, 5, 7, 3)) == expected.shape
    assert layer.compute_output_shape((None, None, 7, 3))[1] is None
    again = Bicubic.from_config(layer.get_config())
    assert_allclose(keras.ops.convert_to_numpy(again(images)), expected, atol=1e-5)


def test_sub_pixels_lie_inside_their_pixel():
    maps = np.zeros((1, 2, 3, 4), "float32")
    maps[0, 1, 2] = [1, 2, 3, 4]
    fine = keras.ops.convert_to_numpy(SubPixels(2)(maps))
    assert fine.shape == (1, 4, 6, 1)
    np.testing.assert_array_equal(fine[0, 2:, 4:, 0], [[1, 2], [3, 4]])
    assert fine.sum() == 10


@pytest.mark.parametrize(
    "build",
    [
        lambda: espcn(filters=(0, 8)),
        lambda: edsr(8, 0),
        lambda: edsr(8, 2, channels=0),
    ],
)
def test_sizes_that_are_not_positive_are_refused(build):
    with pytest.raises(ValueError, match="expected positive numbers"):
        build()


@pytest.mark.parametrize("factor", [1, 2.5])
def test_a_factor_that_enlarges_nothing_is_refused(factor):
    with pytest.raises(ValueError, match="expected a factor of 2, 3 or more"):
        edsr(8, 2, factor)
