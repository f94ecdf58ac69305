"""Networks that make maps finer with the help of a guide."""

import keras
from keras import layers, ops

from srtools.models.super_resolution import Bicubic, SubPixels
from srtools.models.u_net import unet


@keras.saving.register_keras_serializable("srtools")
class PhaseError(keras.losses.Loss):
    """Mean squared error with a weight for each phase.

    A phase that is rare has small errors, and without a weight hardly counts: 1 over
    the variance of its maps makes all alike.

    Parameters
    ----------
    weights : sequence of float
        One a phase, positive. They are divided by their mean.
    """

    def __init__(self, weights, name="phase_error", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)
        self.weights = [float(weight) for weight in weights]
        if not self.weights or not min(self.weights) > 0:
            raise ValueError(f"expected positive weights, received {weights}")

    def call(self, y_true, y_pred):
        """Return one value a pixel (n, height, width)."""
        if y_pred.shape[-1] != len(self.weights):
            raise ValueError(
                f"expected maps of {len(self.weights)} phases, one for each weight, "
                f"received {y_pred.shape[-1]}"
            )
        mean = sum(self.weights) / len(self.weights)
        weights = ops.convert_to_tensor([w / mean for w in self.weights], y_pred.dtype)
        error = ops.square(y_pred - ops.cast(y_true, y_pred.dtype))
        return ops.mean(error * weights, axis=-1)

    def get_config(self):
        """Return the configuration."""
        return {**super().get_config(), "weights": self.weights}


def fusion_net(
    coarse_shape: tuple[int, int, int],
    factor: int = 4,
    *,
    guide: bool = True,
    filters: tuple[int, ...] = (32, 64),
) -> keras.Model:
    """Build a network from coarse maps and a fine guide to fine maps.

    The maps are enlarged, with corners shared by both grids; a U-Net that sees them
    beside the guide, at half the guide's resolution, learns what to add.

    Parameters
    ----------
    coarse_shape : (int, int, int)
        Height and width of the coarse maps, and the number of phases.
    factor : int
        How many times finer the guide is: ``factor * (k - 1) + 1`` pixels for k.
    guide : bool
        False builds the same network without a guide, to compare with.
    filters : tuple of int
        Filters of the U-Net, from the finest to the coarsest level.

    Returns
    -------
    keras.Model
        From ``[maps, guide]``, (n, height, width, n_phases) and (n, fine height, fine
        width, 1), to maps (n, fine height, fine width, n_phases); uncompiled.

    Raises
    ------
    ValueError
        If a side is below 3, there is no phase, or the factor is no whole number from
        2 on.
    """
    if len(coarse_shape) != 3 or min(coarse_shape[:2]) < 3 or coarse_shape[-1] < 1:
        raise ValueError(
            "expected a coarse_shape of height and width, 3 or more, and phases, "
            f"received {coarse_shape}"
        )
    coarse = keras.Input(coarse_shape, name="maps")
    start = Bicubic(factor, "corners", name="enlarged")(coarse)
    if not guide:
        return _exacting(coarse, _refined(start, [], filters), "fusion_net")
    fine = keras.Input((*start.shape[1:3], 1), name="guide")
    return _exacting([coarse, fine], _refined(start, [fine], filters), "fusion_net")


def fusion_refine(
    fine_shape: tuple[int, int, int], *, filters: tuple[int, ...] = (32, 64)
) -> keras.Model:
    """Build a network that improves fused maps, and sees the guide beside them.

    Parameters
    ----------
    fine_shape : (int, int, int)
        Height and width of the maps, and the number of phases.
    filters : tuple of int
        Filters of the U-Net, from the finest to the coarsest level.

    Returns
    -------
    keras.Model
        From ``[maps, guide]``, (n, height, width, n_phases), for example what
        `srtools.superresolution.directional_tv` makes, and (n, height, width, 1), to
        maps (n, height, width, n_phases); uncompiled.

    Raises
    ------
    ValueError
        If a side or the number of phases is not positive.
    """
    if len(fine_shape) != 3 or min(fine_shape) < 1:
        raise ValueError(
            "expected a fine_shape of height, width and phases, all positive, "
            f"received {fine_shape}"
        )
    maps = keras.Input(fine_shape, name="maps")
    guide = keras.Input((*fine_shape[:2], 1), name="guide")
    return _exacting([maps, guide], _refined(maps, [guide], filters), "fusion_refine")


def _exacting(inputs, outputs, name):
    """A network that refuses one map where several are expected.

    Keras lets a last axis of 1 pass, and adds it to all phases.
    """
    network = keras.Model(inputs, outputs, name=name)
    specs = [keras.InputSpec(shape=one.shape, name=one.name) for one in network.inputs]
    network.input_spec = specs if isinstance(inputs, list) else specs[0]
    return network


def _refined(maps, beside, filters):
    """Maps, plus what a U-Net makes of them and of what lies beside them.

    It works at half the resolution, where a step costs less than half: a convolution
    gathers blocks of pixels, and sub-pixels lay them out again.
    """
    height, width, n_phases = maps.shape[1:]
    factor = 2 ** len(filters)
    below, right = -height % factor, -width % factor
    x = layers.Concatenate(name="beside")([maps, *beside])
    x = layers.ZeroPadding2D(((0, below), (0, right)), name="pad")(x)
    x = layers.Conv2D(
        filters[0],
        4,
        strides=2,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name="halve",
    )(x)
    x = unet(x.shape[1:], n_classes=filters[0], filters=filters)(x)
    # An untrained network gives the maps as they came.
    x = layers.Conv2D(4 * n_phases, 1, kernel_initializer="zeros", name="change")(x)
    x = SubPixels(2, name="subpixels")(x)
    x = layers.Cropping2D(((0, below), (0, right)), name="crop")(x)
    return layers.Add(name="fused")([maps, x])
