"""What is compared with others' software is compared with the truth."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from srtools.tomography import ParallelBeam

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


def test_exact_integrals_are_those_of_a_fine_projection():
    from _exact import exact, picture

    angles = np.array([0, 20, 45, 90, 133.0])
    size, fine = 32, 256
    beam = ParallelBeam(fine, angles)
    image = picture(fine, (fine - 1) / 2)[None, ..., None]
    sinogram = beam.project(image)[0, ..., 0] / (fine / size)
    coarse = sinogram.reshape(size, -1, len(angles)).mean(axis=1)
    found = exact(size, angles, (size - 1) / 2)
    assert np.abs(coarse - found).max() < 0.005 * found.max()
    # On an axis elsewhere, what was at the middle is seen there.
    moved = exact(size, angles, (size - 1) / 2 + 3)
    assert np.allclose(moved[3:], found[:-3], atol=1e-5)


def test_every_view_of_the_exact_sinogram_holds_the_whole_object():
    from _exact import exact, picture

    size, angles = 48, np.arange(0, 360, 17.0)
    total = picture(size, (size - 1) / 2).sum()
    assert np.allclose(exact(size, angles, 24).sum(axis=0), total, rtol=2e-3)


def test_an_environment_has_the_tested_versions():
    import _environments

    tested = (BENCHMARKS.parent / "requirements.txt").read_text().split()
    pinned = _environments.pinned(f"{_environments.OURS} keras torch==2.13.0")
    assert pinned.pop() == "torch==2.13.0"
    assert set(pinned) <= set(tested)


def test_rows_are_read_from_between_other_words(monkeypatch, tmp_path):
    import _environments

    script = tmp_path / "says.py"
    script.write_text('print("log {")\nprint(\'{"a": 1}\')\nprint("bye")\n')
    monkeypatch.setattr(_environments, "python", lambda name: sys.executable)
    assert list(_environments.rows("any", str(script))) == [{"a": 1}]
    script.write_text("raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="ended with 3"):
        list(_environments.rows("any", str(script)))


def losses(*arguments, **settings):
    """Start a training in a process of its own."""
    return subprocess.Popen(
        [sys.executable, BENCHMARKS / "_several_devices.py", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | settings,
    )


def read(process):
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 0
    return json.loads(said.splitlines()[-1])["loss"]


@pytest.mark.slow  # "When one machine is not enough" claims it with every run
def test_two_devices_learn_what_one_does():
    two = losses("mirrored")
    from _several_devices import pairs, train

    beam, x, y = pairs()
    alone = train(x, y, beam)
    assert alone[-1] < alone[0] / 3
    assert read(two) == pytest.approx(alone, rel=1e-3)


@pytest.mark.crosscheck
def test_two_processes_of_jax_learn_what_one_does():
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    jax = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    alone = read(losses("one", **jax))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = [losses("jax", process, port, **jax) for process in "01"]
    for process in both:
        assert read(process) == pytest.approx(alone, rel=1e-3)
