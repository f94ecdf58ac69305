import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tifffile

from srtools.segmentation import (
    TiledImage,
    inference_binary_segmentation,
    mask_patch_from_file,
    predict_image,
    seam_error,
    tile_starts,
    weighted_cross_entropy,
    with_scaling,
)
from srtools.segmentation.inference import _weights

SHAPE = (40, 56)  # neither square nor a multiple of 16
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 60000, SHAPE, dtype=np.uint16)
MASK = (IMAGE > 30000).astype(np.uint8) * 255


@pytest.fixture
def folder(tmp_path):
    for k in range(2):
        save(tmp_path, f"{k}.tiff", IMAGE, MASK)
    return tmp_path


def save(folder, name, image, mask):
    for kind, array in (("noisy", image), ("label", mask)):
        (folder / kind).mkdir(exist_ok=True)
        tifffile.imwrite(folder / kind / name, array)


def patches(folder, patch_shape=(16, 16), image_shape=None, **how):
    return mask_patch_from_file(
        folder, "noisy", "label", patch_shape, image_shape, **how
    )


def pixelwise(n_classes=1, shape=(None, None, 1)):
    """A network whose logits depend on the pixel alone, so that no seam can show."""
    image = keras.Input(shape)
    layer = keras.layers.Conv2D(
        n_classes, 1, bias_initializer=keras.initializers.Constant(-1.0)
    )
    model = keras.Model(image, layer(image))
    model.layers[-1].kernel.assign(np.arange(2, n_classes + 2).reshape(1, 1, 1, -1))
    return model


def blurring():
    """A network that looks at its neighbours, so that the borders of tiles show."""
    image = keras.Input((None, None, 1))
    layer = keras.layers.Conv2D(
        1, 15, padding="same", use_bias=False, kernel_initializer="ones"
    )
    return keras.Model(image, layer(image) / 30)


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


@pytest.mark.parametrize("blend", ["hann", "crop", "none"])
def test_weights_of_the_tiles_add_up_to_one(blend):
    starts = tile_starts(37, 8, 5)
    total = np.zeros(37)
    for start, weights in zip(starts, _weights(starts, 8, 37, blend), strict=True):
        total[start : start + 8] += weights
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def write_npy(path, stack):
    np.save(path, stack)


def write_hdf5(path, stack):
    with h5py.File(path, "w") as file:
        file["volume"] = stack


def write_tiles(path, stack):
    tifffile.imwrite(path, stack, tile=(16, 32), compression="zlib")


def write_strips(path, stack):
    tifffile.imwrite(path, stack, rowsperstrip=7, compression="zlib")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", ">u2"])
@pytest.mark.parametrize(
    ("write", "ending"),
    [
        (write_npy, "npy"),
        (write_hdf5, "h5"),
        (tifffile.imwrite, "tiff"),
        (write_tiles, "tif"),
        (write_strips, "tif"),
    ],
)
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


def test_patches_are_numbered_left_to_right_then_top_to_bottom(folder):
    data = patches(folder, shuffle=False, normalise_images=False, batch_size=4)
    assert len(data.patches) == 2 * 3 * 4
    images, masks = data[1]  # the second row of the first image; its last one moved in
    assert images.shape == masks.shape == (4, 16, 16, 1)
    assert images.dtype == masks.dtype == np.float32
    np.testing.assert_array_equal(images[1, ..., 0], IMAGE[16:32, 16:32])
    np.testing.assert_array_equal(images[3, ..., 0], IMAGE[16:32, 40:56])
    np.testing.assert_array_equal(masks[3, ..., 0], MASK[16:32, 40:56] / 255)
    some = patches(folder, shuffle=False, normalise_images=False, patch_range=[5])
    assert len(some.patches) == 2
    np.testing.assert_array_equal(some[0][0][0, ..., 0], IMAGE[16:32, 16:32])


def test_one_epoch_shows_every_patch_once_in_an_order_that_the_seed_sets(folder):
    def epoch(data):
        return np.concatenate([data[k][0] for k in range(len(data))])

    plain = epoch(patches(folder, shuffle=False, batch_size=5))
    first, again = (patches(folder, batch_size=5, seed=3) for _ in range(2))
    one = epoch(first)
    np.testing.assert_array_equal(one, epoch(again))
    np.testing.assert_allclose(
        np.sort(one.sum((1, 2, 3))), np.sort(plain.sum((1, 2, 3)))
    )
    first.on_epoch_end()
    assert not np.array_equal(one, epoch(first))
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != patches(folder, batch_size=5, seed=4).fingerprint
    save(folder, "1.tiff", IMAGE, MASK)  # written anew, the same
    assert first.fingerprint == patches(folder, batch_size=5, seed=3).fingerprint
    save(folder, "1.tiff", IMAGE, 255 - MASK)
    assert first.fingerprint != patches(folder, batch_size=5, seed=3).fingerprint


def test_one_scaling_holds_for_all_files(tmp_path):
    save(tmp_path, "0.tiff", IMAGE // 2, MASK)
    save(tmp_path, "1.tiff", IMAGE, MASK)
    data = patches(tmp_path, shuffle=False, batch_size=24)
    low, high = data.scaling
    values = np.concatenate([IMAGE // 2, IMAGE])
    np.testing.assert_allclose(
        (low, high), np.percentile(values, (0.5, 99.5)), rtol=0.01
    )
    np.testing.assert_allclose(
        data[0][0][0, ..., 0], (IMAGE[:16, :16] // 2 - low) / (high - low), atol=1e-5
    )
    other = patches(tmp_path, normalise_images=(1.0, 3.0))
    assert other.scaling == (1.0, 3.0)
    model = with_scaling(pixelwise(), (100.0, 300.0))
    np.testing.assert_allclose(
        model(np.full((1, 2, 2, 1), 200.0)), 0.5 * 2 - 1, atol=1e-5
    )


def test_a_model_with_scaling_is_loaded_without_the_loss_it_was_trained_with(tmp_path):
    model = pixelwise()
    model.compile("adam", weighted_cross_entropy(2))
    with_scaling(model, (0.0, 2.0)).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as parts:
        assert b"cross_entropy" not in parts.read("config.json")


def test_classes_do_not_depend_on_what_a_patch_holds(tmp_path):
    labels = np.full(SHAPE, 170, np.uint8)
    labels[:16] = 255
    labels[30:] = 85
    save(tmp_path, "0.tiff", IMAGE, labels)
    data = patches(tmp_path, shuffle=False, classes=(170, 85, 255), batch_size=1)
    assert np.unique(data[0][1]).tolist() == [2]
    assert np.unique(data[4][1]).tolist() == [0, 1]


def test_augmenting_turns_an_image_and_its_mask_alike(folder):
    for shape in ((16, 16), (16, 8)):
        data = patches(folder, shape, augment=True, normalise_images=False)
        images, masks = data[0]
        np.testing.assert_array_equal(images > 30000, masks == 1)
        seen = {
            images[k].tobytes()
            for _ in range(60)
            for images in [data[0][0]]
            for k in [0]
        }
        assert len(seen) == (8 if shape == (16, 16) else 4)


def test_favouring_a_class_shows_it_in_half_of_the_patches(tmp_path):
    mask = np.zeros((160, 160), np.uint8)
    mask[20, 20] = 1
    save(tmp_path, "0.tiff", RNG.random((160, 160)).astype("float32"), mask)
    data = patches(tmp_path, favour=1, batch_size=100)
    assert 0.3 < data[0][1].any((1, 2, 3)).mean() < 0.7
    assert patches(tmp_path, batch_size=100)[0][1].any((1, 2, 3)).sum() == 1
    with pytest.raises(ValueError, match="patches with class 2, found none"):
        patches(tmp_path, favour=2)


@pytest.mark.parametrize("blend", ["hann", "crop", "none"])
@pytest.mark.parametrize("shape", [(19, 37), (40, 300), (300, 17)])
def test_stitching_gives_back_what_the_network_gives_for_the_whole(
    tmp_path, shape, blend
):
    image = RNG.random(shape).astype(np.float32)
    tifffile.imwrite(tmp_path / "in.tif", image)
    model = pixelwise()
    how = {"patch_shape": (16, 16), "overlap": 5, "blend": blend, "scaling": (0.0, 2.0)}
    output = predict_image(
        model, tmp_path / "in.tif", tmp_path / "p.tif", probabilities=True, **how
    )
    expected = 1 / (1 + np.exp(1 - 2 * image / 2))
    np.testing.assert_allclose(tifffile.imread(output), expected, atol=1e-5)
    labels = predict_image(model, tmp_path / "in.tif", tmp_path / "l.tif", **how)
    stored = tifffile.imread(labels)
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored, expected > 0.5)
    with tifffile.TiffFile(labels) as file:
        assert file.pages[0].is_tiled
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.tif", "l.tif", "p.tif"]


def test_several_classes_and_pages(tmp_path):
    stack = RNG.random((2, 19, 37)).astype(np.float32)
    np.save(tmp_path / "in.npy", stack)
    model = pixelwise(3)
    logits = stack[..., None] * np.arange(2, 5) - 1
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    how = {"patch_shape": (16, 16), "overlap": 4}
    output = predict_image(
        model, tmp_path / "in.npy", tmp_path / "p.tif", probabilities=True, **how
    )
    np.testing.assert_allclose(tifffile.imread(output), expected, atol=1e-5)
    labels = predict_image(model, tmp_path / "in.npy", tmp_path / "l.tif", **how)
    np.testing.assert_array_equal(tifffile.imread(labels), expected.argmax(-1))


def test_blending_lowers_the_error_at_the_seams(tmp_path):
    image = RNG.random((96, 96)).astype(np.float32)
    tifffile.imwrite(tmp_path / "in.tif", image)
    model = blurring()
    whole = keras.ops.sigmoid(model(image[None, ..., None]))[0, ..., 0]
    errors = {}
    for name, overlap, blend in (
        ("apart", 0, "none"),
        ("crop", 16, "crop"),
        ("hann", 16, "hann"),
    ):
        output = predict_image(
            model,
            tmp_path / "in.tif",
            tmp_path / f"{name}.tif",
            patch_shape=(32, 32),
            overlap=overlap,
            blend=blend,
            probabilities=True,
        )
        stitched = tifffile.imread(output)
        errors[name] = seam_error(stitched, whole, patch_shape=(32, 32))
    border, interior = errors["apart"]
    assert border > 5 * interior
    assert errors["hann"][0] < border / 2
    assert errors["crop"][0] < border / 2


def test_seam_error_by_hand():
    truth, wrong = np.zeros((8, 8)), np.zeros((8, 8))
    wrong[:, 3] = 1  # beside the border between columns 3 and 4
    border, interior = seam_error(wrong, truth, patch_shape=(8, 4), margin=1)
    assert (border, interior) == (0.5, 0)
    with pytest.raises(ValueError, match="two images of one size"):
        seam_error(wrong, truth[:4], patch_shape=(4, 4))
    with pytest.raises(ValueError, match="expected borders and interior"):
        seam_error(wrong, truth, patch_shape=(8, 8))


def test_segmenting_a_folder_writes_labels_and_pictures(folder):
    outputs = inference_binary_segmentation(
        folder / "noisy",
        (16, 16),
        SHAPE,
        pixelwise(),
        savepath=folder / "new" / "masks",
        scaling=(0.0, 60000.0),
        overlap=4,
    )
    assert [o.name for o in outputs] == ["binary_mask_0.tiff", "binary_mask_1.tiff"]
    np.testing.assert_array_equal(tifffile.imread(outputs[0]), IMAGE > 30000)
    picture = plt.imread(outputs[0].with_suffix(".png"))[..., 0]
    np.testing.assert_array_equal(picture, IMAGE > 30000)
    with pytest.raises(FileExistsError, match="never overwritten"):
        inference_binary_segmentation(
            folder / "noisy", (16, 16), None, pixelwise(), savepath=folder / "new/masks"
        )
    with pytest.raises(ValueError, match=r"expected an image of \(9, 9\)"):
        inference_binary_segmentation(folder / "noisy", (8, 8), (9, 9), pixelwise())


# ---- bad input: one clear error each


def test_empty_folder_and_no_file_of_that_type(folder):
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="expected files of type"):
        mask_patch_from_file(folder, "empty", "label", (16, 16))
    with pytest.raises(ValueError, match=r"expected files of type \.png"):
        patches(folder, types=["png"])
    with pytest.raises(FileNotFoundError, match="no such folder"):
        mask_patch_from_file(folder, "absent", "label", (16, 16))


def test_unmatched_and_differently_sized_masks(folder):
    tifffile.imwrite(folder / "label" / "1.tiff", MASK[:-1])
    with pytest.raises(ValueError, match=r"1\.tiff: expected a mask of the image's"):
        patches(folder)
    (folder / "label" / "1.tiff").unlink()
    with pytest.raises(ValueError, match="have no partner"):
        patches(folder)


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}])
def test_truncated_tiff(folder, how):
    path = folder / "noisy" / "1.tiff"
    tifffile.imwrite(path, IMAGE, **how)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"1\.tiff: expected a TIFF image, but it is"):
        patches(folder)


def test_damaged_data_in_a_compressed_tiff(folder):
    path = folder / "noisy" / "1.tiff"
    tifffile.imwrite(path, IMAGE, compression="zlib")
    data = bytearray(path.read_bytes())
    data[-2000:-1000] = bytes(1000)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"1\.tiff: expected a TIFF image, but it is"):
        patches(folder)


def test_colours(folder):
    tifffile.imwrite(
        folder / "noisy" / "1.tiff", np.zeros((*SHAPE, 3), np.uint8), photometric="rgb"
    )
    with pytest.raises(ValueError, match=r"1\.tiff: expected a grey image, found 3"):
        patches(folder)


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
    with pytest.raises(FileNotFoundError, match="no such file"):
        TiledImage(tmp_path / "absent.tif")
    tifffile.imwrite(tmp_path / "sizes.tif", IMAGE)
    tifffile.imwrite(tmp_path / "sizes.tif", IMAGE[:9], append=True)
    with pytest.raises(ValueError, match="pages of one size"):
        TiledImage(tmp_path / "sizes.tif")


def test_unknown_label(folder):
    mask = MASK.copy()
    mask[3, 3] = 7
    tifffile.imwrite(folder / "label" / "1.tiff", mask)
    with pytest.raises(ValueError, match=r"1\.tiff: expected labels .*found \[7\]"):
        patches(folder)


def test_patch_larger_than_the_image(folder):
    match = r"0\.tiff: expected patches no larger than the image, .* 64 pixels"
    with pytest.raises(ValueError, match=match):
        patches(folder, (64, 16))
    with pytest.raises(ValueError, match=match):
        predict_image(
            pixelwise(),
            folder / "noisy" / "0.tiff",
            folder / "out.tif",
            patch_shape=(64, 16),
        )


def test_numbers_out_of_range(folder):
    with pytest.raises(ValueError, match="from 0 to 11, received 3 to 12"):
        patches(folder, patch_range=[3, 12])
    with pytest.raises(ValueError, match="from 0 to 11, received -1"):
        patches(folder, patch_range=[-1])
    with pytest.raises(ValueError, match=r"image of \(9, 9\) pixels, found"):
        patches(folder, image_shape=(9, 9))
    with pytest.raises(ValueError, match="batch size of 1 or more, received 0"):
        patches(folder, batch_size=0)


def test_constant_image_and_nan(folder):
    tifffile.imwrite(folder / "noisy" / "1.tiff", np.full(SHAPE, 5, np.uint16))
    with pytest.raises(ValueError, match=r"1\.tiff: .* found 5 everywhere"):
        patches(folder)
    image = IMAGE.astype(np.float32)
    image[30, 30] = np.nan
    tifffile.imwrite(folder / "noisy" / "1.tiff", image)
    with pytest.raises(ValueError, match=r"1\.tiff: expected finite values, found NaN"):
        patches(folder)
    with pytest.raises(ValueError, match="found NaN"):
        predict_image(
            pixelwise(),
            folder / "noisy" / "1.tiff",
            folder / "out.tif",
            patch_shape=(16, 16),
            overlap=4,
        )
    assert not list(folder.glob("out*"))  # nothing half-written


def test_output_that_exists_or_cannot_be_written(folder):
    source = folder / "noisy" / "0.tiff"
    how = {"patch_shape": (16, 16), "overlap": 4}
    (folder / "out.tif").write_text("precious")
    with pytest.raises(FileExistsError, match=r"out\.tif: exists, and is never"):
        predict_image(pixelwise(), source, folder / "out.tif", **how)
    assert (folder / "out.tif").read_text() == "precious"
    with pytest.raises(OSError, match="expected a place that can be written to"):
        predict_image(pixelwise(), source, folder / "no/out.tif", **how)
    with pytest.raises(OSError, match="expected a place that can be written to"):
        inference_binary_segmentation(
            folder / "noisy", (16, 16), None, pixelwise(), savepath=folder / "out.tif"
        )


def test_arguments_of_inference(folder):
    source = folder / "noisy" / "0.tiff"
    for how, match in (
        ({"overlap": 16}, "expected an overlap from 0 to 15 pixels, received 16"),
        ({"blend": "gauss"}, "expected blend hann, crop or none, received 'gauss'"),
    ):
        with pytest.raises(ValueError, match=match):
            predict_image(
                pixelwise(),
                source,
                folder / "out.tif",
                **({"patch_shape": (16, 16), "overlap": 4} | how),
            )


def train(folder, *, die):
    """Train for four epochs; or be killed, as by a power cut, when the third starts."""
    keras.utils.set_random_seed(0)
    layers = keras.Input((16, 16, 1)), keras.layers.Conv2D(1, 3, padding="same")
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    seen = []

    def begin(epoch, logs):
        seen.append(epoch)
        if die and epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    backup = keras.callbacks.BackupAndRestore(str(folder / "backup"))
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=begin)
    data = patches(folder)
    model.fit(data, epochs=4, verbose=0, callbacks=[backup, watch])
    return seen, int(model.optimizer.iterations) // len(data)


def test_training_goes_on_after_it_was_killed(folder):
    here = Path(__file__).parent
    script = (
        f"import sys; sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}]\n"
        f"from pathlib import Path; from test_patches import train\n"
        f"train(Path({str(folder)!r}), die=True)"
    )
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert train(folder, die=False) == ([2, 3], 4)


def test_a_mask_that_is_all_foreground_is_white_in_its_picture(folder):
    how = {"scaling": (-9e5, -8e5), "overlap": 4, "savepath": folder / "white"}
    first, *_ = inference_binary_segmentation(
        folder / "noisy", (16, 16), SHAPE, pixelwise(), **how
    )
    assert tifffile.imread(first).min() == 1
    assert plt.imread(first.with_suffix(".png"))[..., 0].min() == 1


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"batch_size": -1}, "batch size of 1 or more"),
        ({"scaling": (1, 1)}, "two different finite grey values"),
        ({"scaling": (np.nan, 1)}, "two different finite grey values"),
    ],
)
def test_inference_refuses_what_would_give_an_empty_mask(folder, how, message):
    first, output = sorted((folder / "noisy").iterdir())[0], folder / "out.tiff"
    with pytest.raises(ValueError, match=message):
        predict_image(
            pixelwise(), first, output, patch_shape=(16, 16), overlap=4, **how
        )
    assert not output.exists()


def test_inference_refuses_a_network_that_gives_nan(folder):
    model = pixelwise()
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    first, output = sorted((folder / "noisy").iterdir())[0], folder / "out.tiff"
    with pytest.raises(ValueError, match="finite logits"):
        predict_image(model, first, output, patch_shape=(16, 16), overlap=4)
    assert not output.exists()


def test_results_that_would_share_a_name_are_refused(folder):
    for ending in (".tif", ".tiff"):
        tifffile.imwrite(folder / "noisy" / f"same{ending}", IMAGE)
    with pytest.raises(ValueError, match=r"same\.tif, same\.tiff"):
        inference_binary_segmentation(
            folder / "noisy", (16, 16), SHAPE, pixelwise(), savepath=folder / "twice"
        )
