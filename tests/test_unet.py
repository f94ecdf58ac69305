import keras
import numpy as np
import pytest
from learning import assert_it_learns, seeded

from srtools.models import unet, unet_3layer, unet_4layer
from srtools.segmentation import weighted_cross_entropy

pytestmark = pytest.mark.any_backend


@pytest.fixture(scope="module")
def batch():
    """Noisy images, 16 x 24 on purpose, and masks of what is bright in them."""
    rng = np.random.default_rng(0)
    masks = np.zeros((8, 16, 24, 1), "float32")
    for mask, (row, column) in zip(masks, rng.integers(0, 12, (8, 2)), strict=True):
        mask[row : row + 5, column : column + 8] = 1
    return masks + 0.3 * rng.normal(size=masks.shape).astype("float32"), masks


@pytest.mark.training
@pytest.mark.parametrize(
    ("loss", "normalisation"),
    [
        (keras.losses.BinaryCrossentropy(from_logits=True), None),
        (weighted_cross_entropy(2), "batch"),
    ],
)
def test_training_moves_every_weight_and_lowers_the_loss(batch, loss, normalisation):
    seeded()
    model = unet((16, 24, 1), filters=(8, 16), normalisation=normalisation)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    assert_it_learns(model, *batch, steps=40)


def test_several_classes_give_several_logits(batch):
    assert unet((16, 24, 1), 4)(batch[0]).shape == (8, 16, 24, 4)


def test_levels_are_as_named():
    assert unet_3layer((32, 32, 1)).count_params() == unet((32, 32, 1)).count_params()
    deep = unet((32, 32, 1), filters=(16, 32, 64, 128))
    assert unet_4layer((32, 32, 1)).count_params() == deep.count_params()


def test_a_side_that_may_vary_takes_any_multiple(batch):
    model = unet((None, None, 1), filters=(4, 8))
    for shape in ((1, 16, 24, 1), (1, 32, 8, 1)):
        assert model(np.zeros(shape)).shape == shape


def test_a_residual_network_adds_its_input(batch):
    keras.utils.set_random_seed(0)
    plain = unet((16, 24, 1), filters=(4, 8))
    residual = unet((16, 24, 1), filters=(4, 8), residual=True)
    residual.set_weights(plain.get_weights())
    change = keras.ops.convert_to_numpy(plain(batch[0]))
    assert np.abs(change).max() > 0.01
    found = residual.predict_on_batch(batch[0])
    np.testing.assert_allclose(found, batch[0] + change, atol=1e-6)


def test_normalisation_makes_the_output_blind_to_a_scale_of_the_input(batch):
    keras.utils.set_random_seed(0)
    model = unet((16, 24, 1), filters=(4, 8), normalisation="batch")
    x = 100 * batch[0]  # the normalisation knows no 1e-3 beside its variance
    small, large = (
        keras.ops.convert_to_numpy(model(c * x, training=True)) for c in (1, 10)
    )
    np.testing.assert_allclose(small, large, atol=1e-2 * np.abs(small).max())


def test_a_side_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match=r"multiples of 4, received \(30, 32\)"):
        unet((30, 32, 1))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"as many classes as channels .* 3 and 1"):
        unet((16, 16, 1), 3, residual=True)
    with pytest.raises(ValueError, match=r"None or 'batch', received 'layer'"):
        unet((16, 16, 1), normalisation="layer")
