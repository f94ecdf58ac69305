import keras
import numpy as np
import pytest
from learning import assert_it_learns, holds, learn, seeded

from srtools.models import automap, dense_reconstruct
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam

pytestmark = pytest.mark.any_backend

BUILDERS = {
    "dense_reconstruct": lambda: dense_reconstruct(20, 6, size=16, filters=4),
    "automap": lambda: automap(20, 6, size=16, filters=4),
}


@pytest.fixture(params=BUILDERS)
def build(request):
    return BUILDERS[request.param]


@pytest.fixture(scope="module")
def pairs():
    images = random_shapes(40, 16, rng=np.random.default_rng(0))
    beam = ParallelBeam(16, np.arange(6) * 30.0, 20)
    return beam.project(images), images


@pytest.mark.training
def test_training_moves_every_weight_and_lowers_the_loss(build, pairs):
    seeded()
    model = build()
    model.compile(keras.optimizers.Adam(1e-3), "mean_squared_error")
    assert_it_learns(model, *pairs, steps=60)


def test_a_saved_network_predicts_the_same(tmp_path, build, pairs):
    sinograms = pairs[0][:3]
    model = build()
    expected = model.predict_on_batch(sinograms)
    assert expected.shape == (3, 16, 16, 1)
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert np.allclose(loaded.predict_on_batch(sinograms), expected, atol=1e-6)
    model.save_weights(tmp_path / "a.weights.h5")
    other = build()
    assert not np.allclose(other.predict_on_batch(sinograms), expected, atol=1e-4)
    other.load_weights(tmp_path / "a.weights.h5")
    assert np.allclose(other.predict_on_batch(sinograms), expected, atol=1e-6)


def test_the_scaling_is_inside(build, pairs):
    # Pixels of 0..1 over the whole width make rays of up to n_translations.
    model = build()
    scaling = model.get_layer("to_unit_range")
    seen = keras.ops.convert_to_numpy(scaling(pairs[0]))
    assert 0.1 < seen.max() < 4 and np.allclose(seen * 20 / 4, pairs[0], atol=1e-5)


def test_automap_has_the_published_layers():
    model = automap(9, 5, size=8)
    names = ("dense1", "dense2", "conv1", "conv2", "image")
    dense1, dense2, conv1, conv2, image = map(model.get_layer, names)
    assert (dense1.units, dense2.units) == (64, 64)
    assert [d.activation.__name__ for d in (dense1, dense2)] == ["tanh", "tanh"]
    for conv in (conv1, conv2):
        assert (conv.filters, conv.kernel_size) == (64, (5, 5))
    assert isinstance(image, keras.layers.Conv2DTranspose)
    assert image.kernel_size == (7, 7)
    assert image.activation is keras.activations.linear
    assert automap(9, 5, size=8, units=10, filters=3).count_params() == (
        (45 * 10 + 10) + (10 * 64 + 64) + (25 * 3 + 3) + (25 * 9 + 3) + (49 * 3 + 1)
    )


def test_the_features_of_automap_pay_for_their_l1_norm(pairs):
    sinograms, images = pairs
    keras.utils.set_random_seed(0)
    free = automap(20, 6, size=16, filters=4, sparsity=0)
    paying = automap(20, 6, size=16, filters=4, sparsity=0.3)
    paying.set_weights(free.get_weights())
    features = keras.Model(free.input, free.get_layer("conv2").output)
    norm = np.abs(features.predict_on_batch(sinograms)).sum(-1).mean()  # of a pixel
    assert norm > 0
    losses = []
    for model in (free, paying):
        model.compile("sgd", "mean_squared_error")
        losses.append(float(model.test_on_batch(sinograms, images)))
    assert losses[1] - losses[0] == pytest.approx(0.3 * norm, rel=1e-3)


@pytest.mark.parametrize("by_sample", [True, False])
def test_the_norm_is_that_of_a_sample_in_any_version_of_keras(monkeypatch, by_sample):
    monkeypatch.setattr("srtools.models.reconstruction._BY_SAMPLE", by_sample)
    cost = automap(4, 4, filters=2).get_layer("conv2").activity_regularizer
    assert cost.get_config() == {"l1": 1e-4 / 16}  # exactly, as it is in the key
    of_batch = float(cost(keras.ops.ones((5, 4, 4, 2))))
    divided = 5 if by_sample else 1  # by Keras
    assert of_batch / divided == pytest.approx(1e-4 * 2)


@pytest.mark.training
def test_sparsity_makes_features_small(pairs):
    found = []
    for sparsity in (0, 1.0):
        seeded()
        model = automap(20, 6, size=16, filters=4, sparsity=sparsity)
        model.compile(keras.optimizers.Adam(3e-3), "mean_squared_error")
        learn(model, *pairs, steps=10)
        features = keras.Model(model.input, model.get_layer("conv2").output)
        found.append(np.abs(features.predict_on_batch(pairs[0])).mean())
    holds("features beside those without", found[1] / found[0], at_most=0.5)


def test_another_geometry_is_refused(build):
    with pytest.raises(ValueError, match=r"expected shape=\(None, 20, 6, 1\), found"):
        build()(np.zeros((2, 20, 7, 1), np.float32))


def test_bad_arguments_are_refused():
    for builder in (dense_reconstruct, automap):
        with pytest.raises(ValueError, match=r"positive sizes.*16, 0"):
            builder(16, 0)
        with pytest.raises(ValueError, match="positive sizes"):
            builder(16, 4, units=0)
        with pytest.raises(ValueError, match="positive"):
            builder(16, 4, filters=0)
    with pytest.raises(ValueError, match="sparsity of 0 or more, received -1"):
        automap(16, 4, sparsity=-1)
