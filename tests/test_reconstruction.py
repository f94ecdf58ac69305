import json
import shutil

import h5py
import keras
import numpy as np
import pytest
from learning import holds, seeded

from srtools.datasets import LibraryStream, simulate_library
from srtools.files import library_settings, read_reconstruct_library
from srtools.models import reconstruct_cnn
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam

pytestmark = pytest.mark.any_backend


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "shapes.h5"
    beam = ParallelBeam(16, np.arange(6) * 30.0, 20)
    return simulate_library(path, random_shapes, beam, 50, noise_percent=1)


def test_a_stream_gives_every_pair_once_an_epoch(library):
    images, sinograms, _ = read_reconstruct_library(library)
    stream = LibraryStream(library, batch_size=12, part=slice(3, 50))
    seen = []
    for _ in range(2):
        batches = [stream[i] for i in range(len(stream))]
        assert [len(b[0]) for b in batches] == [12, 12, 12, 11]
        x, y = (np.concatenate(side) for side in zip(*batches, strict=True))
        order = [int(np.flatnonzero((sinograms == s).all((1, 2, 3)))[0]) for s in x]
        assert sorted(order) == list(range(3, 50))
        assert np.array_equal(y, images[order])
        seen.append(order)
        stream.on_epoch_end()
    assert seen[0] != seen[1] and seen[0] != sorted(seen[0])


def test_a_stream_that_is_not_shuffled_keeps_the_order(library):
    _, sinograms, _ = read_reconstruct_library(library)
    stream = LibraryStream(library, batch_size=20, shuffle=False)
    stream.on_epoch_end()
    found = np.concatenate([stream[i][0] for i in range(len(stream))])
    assert np.array_equal(found, sinograms)


def test_the_recipe_of_a_stream_is_all_that_decides_its_batches(library, tmp_path):
    recipe = LibraryStream(library, part=slice(2, 20), batch_size=8, seed=3).recipe
    settings = library_settings(library)
    chosen = {"part": [2, 20], "batch_size": 8, "shuffle": True, "seed": 3}
    assert recipe == {"library": settings, **chosen}
    assert json.loads(json.dumps(recipe)) == recipe
    copy = shutil.copy(library, tmp_path / "copy.h5")  # another time and place
    same = dict(part=slice(2, 20), batch_size=8, seed=3)
    assert LibraryStream(copy, **same).recipe == recipe
    for change in (
        {"part": slice(2, 19)},
        {"batch_size": 9},
        {"seed": 4},
        {"shuffle": False},
    ):
        assert LibraryStream(library, **same | change).recipe != recipe
    straight = [LibraryStream(copy, shuffle=False, seed=i).recipe for i in range(2)]
    assert straight[0] == straight[1]  # the seed decides nothing there
    assert straight[0]["shuffle"] is False
    with h5py.File(copy, "r+") as file:
        file.attrs["settings"] = json.dumps({"seed": 1})
    assert LibraryStream(copy, **same).recipe["library"] == {"seed": 1}
    with h5py.File(copy, "r+") as file:
        del file.attrs["settings"]
    stream = LibraryStream(copy)  # whoever wrote it, it can be trained with
    with pytest.raises(
        AttributeError, match=r"copy\.h5: expected a file with its settings"
    ):
        _ = stream.recipe


def test_bad_parts_are_refused(library):
    with pytest.raises(ValueError, match=r"shapes\.h5: expected a part of its 50"):
        LibraryStream(library, part=slice(50, 60))
    with pytest.raises(ValueError, match="positive batch size"):
        LibraryStream(library, batch_size=0)


@pytest.mark.training
def test_training_from_a_stream_moves_every_weight_and_lowers_the_loss(library):
    seeded()
    model = reconstruct_cnn(20, 6, size=16, filters=(4, 6), channels=2)
    model.compile(keras.optimizers.Adam(3e-3), "mean_squared_error")
    model.optimizer.build(model.trainable_variables)  # else traced twice
    before = model.get_weights()
    stream = LibraryStream(library, batch_size=10)
    loss = model.fit(stream, epochs=15, verbose=0).history["loss"]
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    assert not [w.path for w, old, new in pairs if np.array_equal(old, new)]
    holds("its last loss is a part of the first", loss[-1] / loss[0], at_most=0.5)


def test_a_saved_network_predicts_the_same(tmp_path, library):
    _, sinograms, _ = read_reconstruct_library(library)
    model = reconstruct_cnn(20, 6, size=16, filters=(4, 4))
    expected = model.predict(sinograms[:3], verbose=0)
    assert expected.shape == (3, 16, 16, 1)
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert np.allclose(loaded.predict(sinograms[:3], verbose=0), expected, atol=1e-6)
    model.save_weights(tmp_path / "a.weights.h5")
    other = reconstruct_cnn(20, 6, size=16, filters=(4, 4))
    other.load_weights(tmp_path / "a.weights.h5")
    assert np.allclose(other.predict(sinograms[:3], verbose=0), expected, atol=1e-6)


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match=r"positive sizes, received \(16, 0, 16"):
        reconstruct_cnn(16, 0)
