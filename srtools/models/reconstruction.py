"""Networks that turn a sinogram into an image without being told the geometry."""

import keras
from keras import layers


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
    if min(n_translations, n_angles, size, channels) < 1:
        raise ValueError(
            "expected positive sizes, received "
            f"{n_translations=}, {n_angles=}, {size=}, {channels=}"
        )
    before, after = filters
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


def _conv(x, filters, width, name):
    return layers.Conv2D(filters, width, padding="same", activation="relu", name=name)(
        x
    )
