import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, label

from srtools.datasets import simulate_segmentation
from srtools.files import build_list_images, read_image
from srtools.phantoms import BACKGROUND, CRACK, HOLLOW, SOLID, scene

SCRIPT = Path(__file__).parents[1] / "data" / "segmentation" / "generatedata.py"


@pytest.fixture(scope="module")
def big():
    return scene(512, rng=np.random.default_rng(3))


def test_there_are_24_objects_of_which_12_are_hollow(big):
    assert label(big["classes"] != BACKGROUND, np.ones((3, 3)))[1] == 24
    assert label(big["label"], np.ones((3, 3)))[1] == 12


def test_the_labels_agree_and_nothing_else_is_in_them(big):
    assert np.array_equal(big["label"] == 1, big["classes"] == HOLLOW)
    assert np.array_equal(big["cracks"] == 1, big["classes"] == CRACK)
    assert set(np.unique(big["classes"])) == {BACKGROUND, SOLID, HOLLOW, CRACK}


def test_holes_are_labelled_and_no_threshold_finds_the_label(big):
    inside = big["noiseless"][big["label"] == 1]
    assert (inside < 0.02).mean() > 0.2  # the holes are as dark as the background
    solid = big["noiseless"][big["classes"] == SOLID]
    assert np.percentile(solid, 5) < np.median(inside[inside > 0.2]) < solid.max()


def test_cracks_cover_the_share_in_lines_of_two_to_four_pixels(big):
    cracks = big["classes"] == CRACK
    assert 0.02 <= cracks.mean() < 0.023
    assert np.median(big["noiseless"][cracks]) < np.median(
        big["noiseless"][big["classes"] == SOLID]
    )
    deepest = distance_transform_edt(np.pad(cracks, 1))
    # Half of 4 pixels, and more only where cracks meet.
    assert (deepest > 2.5).sum() < 0.05 * cracks.sum()
    assert scene(128, rng=np.random.default_rng(0), crack_share=0)["cracks"].sum() == 0


def test_noise_is_white_noise_and_rings_about_the_centre(big):
    noise = big["noisy"] - big["noiseless"]
    assert noise.std() == pytest.approx(np.hypot(0.3, 0.05), rel=0.02)
    rings = scene(512, rng=np.random.default_rng(3), noise_std=0)
    rings = rings["noisy"] - rings["noiseless"]
    assert rings.std() == pytest.approx(0.05, rel=0.15)
    assert np.allclose(rings, rings[::-1], atol=1e-6)
    assert np.allclose(rings, rings.T, atol=1e-6)


def test_the_tree_holds_what_the_scenes_hold_and_is_written_once(tmp_path):
    for _ in range(2):
        simulate_segmentation(tmp_path, (2, 1, 1), size=128, seed=1)
    files = build_list_images(tmp_path / "train" / "noisy")
    assert [file.name for file in files] == ["00000.tiff", "00001.tiff"]
    one = scene(128, rng=np.random.default_rng((1, 1)))
    for kind, image in one.items():
        found = read_image(tmp_path / "val" / kind / "00000.tiff")
        np.testing.assert_array_equal(found, image)
        assert found.dtype == image.dtype
    with pytest.raises(ValueError, match="expected seed 2, found seed 1; remove it"):
        simulate_segmentation(tmp_path, (2, 1, 1), size=128, seed=2)


def test_the_script_writes_the_tree(tmp_path, monkeypatch, capsys):
    arguments = ["--count", "1", "1", "1", "--size", "128", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["generatedata.py", *arguments])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "3 scenes" in capsys.readouterr().out
    assert read_image(tmp_path / "test" / "classes" / "00000.tiff").max() == CRACK


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"size": 127}, "128 pixels or more, received 127"),
        ({"size": 128, "noise_std": -1}, "noise_std of 0 or more, received -1"),
        ({"size": 128, "crack_share": 0.06}, "crack share of 0 to 0.05, received 0.06"),
    ],
)
def test_errors(how, message):
    with pytest.raises(ValueError, match=message):
        scene(rng=np.random.default_rng(0), **how)


def test_counts_below_one_are_refused(tmp_path):
    with pytest.raises(ValueError, match="three counts of 1 or more"):
        simulate_segmentation(tmp_path, (1, 1, 0), size=128)
