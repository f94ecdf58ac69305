import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import find_objects, label

from srtools.datasets import simulate_denoising
from srtools.files import build_autoencoder_data, build_list_images, write_image
from srtools.phantoms import template_objects

SCRIPT = Path(__file__).parents[1] / "data" / "denoising" / "generatedata.py"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("denoising")
    return simulate_denoising(folder, (8, 2, 3), size=48, noise_std=0.4, seed=2)


def load(tree, part, size=48):
    return build_autoencoder_data(
        build_list_images(tree / part / "noisy"),
        build_list_images(tree / part / "noiseless"),
        (size, size, 1),
    )


def test_the_tree_has_the_parts_and_noise_only_in_the_noisy_images(tree):
    for part, count in (("train", 8), ("val", 2), ("test", 3)):
        noisy, clean = load(tree, part)
        assert noisy.shape == clean.shape == (count, 48, 48, 1)
        assert noisy.dtype == clean.dtype == np.float32
        assert (noisy - clean).std() == pytest.approx(0.4, rel=0.05)
        assert clean.min() == 0 and clean.max() <= 1
    assert not np.array_equal(load(tree, "val")[1], load(tree, "test")[1][:2])


def test_the_tree_is_written_once_and_checked(tree):
    first = tree / "train" / "noisy" / "00000.tiff"
    time = first.stat().st_mtime_ns
    assert simulate_denoising(tree, (8, 2, 3), size=48, noise_std=0.4, seed=2) == tree
    assert first.stat().st_mtime_ns == time
    with pytest.raises(
        ValueError, match=r"expected draw .*: 0\.5.*found draw .*: 0\.4"
    ):
        simulate_denoising(tree, (8, 2, 3), size=48, noise_std=0.5, seed=2)


def test_files_are_paired_by_name_whatever_their_order(tree):
    noisy = build_list_images(tree / "train" / "noisy")
    clean = build_list_images(tree / "train" / "noiseless")
    first = build_autoencoder_data(noisy, clean, (48, 48, 1))
    second = build_autoencoder_data(noisy[::-1], clean, (48, 48, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_errors(tree, tmp_path):
    noisy = build_list_images(tree / "val" / "noisy")
    clean = build_list_images(tree / "val" / "noiseless")
    with pytest.raises(ValueError, match=r"1 have no partner: .*00001.tiff"):
        build_autoencoder_data(noisy, clean[:1], (48, 48, 1))
    with pytest.raises(
        ValueError, match=r"00000.tiff: .* 64 x 64 pixels, found 48 x 48"
    ):
        build_autoencoder_data(noisy, clean, (64, 64, 1))
    with pytest.raises(ValueError, match=r"input_data \(height, width, 1\)"):
        build_autoencoder_data(noisy, clean, (48, 48))
    write_image(tmp_path / "00001.tiff", np.zeros((48, 40), "float32"))
    with pytest.raises(ValueError, match=r"00001.tiff: .* found 48 x 40"):
        build_autoencoder_data(noisy, [clean[0], tmp_path / "00001.tiff"], (48, 48, 1))
    with pytest.raises(ValueError, match=r"three counts of 1 or more"):
        simulate_denoising(tmp_path, (1, 0, 1))
    with pytest.raises(ValueError, match=r"noise_std of 0 or more, received -1"):
        simulate_denoising(tmp_path, (1, 1, 1), noise_std=-1)


def test_the_script_writes_the_tree(tmp_path, monkeypatch, capsys):
    arguments = ["--count", "2", "1", "1", "--size", "48", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["generatedata.py", *arguments])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "4 pairs" in capsys.readouterr().out
    assert load(tmp_path, "test")[0].shape == (1, 48, 48, 1)


def test_template_objects_do_not_overlap_and_have_four_kinds():
    images = template_objects(6, 64, rng=np.random.default_rng(0))
    assert images.shape == (6, 64, 64, 1) and images.dtype == np.float32
    fills = []
    for image in images[..., 0]:
        pieces, number = label(image > 0, structure=np.ones((3, 3)))
        assert 15 <= number <= 24  # not merged, and most found room
        for piece, box in enumerate(find_objects(pieces), 1):
            assert len(np.unique(image[pieces == piece])) == 1
            fills.append((pieces[box] == piece).mean())
    fills = np.array(fills)
    assert (fills == 1).any()  # solid squares; then discs, and hollow ones
    assert ((fills < 0.95) & (fills > 0.75)).any() and (fills < 0.6).any()
