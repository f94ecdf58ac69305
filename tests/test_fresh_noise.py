import numpy as np
import pytest

from srtools.datasets import FreshNoise
from srtools.tomography import ParallelBeam
from srtools.tutorial.key import plain

BEAM = ParallelBeam(12, np.linspace(0, 180, 5, endpoint=False), 15)
RECIPE = {"drawn": "here"}


@pytest.fixture
def images():
    images = np.random.default_rng(0).random((6, 12, 12, 1), np.float32)
    return images * BEAM.field_of_view[:, :, None]


def stream(images, **settings):
    given = {"percent": 2.0, "recipe": RECIPE, "batch_size": 40, "steps": 3}
    return FreshNoise(images, BEAM, **given | settings)


def test_a_batch_is_a_scan_of_its_images_with_the_noise_that_was_asked_for(images):
    data = stream(images)
    sinograms, targets = data[0]
    assert sinograms.shape == (40, 15, 5, 1) and targets.shape == (40, 12, 12, 1)
    noise = sinograms - BEAM.project(targets)
    assert noise.std() == pytest.approx(0.02 * data.largest, rel=0.1)
    assert data.largest >= BEAM.project(images).max()
    assert len(data) == 3


def test_an_image_comes_in_its_eight_symmetries_and_no_other(images):
    _, targets = stream(images[:1], batch_size=400)[0]
    seen = {part.tobytes() for part in targets}
    both = images[0], images[0, ::-1]
    assert seen == {np.rot90(x, k).tobytes() for x in both for k in range(4)}


def test_no_noise_comes_twice_and_a_seed_brings_all_of_it_back(images):
    data, again = stream(images), stream(images)
    seen = [data[0][0], data[1][0]]
    data.on_epoch_end()
    seen.append(data[0][0])
    assert len({part.tobytes() for part in seen}) == 3
    assert np.array_equal(again[1][0], seen[1])  # in any order
    assert not np.array_equal(stream(images, seed=1)[0][0], seen[0])


def test_the_recipe_says_what_decides_the_batches(images):
    recipes = [
        stream(images).recipe,
        stream(images[:5]).recipe,
        stream(images, percent=1.0).recipe,
        stream(images, seed=3).recipe,
        stream(images, recipe={"drawn": "elsewhere"}).recipe,
    ]
    assert len({str(plain(recipe)) for recipe in recipes}) == 5


@pytest.mark.parametrize("wrong", [{"percent": 0}, {"batch_size": 0}, {"steps": 0}])
def test_what_cannot_be_is_refused(images, wrong):
    with pytest.raises(ValueError, match="positive numbers"):
        stream(images, **wrong)


def test_images_are_needed_and_must_fit_the_geometry(images):
    with pytest.raises(ValueError, match="expected images"):
        stream(images[:0])
    with pytest.raises(ValueError, match="expected images"):
        stream(images[:, :10])
