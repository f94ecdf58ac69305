from math import comb

import keras
import numpy as np
import pytest
from learning import holds, seeded

from srtools.models import SplitPatches, denoise_split, noise2inverse, train_split
from srtools.scan import SplitViews
from srtools.tomography import ParallelBeam

pytestmark = pytest.mark.any_backend

ANGLES = np.linspace(0, 180, 13, endpoint=False)


@pytest.fixture
def images():
    """Four parts of three slices, not square on purpose; every value its own."""
    return np.arange(4 * 3 * 20 * 28, dtype="float32").reshape(4, 3, 20, 28, 1)


@pytest.fixture
def double():
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Rescaling(2.0)(image))


def test_every_view_is_in_one_part_and_neighbours_are_in_different_ones():
    shuffled = np.random.default_rng(0).permutation(ANGLES)
    split = SplitViews(ParallelBeam(8, shuffled, axis=3.0), 3)
    numbers = np.concatenate(split.numbers)
    assert np.array_equal(np.sort(numbers), np.arange(13))
    for part, beam in enumerate(split.beams):
        assert np.allclose(np.sort(beam.angles), ANGLES[part::3])
        assert beam.axis == 3.0


def test_a_part_is_the_reconstruction_of_its_views():
    beam = ParallelBeam(16, ANGLES)
    sinograms = np.random.default_rng(0).random((2, 16, 13, 1))
    found = SplitViews(beam, 2).fbp(sinograms, filter="hann")
    odd = ParallelBeam(16, ANGLES[1::2])
    assert found.shape == (2, 2, 16, 16, 1)
    assert np.allclose(found[1], odd.fbp(sinograms[:, :, 1::2], filter="hann"))


def test_splits_that_cannot_be_are_refused():
    beam = ParallelBeam(16, ANGLES)
    for parts in (1, 7):
        with pytest.raises(ValueError, match=f"2 to 6 parts of 13 .* received {parts}"):
            SplitViews(beam, parts)
    with pytest.raises(ValueError, match=r"\(n, 16, 13, 1\) of the whole scan"):
        SplitViews(beam).fbp(np.zeros((1, 16, 7, 1)))


@pytest.mark.parametrize(("strategy", "n_shown"), [("X:1", 3), ("1:X", 1), ("half", 2)])
def test_a_patch_shows_one_place_in_some_parts_and_wants_the_rest(strategy, n_shown):
    place = np.arange(3 * 20 * 28).reshape(1, 3, 20, 28, 1)
    images = place + 10_000 * 2 ** np.arange(4).reshape(4, 1, 1, 1, 1)
    patches = SplitPatches(images, strategy, patch=9, batch_size=60)
    shown, wanted = patches[0]
    assert shown.shape == wanted.shape == (60, 9, 9, 1)
    whole = n_shown * shown + (4 - n_shown) * wanted  # every part once, of one place
    found = np.rint((whole - 150_000) / 4).astype(int)
    slices = found // (20 * 28)
    assert (slices == slices[:, :1, :1]).all() and set(slices.ravel()) == {0, 1, 2}
    bits = np.rint((shown - found) * n_shown / 10_000).astype(int)
    assert (bits == bits[:, :1, :1]).all()
    drawn = set(bits.ravel())
    assert {bin(number).count("1") for number in drawn} == {n_shown}
    assert len(drawn) == comb(4, n_shown)


def test_patches_are_turned_and_mirrored_in_all_eight_ways(images):
    _, wanted = SplitPatches(images, patch=5, batch_size=200)[0]
    steps = [
        (x[1, 0, 0] - x[0, 0, 0], x[0, 1, 0] - x[0, 0, 0]) for x in wanted.astype(int)
    ]
    turns = [(a, b) for a in (28, -28) for b in (1, -1)]
    assert set(steps) == {*turns, *((b, a) for a, b in turns)}


def test_batches_are_drawn_anew_and_the_same_from_a_seed(images):
    one, other = (SplitPatches(images, patch=8, batches=3, seed=5) for _ in range(2))
    assert len(one) == 3
    first = one[0][0]
    assert np.array_equal(first, other[0][0])
    assert not np.array_equal(first, one[1][0])
    one.on_epoch_end()
    assert not np.array_equal(first, one[0][0])
    unlike = SplitPatches(images, patch=8, batches=3, seed=6)
    assert not np.array_equal(first, unlike[0][0])


@pytest.mark.parametrize("strategy", ["X:1", "1:X", "half"])
def test_what_is_predicted_is_averaged_over_the_parts(images, double, strategy):
    found = denoise_split(double, images, strategy)
    assert np.allclose(found, 2 * images.mean(axis=0))


@pytest.mark.training
def test_a_network_learns_the_sample_from_noise_alone():
    rng = np.random.default_rng(seeded())
    clean = np.zeros((1, 1, 24, 24, 1), "float32")
    clean[..., 6:18, 6:18, :] = 1
    images = clean + rng.normal(size=(2, 1, 24, 24, 1)).astype("float32")
    image = keras.Input((None, None, 1))
    smooth = keras.layers.Conv2D(1, 5, padding="same")(image)
    model = keras.Model(image, smooth)
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    model.fit(SplitPatches(images, patch=16, batches=60), verbose=0)
    error = np.square(denoise_split(model, images) - clean[0]).mean()
    noise = np.square(images.mean(axis=0) - clean[0]).mean()
    holds("what is left of the noise of the mean", error / noise, at_most=1 / 3)
    shared = np.repeat(images.mean(axis=0, keepdims=True), 2, axis=0)
    model.fit(SplitPatches(shared, patch=16, batches=120), verbose=0)
    failed = np.square(denoise_split(model, shared) - clean[0]).mean()
    holds("noise that is shared is kept", failed / error, at_least=2)


def test_bad_images_are_refused(images, double):
    for bad in (images[0], images[:1], images[..., 0]):
        with pytest.raises(ValueError, match=r"\(parts, n, height, width, 1\) of two"):
            SplitPatches(bad)
    with pytest.raises(ValueError, match="patches of 1 to 20 pixels"):
        SplitPatches(images, patch=21)
    with pytest.raises(ValueError, match=r"strategy of .* received '2:1'"):
        denoise_split(double, images, "2:1")
    images[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="finite images"):
        SplitPatches(images)


def test_an_odd_number_of_parts_is_asked_as_it_was_taught():
    for parts in (2, 3, 4, 5):
        shown = noise2inverse._in_turn("half", parts)
        assert set(shown.sum(axis=1)) == {parts // 2}


def test_a_training_takes_hardly_more_steps_than_asked(monkeypatch):
    taken = []
    monkeypatch.setattr(
        keras.Model,
        "fit",
        lambda model, data, epochs, **how: taken.append(len(data) * epochs),
    )
    images = np.random.default_rng(0).random((2, 3, 16, 16, 1), np.float32)
    for steps in (7, 100, 101, 2_000):
        train_split(images, steps=steps)
    assert taken == [7, 100, 102, 2_000]
