import keras
import numpy as np
import pytest
from keras import layers

from srtools.inspection import worst_perturbation
from srtools.models import FilteredBackProjection
from srtools.tomography import ParallelBeam

SHAPE = (4, 3, 1)
pytestmark = pytest.mark.any_backend


def linear(matrix):
    """A network that multiplies sinograms of 4 x 3 rays by a matrix."""
    x = sinogram = keras.Input(SHAPE)
    x = layers.Flatten()(x)
    x = layers.Dense(len(matrix), name="matrix")(x)
    model = keras.Model(sinogram, layers.Reshape((len(matrix), 1, 1))(x))
    offset = np.arange(len(matrix), dtype=np.float32)  # must cancel out
    model.get_layer("matrix").set_weights([matrix.T, offset])
    return model


def measured(n=3, shape=SHAPE, seed=1):
    return np.random.default_rng(seed).standard_normal((n, *shape)).astype(np.float32)


def test_the_worst_for_a_linear_method_is_its_first_singular_vector():
    matrix = np.random.default_rng(0).standard_normal((9, 12)).astype(np.float32)
    _, values, vectors = np.linalg.svd(matrix)
    model, sinograms = linear(matrix), measured()
    rng = np.random.default_rng(2)
    r = worst_perturbation(model, sinograms, 0.5, rng=rng, steps=100)
    assert r.shape == sinograms.shape and r.dtype == np.float32
    change = model.predict(sinograms + r, verbose=0) - model.predict(
        sinograms, verbose=0
    )
    amplified = np.linalg.norm(change.reshape(3, -1), axis=1) / 0.5
    assert amplified == pytest.approx(np.full(3, values[0]), rel=1e-3)
    assert np.abs(r.reshape(3, -1) @ vectors[0]) / 0.5 == pytest.approx(1, rel=1e-3)


def test_each_perturbation_has_the_norm_asked_for_and_beats_chance():
    geometry = {"size": 12, "angles": [0.0, 30.0, 60.0, 90.0, 120.0, 150.0]}
    beam = ParallelBeam(**geometry)
    sinogram = keras.Input((12, 6, 1))
    draft = FilteredBackProjection(geometry, filter="ramp")(sinogram)
    model = keras.Model(sinogram, layers.LeakyReLU(0.3)(draft))  # not linear
    sinograms = beam.project(np.abs(measured(4, (12, 12, 1))))
    r = worst_perturbation(model, sinograms, 2.0, rng=np.random.default_rng(0))
    assert np.linalg.norm(r.reshape(4, -1), axis=1) == pytest.approx(2, rel=1e-5)
    chance = measured(4, (12, 6, 1), seed=3)
    chance *= 2 / np.linalg.norm(chance.reshape(4, -1), axis=1)[:, None, None, None]

    def change(by):
        moved = model.predict(sinograms + by, verbose=0)
        moved -= model.predict(sinograms, verbose=0)
        return np.linalg.norm(moved.reshape(4, -1), axis=1)

    assert (change(r) > 1.2 * change(chance)).all()


def test_each_image_has_a_perturbation_of_its_own():
    # The first sinogram alone and in company: the others do not move it.
    geometry = {"size": 8, "angles": [0.0, 60.0, 120.0]}
    sinogram = keras.Input((8, 3, 1))
    draft = FilteredBackProjection(geometry)(sinogram)
    model = keras.Model(sinogram, layers.ReLU()(draft))
    sinograms = measured(3, (8, 3, 1))
    together = worst_perturbation(model, sinograms, 1.0, rng=np.random.default_rng(0))
    first = np.random.default_rng(0)  # draws the same start for the first one
    alone = worst_perturbation(model, sinograms[:1], 1.0, rng=first)
    assert np.allclose(together[:1], alone, atol=1e-4)


@pytest.mark.parametrize("norm", [0, -1, np.nan])
def test_a_norm_that_is_not_positive_is_refused(norm):
    with pytest.raises(ValueError, match="expected a positive norm, received"):
        worst_perturbation(
            linear(np.ones((2, 12), np.float32)),
            measured(),
            norm,
            rng=np.random.default_rng(0),
        )
