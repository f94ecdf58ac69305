import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
import tifffile

from srtools.files import (
    build_list_images,
    create_library,
    library_settings,
    pair_by_name,
    read_image,
    read_reconstruct_library,
    reserving,
    sort_naturally,
    write_image,
)


def write(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file[name] = data
    return path


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "Images": rng.random((6, 5, 3)),
        "Sinograms": rng.random((6, 4, 3)),
        "NImages": np.arange(3),
    }


def test_a_library_in_the_layout_of_superres_tomo_is_read(tmp_path, arrays):
    images, sinograms, n = read_reconstruct_library(write(tmp_path / "a.h5", **arrays))
    assert images.shape == (3, 6, 5, 1) and sinograms.shape == (3, 6, 4, 1) and n == 3
    assert images.dtype == sinograms.dtype == np.float32
    assert np.allclose(images[1, 2, 3, 0], arrays["Images"][2, 3, 1])
    assert np.allclose(sinograms[2, 1, 0, 0], arrays["Sinograms"][1, 0, 2])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.h5: no such file"):
        read_reconstruct_library(tmp_path / "none.h5")


def test_a_missing_dataset_is_named(tmp_path, arrays):
    del arrays["Sinograms"]
    path = write(tmp_path / "a.h5", **arrays)
    with pytest.raises(ValueError, match=r"a\.h5: expected .*Sinograms.*found \['Im"):
        read_reconstruct_library(path)


def test_unequal_numbers_are_told(tmp_path, arrays):
    arrays["Sinograms"] = arrays["Sinograms"][..., :2]
    path = write(tmp_path / "a.h5", **arrays)
    with pytest.raises(ValueError, match="3 images, 2 sinograms and 3 in NImages"):
        read_reconstruct_library(path)


def test_another_number_of_axes_is_told(tmp_path, arrays):
    arrays["Images"] = arrays["Images"][..., None]
    path = write(tmp_path / "a.h5", **arrays)
    with pytest.raises(ValueError, match=r"expected Images .* found \(6, 5, 3, 1\)"):
        read_reconstruct_library(path)


def test_a_truncated_library_is_refused(tmp_path, arrays):
    path = write(tmp_path / "a.h5", **arrays)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"a\.h5: expected an HDF5 file.*truncated"):
        read_reconstruct_library(path)


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    path.write_text("not HDF5")
    with pytest.raises(ValueError, match=r"a\.h5: expected an HDF5 file"):
        read_reconstruct_library(path)


@pytest.mark.parametrize("name", ["Images", "Sinograms"])
def test_nan_is_refused(tmp_path, arrays, name):
    arrays[name][0, 0, 1] = np.nan
    path = write(tmp_path / "a.h5", **arrays)
    with pytest.raises(ValueError, match=rf"a\.h5: expected finite.* in {name}"):
        read_reconstruct_library(path)


SETTINGS = {"what": "a test", "angles": (0, 90)}
LAYOUT = {"Images": (6, 5), "Sinograms": (6, 4)}


def fill(file, arrays):
    for name in LAYOUT:
        file[name][:] = arrays[name]


def test_a_library_appears_whole_and_says_what_it_is_of(tmp_path, arrays):
    path = tmp_path / "new" / "a.h5"
    with create_library(path, SETTINGS, LAYOUT, 3) as file:
        fill(file, arrays)
        assert not path.exists()
    images, sinograms, n = read_reconstruct_library(path)
    np.testing.assert_allclose(images[..., 0], np.moveaxis(arrays["Images"], -1, 0))
    assert sinograms.shape == (3, 6, 4, 1) and n == 3
    assert library_settings(path) == {"what": "a test", "angles": [0, 90]}
    with create_library(path, SETTINGS, LAYOUT, 3) as file:
        assert file is None
    assert [f.name for f in path.parent.iterdir()] == ["a.h5"]


def test_a_library_that_was_interrupted_goes_on(tmp_path, arrays):
    path = tmp_path / "a.h5"
    with pytest.raises(KeyboardInterrupt):
        with create_library(path, SETTINGS, LAYOUT, 3) as file:
            file["Images"][:] = arrays["Images"]
            file.attrs["done"] = 1
            raise KeyboardInterrupt
    assert not path.exists()
    with create_library(path, SETTINGS, LAYOUT, 3) as file:
        assert file.attrs["done"] == 1
        file["Sinograms"][:] = arrays["Sinograms"]
    found = read_reconstruct_library(path)[0]
    np.testing.assert_allclose(found[..., 0], np.moveaxis(arrays["Images"], -1, 0))


@pytest.mark.parametrize("left", ["of other settings", "unreadable", "without any"])
def test_what_cannot_be_gone_on_with_is_started_again(tmp_path, arrays, left):
    path = tmp_path / "a.h5"
    partial = tmp_path / "a.h5.partial" / "a.h5"
    partial.parent.mkdir()
    if left == "unreadable":
        partial.write_bytes(b"broken")
    else:
        with h5py.File(partial, "w") as file:
            if left == "of other settings":
                file.attrs["settings"] = json.dumps({"what": "another"})
    with create_library(path, SETTINGS, LAYOUT, 3) as file:
        assert sorted(file) == ["Images", "NImages", "Sinograms"]
        fill(file, arrays)
    assert read_reconstruct_library(path)[2] == 3


def test_a_library_of_other_or_no_settings_is_not_touched(tmp_path, arrays):
    path = tmp_path / "a.h5"
    with create_library(path, SETTINGS, LAYOUT, 3) as file:
        fill(file, arrays)
    own = write(tmp_path / "own.h5", **arrays)
    before = path.read_bytes(), own.read_bytes()
    message = r"a\.h5: expected what 'another', found what 'a test'; remove"
    with pytest.raises(ValueError, match=message):
        with create_library(path, SETTINGS | {"what": "another"}, LAYOUT, 3):
            pytest.fail("the block began")
    message = r"own\.h5: expected a file with its settings .* found attributes \[\]"
    with pytest.raises(ValueError, match=message):
        with create_library(own, SETTINGS, LAYOUT, 3):
            pytest.fail("the block began")
    with pytest.raises(ValueError, match=message):
        library_settings(own)
    assert before == (path.read_bytes(), own.read_bytes())


def test_a_file_that_another_program_has_open_is_not_taken_for_a_broken_one(tmp_path):
    path, partial = tmp_path / "a.h5", tmp_path / "a.h5.partial" / "a.h5"
    with pytest.raises(KeyboardInterrupt):
        with create_library(path, SETTINGS, LAYOUT, 3):
            raise KeyboardInterrupt
    before = partial.read_bytes()
    hold = "import h5py, sys; f = h5py.File(sys.argv[1]); print('open'); input()"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", hold, partial],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(
            BlockingIOError, match=r"a\.h5: expected to go .*has it open"
        ):
            with create_library(path, SETTINGS, LAYOUT, 3):
                pytest.fail("the block began")
        other.communicate(b"\n")
    assert partial.read_bytes() == before


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    tmp_path, monkeypatch
):
    usage = reserving.shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(reserving.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"expected 4\.32 GB of free .* found 1 GB"):
        with create_library(tmp_path / "a.h5", SETTINGS, LAYOUT, 20_000_000):
            pytest.fail("the block began")
    assert not list(tmp_path.iterdir())


def test_images_are_listed_in_order(tmp_path):
    for name in ("b.tiff", "a.TIF", "c.png", "00010.tiff", "00009.tiff"):
        (tmp_path / name).touch()
    names = [f.name for f in build_list_images(tmp_path)]
    assert names == ["00009.tiff", "00010.tiff", "a.TIF", "b.tiff"]
    assert [f.name for f in build_list_images(tmp_path, ["png"])] == ["c.png"]
    with pytest.raises(ValueError, match=r"of type \.jpg, found types \['\.TIF', '\.p"):
        build_list_images(tmp_path, [".jpg"])
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        build_list_images(tmp_path / "nowhere")


def test_files_are_paired_by_name(tmp_path):
    images = [tmp_path / "x" / n for n in ("2.tif", "1.tif")]
    labels = [tmp_path / "y" / n for n in ("1.tiff", "2.tiff")]
    assert pair_by_name(images, labels) == [
        (images[1], labels[0]),
        (images[0], labels[1]),
    ]
    with pytest.raises(ValueError, match=r"1 have no partner: .*y.2\.tiff"):
        pair_by_name(images[1:], labels)
    with pytest.raises(ValueError, match="once in each list"):
        pair_by_name([*images, tmp_path / "1.tiff"], labels)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_an_image_comes_back_as_it_was_written(tmp_path, kind):
    image = np.arange(35).reshape(5, 7).astype(kind)
    write_image(tmp_path / "a.tiff", image)
    found = read_image(tmp_path / "a.tiff")
    assert found.dtype == kind and np.array_equal(found, image)
    assert [f.name for f in tmp_path.iterdir()] == ["a.tiff"]


def test_bad_images_are_refused(tmp_path):
    path = tmp_path / "a.tiff"
    with pytest.raises(FileNotFoundError, match=r"a\.tiff: no such file"):
        read_image(path)
    write_image(path, np.random.default_rng(0).random((64, 64)))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"a\.tiff: expected a TIFF image"):
        read_image(path)
    tifffile.imwrite(path, np.zeros((8, 8, 3), "uint8"), photometric="rgb")
    with pytest.raises(ValueError, match=r"one grey image .*found shape \(8, 8, 3\)"):
        read_image(path)
    write_image(path, np.full((4, 4), np.nan, "float32"))
    with pytest.raises(ValueError, match=r"a\.tiff: expected finite"):
        read_image(path)


def test_files_are_listed_in_the_order_of_their_numbers(tmp_path):
    names = [f"b_{i}.tif" for i in range(12)] + ["b_012.tif", "c2_1.tif", "c10_0.tif"]
    for name in names[::-1]:
        (tmp_path / name).touch()
    assert [f.name for f in build_list_images(tmp_path)] == names
    assert sort_naturally([tmp_path / "1.tif", tmp_path / "01.tif"]) == [
        tmp_path / "01.tif",
        tmp_path / "1.tif",
    ]


def test_a_compression_that_takes_a_package_is_no_damage(tmp_path):
    from PIL import Image

    path = tmp_path / "a.tif"
    Image.fromarray(np.eye(40, dtype=np.uint8)).save(path, compression="tiff_lzw")
    assert np.array_equal(read_image(path), np.eye(40))  # the package is here
    code = f"""if True:
        import sys
        sys.modules["imagecodecs"] = None  # and now it is not
        from srtools.files import read_image
        from srtools.segmentation.tiles import TiledImage
        for read in (read_image, lambda p: TiledImage(p).read(0, *[slice(0, 9)] * 2)):
            try:
                read({str(path)!r})
            except ValueError as error:
                print(error)
        """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    told = [line for line in run.stdout.splitlines() if "a.tif: " in line]
    assert len(told) == 2 and all("pip install imagecodecs" in line for line in told)


def test_one_page_of_grey_values_is_no_palette_and_no_stack(tmp_path):
    from PIL import Image

    path = tmp_path / "a.tif"
    grey = Image.fromarray(np.eye(40, dtype=np.uint8))
    grey.convert("P").save(path)
    with pytest.raises(ValueError, match=r"a\.tif: expected one page .* PALETTE"):
        read_image(path)
    grey.save(path, save_all=True, append_images=[grey.resize((9, 9))])
    with pytest.raises(ValueError, match=r"a\.tif: expected one page .* found 2 of"):
        read_image(path)
    tifffile.imwrite(path, np.eye(4, dtype=np.complex64))
    with pytest.raises(ValueError, match=r"a\.tif: expected one page of real grey"):
        read_image(path)
