import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from srtools import tutorial
from srtools.metrics import Table
from srtools.models import reconstruct_cnn
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam
from srtools.tutorial import RECIPES, Task, shapes_task, train

BOOK = Path(__file__).parents[1] / "book"


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.setenv("SRTOOLS_CACHE", str(tmp_path))
    monkeypatch.setenv("SRTOOLS_SCALE", "quick")
    beam = ParallelBeam(16, np.arange(6) * 30.0)
    images = random_shapes(50, 16, rng=np.random.default_rng(0))
    parts = slice(0, 40), slice(40, 45), slice(45, None)
    return Task(beam, images, beam.project(images), {"draw": random_shapes}, *parts)


def kept(folder):
    return sorted(file.name for file in (folder / "trained").glob("*.json"))


def test_the_cnn_page_trains_the_network_that_the_others_load(task, tmp_path):
    """The page spells out what the recipe does: both must find the same weights."""
    page = (BOOK / "reconstruction" / "cnn.md").read_text()
    cells = re.findall(
        r"```\{code-cell\}[^\n]*\n(?::tags:[^\n]*\n)?(.*?)```", page, flags=re.DOTALL
    )
    first = next(i for i, c in enumerate(cells) if "model = reconstruct_cnn(" in c)
    last = next(i for i, c in enumerate(cells) if "tutorial.trained(" in c)
    names = {
        "keras": keras,
        "Table": Table,
        "tutorial": tutorial,
        "reconstruct_cnn": reconstruct_cnn,
        "beam": task.beam,
        "images": task.images,
        "sinograms": task.sinograms,
        "train": task.train,
        "val": task.val,
        "test": task.test,
        "library": None,
        "library_settings": lambda _: task.recipe,
    }
    exec("\n".join(cells[first : last + 1]), names)
    files = kept(tmp_path)
    assert len(files) == 1

    model, training = train("cnn", task)
    assert kept(tmp_path) == files  # loaded, not trained again
    assert training.history == names["training"].history
    weights = zip(model.get_weights(), names["model"].get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in weights)


def test_a_recipe_is_loaded_the_second_time_and_learnt_anew_on_other_data(
    task, tmp_path, monkeypatch
):
    monkeypatch.setitem(RECIPES, "dense", replace(RECIPES["dense"], epochs=2))
    first, training = train("dense", task)
    again, loaded = train("dense", task)
    assert loaded.history == training.history
    expected = first.predict(task.sinograms[task.test], verbose=0)
    found = again.predict(task.sinograms[task.test], verbose=0)
    assert np.array_equal(found, expected)
    assert len(training.history["val_loss"]) <= RECIPES["dense"].epochs
    assert {"mae", "mse"} < set(training.history)

    recipe = {**task.recipe, "factor": 2}
    sinograms = task.sinograms * 2
    other = Task(task.beam, task.images, sinograms, recipe, *(task.train,) * 3)
    train("dense", other)
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_for_the_geometry_of_a_task(task, name):
    model = RECIPES[name].build(task.beam)
    assert model.input_shape == (None, 16, 6, 1)
    assert model.output_shape == (None, 16, 16, 1)


def test_the_shapes_task_has_parts_that_do_not_overlap(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SRTOOLS_SCALE", "quick")
    calls = []

    def small(path, draw, beam, n, *, noise_percent, seed):
        calls.append((path, n, noise_percent))
        return path

    images = np.broadcast_to(np.float32(0), (9_400, 32, 32, 1))
    sinograms = np.broadcast_to(np.float32(0), (9_400, 32, 16, 1))
    monkeypatch.setattr("srtools.tutorial.recipes.simulate_library", small)
    monkeypatch.setattr(
        "srtools.tutorial.recipes.read_reconstruct_library",
        lambda path: (images, sinograms, 9_400),
    )
    monkeypatch.setattr(
        "srtools.tutorial.recipes.library_settings", lambda path: {"n": 9_400}
    )
    task = shapes_task()
    assert task.recipe == {"n": 9_400}
    parts = [range(9_400)[part] for part in (task.train, task.val, task.test)]
    assert sorted(i for part in parts for i in part) == list(range(9_400))
    assert (task.beam.size, task.beam.n_angles) == (32, 16)
    path = Path("data", "reconstruction", "shapes_random_noise_32px_16angles.h5")
    assert calls == [(tmp_path / path, 9_400, 5.0)]


def test_an_unknown_recipe_is_an_error(task):
    with pytest.raises(KeyError, match="transformer"):
        train("transformer", task)
