import json
import os
import signal
from types import SimpleNamespace

import keras
import kernels  # in scripts, where conftest.py looks
import numpy as np
import pytest
import tifffile
from learning import holds, learn, seeded
from pairs_on_disk import IMAGE, MASK, SHAPE, pixelwise, save

import srtools.segmentation.pairs as pairs
from srtools.segmentation import (
    mask_patch_from_file,
    predict_image,
    weighted_cross_entropy,
    with_scaling,
)

pytestmark = pytest.mark.any_backend

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    for k in range(2):
        save(tmp_path, f"{k}.tiff", IMAGE, MASK)
    return tmp_path


def patches(folder, patch_shape=(16, 16), image_shape=None, **how):
    return mask_patch_from_file(
        folder, "noisy", "label", patch_shape, image_shape, **how
    )


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


def test_the_recipe_tells_what_determines_the_batches(folder):
    how = {"batch_size": 5, "seed": 3, "patch_range": np.arange(4), "favour": 1}
    first = patches(folder, **how)
    kept = json.loads(json.dumps(first.recipe))
    assert kept == first.recipe
    save(folder, "1.tiff", IMAGE, MASK)  # written anew, the same
    assert patches(folder, **how).recipe == kept
    others = [
        patches(folder, **how | other).recipe
        for other in (
            {"seed": 4},
            {"augment": True},
            {"jitter": 0.1},
            {"classes": (255, 0)},
            {"normalise_images": (0, 1)},
            {"ignore": 7},
        )
    ]
    save(folder, "1.tiff", IMAGE, 255 - MASK)
    others.append(patches(folder, **how).recipe)
    save(folder, "1.tiff", IMAGE.T, MASK.T)
    others.append(patches(folder, **how).recipe)
    texts = {json.dumps(recipe) for recipe in (kept, *others)}
    assert len(texts) == 1 + len(others)


def test_the_recipe_does_not_see_last_digits_but_other_images(tmp_path):
    images = RNG.normal(0.3, 1, (3, *SHAPE)).astype(np.float32)
    for k in range(2):
        save(tmp_path, f"{k}.tiff", images[k], MASK)
    how = {"normalise_images": (0.1234567, 2.0)}
    kept = patches(tmp_path, **how).recipe
    save(tmp_path, "0.tiff", np.nextafter(images[0], np.float32(9)), MASK)
    other = patches(tmp_path, normalise_images=(0.1234568, 2.0)).recipe
    assert other == kept
    for image in (images[2], 1.01 * images[0], images[0] + 0.01):
        save(tmp_path, "0.tiff", image, MASK)
        assert patches(tmp_path, **how).recipe["files"] != kept["files"]


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
        model.predict_on_batch(np.full((1, 2, 2, 1), 200.0)), 0.5 * 2 - 1, atol=1e-5
    )


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


def test_jitter_changes_brightness_and_contrast_of_whole_patches(folder):
    plain = patches(folder, shuffle=False, batch_size=24)[0][0]
    images, masks = patches(folder, shuffle=False, batch_size=24, jitter=0.2)[0]
    np.testing.assert_array_equal(
        masks, patches(folder, shuffle=False, batch_size=24)[0][1]
    )
    lines = [
        np.polyfit(x.ravel(), y.ravel(), 1) for x, y in zip(plain, images, strict=True)
    ]
    factors, offsets = np.transpose(lines)
    for x, y, line in zip(plain, images, lines, strict=True):
        np.testing.assert_allclose(y, np.polyval(line, x), atol=1e-4)
    assert 0.1 < np.std(factors) < 0.3 and 0.1 < np.std(offsets) < 0.3
    assert abs(np.mean(factors) - 1) < 0.2 and abs(np.mean(offsets)) < 0.2
    with pytest.raises(ValueError, match="expected a jitter of 0 or more, received -1"):
        patches(folder, jitter=-1)


def test_unlabelled_pixels_get_class_minus_one_and_empty_patches_are_left_out(folder):
    strokes = np.zeros(SHAPE, np.uint8)
    strokes[3:5, 2:9], strokes[20:24, 40:56] = 85, 255
    for k in range(2):
        save(folder, f"{k}.tiff", IMAGE, strokes)
    data = patches(folder, shuffle=False, classes=(85, 255), ignore=0, batch_size=9)
    assert data.patches[:, 2:].tolist() == [[0, 0], [16, 32], [16, 40]] * 2
    expected = np.where(strokes == 0, -1, strokes == 255)
    _, masks = data[0]
    for mask, (_, _, y, x) in zip(masks, data.patches, strict=True):
        np.testing.assert_array_equal(mask[..., 0], expected[y : y + 16, x : x + 16])
    binary = patches(folder, classes=None, ignore=85, normalise_images=False)
    assert np.unique(binary[0][1]).tolist() == [-1, 0, 1]


def test_labels_that_are_missing_or_contradict(folder):
    with pytest.raises(ValueError, match=r"to ignore that is no class, received 255"):
        patches(folder, classes=(0, 255), ignore=255)
    for k in range(2):
        save(folder, f"{k}.tiff", IMAGE, np.zeros(SHAPE, np.uint8))
    with pytest.raises(ValueError, match="labels in the masks, found 0 alone"):
        patches(folder, classes=(85, 255), ignore=0)


@pytest.mark.training
def test_a_network_learns_from_strokes(folder):
    """Wrong labels do no harm where the mask says that nobody labelled."""
    strokes = np.full(SHAPE, 7, np.uint8)
    strokes[::3] = MASK[::3]
    for k in range(2):
        save(folder, f"{k}.tiff", IMAGE, strokes)
    seeded()
    model = pixelwise()
    model.compile(keras.optimizers.Adam(0.3), weighted_cross_entropy(1))
    data = patches(folder, ignore=7, shuffle=False, batch_size=24)
    images, labels = data[0]
    learn(model, images, labels, steps=60)
    low, high = data.scaling
    found = model.predict_on_batch(images) > 0
    truth = images * (high - low) + low > 30000
    holds("right pixels", (found == truth).mean(), at_least=0.95)


def test_favouring_a_class_shows_it_in_half_of_the_patches(tmp_path):
    mask = np.zeros((160, 160), np.uint8)
    mask[20, 20] = 1
    save(tmp_path, "0.tiff", RNG.random((160, 160)).astype("float32"), mask)
    data = patches(tmp_path, favour=1, batch_size=100)
    assert 0.3 < data[0][1].any((1, 2, 3)).mean() < 0.7
    assert patches(tmp_path, batch_size=100)[0][1].any((1, 2, 3)).sum() == 1
    with pytest.raises(ValueError, match="patches with class 2, found none"):
        patches(tmp_path, favour=2)


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


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills as Unix does")
def test_training_goes_on_after_it_was_killed(folder):
    killed = kernels.forks().Process(target=train, args=[folder], kwargs={"die": True})
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert train(folder, die=False) == ([2, 3], 4)


# ---- bad input: one clear error each


def test_empty_folder_and_no_file_of_that_type(folder):
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: expected files of type \.tiff"):
        mask_patch_from_file(folder, "empty", "label", (16, 16))
    with pytest.raises(ValueError, match=r"expected files of type \.png"):
        patches(folder, types=["png"])
    with pytest.raises(FileNotFoundError, match="absent: no such folder"):
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
    with pytest.raises(ValueError, match=r"1\.tiff: expected finite values, found NaN"):
        predict_image(
            pixelwise(),
            folder / "noisy" / "1.tiff",
            folder / "out.tif",
            patch_shape=(16, 16),
            overlap=4,
        )
    assert not list(folder.glob("out*"))  # nothing half-written


def test_the_scaling_of_a_stack_does_not_come_from_one_column(monkeypatch):
    pages = np.zeros((4, 40, 40), np.uint8)
    pages[:, :, 10:30] = 200
    monkeypatch.setattr(pairs, "_SAMPLE", 160)  # every fortieth pixel
    sample, _ = pairs._sample(SimpleNamespace(shape=pages.shape, path="a"), pages)
    assert np.mean(sample) == pytest.approx(100, rel=0.1)
