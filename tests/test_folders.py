from functools import partial

import numpy as np
import pytest

from srtools.datasets import simulate_folders
from srtools.files import (
    build_list_images,
    library_settings,
    read_image,
    write_image,
)


def noises(count, rng, *, size=8):
    for _ in range(count):
        yield {"noise": rng.random((size, size), dtype=np.float32)}


def interrupted(count, rng):
    """As `noises` of 8 pixels, if it may end."""
    if count == 2 and STOP:
        raise KeyboardInterrupt
    return noises(count, rng)


STOP = []


def contents(folder):
    return {
        f.relative_to(folder).as_posix(): f.read_bytes()
        for f in folder.rglob("*")
        if f.is_file()
    }


@pytest.fixture
def stopped(tmp_path):
    """A tree of 3 + 2 + 1 images, interrupted after the first part."""
    STOP.append("now")
    folder = tmp_path / "tree"
    with pytest.raises(KeyboardInterrupt):
        simulate_folders(folder, (3, 2, 1), interrupted, seed=4)
    STOP.clear()
    return folder


def test_an_interrupted_run_goes_on_and_ends_as_if_nothing_had_been(stopped, tmp_path):
    assert len(build_list_images(stopped / "train" / "noise")) == 3
    assert not (stopped / "settings.json").exists()
    simulate_folders(stopped, (3, 2, 1), interrupted, seed=4)
    whole = simulate_folders(tmp_path / "whole", (3, 2, 1), interrupted, seed=4)
    assert contents(stopped) == contents(whole)
    assert len(contents(whole)) == 7  # the images and the ledger, nothing else


def test_an_interrupted_run_of_other_settings_is_not_mixed_with(stopped):
    before = contents(stopped)
    with pytest.raises(ValueError, match=r"tree: expected counts .* found counts"):
        simulate_folders(stopped, (2, 2, 1), interrupted, seed=4)
    with pytest.raises(ValueError, match="expected seed 5, found seed 4"):
        simulate_folders(stopped, (3, 2, 1), interrupted, seed=5)
    assert contents(stopped) == before


@pytest.mark.parametrize("name", ["train/noise/00000.tiff", "test/own/scan.TIF"])
def test_images_of_somebody_else_are_not_touched(tmp_path, name):
    (tmp_path / "notes.txt").write_text("belongs to a script, and is in nobody's way")
    (tmp_path / name).parent.mkdir(parents=True)
    write_image(tmp_path / name, np.full((4, 4), 7, np.float32))
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match=rf"{name}: expected a folder without"):
        simulate_folders(tmp_path, (3, 2, 1), noises, seed=4)
    assert contents(tmp_path) == before
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "notes.txt",
        name.split("/")[0],
    ]


def test_a_ledger_of_something_else_is_told(tmp_path):
    for text in ("[1]", "not JSON", "3"):
        (tmp_path / "settings.json").write_text(text)
        with pytest.raises(ValueError, match=r"settings\.json: expected the settings"):
            simulate_folders(tmp_path, (3, 2, 1), noises, seed=4)
    assert [f.name for f in tmp_path.iterdir()] == ["settings.json"]


def test_the_arguments_of_the_drawing_function_tell_trees_apart(tmp_path):
    small = partial(noises, size=4)
    simulate_folders(tmp_path, (1, 1, 1), small, seed=0)
    assert read_image(tmp_path / "val" / "noise" / "00000.tiff").shape == (4, 4)
    simulate_folders(tmp_path, (1, 1, 1), small, seed=0)  # is there
    with pytest.raises(ValueError, match=r"expected draw .*'size': 5.* found draw"):
        simulate_folders(tmp_path, (1, 1, 1), partial(noises, size=5), seed=0)
    with pytest.raises(ValueError, match="no lambda"):
        simulate_folders(tmp_path / "b", (1, 1, 1), lambda count, rng: [], seed=0)
    assert not (tmp_path / "b").exists()


def test_a_tree_says_what_it_was_made_of(tmp_path):
    folder = simulate_folders(tmp_path / "tree", (1, 1, 1), noises, seed=4)
    said = library_settings(folder)
    assert said["counts"] == [1, 1, 1] and said["draw"]["function"].endswith(":noises")
    with pytest.raises(FileNotFoundError, match=r"noise.settings\.json: no such file"):
        library_settings(folder / "train" / "noise")
