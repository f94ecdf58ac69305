import runpy
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from srtools.datasets import ANOMALIES, read_families, simulate_families
from srtools.files import read_reconstruct_library
from srtools.phantoms import FAMILIES, circle, packed_particles
from srtools.tomography import ParallelBeam, dead_column, shifted_axis

BEAM = ParallelBeam(32, np.arange(16) * 180 / 16)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("families") / "families.h5"
    return simulate_families(path, BEAM, 140, n_anomalies=5, noise_percent=1, seed=3)


@pytest.mark.parametrize("name", FAMILIES)
def test_objects_are_attenuation_that_the_seed_decides(name):
    draw = FAMILIES[name]
    images = draw(6, 40, rng=np.random.default_rng(1))
    assert images.shape == (6, 40, 40, 1) and images.dtype == np.float32
    assert images.min() == 0 and 0.5 < images.max() <= 1
    assert np.array_equal(images, draw(6, 40, rng=np.random.default_rng(1)))
    assert not np.array_equal(images[0], images[1])
    if name != "ellipses":
        assert not images[:, ~circle(40)].any()


def test_particles_have_rims_denser_than_their_cores():
    images = packed_particles(5, 64, rng=np.random.default_rng(0))
    for image in images:
        values = np.unique(image)
        assert len(values) == 3  # air, core, rim
        assert 0.3 <= values[1] <= 0.6 and 0.8 <= values[2] <= 1
        inside = np.pad(image[..., 0], 1)
        touching_air = np.zeros_like(inside, bool)
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            touching_air |= np.roll(inside, step, axis) == 0
        assert (inside[touching_air & (inside > 0)] == values[2]).all()


def test_a_dead_column_reads_zero_and_touches_nothing_else():
    sinograms = 1 + np.random.default_rng(0).random((4, 32, 16, 1))
    spoilt = dead_column(sinograms, rng=np.random.default_rng(1))
    dead = (spoilt == 0).all(axis=(2, 3))
    assert (dead.sum(axis=1) == 1).all() and not dead[:, :8].any()
    assert np.array_equal(spoilt[~dead], sinograms.astype("float32")[~dead])


def test_a_shifted_axis_moves_the_centre_of_mass_by_an_eighth_of_the_detector():
    image = np.zeros((1, 32, 32, 1))
    image[0, 13:19, 13:19] = 1
    sinograms = BEAM.project(np.repeat(image, 8, axis=0))
    moved = shifted_axis(sinograms, rng=np.random.default_rng(0))
    place = np.arange(32)[:, None, None]
    centre = (moved * place).sum(axis=1) / moved.sum(axis=1)
    np.testing.assert_allclose(np.abs(centre - 15.5), 4, atol=1e-3)
    assert {1.0, -1.0} == set(np.sign(centre[:, 0, 0] - 15.5))


def test_a_library_holds_families_and_what_was_planted(library):
    images, sinograms, families, anomalies = read_families(library)
    assert read_reconstruct_library(library)[2] == len(images) == 140
    assert sorted(set(families)) == sorted(FAMILIES)
    counts = {name: (anomalies == name).sum() for name in ANOMALIES}
    assert counts == {name: 5 for name in ANOMALIES[1:]} | {"none": 120}
    clean = BEAM.project(images)
    error = (sinograms - clean)[anomalies == "none"]
    assert error.std() == pytest.approx(0.01 * clean.max(), rel=0.05)
    assert not images[anomalies == "empty scan"].any()
    assert (sinograms[anomalies == "dead column"] == 0).all((2, 3)).any(1).all()
    # Only grains fill the circle, and nothing outside it.
    full = ((images[..., 0] > 0) == circle(32)).all(axis=(1, 2))
    assert full.sum() == pytest.approx(20, abs=2)
    wrong = full & (families != "grains")
    assert set(anomalies[wrong]) <= {"mislabelled"}


def test_a_library_is_written_once(library, tmp_path):
    time = library.stat().st_mtime_ns
    simulate_families(library, BEAM, 140, n_anomalies=5, noise_percent=1, seed=3)
    assert library.stat().st_mtime_ns == time
    again = simulate_families(
        tmp_path / "again.h5", BEAM, 140, n_anomalies=5, noise_percent=1, seed=3
    )
    for one, other in zip(read_families(library), read_families(again), strict=True):
        assert np.array_equal(one, other)
    assert [p.name for p in tmp_path.iterdir()] == ["again.h5"]


def test_errors(library, tmp_path):
    same = {"n_anomalies": 5, "noise_percent": 1, "seed": 3}
    with pytest.raises(ValueError, match=r"families.h5: expected seed 4, found seed 3"):
        simulate_families(library, BEAM, 140, **same | {"seed": 4})
    wider = ParallelBeam(32, BEAM.angles, detector_spacing=2)
    with pytest.raises(ValueError, match=r"detector_spacing 2\.0, found"):
        simulate_families(library, wider, 140, **same)
    renamed = dict(zip(FAMILIES, reversed(FAMILIES.values()), strict=True))
    with pytest.raises(ValueError, match=r"expected families .*, found families"):
        simulate_families(library, BEAM, 140, families=renamed, **same)
    with pytest.raises(ValueError, match="no lambda"):
        simulate_families(
            tmp_path / "odd.h5", BEAM, 140, families={"odd": lambda n, size, rng: 0}
        )
    with pytest.raises(ValueError, match=r"at least 40 pairs .* received 20"):
        simulate_families(tmp_path / "few.h5", BEAM, 20)
    with pytest.raises(FileNotFoundError, match=r"nowhere.h5: no such file"):
        read_families(tmp_path / "nowhere.h5")
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["Images"], file["Sinograms"] = np.ones((2, 4, 4, 1))[..., [0, 0]]
        file["NImages"] = np.arange(2)
    with pytest.raises(ValueError, match=r"plain.h5: expected the datasets Families"):
        read_families(tmp_path / "plain.h5")


def test_the_script_writes_the_library(tmp_path, monkeypatch, capsys):
    script = Path(__file__).parents[1] / "data" / "inspection" / "generatedata.py"
    path = tmp_path / "some.h5"
    options = {"size": 24, "angles": 8, "count": 28, "anomalies": 2, "output": path}
    arguments = [str(a) for k, v in options.items() for a in (f"--{k}", v)]
    monkeypatch.setattr(sys, "argv", ["generatedata.py", *arguments])
    runpy.run_path(str(script), run_name="__main__")
    assert "28 pairs" in capsys.readouterr().out
    assert read_families(path)[1].shape == (28, 24, 8, 1)
