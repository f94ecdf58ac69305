"""U-Net: convolutions on ever coarser grids and back, with what was fine kept."""

import keras
from keras import layers

_CONV = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}


def _conv_block(x, filters, name):
    """Apply two 3x3 convolutions that keep the pixel grid."""
    x = layers.Conv2D(filters, 3, **_CONV, name=f"{name}_conv1")(x)
    return layers.Conv2D(filters, 3, **_CONV, name=f"{name}_conv2")(x)


def unet(
    input_shape: tuple[int | None, int | None, int],
    n_classes: int = 1,
    filters: tuple[int, ...] = (16, 32, 64),
) -> keras.Model:
    """Build a U-Net: one logit, or one value, per pixel and class.

    Parameters
    ----------
    input_shape : tuple
        Height, width, channels; None for a side that may vary.
    n_classes : int
        Channels of the output.
    filters : tuple of int
        Filters of each level, from the finest to the coarsest.

    Returns
    -------
    keras.Model
        Images (n, height, width, channels) to (n, height, width, n_classes), without an
        activation at the end; uncompiled.

    Raises
    ------
    ValueError
        If a side is not a multiple of ``2 ** (len(filters) - 1)``.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net: convolutional networks for biomedical
       image segmentation", 2015, doi:10.1007/978-3-319-24574-4_28.
    """
    factor = 2 ** (len(filters) - 1)
    if any(side and side % factor for side in input_shape[:2]):
        raise ValueError(f"sides must be multiples of {factor}, got {input_shape[:2]}")

    x = image = keras.Input(input_shape, name="image")
    skips = []
    for level, n in enumerate(filters[:-1]):
        skips.append(_conv_block(x, n, f"down{level}"))
        x = layers.MaxPooling2D(name=f"pool{level}")(skips[-1])

    x = _conv_block(x, filters[-1], "bottom")

    for level in reversed(range(len(skips))):
        x = layers.Conv2DTranspose(filters[level], 2, strides=2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"join{level}")([skips[level], x])
        x = _conv_block(x, filters[level], f"merge{level}")

    logits = layers.Conv2D(n_classes, 1, name="logits")(x)
    return keras.Model(image, logits, name="unet")


def unet_3layer(input_shape: tuple, n_classes: int = 1) -> keras.Model:
    """Build a U-Net of three levels: `unet` with filters (16, 32, 64)."""
    return unet(input_shape, n_classes, filters=(16, 32, 64))


def unet_4layer(input_shape: tuple, n_classes: int = 1) -> keras.Model:
    """Build a U-Net of four levels: `unet` with filters (16, 32, 64, 128)."""
    return unet(input_shape, n_classes, filters=(16, 32, 64, 128))
