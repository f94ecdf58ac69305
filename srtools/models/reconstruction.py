"""Networks that turn a sinogram into an image without being told the geometry."""

import keras
from keras import layers, ops

# From this version on Keras divides by the batch what the features of a layer cost.
_BY_SAMPLE = tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 15)


def reconstruct_cnn(
    n_translations: int,
    n_angles: int,
    *,
    size: int | None = None,
    filters: tuple[int, int] = (32, 32),
    channels: int = 4,
) -> keras.Model:
    """Build a network of convolutions on both sides of one dense layer.

    Convolutions clean the sinogram, one dense layer carries every ray to every pixel,
    and convolutions polish the image.

    Parameters
    ----------
    n_translations, n_angles : int
        Shape of a sinogram.
    size : int, optional
        Side of the image [pixels]; by default `n_translations`.
    filters : tuple of int
        Filters of the two convolutions before, and of the two after, the dense layer.
    channels : int
        Maps of the cleaned sinogram that the dense layer sees.

    Returns
    -------
    keras.Model
        Sinograms (n, n_translations, n_angles, 1), line integrals in pixel units, to
        images (n, size, size, 1); uncompiled.

    Raises
    ------
    ValueError
        If a size is not positive.

    Notes
    -----
    The dense layer has ``channels * n_translations * n_angles * size**2`` weights: this
    is what limits the size of the image.

    References
    ----------
    .. [1] The network of the same name in superres-tomo, SciML group of the Rutherford
       Appleton Laboratory and Finden Ltd, 2020.
    """
    size = n_translations if size is None else size
    before, after = filters
    _check_sizes(n_translations, n_angles, size, channels, before, after)

    x = sinogram = keras.Input((n_translations, n_angles, 1), name="sinogram")
    x = layers.Rescaling(4 / n_translations, name="to_unit_range")(x)
    for i in (1, 2):
        x = _conv(x, before, 3, f"clean{i}")
    x = _conv(x, channels, 1, "clean")
    x = layers.Flatten(name="rays")(x)
    x = layers.Dense(size**2, name="rays_to_pixels")(x)
    x = layers.Reshape((size, size, 1), name="draft")(x)
    for i in (1, 2):
        x = _conv(x, after, 5, f"polish{i}")
    image = layers.Conv2D(1, 5, padding="same", name="image")(x)
    return keras.Model(sinogram, image, name="reconstruct_cnn")


def dense_reconstruct(
    n_translations: int,
    n_angles: int,
    *,
    size: int | None = None,
    units: int | None = None,
    filters: int = 32,
) -> keras.Model:
    """Build a network that begins with dense layers and ends with convolutions.

    Parameters
    ----------
    n_translations, n_angles : int
        Shape of a sinogram.
    size : int, optional
        Side of the image [pixels]; by default `n_translations`.
    units : int, optional
        Width of the hidden dense layer; by default ``size**2``.
    filters : int
        Filters of each of the two convolutions at the end.

    Returns
    -------
    keras.Model
        Sinograms (n, n_translations, n_angles, 1), line integrals in pixel units, to
        images (n, size, size, 1); uncompiled.

    Raises
    ------
    ValueError
        If a size is not positive.

    References
    ----------
    .. [1] The network of the same name in superres-tomo, SciML group of the Rutherford
       Appleton Laboratory and Finden Ltd, 2020.
    """
    size = n_translations if size is None else size
    units = size**2 if units is None else units
    _check_sizes(n_translations, n_angles, size, units)

    x = sinogram = keras.Input((n_translations, n_angles, 1), name="sinogram")
    x = layers.Rescaling(4 / n_translations, name="to_unit_range")(x)
    x = layers.Flatten(name="rays")(x)
    x = layers.Dense(units, activation="relu", name="hidden")(x)
    x = layers.Dense(size**2, name="pixels")(x)
    x = layers.Reshape((size, size, 1), name="draft")(x)
    for i in (1, 2):
        x = _conv(x, filters, 5, f"polish{i}")
    image = layers.Conv2D(1, 5, padding="same", name="image")(x)
    return keras.Model(sinogram, image, name="dense_reconstruct")


def automap(
    n_translations: int,
    n_angles: int,
    *,
    size: int | None = None,
    units: int | None = None,
    filters: int = 64,
    sparsity: float = 1e-4,
) -> keras.Model:
    """Build AUTOMAP: two dense layers, two convolutions, a transposed convolution.

    Parameters
    ----------
    n_translations, n_angles : int
        Shape of a sinogram.
    size : int, optional
        Side of the image [pixels]; by default `n_translations`.
    units : int, optional
        Width of the first dense layer; by default ``size**2``, as published. The second
        one has ``size**2`` units always.
    filters : int
        Filters of the convolutions; 64 as published.
    sparsity : float
        Weight of the L1 norm of the features of the second convolution beside the
        squared error, 1e-4 as published. Here both are divided by the number of pixels,
        as the mean squared error is.

    Returns
    -------
    keras.Model
        Sinograms (n, n_translations, n_angles, 1), line integrals in pixel units, to
        images (n, size, size, 1); uncompiled.

    Raises
    ------
    ValueError
        If a size is not positive, or the sparsity is negative.

    References
    ----------
    .. [1] Zhu, Liu, Cauley, Rosen, Rosen, "Image reconstruction by domain-transform
       manifold learning", Nature 555 (2018) 487, doi:10.1038/nature25988.
    """
    size = n_translations if size is None else size
    units = size**2 if units is None else units
    _check_sizes(n_translations, n_angles, size, units, filters)
    if not sparsity >= 0:
        raise ValueError(f"expected a sparsity of 0 or more, received {sparsity}")

    x = sinogram = keras.Input((n_translations, n_angles, 1), name="sinogram")
    x = layers.Rescaling(4 / n_translations, name="to_unit_range")(x)
    x = layers.Flatten(name="rays")(x)
    x = layers.Dense(units, activation="tanh", name="dense1")(x)
    x = layers.Dense(size**2, activation="tanh", name="dense2")(x)
    x = layers.Reshape((size, size, 1), name="draft")(x)
    x = _conv(x, filters, 5, "conv1")
    x = layers.Conv2D(
        filters,
        5,
        padding="same",
        activation="relu",
        activity_regularizer=L1OfSample(sparsity / size**2),
        name="conv2",
    )(x)
    image = layers.Conv2DTranspose(1, 7, padding="same", name="image")(x)
    return keras.Model(sinogram, image, name="automap")


@keras.saving.register_keras_serializable("srtools")
class L1OfSample(keras.regularizers.L1):
    """The L1 norm of a layer's features, on average over the samples of a batch."""

    def __init__(self, l1: float):
        super().__init__(l1)
        self._exact = float(l1)  # Keras keeps it in the precision of its backend

    def get_config(self):
        """Return the weight of the norm."""
        return {"l1": self._exact}

    def __call__(self, features):
        """Return what features (n, ...) cost, as this version of Keras expects it."""
        cost = super().__call__(features)
        return (
            cost if _BY_SAMPLE else cost / ops.cast(ops.shape(features)[0], cost.dtype)
        )


def _check_sizes(*sizes):
    if min(sizes) < 1:
        raise ValueError(f"expected positive sizes, received {sizes}")


def _conv(x, filters, width, name):
    return layers.Conv2D(filters, width, padding="same", activation="relu", name=name)(
        x
    )
