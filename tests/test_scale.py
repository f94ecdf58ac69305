import keras
import numpy as np
import pytest

from srtools.models import check_range, rescaled, unet


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    model = unet((8, 12, 1), filters=(4, 6), residual=True)
    rng = np.random.default_rng(1)  # biases too, as after a training
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def images(n=2):
    return np.random.default_rng(0).random((n, 8, 12, 1), np.float32)


def test_the_same_picture_in_every_unit(network, tmp_path):
    expected = network.predict(images(), verbose=0)
    for unit in (1 / 255, 1.0, 40.0):
        other = rescaled(network, unit)
        found = other.predict(images() / unit, verbose=0)
        np.testing.assert_allclose(found, expected / unit, rtol=1e-4, atol=1e-5 / unit)
    other.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    again = loaded.predict(images() / unit, verbose=0)
    np.testing.assert_allclose(again, found, rtol=1e-5)
    # The network alone does not know units: that is why this is needed.
    alone = network.predict(images() / unit, verbose=0)
    assert not np.allclose(alone, expected / unit, rtol=1e-2)


def test_what_is_found_out_of_range_is_in_range_when_rescaled():
    taught, data = (-0.5, 20.0), 0.01 * images() / images().max()
    message = r"taught in, -0\.5 to 20, received .* to 0\.01: .*\(network, 2e\+03\)"
    with pytest.raises(ValueError, match=message):
        check_range(data, taught)
    check_range(data * 2e3, taught)


@pytest.mark.parametrize(
    ("largest", "fine"), [(0.09, 0), (0.11, 1), (1.9, 1), (2.1, 0)]
)
def test_the_largest_magnitude_decides(largest, fine):
    for values in (np.array([0, largest]), np.array([-largest, 0])):
        if fine:
            check_range(values, (0, 1))
        else:
            with pytest.raises(ValueError, match=r"taught in, 0 to 1, received"):
                check_range(values, (0, 1))


def test_the_smallest_of_signed_integers_is_the_largest_magnitude():
    with pytest.raises(ValueError, match=r"-3.28e\+04 to 0: .*, 0.061\)"):
        check_range(np.array([-32768, 0], "int16"), (-1000, 2000))


def test_bad_input_is_refused(network):
    for values in ([], [0, 0], [1, np.nan], [1, np.inf]):
        with pytest.raises(ValueError, match="finite values, not all zero, received"):
            check_range(values, (0, 1))
    for factor in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"positive factor, received {factor}"):
            rescaled(network, factor)
