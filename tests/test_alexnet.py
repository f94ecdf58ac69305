import keras
import numpy as np
import pytest
from learning import assert_it_learns, holds, seeded

from srtools.models import LocalResponseNormalization, alexnet

pytestmark = pytest.mark.any_backend


def test_the_network_of_the_paper_has_its_number_of_weights():
    assert alexnet((227, 227, 3), 1000).count_params() == 60_965_224


def test_normalization_is_the_formula():
    a = np.random.default_rng(0).normal(scale=100, size=(2, 3, 4, 7)).astype("float32")
    by_hand = np.empty_like(a)
    for i in range(7):
        near = (a[..., max(0, i - 2) : i + 3] ** 2).sum(axis=-1)
        by_hand[..., i] = a[..., i] / (2 + 1e-4 * near) ** 0.75
    np.testing.assert_allclose(LocalResponseNormalization()(a), by_hand, rtol=1e-5)


@pytest.mark.training
def test_it_learns_which_patches_hold_a_line_and_is_saved_whole(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(96, 40, 33, 1)).astype("float32")
    lines = np.arange(96) % 2
    images[lines == 1, 20:23] += 2
    seeded()
    model = alexnet((40, 33, 1), 1, small=True)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("adam", loss)
    assert_it_learns(model, images[:64], lines[:64, None], steps=13)
    found = model.predict_on_batch(images[64:])[:, 0] > 0
    holds("right on new patches", np.mean(found == lines[64:]), at_least=0.9)
    model.save(tmp_path / "alexnet.keras")
    again = keras.saving.load_model(tmp_path / "alexnet.keras")
    np.testing.assert_array_equal(
        again.predict_on_batch(images[:2]), model.predict_on_batch(images[:2])
    )


def test_regression_gives_the_same_values_in_training_and_in_prediction():
    images = np.random.default_rng(0).normal(size=(3, 33, 33, 1)).astype("float32")
    model = alexnet((33, 33, 1), 2, small=True, regression=True)
    assert model.output_shape == (None, 2)
    np.testing.assert_allclose(
        *(keras.ops.convert_to_numpy(model(images, training=t)) for t in (True, False)),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("shape", "n_classes", "message"),
    [
        ((32, 64, 1), 2, r"sides of 33 pixels or more, received \(32, 64, 1\)"),
        ((64, 64), 2, r"expected \(height, width, channels\)"),
        ((64, 64, 1), 0, "n_classes of 1 or more, received 0"),
    ],
)
def test_errors(shape, n_classes, message):
    with pytest.raises(ValueError, match=message):
        alexnet(shape, n_classes, small=True)
