"""Whatever is wrong with a file, its reader says so in one error that names it.

By hand, ``HYPOTHESIS_PROFILE=long pytest tests/test_broken_files.py`` looks for
counterexamples that nobody has seen yet; ``benchmarks/broken_files.py`` counts.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from files_to_break import ANGLES, COUNTS, IMAGE, SAMPLES, outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srtools.datasets import load
from srtools.files import (
    create_library,
    open_hdf5,
    open_npy,
    read_image,
    read_reconstruct_library,
    reading,
    write_image,
)
from srtools.files.damage import check_claim
from srtools.scan import read_scan
from srtools.segmentation.tiles import TiledImage

# The same files each time, so that a test fails for who changed something; by hand
# others, and many more of them.
settings.register_profile("short", max_examples=12, derandomize=True, database=None)
settings.register_profile("long", max_examples=1_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
_once = settings(
    deadline=5_000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_HEAD = 512
_heads = st.integers(0, _HEAD - 1)
_anywhere = st.integers(0, 2**16)
_bytes = st.tuples(_heads | _anywhere, st.integers(0, 255))

_pixel_bytes = st.tuples(st.integers(0, IMAGE.nbytes - 1), st.integers(0, 255))


@pytest.fixture(params=SAMPLES)
def whole(request, tmp_path):
    """A kind of file, its bytes, and a folder for broken ones."""
    sample = SAMPLES[request.param]
    path = tmp_path / sample.name
    sample.write(path)
    sample.read(path)
    return sample, path.read_bytes(), tmp_path


def _broken(sample, data, folder):
    """Write a broken file where none was: Windows keeps what is mapped as it is."""
    path = Path(tempfile.mkdtemp(dir=folder)) / sample.name
    sample.write(path)
    path.write_bytes(data)
    return path


@_once
@given(changes=st.lists(_bytes, min_size=1, max_size=8))
def test_changed_bytes_are_read_or_told_with_the_name_of_the_file(whole, changes):
    sample, data, folder = whole
    changed = bytearray(data)
    for place, value in changes:
        changed[place % len(data)] = value
    assert outcome(sample, _broken(sample, changed, folder)) in ("read", "told")


@_once
@given(share=st.floats(0, 1, exclude_max=True))
def test_files_cut_short_are_told_with_the_name_of_the_file(whole, share):
    sample, data, folder = whole
    path = _broken(sample, data[: int(share * len(data))], folder)
    assert outcome(sample, path) in ("read", "told")  # a list may lack its last digits


def _pixels(kind, path):
    """Write the array, and return how to read it and where its bytes are."""
    if kind == "TIFF":
        tifffile.imwrite(path, IMAGE)
        with tifffile.TiffFile(path) as tiff:
            return read_image, tiff.pages[0].dataoffsets[0]
    if kind == "NPY":
        with path.open("wb") as file:
            np.save(file, IMAGE)
        return lambda file: np.array(open_npy(file)), path.stat().st_size - IMAGE.nbytes
    with h5py.File(path, "w") as file:
        file["image"] = IMAGE
        place = file["image"].id.get_offset()

    def read(path):
        with open_hdf5(path) as file:
            return file["image"][()]

    return read, place


@pytest.mark.parametrize("kind", ["TIFF", "NPY", "HDF5"])
@_once
@given(changes=st.lists(_pixel_bytes))
def test_where_pixels_were_hit_and_only_there_they_are_others(tmp_path, kind, changes):
    path = tmp_path / "a.dat"
    read, start = _pixels(kind, path)
    data, expected = bytearray(path.read_bytes()), bytearray(IMAGE.tobytes())
    for place, value in changes:
        data[start + place] = expected[place] = value
    path.write_bytes(data)
    assert read(path).tobytes() == bytes(expected)


def test_an_error_within_is_the_cause_and_one_that_names_the_file_stays(tmp_path):
    path = tmp_path / "a.tif"
    with pytest.raises(
        ValueError, match=r"a\.tif: expected a picture, .*\(no key\)"
    ) as e:
        with reading(path, "a picture"):
            raise RuntimeError("no key")
    assert isinstance(e.value.__cause__, RuntimeError)
    with pytest.raises(ValueError, match=r"\(IndexError\)"), reading(path, "a picture"):
        raise IndexError
    for error in (FileNotFoundError(f"{path}: no"), MemoryError(), KeyboardInterrupt()):
        with pytest.raises(type(error)) as e, reading(path, "a picture"):
            raise error
        assert e.value is error


_HUGE = """
import resource, sys
import h5py, numpy as np, tifffile
from pathlib import Path
from srtools.files import open_hdf5, open_npy, read_image, read_reconstruct_library
from srtools.scan import read_scan
from srtools.segmentation.tiles import TiledImage

def tell(read, *of, **how):
    try:
        read(*of, **how)
    except (ValueError, OSError) as error:
        assert str(of[0]) in str(error), error
    else:
        sys.exit(f"{read} took {of}")

side = 200_000
tifffile.imwrite("a.tif", np.ones((64, 64), np.float32), metadata=None)
tifffile.imwrite("z.tif", np.ones((64, 64), np.float32), compression="zlib")
for name in ("a.tif", "z.tif"):
    with tifffile.TiffFile(name, mode="r+") as tiff:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            tiff.pages[0].tags[tag].overwrite(side, dtype="I")
how = {"t.tif": {"tile": (32, 32), "compression": "zlib"}, "b.tif": {"bigtiff": True}}
for name in how:
    tifffile.imwrite(name, np.ones((64, 64), np.float32), metadata=None, **how[name])
    with tifffile.TiffFile(name, mode="r+") as tiff:
        for tag in ("ImageWidth", "ImageLength"):
            tiff.pages[0].tags[tag].overwrite(side, dtype="I")
head = repr({"descr": "<f8", "fortran_order": False, "shape": (3, side, side)})
head = b"\\x93NUMPY\\x01\\0\\x76\\0" + head.encode().ljust(118)
Path("a.npy").write_bytes(head + bytes(8))
with h5py.File("a.h5", "w") as file:  # nothing of it is written
    file.create_dataset("a", (3, side, side), "f8", chunks=(1, 64, 64))
    file.create_dataset("b", (3, 64, 64), chunks=(1, 64, 64), maxshape=(None,) * 3)
with h5py.File("library.h5", "w") as file:  # nor of this, beside what is
    file["NImages"] = np.random.default_rng(0).random(1700)
    file["else"] = np.random.default_rng(0).random(20_000)
    for name in ("Images", "Sinograms"):
        file.create_dataset(name, (256, 256, 1700), "f4")
angles = np.arange(3)
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in ("a.tif", "z.tif", "t.tif", "b.tif", "a.npy"):
    tell(read_scan, Path(name), angles=angles[:1])
for name in ("a.tif", "z.tif", "t.tif", "b.tif"):
    tell(read_image, name)
tell(TiledImage, "a.tif")
tell(lambda name: list(TiledImage(name).bands()), "z.tif")
tell(open_npy, "a.npy")
tell(read_scan, Path("a.h5"), projections="a", angles=angles)
tell(lambda name: open_hdf5(name)["a"], "a.h5")
tell(read_reconstruct_library, "library.h5")
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
sys.exit(f"{more} kB" if more > 500_000 else 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
def test_a_header_that_claims_a_huge_array_takes_no_memory(tmp_path):
    subprocess.run([sys.executable, "-c", _HUGE], check=True, cwd=tmp_path, timeout=60)


def test_a_claim_is_compared_with_the_file(tmp_path):
    path = tmp_path / "a.dat"
    path.write_bytes(bytes(20_000))
    check_claim(path, 2e8)  # as zeros may be packed
    with pytest.raises(ValueError, match=r"a\.dat: .*0\.02 MB of a file.*of 201 MB"):
        check_claim(path, 2.01e8)
    check_claim(path, 6e7, held=0)
    with pytest.raises(ValueError, match=r"that 0\.001 MB of a file"):
        check_claim(path, 6.5e7, held=1_000)


def _elsewhere(kind, target, path):
    """Write a file whose dataset ``Images`` lies in another one."""
    with h5py.File(path, "w") as file:
        file["Sinograms"], file["NImages"] = np.ones((4, 4, 3)), np.arange(3)
        file.attrs["settings"] = '{"name": "microct_185", "size": 4}'
        if kind == "link":
            file["Images"] = h5py.ExternalLink(target, "Images")
        elif kind == "link behind a link":
            file["there"] = h5py.ExternalLink(target, "/")
            file["Images"] = h5py.SoftLink("/there/Images")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4, 4, 3), "f4")
            layout[:] = h5py.VirtualSource(target, "Images", (4, 4, 3))
            file.create_virtual_dataset("Images", layout)
        else:
            outside = [(target, 0, 4 * 4 * 3 * 4)]
            file.create_dataset("Images", (4, 4, 3), "f4", external=outside)


@pytest.mark.parametrize("kind", ["link", "link behind a link", "virtual", "raw"])
def test_numbers_of_files_outside_the_folder_are_not_read(tmp_path, kind):
    inside = tmp_path / "data"
    inside.mkdir()
    for path in (tmp_path / "secret.h5", inside / "more.h5"):
        with h5py.File(path, "w") as file:
            file["Images"] = np.ones((4, 4, 3), np.float32)
    path = inside / "a.h5"
    for target in ("../secret.h5", str(tmp_path / "secret.h5")):
        _elsewhere(kind, target, path)
        for read in (read_reconstruct_library, lambda p: load("microct_185", p)[:]):
            with pytest.raises(ValueError, match=r"a\.h5: expected links.*secret\.h5"):
                read(path)
    if kind != "raw":
        _elsewhere(kind, "more.h5", path)
        assert read_reconstruct_library(path)[0].min() == 1
        (inside / "more.h5").unlink()
        with pytest.raises((OSError, ValueError), match=r"a\.h5: "):
            read_reconstruct_library(path)


def test_a_filter_that_nobody_has_is_told(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_chunk(COUNTS.shape)
        create.set_filter(32_000, h5py.h5z.FLAG_OPTIONAL, (1,))
        space = h5py.h5s.create_simple(COUNTS.shape)
        h5py.h5d.create(file.id, b"a", h5py.h5t.STD_U16LE, space, create)
        file["a"].id.write_direct_chunk((0, 0, 0), COUNTS.tobytes())
    with pytest.raises(ValueError, match=r"a\.h5: .*filter"):
        read_scan(path, projections="a", angles=ANGLES).counts(0)
    with pytest.raises(ValueError, match=r"a\.h5: .*filter"):
        TiledImage(path).read(0, slice(0, 2), slice(0, 2))


def test_pages_of_unequal_sizes_are_told(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(IMAGE)
        tiff.write(IMAGE[:9])
    for read in (
        TiledImage,
        lambda p: read_scan(p, angles=[0, 90]),
        lambda p: load("microct_185", p)[:],
    ):
        with pytest.raises(ValueError, match=r"a\.tif: expected"):
            read(path)


def test_a_folder_may_be_a_link_and_have_any_name(tmp_path):
    folder = tmp_path / "größe, 50 % (é) #1"
    folder.mkdir()
    SAMPLES["TIFF folder"].write(folder / "raw_0002.tif")
    link = tmp_path / "a link"
    try:
        link.symlink_to(folder, target_is_directory=True)
    except OSError as error:  # Windows allows it to few
        pytest.skip(f"no links of folders: {error}")
    for place in (folder, link):
        counts = read_scan(place).counts(0)
        assert np.array_equal(counts[0, ..., 0], COUNTS[:, 0].T)
    write_image(link / "new é.tif", IMAGE)
    assert np.array_equal(read_image(folder / "new é.tif"), IMAGE)
    SAMPLES["HDF5 Data Exchange"].write(folder / "a é.h5")
    with h5py.File(folder / "master é.h5", "w") as file:
        file["exchange"] = h5py.ExternalLink("a é.h5", "exchange")
    assert np.array_equal(read_scan(link / "master é.h5").angles, ANGLES)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights of folders, as Unix has")
def test_a_folder_without_right_to_write_is_named(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OSError, match=r"a\.h5: expected a place that can be wri"):
            with create_library(tmp_path / "a.h5", {}, {"Images": (4, 4)}, 3):
                pytest.fail("the block began")
    finally:
        tmp_path.chmod(0o700)


_TOGETHER = """
import numpy as np
from srtools.datasets import simulate_library
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam
simulate_library("a.h5", random_shapes, ParallelBeam(32, np.arange(0, 180, 9.0)), 600)
"""


def test_two_processes_may_be_asked_for_one_library_at_once(tmp_path):
    run = [sys.executable, "-c", _TOGETHER]
    both = [subprocess.Popen(run, cwd=tmp_path) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert [f.name for f in tmp_path.iterdir()] == ["a.h5"]
    assert read_reconstruct_library(tmp_path / "a.h5")[2] == 600
