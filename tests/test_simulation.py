import subprocess
import sys
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from srtools.datasets import libraries, simulate_library
from srtools.files import library_settings, read_reconstruct_library
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
    path = simulate_library(tmp_path / "a.h5", random_shapes, beam, 60, noise_percent=4)
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


@pytest.mark.parametrize("calls", [1, 3, 5])  # three blocks drawn, three measured
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
    with pytest.raises(KeyboardInterrupt):
        simulate_library(path, random_shapes, beam, 20)
    assert not path.exists()
    with h5py.File(tmp_path / "a.h5.partial" / "a.h5") as file:
        assert file.attrs["drawn"] + file.attrs["measured"] == calls
    count = []
    monkeypatch.setattr(beam, "project", lambda x: count.append(1) or project(x))
    simulate_library(path, random_shapes, beam, 20)
    assert len(count) == 6 - calls  # nothing is done twice
    for again, before in zip(
        read_reconstruct_library(path), read_reconstruct_library(whole), strict=True
    ):
        assert np.array_equal(again, before)


def test_a_ruined_partial_file_is_written_anew(tmp_path, beam):
    path = tmp_path / "a.h5"
    (tmp_path / "a.h5.partial").mkdir()
    (tmp_path / "a.h5.partial" / "a.h5").write_text("half a file")
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
    with pytest.raises(ValueError, match=r"a\.h5: expected .*ellipses.*random_shapes"):
        simulate_library(path, ellipses, beam, 10)
    wider = ParallelBeam(16, beam.angles, 20, detector_spacing=2)
    with pytest.raises(ValueError, match=r"spacing 2\.0, found .*spacing 1\.0;"):
        simulate_library(path, random_shapes, wider, 10)
    assert path.read_bytes() == before


def squares(n, size, *, rng, side=4):
    images = np.zeros((n, size, size, 1), np.float32)
    images[:, 6 : 6 + side, 6 : 6 + side] = rng.random((n, 1, 1, 1))
    return images


def test_drawing_functions_are_told_apart_by_what_they_draw(tmp_path, beam):
    path = simulate_library(tmp_path / "a.h5", partial(squares, side=2), beam, 10)
    assert library_settings(path)["draw"]["keywords"] == {"side": 2}
    assert (read_reconstruct_library(path)[0] > 0).sum() == 10 * 2**2
    simulate_library(path, partial(squares, side=2), beam, 10)  # is there
    with pytest.raises(ValueError, match=r"expected draw .*'side': 3.*found .*: 2"):
        simulate_library(path, partial(squares, side=3), beam, 10)
    with pytest.raises(ValueError, match="no lambda"):
        simulate_library(
            tmp_path / "b.h5", lambda n, size, rng: squares(n, size, rng=rng), beam, 10
        )
    assert [f.name for f in tmp_path.iterdir()] == ["a.h5"]


WRITE = """
import os
import sys
import numpy as np
from srtools.datasets import libraries, simulate_library
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam
libraries._BLOCK = 8
beam = ParallelBeam(16, np.arange(6) * 30.0, 20)
if "stop" in sys.argv:  # at once, as if somebody had pulled the plug
    project, left = beam.project, [1, 2, 3]
    beam.project = lambda x: project(x) if left and left.pop() else os._exit(3)
print(simulate_library(sys.argv[1], random_shapes, beam, 20))
"""


def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path, beam, monkeypatch):
    path, project, count = tmp_path / "a.h5", beam.project, []
    said = subprocess.run([sys.executable, "-c", WRITE, path, "stop"])
    assert said.returncode == 3 and not path.exists()
    whole = simulate_library(tmp_path / "whole.h5", random_shapes, beam, 20)
    monkeypatch.setattr(beam, "project", lambda x: count.append(1) or project(x))
    simulate_library(path, random_shapes, beam, 20)
    assert len(count) == 3
    for again, before in zip(
        read_reconstruct_library(path), read_reconstruct_library(whole), strict=True
    ):
        assert np.array_equal(again, before)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.h5", "whole.h5"]


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of files")
@pytest.mark.parametrize("fails", [False, True])
def test_a_second_process_waits_and_goes_on_if_the_first_fails(tmp_path, beam, fails):
    whole = simulate_library(tmp_path / "whole.h5", random_shapes, beam, 20)
    path, project, others = tmp_path / "a.h5", beam.project, []

    def meanwhile(images):
        if not others:
            others.append(
                subprocess.Popen(
                    [sys.executable, "-c", WRITE, path],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            said = others[0].stderr.readline()
            assert "a.h5: another process is writing it, waiting" in said
            if fails:
                raise KeyboardInterrupt
        return project(images)

    beam.project = meanwhile
    try:
        simulate_library(path, random_shapes, beam, 20)
    except KeyboardInterrupt:
        assert fails
    said, complaints = others[0].communicate()
    assert said.strip() == str(path), complaints
    assert ("writing a.h5" in complaints) == fails  # tqdm, where it worked itself
    for one, other in zip(
        read_reconstruct_library(path), read_reconstruct_library(whole), strict=True
    ):
        assert np.array_equal(one, other)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.h5", "whole.h5"]


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
