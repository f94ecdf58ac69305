"""The tasks of the command line that send images through a network."""

import re

import numpy as np
import pytest
import tifffile

from srtools.command import main
from srtools.models import pretrained


def run(*words):
    return main([str(word) for word in words])


@pytest.fixture
def network(tmp_path):
    """Halves every grey value; as a logit that is above zero where the value is."""
    import keras

    image = keras.Input((None, None, 1))
    half = keras.layers.Rescaling(0.5)(image)
    keras.Model(image, half).save(tmp_path / "half.keras")
    return tmp_path / "half.keras"


def test_a_volume_is_denoised_slice_by_slice(tmp_path, network, capsys):
    volume = np.random.default_rng(0).random((3, 19, 37)).astype("float32")
    tifffile.imwrite(tmp_path / "volume.tif", volume, photometric="minisblack")
    out = tmp_path / "clean"
    assert run("denoise", tmp_path / "volume.tif", out, "--model", network) == 0
    found = [tifffile.imread(out / f"{i:05d}.tif") for i in range(3)]
    assert np.allclose(found, volume / 2)
    assert (out / "middle.png").exists()
    again = tmp_path / "again"
    assert run("denoise", out, again, "--model", network) == 0  # a folder of TIFFs
    assert np.allclose(tifffile.imread(again / "00001.tif"), volume[1] / 4)
    assert run("denoise", out, again, "--model", network) == 1
    assert "exists, and is never overwritten" in capsys.readouterr().err


def test_a_network_of_the_package_denoises_what_is_on_its_scale(tmp_path, capsys):
    volume = np.random.default_rng(0).random((1, 19, 37)).astype("float32")
    np.save(tmp_path / "grey.npy", volume * 1000)
    words = ["denoise", tmp_path / "grey.npy", tmp_path / "out", "--model"]
    assert run(*words, "unet_tooth") == 1
    assert run(*words, "unet_teeth") == 1
    said = capsys.readouterr().err.splitlines()
    assert "taught in" in said[-2] and re.search(r"--scale 0\.001\d", said[-2])
    assert "did you mean 'unet_tooth'?" in said[-1]
    assert run(*words, "unet_tooth", "--scale", 0.001) == 0
    network, _ = pretrained("unet_tooth")
    wide = np.pad(volume, ((0, 0), (0, 13), (0, 27)), mode="reflect")[..., None]
    expected = 1000 * network.predict(wide, verbose=0)[0, :19, :37, 0]
    found = tifffile.imread(tmp_path / "out" / "00000.tif")
    assert np.allclose(found, expected, atol=1e-2)


def test_a_network_of_another_size_is_refused(tmp_path, capsys):
    import keras

    image = keras.Input((16, 16, 1))
    keras.Model(image, keras.layers.Rescaling(1.0)(image)).save(tmp_path / "m.keras")
    np.save(tmp_path / "v.npy", np.zeros((2, 19, 37), "float32"))
    words = ["denoise", tmp_path / "v.npy", tmp_path / "out", "--model"]
    assert run(*words, tmp_path / "m.keras") == 1
    assert "slices of 16 x 16 pixels" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_images_are_segmented_at_any_size(tmp_path, network):
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    pictures = {n: rng.normal(size=s).astype("f4") for n, s in SIZES.items()}
    for name, picture in pictures.items():
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", picture)
    out = tmp_path / "labels"
    assert run("segment", tmp_path / "images", out, "--model", network) == 0
    for name, picture in pictures.items():
        assert np.array_equal(tifffile.imread(out / f"{name}.tif"), picture > 0)
    assert (out / "middle.png").exists()


def test_an_image_smaller_than_a_tile_is_refused(tmp_path, network, capsys):
    (tmp_path / "images").mkdir()
    for name, side in (("a", 40), ("b", 24)):
        tifffile.imwrite(tmp_path / f"images/{name}.tif", np.zeros((40, side), "f4"))
    words = ["segment", tmp_path / "images", tmp_path / "out", "--model", network]
    assert run(*words) == 1
    said = capsys.readouterr().err
    assert "b.tif: expected sides of at least 32 pixels" in said
    assert "received 40 x 24" in said


@pytest.mark.parametrize("task", ["denoise", "segment"])
def test_a_run_that_failed_leaves_nothing_behind(tmp_path, network, capsys, task):
    (tmp_path / "images").mkdir()
    good = np.ones((40, 40), "f4")
    for name, picture in (("a", good), ("b", good * np.nan)):
        tifffile.imwrite(tmp_path / f"images/{name}.tif", picture)
    words = [task, tmp_path / "images", tmp_path / "out", "--model", network]
    assert run(*words) == 1
    assert "b.tif: expected finite values" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))
    tifffile.imwrite(tmp_path / "images/b.tif", good)
    assert run(*words) == 0
    assert len(list((tmp_path / "out").glob("*.tif"))) == 2


SIZES = {"a": (40, 70), "b": (33, 300)}
