"""A disk that is full, or fills up: one error that names the file, and work goes on."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from srtools.files import read_reconstruct_library

_FULL = """
import resource, signal, sys
import numpy as np
from srtools.datasets import simulate_library
from srtools.files import write_image
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam

# As on a full disk a write fails half way, with an error and no signal.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
beam = ParallelBeam(32, np.arange(0, 180, 20.0))
for write in (
    lambda: simulate_library("a.h5", random_shapes, beam, 20),
    lambda: write_image("a.tif", np.ones((200, 200), np.float32)),
):
    try:
        write()
    except OSError as error:
        print(error)
    else:
        sys.exit("it was written")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
for name in ("a.h5", "b.h5"):
    simulate_library(name, random_shapes, beam, 20)
"""


@pytest.mark.skipif(
    not hasattr(os, "posix_fallocate"), reason="this system cannot reserve disk space"
)
def test_after_a_full_disk_nothing_half_written_is_there_and_it_goes_on(tmp_path):
    run = [sys.executable, "-c", _FULL]
    said = subprocess.run(
        run, cwd=tmp_path, timeout=60, check=True, text=True, stdout=subprocess.PIPE
    ).stdout.splitlines()
    assert len(said) == 2 and "a.h5" in said[0] and "a.tif" in said[1], said
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.h5", "b.h5"]
    one, other = (read_reconstruct_library(tmp_path / f"{k}.h5") for k in "ab")
    assert all(np.array_equal(x, y) for x, y in zip(one, other, strict=True))


_FILLS_UP = """
import os
from pathlib import Path
import numpy as np
from srtools.datasets import simulate_denoising, simulate_library
from srtools.files import write_image
from srtools.phantoms import random_shapes
from srtools.scan import read_scan, reconstruct
from srtools.tomography import ParallelBeam

views = np.arange(0, 180, 6.0)
np.save("scan.npy", np.random.default_rng(0).uniform(0.5, 1, (30, 20, 48)))
scan = read_scan("scan.npy", angles=views, flats=1).corrected(axis=23.5)
fbp, calls = scan.beam().fbp, []

def fill(left):
    with open("filler", "ab") as file:
        free = os.statvfs(".").f_bavail * os.statvfs(".").f_frsize
        file.write(bytes(max(0, free - left)))

def method(sinograms):  # in the midst of the work somebody fills the disk
    calls.append(len(sinograms))
    if len(calls) == 3:
        fill(spare)
    return fbp(sinograms)

beam = ParallelBeam(32, np.arange(0, 180, 20.0))
how = {"block": 4, "n_jobs": 1}
writers = {
    "a.h5": lambda: simulate_library("a.h5", random_shapes, beam, 100),
    "a.tif": lambda: write_image("a.tif", np.ones((200, 200), np.float32)),
    "tree": lambda: simulate_denoising("tree", (9, 2, 2), size=32),
    "v.h5": lambda: reconstruct(scan, fbp, output="v.h5", **how),
    "w": lambda: reconstruct(scan, method, output="w", **how),
    "w.h5": lambda: reconstruct(scan, method, output="w.h5", **how),
}
for name, write in writers.items():
    calls.clear()
    spare = 20_000 if name == "w.h5" else 0  # a few pages for its table of misfits
    if not name.startswith("w"):
        fill(20_000)
    try:
        write()
        print(name, "written")
    except OSError as error:
        print(name, error)
    Path("filler").unlink(missing_ok=True)
    assert Path(name).exists() == (name in ("tree", "w.h5")), name
    if name != "w.h5":
        write()
print(sorted(os.listdir(".")))
"""


def test_a_disk_that_fills_up_is_told_and_reserved_space_stays(tmp_path):
    inside = f"mount -t tmpfs -o size=3000k none {tmp_path} && cd {tmp_path} && "
    shell = ["unshare", "-rm", "sh", "-c"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*shell, f"{inside} true"]).returncode
    ):
        pytest.skip("nobody may mount a small disk here")
    run = [*shell, inside + '"$@"', "sh", sys.executable, "-c", _FILLS_UP]
    done = subprocess.run(run, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    for line in said[:2] + said[3:4]:
        assert "a.h5" in line or "a.tif" in line or "v.h5" in line
    assert "free disk space" in said[0] and "free disk space" in said[3]
    assert "could not be written" in said[1] and "tree/" in said[2]
    assert "w: could not be written" in said[4].replace(".partial/w", "w")
    assert said[5] == "w.h5 written"  # its place was taken before
    assert ".partial" not in said[6] and "filler" not in said[6]
