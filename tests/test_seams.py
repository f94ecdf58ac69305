import keras
import numpy as np
import pytest
import tifffile
from scipy.special import expit

from srtools.segmentation import predict_image, seam_error

pytestmark = pytest.mark.any_backend

RNG = np.random.default_rng(0)


def blurring():
    """A network that looks at its neighbours, so that the borders of tiles show."""
    image = keras.Input((None, None, 1))
    layer = keras.layers.Conv2D(
        1, 15, padding="same", use_bias=False, kernel_initializer="ones"
    )
    return keras.Model(image, layer(image) / 30)


def test_blending_lowers_the_error_at_the_seams(tmp_path):
    image = RNG.random((96, 96)).astype(np.float32)
    tifffile.imwrite(tmp_path / "in.tif", image)
    model = blurring()
    whole = expit(model.predict_on_batch(image[None, ..., None]))[0, ..., 0]
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
        errors[name] = seam_error(whole, stitched, patch_shape=(32, 32))
    border, interior = errors["apart"]
    assert border > 5 * interior
    assert errors["hann"][0] < border / 2
    assert errors["crop"][0] < border / 2


def test_seam_error_by_hand():
    truth, wrong = np.zeros((8, 8)), np.zeros((8, 8))
    wrong[:, 3] = 1  # beside the border between columns 3 and 4
    border, interior = seam_error(truth, wrong, patch_shape=(8, 4), margin=1)
    assert (border, interior) == (0.5, 0)
    with pytest.raises(ValueError, match="two images of one size"):
        seam_error(truth[:4], wrong, patch_shape=(4, 4))
    with pytest.raises(ValueError, match="expected borders and interior"):
        seam_error(truth, wrong, patch_shape=(8, 8))
