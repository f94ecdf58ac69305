import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from srtools.models import (
    BackProjection,
    FilteredBackProjection,
    Projection,
    fbp_unet,
    learned_primal_dual,
)
from srtools.tomography import FILTERS, ParallelBeam

# Nothing is square, and the detector has other pixels than the image, on purpose.
GEOMETRY = {
    "size": 12,
    "angles": [0.0, 25.0, 60.0, 90.0, 140.0],
    "n_translations": 17,
    "detector_spacing": 1.25,
}
BEAM = ParallelBeam(**GEOMETRY)
NETWORKS = {
    "fbp_unet": lambda beam: fbp_unet(
        beam, filters=(4, 6), filter="cosine", cutoff=0.8
    ),
    "learned_primal_dual": lambda beam: learned_primal_dual(
        beam, iterations=2, filters=4, memory=2
    ),
}


@pytest.fixture(params=NETWORKS)
def build(request):
    return NETWORKS[request.param]


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    images = np.zeros((24, 12, 12, 1), np.float32)
    for image in images:
        row, column = rng.integers(2, 6, 2)
        image[row : row + 5, column : column + 4] = rng.uniform(0.3, 1)
    return BEAM.project(images), images


def random(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def gradient(function, x):
    """Gradient of a scalar function at x, on the backend that the tests run on."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x).numpy()


def test_the_norm_is_the_largest_singular_value():
    largest = np.linalg.svd(BEAM.matrix.toarray(), compute_uv=False)[0]
    assert BEAM.norm == pytest.approx(largest, rel=1e-3)


def test_layers_project_as_the_beam_does():
    images, sinograms = random(3, 12, 12, 1), random(3, 17, 5, 1)
    projected = ops.convert_to_numpy(Projection(GEOMETRY)(images))
    back = ops.convert_to_numpy(BackProjection(GEOMETRY)(sinograms))
    assert projected.shape == sinograms.shape and back.shape == images.shape
    assert np.allclose(projected * BEAM.norm, BEAM.project(images), atol=1e-4)
    assert np.allclose(back * BEAM.norm, BEAM.backproject(sinograms), atol=1e-4)


def test_the_gradient_of_each_projector_is_the_other_one():
    images, sinograms = random(3, 12, 12, 1), random(3, 17, 5, 1)
    project, back = Projection(GEOMETRY), BackProjection(GEOMETRY)
    expected = ops.convert_to_numpy(back(sinograms))
    found = gradient(lambda x: ops.sum(project(x) * sinograms), images)
    assert np.allclose(found, expected, atol=1e-5)
    expected = ops.convert_to_numpy(project(images))
    found = gradient(lambda y: ops.sum(back(y) * images), sinograms)
    assert np.allclose(found, expected, atol=1e-5)
    # <Ax, y> == <x, A'y>
    assert np.vdot(expected, sinograms) == pytest.approx(
        np.vdot(images, ops.convert_to_numpy(back(sinograms))), rel=1e-4
    )


@pytest.mark.parametrize("filter", FILTERS)
def test_the_fbp_layer_gives_what_fbp_gives(filter):
    # Half of the detector: now there are pixels outside the field of view.
    beam = ParallelBeam(12, [0, 45, 90, 135], 9)
    geometry = {"size": 12, "angles": [0.0, 45.0, 90.0, 135.0], "n_translations": 9}
    layer = FilteredBackProjection(geometry, filter=filter, cutoff=0.7)
    sinograms = random(2, 9, 4, 1)
    expected = beam.fbp(sinograms, filter=filter, cutoff=0.7)
    assert (expected == 0).any() and (expected != 0).any()
    assert np.allclose(ops.convert_to_numpy(layer(sinograms)), expected, atol=1e-5)


def test_the_fbp_layer_passes_gradients_on():
    layer = FilteredBackProjection(GEOMETRY)
    sinograms, images = random(1, 17, 5, 1), random(1, 12, 12, 1)
    found = gradient(lambda y: ops.sum(layer(y) * images), sinograms)
    # Linear: the derivative along any direction is the layer's own answer to it.
    along = random(2, 17, 5, 1)[1:]
    expected = np.vdot(ops.convert_to_numpy(layer(along)), images)
    assert np.vdot(found, along) == pytest.approx(expected, rel=1e-3)


def test_training_moves_every_weight_and_lowers_the_loss(build, pairs):
    keras.utils.set_random_seed(0)
    model = build(BEAM)
    model.compile(keras.optimizers.Adam(3e-3), "mean_squared_error")
    before = [w.numpy() for w in model.trainable_weights]
    loss = model.fit(*pairs, batch_size=8, epochs=25, verbose=0).history["loss"]
    after = zip(model.trainable_weights, before, strict=True)
    still = {w.path for w, old in after if np.array_equal(w.numpy(), old)}
    assert not still
    assert loss[-1] < loss[0] / 2


def test_a_saved_network_predicts_the_same(tmp_path, build, pairs):
    sinograms = pairs[0][:3]
    keras.utils.set_random_seed(0)
    model = build(BEAM)
    expected = model.predict(sinograms, verbose=0)
    assert expected.shape == (3, 12, 12, 1)

    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert np.allclose(loaded.predict(sinograms, verbose=0), expected, atol=1e-5)

    model.save_weights(tmp_path / "a.weights.h5")
    keras.utils.set_random_seed(1)
    other = build(BEAM)
    assert not np.allclose(other.predict(sinograms, verbose=0), expected, atol=1e-3)
    other.load_weights(tmp_path / "a.weights.h5")
    assert np.allclose(other.predict(sinograms, verbose=0), expected, atol=1e-5)


def test_weights_fit_another_geometry(build):
    other = ParallelBeam(20, [0, 40, 80, 120], 23)
    model = build(other)
    model.set_weights(build(BEAM).get_weights())
    assert model.predict(random(2, 23, 4, 1), verbose=0).shape == (2, 20, 20, 1)


def test_names_of_layers_are_unique_and_the_same_each_time(build):
    names = [[layer.name for layer in build(BEAM).layers] for _ in range(2)]
    assert len(set(names[0])) == len(names[0])
    assert names[0] == names[1]


def test_a_sinogram_of_another_geometry_is_refused(build):
    model = build(BEAM)
    with pytest.raises(ValueError, match=r"expected shape=\(None, 17, 5, 1\), found"):
        model(random(2, 17, 6, 1))


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match=r"positive sizes.*iterations=0"):
        learned_primal_dual(BEAM, iterations=0)
    with pytest.raises(ValueError, match=r"multiples of 4.*10, 10"):
        fbp_unet(ParallelBeam(10, [0, 90]), filters=(2, 3, 4))
    with pytest.raises(ValueError, match="expected a filter of"):
        fbp_unet(BEAM, filters=(2, 3), filter="hanning")
    with pytest.raises(ValueError, match=r"cut-off in \(0, 1\]"):
        fbp_unet(BEAM, filters=(2, 3), cutoff=0)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="this is the run on JAX itself"
)
def test_all_of_the_above_on_jax():
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]


def test_a_backend_without_sparse_product_is_named(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    layer = Projection(GEOMETRY)
    with pytest.raises(NotImplementedError, match="TensorFlow or JAX, received torch"):
        layer.build((None, 12, 12, 1))
