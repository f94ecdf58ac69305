"""Networks that make images finer: ESPCN and EDSR."""

import keras
from keras import layers, ops

from srtools.tomography import bicubic

_CONV = {"padding": "same", "kernel_initializer": "he_normal"}


@keras.saving.register_keras_serializable("srtools")
class Bicubic(layers.Layer):
    """Enlarge images of any size as `srtools.superresolution.upsample` does.

    Parameters
    ----------
    factor : int
        How many times finer.
    grid : {"pixels", "corners"}
        What both grids share, as in `srtools.tomography.bicubic`.

    Notes
    -----
    Images (n, height, width, channels), at least 3 pixels a side.
    """

    def __init__(self, factor: int, grid: str = "pixels", **kwargs):
        super().__init__(**kwargs)
        self.factor, self.grid = factor, grid
        self._phases = bicubic(factor, grid)

    def call(self, images):
        """Interpolate along the rows, then along the columns."""
        return self._stretch(self._stretch(images, 1), 2)

    def _stretch(self, images, axis):
        weights, padding, beyond = self._phases
        shape = list(ops.shape(images))
        # Mirrored by two pixels; `ops.pad` does it wrongly on PyTorch.
        skipped = {"symmetric": 0, "reflect": 1}[padding]
        first, last = (
            ops.flip(images[(slice(None),) * axis + (ends,)], axis)
            for ends in (
                slice(skipped, 2 + skipped),
                slice(-2 - skipped, -skipped or None),
            )
        )
        padded = ops.concatenate([first, images, last], axis)
        taps = [
            padded[(slice(None),) * axis + (slice(k, k - 4 or None),)] for k in range(5)
        ]
        fine = [
            sum(float(w) * tap for w, tap in zip(row, taps, strict=True))
            for row in weights
        ]
        shape[axis] = shape[axis] * self.factor
        fine = ops.reshape(ops.stack(fine, axis + 1), shape)
        kept = slice(None, -beyond or None)
        return fine[(slice(None),) * axis + (kept,)]

    def compute_output_shape(self, input_shape):
        """Return the shape of the fine images."""
        n, height, width, channels = input_shape
        beyond = self._phases.beyond
        fine = [side and side * self.factor - beyond for side in (height, width)]
        return (n, *fine, channels)

    def get_config(self):
        """Return the configuration."""
        return {**super().get_config(), "factor": self.factor, "grid": self.grid}


@keras.saving.register_keras_serializable("srtools")
class SubPixels(layers.Layer):
    """Lay the channels of each coarse pixel out as the fine pixels inside it.

    Parameters
    ----------
    factor : int
        How many times finer.

    Notes
    -----
    Maps (n, height, width, factor**2 * channels) to (n, factor * height, factor *
    width, channels): the sub-pixel convolution of `espcn`, without the convolution.
    """

    def __init__(self, factor: int, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, maps):
        """Rearrange."""
        n, height, width, _ = ops.shape(maps)
        r, channels = self.factor, maps.shape[-1] // self.factor**2
        maps = ops.reshape(maps, (n, height, width, r, r, channels))
        maps = ops.transpose(maps, (0, 1, 3, 2, 4, 5))
        return ops.reshape(maps, (n, height * r, width * r, channels))

    def compute_output_shape(self, input_shape):
        """Return the shape of the fine images."""
        n, height, width, channels = input_shape
        fine = [side and side * self.factor for side in (height, width)]
        return (n, *fine, channels // self.factor**2)

    def get_config(self):
        """Return the configuration."""
        return {**super().get_config(), "factor": self.factor}


def espcn(
    factor: int = 2, *, filters: tuple[int, int] = (64, 32), channels: int = 1
) -> keras.Model:
    """Build ESPCN: three convolutions on the coarse grid, the last one sub-pixel.

    What the convolutions make is added to the enlarged input, from which an untrained
    network starts.

    Parameters
    ----------
    factor : int
        How many times finer; the grids share their edges.
    filters : tuple of int
        Filters of the first and the second convolution; (64, 32) as published.
    channels : int
        Channels of the images.

    Returns
    -------
    keras.Model
        Images (n, height, width, channels) of any size to (n, factor * height, factor *
        width, channels); uncompiled.

    Raises
    ------
    ValueError
        If the factor is no whole number from 2 on, or a number is not positive.

    References
    ----------
    .. [1] Shi et al., "Real-time single image and video super-resolution using an
       efficient sub-pixel convolutional neural network", CVPR 2016,
       doi:10.1109/CVPR.2016.207.
    """
    _check(*filters, channels)
    image = keras.Input((None, None, channels), name="image")
    x = layers.Conv2D(filters[0], 5, activation="tanh", padding="same", name="see")(
        image
    )
    x = layers.Conv2D(filters[1], 3, activation="tanh", padding="same", name="map")(x)
    return keras.Model(image, _finer(image, x, factor), name="espcn")


def edsr(
    filters: int = 32, blocks: int = 6, factor: int = 2, *, channels: int = 1
) -> keras.Model:
    """Build EDSR: residual blocks without normalisation, and a sub-pixel convolution.

    What the blocks make is added to the enlarged input, from which an untrained network
    starts. The published network has 64 to 256 filters and 16 to 32 blocks; the default
    is what a processor trains in minutes.

    Parameters
    ----------
    filters : int
        Filters of each convolution.
    blocks : int
        Residual blocks, of two convolutions each.
    factor : int
        How many times finer; the grids share their edges.
    channels : int
        Channels of the images.

    Returns
    -------
    keras.Model
        Images (n, height, width, channels) of any size to (n, factor * height, factor *
        width, channels); uncompiled.

    Raises
    ------
    ValueError
        If the factor is no whole number from 2 on, or a number is not positive.

    References
    ----------
    .. [1] Lim, Son, Kim, Nah, Lee, "Enhanced deep residual networks for single image
       super-resolution", CVPR workshops 2017, doi:10.1109/CVPRW.2017.151.
    """
    _check(filters, blocks, channels)
    image = keras.Input((None, None, channels), name="image")
    x = head = layers.Conv2D(filters, 3, **_CONV, name="head")(image)
    for i in range(blocks):
        y = layers.Conv2D(filters, 3, **_CONV, activation="relu", name=f"block{i}a")(x)
        y = layers.Conv2D(filters, 3, **_CONV, name=f"block{i}b")(y)
        y = layers.Rescaling(0.1, name=f"block{i}_small")(y)  # keeps deep ones stable
        x = layers.Add(name=f"block{i}")([x, y])
    x = layers.Conv2D(filters, 3, **_CONV, name="tail")(x)
    x = layers.Add(name="body")([head, x])
    return keras.Model(image, _finer(image, x, factor), name="edsr")


def _finer(image, maps, factor):
    """The enlarged image, plus what a sub-pixel convolution makes of maps."""
    start = Bicubic(factor, name="bicubic")(image)
    x = layers.Conv2D(
        factor**2 * image.shape[-1],
        3,
        padding="same",
        kernel_initializer="zeros",  # an untrained network gives the enlarged image
        name="subpixel",
    )(maps)
    return layers.Add(name="image_fine")([start, SubPixels(factor, name="fine")(x)])


def _check(*numbers):
    if min(numbers) < 1:
        raise ValueError(f"expected positive numbers, received {numbers}")
