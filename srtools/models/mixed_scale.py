"""The mixed-scale dense network: few weights, every map connected to every other."""

from math import prod

import keras
from keras import layers, ops

_DILATIONS = 10


def msd(input_shape: tuple[int | None, int | None, int], depth: int = 30):
    """Build a mixed-scale dense network: images to images of the same size.

    Each layer makes one map, by a 3x3 convolution of the image and all earlier maps.
    Its holes grow from layer to layer, 1, 2 ... 10 pixels, and then from 1 again: large
    features are seen without any coarser grid, so that images may have any size. The
    output is a weighted sum of the image and all maps. With few weights, little data is
    enough: 30 layers have 4 247.

    Parameters
    ----------
    input_shape : tuple
        Height, width and 1; None for a side that may vary.
    depth : int
        Number of layers.

    Returns
    -------
    keras.Model
        Images (n, height, width, 1) to images of that shape, without an activation at
        the end; uncompiled.

    Raises
    ------
    ValueError
        If there is not one channel, or no layer.

    References
    ----------
    .. [1] Pelt & Sethian, "A mixed-scale dense convolutional neural network for image
       analysis", PNAS 115 (2018) 254, doi:10.1073/pnas.1715832114.
    """
    if len(input_shape) != 3 or input_shape[-1] != 1:
        raise ValueError(
            f"expected an input shape (height, width, 1), received {input_shape}"
        )
    if depth < 1:
        raise ValueError(f"expected a depth of at least 1, received {depth}")
    image = keras.Input(input_shape, name="image")
    return keras.Model(image, MixedScaleDense(depth, name="maps")(image), name="msd")


@keras.saving.register_keras_serializable("srtools")
class MixedScaleDense(layers.Layer):
    """The layers of `msd`, as one.

    A dilated convolution to a single map is slow as such. Here a matrix turns all maps
    into nine, one a tap of the 3x3 kernel, which are shifted and added: five times as
    fast on a CPU as layers of Keras. Outside of the image all maps are zero.

    Parameters
    ----------
    depth : int
        Number of maps to make.
    """

    def __init__(self, depth: int, **settings):
        super().__init__(**settings)
        self.depth = depth

    def build(self, input_shape):
        """Make the weights: as He et al., over the fan-in; the last sum is zero."""
        self.kernels, self.biases = [], []
        for i in range(self.depth):
            spread = keras.initializers.RandomNormal(stddev=(2 / (9 * (i + 1))) ** 0.5)
            self.kernels.append(
                self.add_weight(shape=(9, i + 1), initializer=spread, name=f"kernel{i}")
            )
            self.biases.append(
                self.add_weight(shape=(1,), initializer="zeros", name=f"bias{i}")
            )
        self.sum = self.add_weight(
            shape=(1, self.depth + 1), initializer="zeros", name="sum"
        )
        self.offset = self.add_weight(shape=(1,), initializer="zeros", name="offset")

    def call(self, image):
        """Apply all layers to images (n, height, width, 1)."""
        shape = ops.shape(image)[:3]
        maps = ops.reshape(image, (1, -1))
        for i in range(self.depth):
            taps = ops.reshape(ops.matmul(self.kernels[i], maps), (9, *shape))
            new = ops.relu(_sum_of_shifted(taps, i % _DILATIONS + 1) + self.biases[i])
            maps = ops.concatenate([maps, ops.reshape(new, (1, -1))], axis=0)
        return ops.reshape(ops.matmul(self.sum, maps) + self.offset, (*shape, 1))

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def values_inside(self, output_shape) -> int:
        """Count the values that training keeps of a sample, besides the output.

        Each map is made of a stack of all before it, which is kept for the gradient.
        """
        stacks = self.depth * (self.depth + 1) // 2
        return (stacks + self.depth) * prod(output_shape)

    def get_config(self):
        """Return the settings, to save the layer."""
        return {**super().get_config(), "depth": self.depth}


def _sum_of_shifted(taps, dilation):
    """Add nine maps (9, n, height, width), each moved by its place in the kernel."""
    _, _, height, width = ops.shape(taps)
    edge = ((dilation, dilation), (dilation, dilation))

    def windows(padded):
        """Give the padded maps, seen from each of the nine places."""
        for row in (0, dilation, 2 * dilation):
            for column in (0, dilation, 2 * dilation):
                yield padded[..., row : row + height, column : column + width]

    @ops.custom_gradient  # the one found automatically pads nine maps for each tap
    def add(taps):
        padded = ops.pad(taps, ((0, 0), (0, 0), *edge))
        total = sum(window[i] for i, window in enumerate(windows(padded)))

        def gradient(*received, upstream=None):
            upstream = received[0] if upstream is None else upstream
            padded = ops.pad(upstream, ((0, 0), *edge))
            return ops.stack(list(windows(padded))[::-1])

        return total, gradient

    return add(taps)
