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
from srtools.command.self_taught import self_taught
from srtools.models import unet
from srtools.phantoms import random_shapes
from srtools.scan import read_scan, remove_air
from srtools.tomography import ParallelBeam

ANGLES = np.arange(0, 180, 3.0)
SIZE, ROWS, AXIS = 48, 5, 25.5


@pytest.fixture
def scan(tmp_path):
    """Data Exchange, the axis off the middle, the beam weaker than the flats."""
    return write_scan(tmp_path / "scan.h5", ANGLES, SIZE, AXIS)


def write_scan(path, angles, size, axis):
    images = random_shapes(ROWS, 36, rng=np.random.default_rng(0)) / 30
    sinograms = ParallelBeam(36, angles, size, axis=axis).project(images)
    light = 0.8 * 2e4 * np.exp(-sinograms[..., 0].transpose(2, 0, 1))
    with h5py.File(path, "w") as file:
        light = np.random.default_rng(1).poisson(light)
        file["exchange/data"] = (light + 100).astype("uint16")
        file["exchange/data_white"] = np.full((2, ROWS, size), 20100, "uint16")
        file["exchange/data_dark"] = np.full((2, ROWS, size), 100, "uint16")
        file["exchange/theta"] = angles
    return path


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


@pytest.mark.parametrize(
    ("angles", "size", "axis", "pad"),
    [(ANGLES, SIZE, AXIS, 10), (np.arange(0, 360, 3.0), 24, 4.0, None)],
)
def test_a_preview_draws_the_axis_on_the_detector(
    tmp_path, monkeypatch, angles, size, axis, pad
):
    """Padding and folding move it, but not on the detector."""
    scan = write_scan(tmp_path / "scan.h5", angles, size, axis)
    figures = []
    monkeypatch.setattr(
        "srtools.command.scans._save", lambda figure, path: figures.append(figure)
    )
    more = ["--pad", pad] if pad else []
    assert run("preview", scan, "--axis", axis, *more) == 0
    sinogram, rows = (figures[0].axes[i] for i in (1, 2))
    assert sinogram.images[0].get_array().shape == (len(angles), size)
    for drawn in (sinogram, rows):
        assert drawn.lines[0].get_xdata() == [axis, axis]
    assert rows.get_title() == f"axis: column {axis:g}"
    found = np.asarray(rows.lines[1].get_xdata(), float)
    assert np.nanmax(np.abs(found - axis), initial=0) < 1.5


@pytest.mark.parametrize("task", ["preview", "reconstruct"])
def test_a_scan_without_flats_is_refused(scan, tmp_path, capsys, task):
    with h5py.File(scan, "r+") as file:
        del file["exchange/data_white"]
    out = [tmp_path / "v"] if task == "reconstruct" else []
    assert run(task, scan, *out, "--axis", AXIS) == 1
    assert "scan.h5: expected flats (pictures" in capsys.readouterr().err


def test_a_scan_without_opposites_is_not_folded(tmp_path, capsys):
    images = {}
    for end in (180, 300):
        angles = np.arange(0, end, 3.0)
        scan = write_scan(tmp_path / f"{end}.h5", angles, SIZE, AXIS)
        words = ["--rows", "2:3", "--axis", AXIS, "--air", 3]
        assert run("reconstruct", scan, tmp_path / f"{end}", *words) == 0
        images[end] = tifffile.imread(tmp_path / f"{end}" / "00002.tif")
    assert "not folded: expected views over 360 degrees" in capsys.readouterr().out
    assert np.corrcoef(images[180].ravel(), images[300].ravel())[0, 1] > 0.95
    assert images[300].std() == pytest.approx(images[180].std(), rel=0.05)


@pytest.mark.parametrize("name", ["volume.h5", "volume.zarr", "slices"])
def test_a_volume_is_that_of_the_functions(scan, tmp_path, capsys, name):
    zarr = pytest.importorskip("zarr") if name.endswith(".zarr") else None
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
    elif zarr:
        found = zarr.open_group(out, mode="r")["0"][1]
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
    words[2] = tmp_path / "zero.h5"
    assert run(*words, "--rows", "2:3", "--axis", AXIS, "--weight", 0) == 1
    assert "expected a positive weight, received 0.0" in capsys.readouterr().err


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


@pytest.mark.parametrize(
    ("volume", "network"),
    [
        ("vol_1.5um", "vol_1.5um.keras"),
        ("vol_1.8um", "vol_1.8um.keras"),
        ("vol_1.5um.H5", "vol_1.5um.keras"),
        ("v.1.zarr", "v.1.keras"),
    ],
)
def test_a_network_has_the_whole_name_of_its_volume(
    scan, tmp_path, monkeypatch, volume, network
):
    small = unet((None, None, 1), filters=(2, 4), residual=True)
    learn = "srtools.command.self_taught.train_split"
    monkeypatch.setattr(learn, lambda *_, **__: small)
    measured = read_scan(scan).corrected(axis=AXIS)
    self_taught(measured, slice(1, 3), tmp_path / volume, "hann", 1)
    assert [path.name for path in tmp_path.glob("*.keras")] == [network]


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
