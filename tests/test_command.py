"""The command line is thin: what it does, it does by the functions of the rooms."""

import re
import subprocess
import sys
from functools import partial

import h5py
import numpy as np
import pytest
import tifffile

from srtools.command import main
from srtools.models import pretrained, unet
from srtools.phantoms import random_shapes
from srtools.scan import read_scan, remove_air
from srtools.tomography import ParallelBeam

ANGLES = np.arange(0, 180, 3.0)
SIZE, ROWS, AXIS = 48, 5, 25.5


@pytest.fixture
def scan(tmp_path):
    """Data Exchange, the axis off the middle, the beam weaker than the flats."""
    images = random_shapes(ROWS, 36, rng=np.random.default_rng(0)) / 30
    sinograms = ParallelBeam(36, ANGLES, SIZE, axis=AXIS).project(images)
    light = 0.8 * 2e4 * np.exp(-sinograms[..., 0].transpose(2, 0, 1))
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        light = np.random.default_rng(1).poisson(light)
        file["exchange/data"] = (light + 100).astype("uint16")
        file["exchange/data_white"] = np.full((2, ROWS, SIZE), 20100, "uint16")
        file["exchange/data_dark"] = np.full((2, ROWS, SIZE), 100, "uint16")
        file["exchange/theta"] = ANGLES
    return tmp_path / "scan.h5"


def run(*words):
    return main([str(word) for word in words])


def test_a_preview_says_what_it_found(scan, tmp_path, capsys):
    picture = tmp_path / "look" / "a.png"
    assert run("preview", scan, "--air", 3, "-o", picture) == 0
    said = capsys.readouterr().out
    assert "60 projections of 5 rows by 48 columns, 2 flats, 2 darks" in said
    assert "row 2: 0 dead or hot pixels" in said
    assert "0.22" in said  # -log(0.8): the beam has become weaker
    assert re.search(r"rotation axis at column 25\.(25|5|75)\n", said)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["volume.h5", "slices"])
def test_a_volume_is_that_of_the_functions(scan, tmp_path, capsys, name):
    out = tmp_path / name
    words = ["reconstruct", scan, out, "--air", 3, "--rows", "1:4", "--axis", AXIS]
    assert run(*words) == 0
    said = capsys.readouterr().out
    assert "3 slices; they leave" in said
    beam = ParallelBeam(SIZE, ANGLES, axis=AXIS)
    expected = beam.fbp(remove_air(read_scan(scan).sinograms(2), 3), filter="hann")
    if name == "slices":
        found = tifffile.imread(out / "00002.tif")
        assert (out / "middle.png").exists()
    else:
        with h5py.File(out) as file:
            found = file["volume"][1]
        assert out.with_suffix(".png").exists()
    assert np.allclose(found, expected[0, ..., 0], atol=1e-6)
    assert run(*words) == 1
    assert "exists, and is never overwritten" in capsys.readouterr().err


def test_total_variation_finds_its_weight_by_held_out_views(scan, tmp_path, capsys):
    words = ["reconstruct", scan, tmp_path / "v.h5", "--method", "tv", "--air", 3]
    assert run(*words, "--rows", "2:3", "--axis", AXIS) == 0
    assert "which explains held-out views best" in capsys.readouterr().out


def test_a_network_is_taught_by_the_scan_itself_and_used_again(
    scan, tmp_path, capsys, monkeypatch
):
    small = partial(unet, filters=(2, 4))
    monkeypatch.setattr("srtools.models.noise2inverse.unet", small)
    words = ["--method", "noise2inverse", "--steps", 3, "--axis", AXIS, "--air", 3]
    for name in ("volume.h5", "volume"):  # the network of the first serves both
        assert run("reconstruct", scan, tmp_path / name, *words, "--rows", "1:3") == 0
    said = capsys.readouterr().out
    assert "2 slices; they leave" in said and "volume.keras: used again" in said
    with h5py.File(tmp_path / "volume.h5") as file:
        found = file["volume"][1]
    assert np.array_equal(found, tifffile.imread(tmp_path / "volume/00002.tif"))
    fbp = ParallelBeam(SIZE, ANGLES, axis=AXIS).fbp(
        remove_air(read_scan(scan).sinograms(2), 3), filter="hann"
    )
    assert 0 < np.abs(found - fbp[0, ..., 0]).max()


def test_empty_rows_take_the_shape_out_of_the_beam(scan, tmp_path):
    bend = 1 + 0.2 * np.cos(np.arange(SIZE) / 15)
    with h5py.File(scan, "r+") as file:
        data = file["exchange/data"][()]
        data[:, 0] = 16100  # nothing but air
        file["exchange/data"][...] = ((data - 100.0) * bend + 100).astype("uint16")
    words = ["reconstruct", scan, "--axis", AXIS, "--air", 3, "--rows", "2:3"]
    for name, more in (("line", []), ("shape", ["--empty", "0:1"])):
        assert run(*words[:2], tmp_path / name, *words[2:], *more) == 0
    line, shape = (
        tifffile.imread(tmp_path / n / "00002.tif") for n in ("line", "shape")
    )
    air = ~ParallelBeam(SIZE, ANGLES, SIZE - 8).field_of_view
    air &= ParallelBeam(SIZE, ANGLES, axis=AXIS).field_of_view
    assert abs(shape[air].mean()) < abs(line[air].mean()) / 5


def test_trouble_is_said_in_one_line(scan, tmp_path, capsys):
    assert run("preview", tmp_path / "none.h5") == 1
    assert run("preview", scan, "--axis", 99) == 1
    assert (
        run("segment", tmp_path, tmp_path / "o", "--model", tmp_path / "m.keras") == 1
    )
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert said[0].startswith("srtools preview: ") and "no such file" in said[0]
    assert "expected an axis on the detector, from 0 to 47, received 99.0" in said[1]
    assert (
        said[2].startswith("srtools segment: ") and "m.keras: no such file" in said[2]
    )
    with pytest.raises(SystemExit):
        run("reconstruct", scan, tmp_path / "v", "--rows", "all")
    assert "expected FIRST:STOP, for example 100:200" in capsys.readouterr().err


def test_help_loads_no_network(capsys):
    with pytest.raises(SystemExit, match="0"):
        run("reconstruct", "--help")
    assert "a new folder of TIFFs" in capsys.readouterr().out
    program = (
        "import sys\nfrom srtools.command import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'keras', 'tensorflow', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


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


SIZES = {"a": (40, 70), "b": (33, 300)}
