import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from learning import assert_it_learns, holds, learn, seeded

from srtools.models import (
    BackProjection,
    FilteredBackProjection,
    Projection,
    fbp_unet,
    learned_primal_dual,
    mean_over_symmetries,
)
from srtools.tomography import FILTERS, ParallelBeam

pytestmark = pytest.mark.any_backend

# Nothing is square, and the detector has other pixels than the image, on purpose.
GEOMETRY = {
    "size": 12,
    "angles": [0.0, 25.0, 60.0, 90.0, 140.0],
    "n_translations": 17,
    "detector_spacing": 1.25,
    "axis": 7.4,
}
BEAM = ParallelBeam(**GEOMETRY)
NETWORKS = {
    "fbp_unet": lambda beam: fbp_unet(
        beam, filters=(4, 6), filter="cosine", cutoff=0.8
    ),
    "learned_primal_dual": lambda beam, iterations=1: learned_primal_dual(
        beam, iterations=iterations, filters=4, memory=2
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
    if keras.backend.backend() == "torch":
        x = ops.convert_to_tensor(x).requires_grad_()
        function(x).backward()
        return ops.convert_to_numpy(x.grad)
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
    found = gradient(lambda x: ops.sum(ops.multiply(project(x), sinograms)), images)
    assert np.allclose(found, expected, atol=1e-5)
    expected = ops.convert_to_numpy(project(images))
    found = gradient(lambda y: ops.sum(ops.multiply(back(y), images)), sinograms)
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
    found = gradient(lambda y: ops.sum(ops.multiply(layer(y), images)), sinograms)
    # Linear: the derivative along any direction is the layer's own answer to it.
    along = random(2, 17, 5, 1)[1:]
    expected = np.vdot(ops.convert_to_numpy(layer(along)), images)
    assert np.vdot(found, along) == pytest.approx(expected, rel=1e-3)


@pytest.mark.training
@pytest.mark.parametrize(
    ("name", "more"), [("fbp_unet", {}), ("learned_primal_dual", {"iterations": 2})]
)
def test_training_moves_every_weight_and_lowers_the_loss(name, more, pairs):
    seeded()
    model = NETWORKS[name](BEAM, **more)
    model.compile(keras.optimizers.Adam(3e-3), "mean_squared_error")
    assert_it_learns(model, *pairs, steps=110)


def test_a_saved_network_predicts_the_same(tmp_path, build, pairs):
    sinograms = pairs[0][:3]
    keras.utils.set_random_seed(0)
    model = build(BEAM)
    expected = model.predict_on_batch(sinograms)
    assert expected.shape == (3, 12, 12, 1)

    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert np.allclose(loaded.predict_on_batch(sinograms), expected, atol=1e-5)

    model.save_weights(tmp_path / "a.weights.h5")
    keras.utils.set_random_seed(1)
    other = build(BEAM)
    assert not np.allclose(other.predict_on_batch(sinograms), expected, atol=1e-3)
    other.load_weights(tmp_path / "a.weights.h5")
    assert np.allclose(other.predict_on_batch(sinograms), expected, atol=1e-5)


def test_weights_fit_another_geometry(build):
    other = ParallelBeam(20, [0, 40, 80, 120], 23)
    model = build(other)
    model.set_weights(build(BEAM).get_weights())
    assert model(random(2, 23, 4, 1)).shape == (2, 20, 20, 1)


def test_a_network_is_described_without_its_matrix():
    model = fbp_unet(ParallelBeam(12, [3.0, 80.0]), filters=(4, 6))
    model.summary(print_fn=lambda *args, **kwargs: None)
    layer = model.get_layer("fbp")
    assert "matrix" not in vars(layer.beam) and "_projector" not in vars(layer)
    model(random(1, 12, 2, 1))
    assert "matrix" in vars(layer.beam) and "_projector" in vars(layer)


def test_names_of_layers_are_unique_and_the_same_each_time(build):
    names = [[layer.name for layer in build(BEAM).layers] for _ in range(2)]
    assert len(set(names[0])) == len(names[0])
    assert names[0] == names[1]


def test_layers_of_one_geometry_share_what_they_multiply_by():
    first, second = Projection(GEOMETRY), BackProjection(dict(GEOMETRY))
    other = Projection({**GEOMETRY, "axis": 7.5})
    assert first._projector is second._projector
    assert first._projector is not other._projector
    assert first._projector.norm == pytest.approx(BEAM.norm)


def test_the_mean_over_symmetries_turns_with_the_object(pairs):
    # Angles that a quarter turn maps to angles, and a detector centred on the axis.
    beam = ParallelBeam(12, np.arange(6) * 30.0)
    network = NETWORKS["fbp_unet"](beam)

    def turn(images, number):
        mirrored = images[:, :, ::-1] if number % 2 else images
        return np.rot90(mirrored, number // 2, (1, 2))

    turned = [beam.project(turn(pairs[1][:3], number)) for number in range(8)]
    mean = mean_over_symmetries(network, np.concatenate(turned)).reshape(8, 3, 12, 12)
    alone = network.predict_on_batch(np.concatenate(turned)).reshape(8, 3, 12, 12)
    for number in range(1, 8):
        assert np.allclose(mean[number], turn(mean[0], number), atol=1e-4), number
        # One answer alone does not.
        assert np.abs(alone[number] - turn(alone[0], number)).max() > 1e-3, number


def test_a_network_without_fbp_has_no_mean_over_symmetries(pairs):
    network = NETWORKS["learned_primal_dual"](BEAM)
    with pytest.raises(ValueError, match="expected a network of fbp_unet"):
        mean_over_symmetries(network, pairs[0])


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


@pytest.mark.parametrize("size", [1, 3, 9])
@pytest.mark.parametrize("n_translations", [1, 2, 11])
def test_tiles_that_reach_over_the_image_or_the_detector(size, n_translations):
    geometry = {
        "size": size,
        "angles": [0.0, 33.0, 200.0],
        "n_translations": n_translations,
        "detector_spacing": 0.6,
    }
    beam = ParallelBeam(**geometry)
    images = random(2, size, size, 1)
    projected = ops.convert_to_numpy(Projection(geometry)(images)) * beam.norm
    assert np.allclose(projected, beam.project(images), atol=1e-5)
    back = ops.convert_to_numpy(BackProjection(geometry)(projected)) * beam.norm
    assert np.allclose(back, beam.backproject(projected), atol=1e-4)


@pytest.mark.training
@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras does not compile it by itself"
)
def test_compiled_and_uncompiled_training_agree(build, pairs):
    losses = []
    for compiled in (False, True):
        seeded()
        model = build(BEAM)
        adam = keras.optimizers.Adam(3e-3)
        model.compile(adam, "mean_squared_error", jit_compile=compiled)
        losses.append(learn(model, *pairs, steps=16))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    holds(
        "its last loss is a part of the first",
        losses[0][-1] / losses[0][0],
        at_most=0.95,
    )
    assert model.jit_compile
    predicted = model.predict_on_batch(pairs[0][:5])  # a batch of another size
    assert np.allclose(predicted, ops.convert_to_numpy(model(pairs[0][:5])), atol=1e-4)


@pytest.mark.parametrize(
    ("precision", "off"), [("mixed_float16", 0.02), ("float64", 1e-4)]
)
def test_other_precisions_train_and_predict_nearly_the_same(
    build, pairs, precision, off
):
    keras.utils.set_random_seed(0)
    weights = build(BEAM).get_weights()
    plain = build(BEAM)
    plain.set_weights(weights)
    try:
        keras.config.set_dtype_policy(precision)
        model = build(BEAM)
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(weights)
    expected = plain.predict_on_batch(pairs[0])
    found = model.predict_on_batch(pairs[0])
    assert found.dtype == model.compute_dtype
    assert np.abs(found - expected).max() < off * np.abs(expected).max()
    model.compile(keras.optimizers.SGD(0.5), "mean_squared_error")
    loss = learn(model, *pairs, steps=10)
    assert np.isfinite(loss).all() and loss[-1] < loss[0]


@pytest.mark.crosscheck
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="this is the run on another one"
)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_all_of_the_above_on_another_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    settings = {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    settings["JAX_ENABLE_X64"] = "1"  # without it, JAX has no float64
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        cwd=Path(__file__).parents[1],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]
