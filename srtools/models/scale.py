"""Networks know numbers, not units: data of another scale than they were taught in."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

# The largest values of two good scans differ by less, and units by more.
_LEAST, _MOST = 1 / 10, 2


def check_range(values, taught_in: Sequence[float]) -> None:
    """Raise if data are not on the scale that a network was taught in.

    This finds data in other units, such as 1/mm in place of 1/pixel or grey values up
    to 255. It does not tell whether a network knows such objects:
    `srtools.inspection.NoveltyScore` does.

    Parameters
    ----------
    values : array
        What the network is to be given.
    taught_in : (float, float)
        Smallest and largest value of what it was trained on: ``taught_in["input"]`` on
        the card of `pretrained`.

    Raises
    ------
    ValueError
        If the largest magnitude is above twice, or below a tenth of, that of the
        training, a value is not finite, or all are zero.
    """
    values = np.asarray(values)
    if not np.isfinite(values).all() or not np.any(values):
        raise ValueError(
            "expected finite values, not all zero, received NaN, infinite or no values"
        )
    taught = np.abs(taught_in).max()
    found = max(abs(float(values.min())), abs(float(values.max())))
    if not _LEAST * taught <= found <= _MOST * taught:
        low, high = taught_in
        raise ValueError(
            "expected values on the scale that the network was taught in, "
            f"{low:.3g} to {high:.3g}, received {values.min():.3g} to "
            f"{values.max():.3g}: srtools.models.rescaled(network, "
            f"{taught / found:.2g}) takes them"
        )


def rescaled(model: keras.Model, factor: float) -> keras.Model:
    """Make a network that takes data of another scale, and answers on theirs.

    What goes in is multiplied by a factor, what comes out is divided by it. That is
    what reconstruction and denoising allow: twice the sinogram is twice the image.

    Parameters
    ----------
    model : keras.Model
        From sinograms or images to images.
    factor : float
        From the data's scale to that of the training.

    Returns
    -------
    keras.Model
        It shares its weights with `model`, and is saved with the factor; uncompiled.

    Raises
    ------
    ValueError
        If the factor is not positive and finite.
    """
    if not 0 < factor < np.inf:
        raise ValueError(f"expected a positive factor, received {factor}")
    data = keras.Input(model.input_shape[1:], name="data")
    image = model(layers.Rescaling(factor, name="to_training")(data))
    image = layers.Rescaling(1 / factor, name="to_data")(image)
    return keras.Model(data, image, name=model.name)
