import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from pairs_on_disk import IMAGE, MASK, SHAPE, save

from srtools.segmentation import TiledImage, mask_patch_from_file, tile_starts

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("step", [4, 7, 8])
@pytest.mark.parametrize("shape", [(19, 37), (8, 9), (64, 8)])
def test_tiles_cover_every_pixel_and_no_more(shape, step):
    count = np.zeros(shape, int)
    for y in tile_starts(shape[0], 8, step):
        for x in tile_starts(shape[1], 8, step):
            assert count[y : y + 8, x : x + 8].shape == (8, 8)
            count[y : y + 8, x : x + 8] += 1
    assert count.min() == 1 or step < 8
    assert count.min() >= 1
    assert (np.diff(tile_starts(shape[1], 8, step)) > 0).all()


def write_npy(path, stack):
    np.save(path, stack)


def write_hdf5(path, stack):
    with h5py.File(path, "w") as file:
        file["volume"] = stack


def write_tiles(path, stack):
    tifffile.imwrite(path, stack, tile=(16, 32), compression="zlib")


def write_strips(path, stack):
    tifffile.imwrite(path, stack, rowsperstrip=7, compression="zlib")


KINDS = [
    (write_npy, "npy"),
    (write_hdf5, "h5"),
    (tifffile.imwrite, "tiff"),
    (write_tiles, "tif"),
    (write_strips, "tif"),
]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", ">u2"])
@pytest.mark.parametrize(("write", "ending"), KINDS)
def test_a_region_is_read_from_every_kind_of_file(tmp_path, write, ending, dtype):
    stack = RNG.integers(0, 255, (5, *SHAPE)).astype(dtype)
    for data in (stack, stack[0]):
        path = tmp_path / f"{data.ndim}.{ending}"
        write(path, data)
        image = TiledImage(path)
        assert image.shape == (len(data) if data.ndim == 3 else 1, *SHAPE)
        page = image.shape[0] - 1
        region = image.read(page, slice(5, 37), slice(20, 56))
        np.testing.assert_array_equal(region, stack[page, 5:37, 20:56])


def test_reading_a_region_decodes_the_strips_it_touches_alone(tmp_path):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, IMAGE, rowsperstrip=8, compression="zlib")
    image = TiledImage(path)
    image.read(0, slice(8, 17), slice(0, 4))
    assert image._data._decode.cache_info().misses == 2


@pytest.fixture
def few_files():
    """Let this process open a hundred files more, and no more."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open() as file:
        resource.setrlimit(resource.RLIMIT_NOFILE, (file.fileno() + 100, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize(("write", "ending"), KINDS)
def test_there_may_be_more_images_than_open_files(tmp_path, few_files, write, ending):
    images = []
    for k in range(200):
        write(tmp_path / f"{k}.{ending}", IMAGE + np.uint16(k))
        images.append(TiledImage(tmp_path / f"{k}.{ending}"))
    for k in RNG.permutation(np.repeat(np.arange(200), 2)):
        region = images[k].read(0, slice(3, 9), slice(1, 50))
        np.testing.assert_array_equal(region, IMAGE[3:9, 1:50] + k)


def test_a_data_set_may_have_more_pairs_than_open_files(tmp_path, few_files):
    for k in range(120):
        save(tmp_path, f"{k}.tiff", IMAGE, MASK)
    data = mask_patch_from_file(tmp_path, "noisy", "label", (40, 56), batch_size=120)
    images, masks = data[0]
    assert images.shape == masks.shape == (120, *SHAPE, 1)


def test_a_file_closes_with_its_image(tmp_path):
    write_hdf5(tmp_path / "x.h5", IMAGE)
    image = TiledImage(tmp_path / "x.h5")
    image.read(0, slice(0, 4), slice(0, 4))
    with pytest.raises(OSError, match="already open"):
        write_hdf5(tmp_path / "x.h5", MASK)
    del image
    write_hdf5(tmp_path / "x.h5", MASK)
    region = TiledImage(tmp_path / "x.h5").read(0, slice(0, 4), slice(0, 4))
    np.testing.assert_array_equal(region, MASK[:4, :4])


@pytest.mark.parametrize(("write", "ending"), KINDS)
def test_threads_share_an_image(tmp_path, write, ending):
    stack = RNG.integers(0, 60000, (8, *SHAPE), dtype=np.uint16)
    write(tmp_path / f"x.{ending}", stack)
    image = TiledImage(tmp_path / f"x.{ending}")

    def right(page):
        region = image.read(page % 8, slice(5, 30), slice(2, 50))
        return np.array_equal(region, stack[page % 8, 5:30, 2:50])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(200)))


FORK = """
import os, sys
import numpy as np
from srtools.segmentation import TiledImage
files = sys.argv[1:]
images = [TiledImage(file) for file in files]
stack = images[0].read(0, slice(0, 40), slice(0, 56))
children = []
for _ in range(3):
    if (child := os.fork()) == 0:
        for _ in range(50):
            for image in images:
                region = image.read(0, slice(5, 30), slice(2, 50))
                if not np.array_equal(region, stack[5:30, 2:50]):
                    os._exit(1)
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forked_processes_share_images(tmp_path):
    files = []
    for k, (write, ending) in enumerate(KINDS):
        files.append(tmp_path / f"{k}.{ending}")
        write(files[-1], IMAGE)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, *files], capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("ending", ["npy", "tiff"])
def test_an_image_that_shrank_since_it_was_checked(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    (write_npy if ending == "npy" else tifffile.imwrite)(path, IMAGE)
    image = TiledImage(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=rf"x\.{ending}: expected \d+ bytes, found"):
        image.read(0, slice(0, 8), slice(0, 8))


def test_other_files(tmp_path):
    for name, match in (("x.npy", "expected a .npy array"), ("x.h5", "an HDF5 file")):
        (tmp_path / name).write_bytes(b"no image")
        with pytest.raises(ValueError, match=match):
            TiledImage(tmp_path / name)
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"] = file["b"] = np.zeros((4, 4))
    with pytest.raises(ValueError, match=r"one dataset, found \['a', 'b'\]"):
        TiledImage(tmp_path / "two.h5")
    np.save(tmp_path / "line.npy", np.zeros(4))
    with pytest.raises(ValueError, match=r"expected grey images .* found shape \(4,\)"):
        TiledImage(tmp_path / "line.npy")
    with pytest.raises(FileNotFoundError, match=r"absent\.tif: no such file"):
        TiledImage(tmp_path / "absent.tif")
    tifffile.imwrite(tmp_path / "sizes.tif", IMAGE)
    tifffile.imwrite(tmp_path / "sizes.tif", IMAGE[:9], append=True)
    with pytest.raises(ValueError, match=r"sizes\.tif: expected pages of one size"):
        TiledImage(tmp_path / "sizes.tif")
