"""AlexNet: what is in an image, or how much of it."""

import keras
from keras import layers, ops

_RELU = {"activation": "relu", "kernel_initializer": "he_normal"}


@keras.saving.register_keras_serializable("srtools")
class LocalResponseNormalization(layers.Layer):
    r"""Divide each value by what its neighbouring channels hold at the same place.

    .. math:: b_i = a_i \Big/ \Big(2 + 10^{-4} \sum_{|j - i| \le 2} a_j^2\Big)^{0.75}
    """

    def call(self, inputs):
        """Return tensors of the same shape, (n, height, width, channels)."""
        squares = ops.pad(ops.square(inputs), [(0, 0)] * 3 + [(2, 2)])
        channels = inputs.shape[-1]
        near = sum(squares[..., shift : shift + channels] for shift in range(5))
        return inputs * (2 + 1e-4 * near) ** -0.75


def alexnet(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    small: bool = False,
    regression: bool = False,
) -> keras.Model:
    """Build AlexNet: five convolutions, three of them pooled, and three dense layers.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels; 227 x 227 x 3 in the paper.
    n_classes : int
        Length of the output; 1 is enough for yes or no.
    small : bool
        For patches of 64 pixels or so: a quarter of the filters, a sixteenth of the
        dense units, and a first convolution of 5 x 5 with stride 2.
    regression : bool
        Predict values: no dropout, which would change the scale of what the last layer
        sees from training to prediction.

    Returns
    -------
    keras.Model
        Images (n, height, width, channels) to logits, or values, (n, n_classes);
        uncompiled. The paper's version has 60 965 224 weights.

    Raises
    ------
    ValueError
        If the image is too small for three poolings, or `n_classes` is below 1.

    Notes
    -----
    Second, fourth and fifth convolution work on two halves of the channels, which in
    2012 lived on two GPUs. Weights start as He et al. (2015) found best for ReLU, not
    from N(0, 0.01).

    References
    ----------
    .. [1] Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep
       convolutional neural networks", NIPS 2012, doi:10.1145/3065386.
    """
    least = 33 if small else 67
    if len(input_shape) != 3 or min(input_shape[:2]) < least:
        raise ValueError(
            f"expected (height, width, channels) with sides of {least} pixels or more, "
            f"received {tuple(input_shape)}"
        )
    if n_classes < 1:
        raise ValueError(f"expected n_classes of 1 or more, received {n_classes}")
    part, units = (4, 256) if small else (1, 4096)
    first = (
        {"kernel_size": 5, "strides": 2} if small else {"kernel_size": 11, "strides": 4}
    )

    x = image = keras.Input(input_shape, name="image")
    x = layers.Conv2D(96 // part, **first, **_RELU, name="conv1")(x)
    x = LocalResponseNormalization(name="norm1")(x)
    x = layers.MaxPooling2D(3, 2, name="pool1")(x)
    x = _conv_of_halves(x, 256 // part, 5, "conv2")
    x = LocalResponseNormalization(name="norm2")(x)
    x = layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = layers.Conv2D(384 // part, 3, padding="same", **_RELU, name="conv3")(x)
    x = _conv_of_halves(x, 384 // part, 3, "conv4")
    x = _conv_of_halves(x, 256 // part, 3, "conv5")
    x = layers.MaxPooling2D(3, 2, name="pool5")(x)
    x = layers.Flatten(name="flat")(x)
    for number in (6, 7):
        x = layers.Dense(units, **_RELU, name=f"dense{number}")(x)
        if not regression:
            x = layers.Dropout(0.5, name=f"dropout{number}")(x)
    name = "values" if regression else "logits"
    return keras.Model(image, layers.Dense(n_classes, name=name)(x), name="alexnet")


def _conv_of_halves(x, filters, kernel_size, name):
    """Convolve two halves of the channels, each with half of the filters."""
    half = x.shape[-1] // 2
    parts = [
        layers.Conv2D(
            filters // 2,
            kernel_size,
            padding="same",
            **_RELU,
            name=f"{name}{side}",
        )(part)
        for side, part in (("a", x[..., :half]), ("b", x[..., half:]))
    ]
    return layers.Concatenate(name=name)(parts)
