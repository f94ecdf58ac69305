import zipfile
from contextlib import suppress

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tifffile
from pairs_on_disk import IMAGE, MASK, SHAPE, pixelwise, save

from srtools.segmentation import (
    inference_binary_segmentation,
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


@pytest.mark.parametrize(("patch", "times"), [((16, 16), 8), ((16, 8), 4)])
def test_symmetries_take_the_mean_over_mirror_images_and_turns(tmp_path, patch, times):
    image = RNG.random((40, 56)).astype(np.float32)
    tifffile.imwrite(tmp_path / "in.tif", image)
    seen = []
    weights = RNG.normal(size=patch)

    class Directed:  # sees where in the patch a pixel lies
        output_shape = (None, *patch, 1)

        def predict_on_batch(self, patches):
            seen.append(np.array(patches))
            return weights[..., None] + 0 * patches

    how = {"patch_shape": patch, "overlap": 0, "probabilities": True}
    output = predict_image(
        Directed(), tmp_path / "in.tif", tmp_path / "p.tif", symmetries=True, **how
    )
    found = tifffile.imread(output)[: patch[0], : patch[1]]
    chance = 1 / (1 + np.exp(-weights))
    same = [chance, chance[::-1], chance[:, ::-1], chance[::-1, ::-1]]
    if times == 8:
        same += [other.T for other in same]
    np.testing.assert_allclose(found, np.mean(same, axis=0), atol=1e-6)
    assert len({batch[0].tobytes() for batch in seen[:times]}) == times
    plain = predict_image(Directed(), tmp_path / "in.tif", tmp_path / "q.tif", **how)
    np.testing.assert_allclose(
        tifffile.imread(plain)[: patch[0], : patch[1]], chance, atol=1e-6
    )


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
    with pytest.raises(
        FileExistsError, match=r"binary_mask_0\.tiff: exists, and is never"
    ):
        inference_binary_segmentation(
            folder / "noisy", (16, 16), None, pixelwise(), savepath=folder / "new/masks"
        )
    with pytest.raises(ValueError, match=r"expected an image of \(9, 9\)"):
        inference_binary_segmentation(folder / "noisy", (8, 8), (9, 9), pixelwise())


def test_a_mask_that_is_all_foreground_is_white_in_its_picture(folder):
    how = {"scaling": (-9e5, -8e5), "overlap": 4, "savepath": folder / "white"}
    first, *_ = inference_binary_segmentation(
        folder / "noisy", (16, 16), SHAPE, pixelwise(), **how
    )
    assert tifffile.imread(first).min() == 1
    assert plt.imread(first.with_suffix(".png"))[..., 0].min() == 1


def test_a_model_with_scaling_is_loaded_without_the_loss_it_was_trained_with(tmp_path):
    model = pixelwise()
    model.compile("adam", weighted_cross_entropy(2))
    with_scaling(model, (0.0, 2.0)).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as parts:
        assert b"cross_entropy" not in parts.read("config.json")


# ---- bad input: one clear error each


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
    with pytest.raises(
        ValueError, match=r"0\.tiff: expected finite logits, the network"
    ):
        predict_image(model, first, output, patch_shape=(16, 16), overlap=4)
    assert not output.exists()


def test_results_that_would_share_a_name_are_refused(folder):
    for ending in (".tif", ".tiff"):
        tifffile.imwrite(folder / "noisy" / f"same{ending}", IMAGE)
    with pytest.raises(ValueError, match=r"same\.tif, same\.tiff"):
        inference_binary_segmentation(
            folder / "noisy", (16, 16), SHAPE, pixelwise(), savepath=folder / "twice"
        )


def stopping(answer, after):
    """Answer so many times, and be interrupted then."""
    left = iter(range(after))

    def until(patches):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return answer(patches)

    return until


@pytest.mark.parametrize("blend", ["hann", "crop", "none"])
@pytest.mark.parametrize("probabilities", [False, True])
def test_an_image_goes_on_where_it_was_interrupted(tmp_path, blend, probabilities):
    image = np.random.default_rng(0).random((2, 90, 70), np.float32)
    tifffile.imwrite(tmp_path / "in.tif", image, photometric="minisblack")
    keras.utils.set_random_seed(0)
    layer = keras.layers.Conv2D(2, 5, padding="same")
    model = keras.Sequential([keras.Input((None, None, 1)), layer])
    how = {"patch_shape": (32, 32), "overlap": 20, "blend": blend, "batch_size": 3}
    how |= {"probabilities": probabilities}
    whole = predict_image(model, tmp_path / "in.tif", tmp_path / "w.tif", **how)
    answer, output = model.predict_on_batch, tmp_path / "a.tif"
    for calls in (11, 10, 23):  # of 2 pages of 6 rows of 2 batches, some done again
        assert not output.exists()
        model.predict_on_batch = stopping(answer, calls)
        with suppress(KeyboardInterrupt):
            predict_image(model, tmp_path / "in.tif", output, **how)
    np.testing.assert_array_equal(tifffile.imread(output), tifffile.imread(whole))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.tif", "in.tif", "w.tif"]


def test_what_was_begun_with_another_network_is_not_gone_on_with(tmp_path):
    image = np.random.default_rng(0).random((90, 70), np.float32)
    tifffile.imwrite(tmp_path / "in.tif", image)
    model, other = (
        keras.Sequential(
            [keras.Input((None, None, 1)), keras.layers.Conv2D(1, 3, padding="same")]
        )
        for _ in range(2)
    )
    how = {"patch_shape": (32, 32), "batch_size": 1, "probabilities": True}
    place = tmp_path / "in.tif", tmp_path / "a.tif"
    model.predict_on_batch = stopping(model.predict_on_batch, after=7)
    with pytest.raises(KeyboardInterrupt):
        predict_image(model, *place, **how)
    assert (tmp_path / "a.tif.partial" / "rows").stat().st_size
    predict_image(other, *place, **how)
    expected = predict_image(other, place[0], tmp_path / "e.tif", **how)
    np.testing.assert_array_equal(tifffile.imread(place[1]), tifffile.imread(expected))


def test_whatever_is_wrong_is_said_before_the_first_image_is_segmented(folder):
    save(folder, "2.tiff", IMAGE[:12, :12], MASK[:12, :12])
    for model, how, message in (
        (pixelwise(), {"overlap": 4}, r"2\.tiff: .*larger than the image"),
        (pixelwise(), {"blend": "gauss"}, "expected blend"),
        (pixelwise(3), {"probabilities": True}, "of one class only.*model of 3"),
    ):
        with pytest.raises(ValueError, match=message):
            inference_binary_segmentation(
                folder / "noisy", (16, 16), None, model, savepath=folder / "out", **how
            )
        assert not list((folder / "out").glob("*"))
