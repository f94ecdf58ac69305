"""Train an autoencoder that denoises, and denoise with it."""

import keras
import numpy as np

from srtools.models.passes import end_passes_in_time
from srtools.models.vae import CVAE, REDUCTION


def vae_train(
    model: CVAE,
    images,
    labels,
    test_images,
    test_labels,
    epochs: int,
    optimizer="adam",
    *,
    batch_size: int = 8,
    **fit,
) -> keras.callbacks.History:
    """Compile an autoencoder and train it on pairs of images.

    Parameters
    ----------
    model : CVAE
    images, labels : array, shape (n, height, width, channels)
        Noisy and clean images.
    test_images, test_labels : array, shape (m, height, width, channels)
        Pairs on which the loss is watched.
    epochs, optimizer, batch_size
        As in Keras.
    **fit
        Further arguments of ``fit``.

    Returns
    -------
    keras.callbacks.History

    Raises
    ------
    ValueError
        If a batch has not the shape of the network, images and labels differ in
        number, or a value is not finite.
    """
    for first, second in ((images, labels), (test_images, test_labels)):
        _check(model, first)
        _check(model, second)
        if len(first) != len(second):
            raise ValueError(
                "expected as many labels as images, received "
                f"{len(second)} and {len(first)}"
            )
    model.compile(optimizer)
    # Otherwise Keras traces the first step twice, which takes seconds.
    model.optimizer.build(model.trainable_variables)
    end_passes_in_time()
    return model.fit(
        images,
        labels,
        validation_data=(test_images, test_labels),
        epochs=epochs,
        batch_size=batch_size,
        **fit,
    )


def vae_inference(
    model: CVAE,
    images,
    *,
    n_samples: int | None = None,
    rng: np.random.Generator | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Denoise images with a trained autoencoder.

    Parameters
    ----------
    model : CVAE
    images : array, shape (n, height, width, channels)
    n_samples : int, optional
        Decode so many draws from the distribution of the latent values, whose spread
        tells how uncertain the network is. By default their mean is decoded, which
        gives the same image each time.
    rng : numpy.random.Generator, optional
        Source of the draws.
    batch_size : int
        Images at once.

    Returns
    -------
    float32 array
        Shape (n, height, width, channels), or (n_samples, n, height, width, channels).

    Raises
    ------
    ValueError
        If the images have not the shape of the network or are not finite, or
        `n_samples` is below 1 or comes without `rng`.
    """
    images = _check(model, images)
    if n_samples is None:
        return model.predict(images, batch_size=batch_size, verbose=0)
    if n_samples < 1 or rng is None:
        raise ValueError(
            "expected n_samples of 1 or more and an rng, "
            f"received {n_samples} and {rng}"
        )
    mean, log_variance = model.encoder.predict(images, batch_size=batch_size, verbose=0)
    deviation = np.exp(log_variance / 2)
    draws = rng.standard_normal((n_samples, *mean.shape), dtype=np.float32)
    latent = (mean + deviation * draws).reshape(-1, *mean.shape[1:])
    decoded = model.decoder.predict(latent, batch_size=batch_size, verbose=0)
    return decoded.reshape(n_samples, *images.shape)


def _check(model, images):
    images = np.asarray(images, dtype=np.float32)
    sides = model.encoder.input_shape[1:]
    if images.ndim != 4 or not len(images) or not _suits(images.shape[1:], sides):
        free = f"multiple of {REDUCTION}"
        words = ", ".join(free if side is None else str(side) for side in sides)
        raise ValueError(
            f"expected images of shape (n, {words}), received {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError("expected finite images, received NaN or infinite values")
    return images


def _suits(shape, sides):
    """Whether each length is that of its side, or a multiple where that is free."""
    return all(
        length == side if side is not None else length and length % REDUCTION == 0
        for length, side in zip(shape, sides, strict=True)
    )
