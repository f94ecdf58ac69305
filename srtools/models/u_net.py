"""U-Net: convolutions on ever coarser grids and back, with what was fine kept."""

import keras
from keras import layers

_CONV = {"padding": "same", "kernel_initializer": "he_normal"}


def _conv_block(x, filters, normalisation, name):
    """Apply two 3x3 convolutions that keep the pixel grid."""
    plain = normalisation is None
    conv = {**_CONV, "activation": "relu" if plain else None}
    for i in (1, 2):  # batch normalisation takes a bias away again
        x = layers.Conv2D(filters, 3, **conv, use_bias=plain, name=f"{name}_conv{i}")(x)
        if not plain:
            x = layers.BatchNormalization(name=f"{name}_norm{i}")(x)
            x = layers.ReLU(name=f"{name}_relu{i}")(x)
    return x


def unet(
    input_shape: tuple[int | None, int | None, int],
    n_classes: int = 1,
    filters: tuple[int, ...] = (16, 32, 64),
    *,
    residual: bool = False,
    normalisation: str | None = None,
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
    residual : bool
        Add the input to the output, so that the network learns what is to be changed.
    normalisation : {None, "batch"}
        Batch normalisation between each convolution and its ReLU.

    Returns
    -------
    keras.Model
        Images (n, height, width, channels) to (n, height, width, n_classes), without an
        activation at the end; uncompiled.

    Raises
    ------
    ValueError
        If a side is not a multiple of ``2 ** (len(filters) - 1)``, the output of a
        residual network has not the channels of its input, or the normalisation is
        not one of those above.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net: convolutional networks for biomedical
       image segmentation", 2015, doi:10.1007/978-3-319-24574-4_28.
    .. [2] Ioffe & Szegedy, "Batch normalization: accelerating deep network training by
       reducing internal covariate shift", ICML 2015, doi:10.48550/arXiv.1502.03167.
    """
    factor = 2 ** (len(filters) - 1)
    if any(side and side % factor for side in input_shape[:2]):
        raise ValueError(
            f"expected sides that are multiples of {factor}, received {input_shape[:2]}"
        )
    if residual and input_shape[-1] != n_classes:
        raise ValueError(
            f"expected as many classes as channels for a residual network, received "
            f"{n_classes} and {input_shape[-1]}"
        )
    if normalisation not in (None, "batch"):
        raise ValueError(
            f"expected a normalisation of None or 'batch', received {normalisation!r}"
        )

    x = image = keras.Input(input_shape, name="image")
    skips = []
    for level, n in enumerate(filters[:-1]):
        skips.append(_conv_block(x, n, normalisation, f"down{level}"))
        x = layers.MaxPooling2D(name=f"pool{level}")(skips[-1])

    x = _conv_block(x, filters[-1], normalisation, "bottom")

    for level in reversed(range(len(skips))):
        x = layers.Conv2DTranspose(filters[level], 2, strides=2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"join{level}")([skips[level], x])
        x = _conv_block(x, filters[level], normalisation, f"merge{level}")

    out = layers.Conv2D(n_classes, 1, name="logits")(x)
    if residual:
        out = layers.Add(name="sum")([image, out])
    return keras.Model(image, out, name="unet")


def unet_3layer(input_shape: tuple, n_classes: int = 1) -> keras.Model:
    """Build a U-Net of three levels: `unet` with filters (16, 32, 64)."""
    return unet(input_shape, n_classes, filters=(16, 32, 64))


def unet_4layer(input_shape: tuple, n_classes: int = 1) -> keras.Model:
    """Build a U-Net of four levels: `unet` with filters (16, 32, 64, 128)."""
    return unet(input_shape, n_classes, filters=(16, 32, 64, 128))
