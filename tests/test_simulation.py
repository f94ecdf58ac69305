import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from srtools.datasets import libraries, simulate_library
from srtools.files import read_reconstruct_library
from srtools.phantoms import ellipses, random_shapes
from srtools.tomography import ParallelBeam

SCRIPT = Path(__file__).parents[1] / "data" / "reconstruction" / "generatedata.py"


@pytest.fixture
def beam():
    return ParallelBeam(16, np.arange(6) * 30.0, 20)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(libraries, "_BLOCK", 8)


def test_the_noise_is_in_the_sinograms_and_not_in_the_truth(tmp_path, beam):
    path = simulate_library(tmp_path / "a.h5", random_shapes, beam, 60, noise=4)
    images, sinograms, n = read_reconstruct_library(path)
    assert images.shape == (60, 16, 16, 1) and sinograms.shape == (60, 20, 6, 1)
    assert n == 60
    clean = beam.project(images)
    assert (sinograms - clean).std() == pytest.approx(0.04 * clean.max(), rel=0.05)
    assert (images == 0).mean() > 0.5  # an empty background is empty
    assert [f.name for f in tmp_path.iterdir()] == ["a.h5"]


def test_the_seed_decides(tmp_path, beam):
    def library(name, seed):
        path = simulate_library(tmp_path / name, random_shapes, beam, 10, seed=seed)
        return read_reconstruct_library(path)[1]

    assert np.array_equal(library("a.h5", 1), library("b.h5", 1))
    assert not np.array_equal(library("a.h5", 1), library("c.h5", 2))


@pytest.mark.parametrize("calls", [1, 3, 5, 6, 7])  # three blocks drawn, three measured
def test_an_interrupted_run_goes_on_where_it_stopped(
    tmp_path, beam, calls, monkeypatch
):
    whole = simulate_library(tmp_path / "whole.h5", random_shapes, beam, 20)
    path = tmp_path / "a.h5"
    project, left = beam.project, iter(range(calls))

    def interrupted(images):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return project(images)

    monkeypatch.setattr(beam, "project", interrupted)
    if calls < 6:
        with pytest.raises(KeyboardInterrupt):
            simulate_library(path, random_shapes, beam, 20)
        assert not path.exists()
        with h5py.File(f"{path}.partial") as file:
            assert file.attrs["drawn"] + file.attrs["measured"] == calls
    monkeypatch.setattr(beam, "project", project)
    simulate_library(path, random_shapes, beam, 20)
    for again, before in zip(
        read_reconstruct_library(path), read_reconstruct_library(whole), strict=True
    ):
        assert np.array_equal(again, before)


def test_a_ruined_partial_file_is_written_anew(tmp_path, beam):
    path = tmp_path / "a.h5"
    Path(f"{path}.partial").write_text("half a file")
    simulate_library(path, random_shapes, beam, 10)
    assert read_reconstruct_library(path)[2] == 10


def test_a_whole_library_is_kept(tmp_path, beam):
    path = simulate_library(tmp_path / "a.h5", random_shapes, beam, 10)
    before = path.stat().st_mtime_ns
    simulate_library(path, random_shapes, beam, 10)
    assert path.stat().st_mtime_ns == before


def test_a_library_of_other_settings_is_not_overwritten(tmp_path, beam):
    path = simulate_library(tmp_path / "a.h5", random_shapes, beam, 10)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"a\.h5: expected .*'ellipses'.*'random_shap"):
        simulate_library(path, ellipses, beam, 10)
    assert path.read_bytes() == before


def test_an_empty_library_is_refused(tmp_path, beam):
    with pytest.raises(ValueError, match="at least one pair, received 0"):
        simulate_library(tmp_path / "a.h5", random_shapes, beam, 0)


def test_the_command_line_writes_a_library(tmp_path):
    path = tmp_path / "small.h5"
    command = [sys.executable, SCRIPT, "--output", path]
    command += ["--size", "16", "--angles", "8", "--count", "5", "--noise", "2"]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "5 pairs" in said.stdout
    images, sinograms, _ = read_reconstruct_library(path)
    assert images.shape == (5, 16, 16, 1) and sinograms.shape == (5, 16, 8, 1)
    wrong = [*command, "--count", "0"]
    said = subprocess.run(wrong, capture_output=True, text=True)
    assert said.returncode == 2 and "Traceback" not in said.stderr
