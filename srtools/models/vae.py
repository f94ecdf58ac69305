"""Variational autoencoders that denoise: a vector or a small map as latent space."""

import keras
import numpy as np
from keras import layers, ops

REDUCTION = 4  # image pixels along one pixel of the smallest feature map
_FILTERS = (32, 64)
_CONV = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
# Nearly certain at the start: a decoder learns to ignore latent values that only vary.
_CERTAIN = {"bias_initializer": keras.initializers.Constant(-4)}


@keras.saving.register_keras_serializable(package="srtools")
class GaussianSampling(layers.Layer):
    r"""Draw from a normal distribution in training, return its mean at inference.

    Adds the loss :math:`\beta / N \; KL(q \| N(0, 1))`, with N the pixels of an image.

    Parameters
    ----------
    beta : float
        Weight of the divergence.
    n_pixels : int
        Pixels of an image for each vector of latent values: all of them for a vector,
        as many as one place of a latent map stands for.
    """

    def __init__(self, beta: float, n_pixels: int, **kwargs):
        super().__init__(**kwargs)
        self.beta, self.n_pixels = beta, n_pixels
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs, training=False):
        """Take (mean, logarithm of the variance); return a draw, or the mean."""
        mean, log_variance = inputs
        kl = (ops.exp(log_variance) + ops.square(mean) - 1 - log_variance) / 2
        self.add_loss(self.beta * ops.mean(ops.sum(kl, axis=-1)) / self.n_pixels)
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(log_variance / 2) * noise

    def get_config(self):
        """Return the arguments, for saving."""
        return super().get_config() | {"beta": self.beta, "n_pixels": self.n_pixels}


@keras.saving.register_keras_serializable(package="srtools")
class CVAE(keras.Model):
    r"""Convolutional variational autoencoder.

    The encoder turns an image :math:`x` into a normal distribution :math:`q(z|x)` of
    latent values, the decoder turns latent values into an image. Training minimises

    .. math:: -\log p(y|z) + \beta \, KL(q(z|x) \| N(0, 1)), \quad z \sim q(z|x),

    in nats per pixel; for denoising x is the noisy image and y its clean partner. The
    loss is part of the network: ``compile(optimizer)``, then ``fit(noisy, clean)``.

    Parameters
    ----------
    latent_dim : int
        Length of the latent vector, or channels of the latent map.
    input_shape : tuple of int
        (height, width, channels); both sides multiples of 4. With a latent map, None
        is a side that may vary.
    spatial : bool
        Whether the latent space is a map, of a quarter of the image's sides, in place
        of a vector.
    likelihood : {"gaussian", "bernoulli"}
        Of the image given its latent values. Bernoulli is for images that are
        probabilities, 0 to 1; only then the decoder ends in a sigmoid.
    noise : float, optional
        Standard deviation of the Gaussian likelihood; by default it is learned.
    beta : float
        Weight of the divergence; 1 is the bound on the evidence.

    Attributes
    ----------
    encoder : keras.Model
        Images to the mean and the logarithm of the variance of the latent values.
    decoder : keras.Model
        Latent values to images.

    Raises
    ------
    ValueError
        If `latent_dim` is below 1, the sides cannot be halved twice, a side may vary
        though the latent space is a vector, or the likelihood, the noise or beta are
        not among those above.

    References
    ----------
    .. [1] Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014,
       doi:10.48550/arXiv.1312.6114.
    .. [2] Rybkin, Daniilidis, Levine, "Simple and effective VAE training with
       calibrated decoders", ICML 2021, doi:10.48550/arXiv.2006.13202.
    """

    def __init__(
        self,
        latent_dim: int,
        input_shape: tuple[int | None, int | None, int],
        spatial: bool = False,
        *,
        likelihood: str = "gaussian",
        noise: float | None = None,
        beta: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        shape = tuple(input_shape)
        if latent_dim < 1:
            raise ValueError(
                f"expected a latent_dim of 1 or more, received {latent_dim}"
            )
        sides = [side for side in shape[:2] if side is not None]
        if len(shape) != 3 or any(s < 1 or s % REDUCTION for s in sides):
            raise ValueError(
                "expected input_shape (height, width, channels) with sides that are "
                f"multiples of {REDUCTION}, received {shape}"
            )
        if len(sides) < 2 and not spatial:
            raise ValueError(
                "expected two sides for a latent vector, received "
                f"{shape}: only spatial=True takes images of any size"
            )
        if likelihood not in ("gaussian", "bernoulli"):
            raise ValueError(f"expected gaussian or bernoulli, received {likelihood!r}")
        if noise is not None and not noise > 0:
            raise ValueError(f"expected a positive noise, received {noise}")
        if not beta >= 0:
            raise ValueError(f"expected a beta of 0 or more, received {beta}")
        self._config = {
            "latent_dim": latent_dim,
            "input_shape": shape,
            "spatial": spatial,
            "likelihood": likelihood,
            "noise": noise,
            "beta": beta,
        }
        self.likelihood = likelihood
        self.encoder = _encoder(latent_dim, shape, spatial)
        n_pixels = REDUCTION**2 if spatial else shape[0] * shape[1]
        self.sampling = GaussianSampling(beta, n_pixels, name="sampling")
        self.decoder = _decoder(latent_dim, shape, spatial, likelihood)
        self.log_noise = self.add_weight(
            name="log_noise",
            initializer=keras.initializers.Constant(float(np.log(noise or 0.1))),
            trainable=likelihood == "gaussian" and noise is None,
        )
        self.built = True

    def call(self, images, training=False):
        """Return the decoded images: of a draw in training, of the mean otherwise."""
        return self.decoder(self.sampling(self.encoder(images), training=training))

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Return the negative bound on the evidence, in nats per pixel.

        Outside of training it is that of the mean latent values, without a draw.
        """
        target = ops.cast(x if y is None else y, y_pred.dtype)
        if self.likelihood == "bernoulli":
            misfit = keras.losses.binary_crossentropy(target, y_pred)
            misfit = y_pred.shape[-1] * misfit  # which is a mean over the channels
        else:
            squares = ops.sum(ops.square(target - y_pred), axis=-1)
            variance = ops.exp(2 * self.log_noise)
            constant = self.log_noise + float(np.log(2 * np.pi)) / 2
            misfit = squares / (2 * variance) + y_pred.shape[-1] * constant
        misfit = ops.mean(misfit, axis=(1, 2))
        if sample_weight is not None:
            misfit = misfit * ops.cast(sample_weight, misfit.dtype)
        return ops.mean(misfit) + sum(self.losses)

    def get_config(self):
        """Return the arguments, for saving."""
        return self._config | {"name": self.name}


def _encoder(latent_dim, shape, spatial):
    x = image = keras.Input(shape, name="image")
    for i, filters in enumerate(_FILTERS):
        x = layers.Conv2D(filters, 3, strides=2, **_CONV, name=f"halve{i}")(x)
    if spatial:
        x = _look_around(x)
        mean = layers.Conv2D(latent_dim, 1, name="mean")(x)
        log_variance = layers.Conv2D(latent_dim, 1, **_CERTAIN, name="log_variance")(x)
    else:
        x = layers.Flatten(name="flat")(x)
        mean = layers.Dense(latent_dim, name="mean")(x)
        log_variance = layers.Dense(latent_dim, name="log_variance")(x)
    return keras.Model(image, [mean, log_variance], name="encoder")


def _decoder(latent_dim, shape, spatial, likelihood):
    grid = tuple(None if side is None else side // REDUCTION for side in shape[:2])
    if spatial:
        latent = keras.Input((*grid, latent_dim), name="latent")
        x = _look_around(latent)
    else:
        x = latent = keras.Input((latent_dim,), name="latent")
        size = grid[0] * grid[1] * _FILTERS[0]
        x = layers.Dense(size, activation="relu", name="spread")(x)
        x = layers.Reshape((*grid, _FILTERS[0]), name="grid")(x)
    for i, filters in enumerate(reversed(_FILTERS)):
        x = layers.Conv2DTranspose(filters, 3, strides=2, **_CONV, name=f"double{i}")(x)
    activation = "sigmoid" if likelihood == "bernoulli" else None
    image = layers.Conv2D(
        shape[-1], 3, padding="same", activation=activation, name="image"
    )(x)
    return keras.Model(latent, image, name="decoder")


def _look_around(x):
    """Apply two convolutions on the coarsest grid, where they cost least."""
    for i in range(2):
        x = layers.Conv2D(_FILTERS[-1], 3, **_CONV, name=f"bottom{i}")(x)
    return x
