import h5py
import numpy as np
import pytest
import tifffile

from srtools.datasets import catalogue, load, simulate

BED = dict(scale=0.22, n=2, n_jobs=1)


def data(path):
    with h5py.File(path) as file:
        return file["Images"][:]


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    """Two stand-ins of one bed."""
    folder = tmp_path_factory.mktemp("bed")
    names = ("microct_369", "xrdct_75")
    return {name: simulate(name, folder / f"{name}.h5", **BED) for name in names}


def test_load_slices_without_reading_the_rest(bed, monkeypatch):
    volume = load("microct_369", bed["microct_369"])
    whole = data(bed["microct_369"])
    assert volume.axes == "yxz" and volume.shape == whole.shape and volume.ndim == 3
    assert volume.nbytes == whole.nbytes and len(volume) == len(whole)
    np.testing.assert_array_equal(volume[:, :, 1], whole[:, :, 1])
    np.testing.assert_array_equal(volume[..., -1], whole[..., -1])
    np.testing.assert_array_equal(volume[3], whole[3])
    np.testing.assert_array_equal(np.asarray(volume), whole)
    assert "z: 2" in repr(volume)
    with pytest.raises(IndexError, match="up to 3 indices, received 4"):
        volume[0, 0, 0, 0]
    with pytest.raises(IndexError, match="index 2 is out of range for 2"):
        volume[0, 0, 2]


def test_load_opens_truth_and_sinograms(bed, tmp_path):
    layers = load("xrdct_75", bed["xrdct_75"])
    assert layers.axes == "yxcn" and layers.shape[2:] == (2038, 2)
    assert load("xrdct_75", bed["xrdct_75"], key="Phases").shape[2:] == (6, 2)
    pairs = simulate("shapes", tmp_path / "a.h5", scale=0.25, n=3, n_jobs=1)
    assert load("shapes", pairs, key="Sinograms").shape == (32, 32, 3)


@pytest.mark.parametrize("kind", ["npy", "pages", "folder"])
def test_load_reads_npy_and_tiff_in_any_order_of_axes(tmp_path, kind):
    stored = (
        np.random.default_rng(0).random((4, 185, 185)).astype(np.float32)
    )  # z, y, x
    expected = np.moveaxis(stored, 0, -1)
    path, axes = tmp_path / "volume", None
    if kind == "npy":
        path, axes = path.with_suffix(".npy"), "zyx"
        np.save(path, stored)
    elif kind == "pages":
        path = path.with_suffix(".tif")
        tifffile.imwrite(path, stored, photometric="minisblack")
    else:
        path.mkdir()
        for i, page in enumerate(stored):
            tifffile.imwrite(path / f"{i:05}.tiff", page)
    volume = load("microct_185", path, axes=axes)
    assert volume.shape == (185, 185, 4)
    np.testing.assert_array_equal(volume[:, :, 2], expected[:, :, 2])
    np.testing.assert_array_equal(volume[5:9, 7, ::2], expected[5:9, 7, ::2])
    np.testing.assert_array_equal(volume[..., 4:], expected[..., 4:])
    if kind == "npy":
        with pytest.raises(
            ValueError, match=r"another order\? Then pass axes='z(yx|xy)'"
        ):
            load("microct_185", path)
        with pytest.raises(ValueError, match=r"axes out of 'yxz' \(y and x .*'zy'"):
            load("microct_185", path, axes="zy")


def test_load_says_what_is_wrong(bed, tmp_path):
    with pytest.raises(KeyError, match="did you mean 'microct_369'"):
        load("microct369", tmp_path)
    with pytest.raises(ValueError, match="use fetch for its file"):
        load("tooth", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.h5: no such file"):
        load("shapes", tmp_path / "none.h5")
    with pytest.raises(ValueError, match=r"dataset 'Volume', found \['Checksums', 'Im"):
        load("microct_369", bed["microct_369"], key="Volume")
    with pytest.raises(ValueError, match="expected microct_185, found microct_369"):
        load("microct_185", bed["microct_369"])
    np.save(tmp_path / "small.npy", np.zeros((9, 9, 4)))
    message = r"expected axes 'yxz' of lengths \[185, 185, 'any'\].* found \[9, 9, 4\]$"
    with pytest.raises(ValueError, match=message):
        load("microct_185", tmp_path / "small.npy")
    for name in ("bad.npy", "bad.tif", "bad.h5"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(ValueError, match=f"{name[:3]}.*: expected a"):
            load("microct_185", tmp_path / name)


def stack(path, n=4, **options):
    """Write a stack of microct_185, and return what it holds."""
    pages = np.random.default_rng(0).random((n, 185, 185)).astype(np.float32)
    tifffile.imwrite(path, pages, photometric="minisblack", **options)
    return pages


@pytest.mark.parametrize("left", [0.999, 0.75, 0.5, 0.1])
@pytest.mark.parametrize(
    "options",
    [{}, {"metadata": None}, {"imagej": True}, {"bigtiff": True}, "zlib", "pages"],
    ids=str,
)
def test_load_refuses_a_stack_that_was_cut(tmp_path, options, left):
    path = tmp_path / "stack.tif"
    if options == "pages":  # each page written, and found, by itself
        with tifffile.TiffWriter(path) as file:
            for page in stack(tmp_path / "other.tif"):
                file.write(page, contiguous=False)
    else:
        stack(path, **({"compression": "zlib"} if options == "zlib" else options))
    assert load("microct_185", path).shape == (185, 185, 4)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(ValueError, match=r"stack\.tif: expected a (whole )?TIFF"):
        load("microct_185", path)


def test_load_refuses_a_stack_that_promises_more_pages(tmp_path):
    path = tmp_path / "stack.tif"
    with tifffile.TiffWriter(path, imagej=True) as file:  # as ImageJ writes above 4 GB
        file.write(stack(tmp_path / "other.tif"), metadata={"images": 4}, truncate=True)
    with pytest.raises(
        ValueError, match=r"stack\.tif: expected 4 images .* found 1 pa"
    ):
        load("microct_185", path)


def test_load_refuses_a_folder_that_is_no_volume(tmp_path):
    stack(tmp_path / "0.tif", 1)
    stack(tmp_path / "1.tif", 2)
    with pytest.raises(ValueError, match=r"1\.tif: expected one image .* found 2"):
        load("microct_185", tmp_path)
    tifffile.imwrite(tmp_path / "1.tif", np.zeros((185, 184), np.float32))
    with pytest.raises(
        ValueError, match=r"1\.tif: expected .* \(185, 185\) .* found \(185, 184\)"
    ):
        load("microct_185", tmp_path)
    tifffile.imwrite(tmp_path / "1.tif", np.zeros((185, 185), np.uint8))
    with pytest.raises(ValueError, match=r"1\.tif: expected .*float32.* found .*uint8"):
        load("microct_185", tmp_path)
    (tmp_path / "1.tif").unlink()
    assert load("microct_185", tmp_path).shape == (185, 185, 1)


def test_load_names_the_file_with_a_damaged_page(tmp_path):
    stack(tmp_path / "stack.tif", compression="zlib")
    with tifffile.TiffFile(tmp_path / "stack.tif") as file:
        start = file.pages[2].dataoffsets[0]
    damaged = bytearray((tmp_path / "stack.tif").read_bytes())
    damaged[start : start + 100] = bytes(100)
    (tmp_path / "stack.tif").write_bytes(damaged)
    volume = load("microct_185", tmp_path / "stack.tif")
    volume[..., 1]
    with pytest.raises(ValueError, match=r"stack\.tif: expected to read page 2"):
        volume[..., 2]


def test_load_refuses_a_library_of_another_kind(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["Images"] = np.zeros((128, 128, 2), np.float32)
        file.attrs["settings"] = '{"objects": "random_shapes", "n": 2}'
    with pytest.raises(ValueError, match=r"other\.h5: expected shapes, found another"):
        load("shapes", tmp_path / "other.h5")


def test_load_opens_a_real_volume(tmp_path):
    pages = np.arange(128**3, dtype=np.uint32).reshape(128, 128, 128)
    tifffile.imwrite(tmp_path / "bone.tif", pages, photometric="minisblack")
    volume = load("bone", tmp_path / "bone.tif")
    assert volume.axes == "yxz" and catalogue()["bone"].axes == "yxz"
    np.testing.assert_array_equal(volume[:, :, 5], pages[5])
