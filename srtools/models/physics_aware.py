"""Networks that are told the geometry: FBP + U-Net and learned primal-dual."""

from functools import cached_property

import keras
import numpy as np
from keras import layers, ops
from scipy import fft

from srtools.models.projector import projector
from srtools.models.u_net import unet
from srtools.tomography import ParallelBeam, fbp_filter

_CONV = {"padding": "same", "kernel_initializer": "glorot_uniform"}


class _Operator(keras.layers.Layer):
    """A linear operator of a geometry, which is saved with the model."""

    def __init__(self, geometry: dict, **kwargs):
        super().__init__(autocast=False, **kwargs)  # `call` casts
        self.geometry = geometry
        self.beam = ParallelBeam(**geometry)

    @cached_property
    def _projector(self):
        """What the network multiplies by: made when data come, since it is large."""
        return projector(self.beam)

    def call(self, inputs):
        """Apply the operator in float32, whatever the precision of the network."""
        outputs = self._apply(ops.cast(inputs, "float32"))
        return ops.cast(outputs, self.compute_dtype)

    def get_config(self):
        """Return the configuration, with the geometry as plain numbers."""
        return {**super().get_config(), "geometry": self.geometry}


@keras.saving.register_keras_serializable("srtools")
class Projection(_Operator):
    """Project images as `ParallelBeam.project` does, over the norm of the matrix.

    Parameters
    ----------
    geometry : dict
        The arguments of `ParallelBeam`, as numbers and lists.

    Notes
    -----
    Images (n, size, size, 1) to (n, n_translations, n_angles, 1). The division makes
    the values of both sides alike. The gradient is the adjoint, `BackProjection`.
    """

    def _apply(self, images):
        return self._projector.project(images) / self._projector.norm

    def compute_output_shape(self, input_shape):
        """Return the shape of the sinograms."""
        return (None, self.beam.n_translations, self.beam.n_angles, 1)


@keras.saving.register_keras_serializable("srtools")
class BackProjection(_Operator):
    """Back-project sinograms over the norm of the matrix: the adjoint of `Projection`.

    Parameters
    ----------
    geometry : dict
        The arguments of `ParallelBeam`, as numbers and lists.

    Notes
    -----
    Sinograms (n, n_translations, n_angles, 1) to images (n, size, size, 1).
    """

    def _apply(self, sinograms):
        return self._projector.backproject(sinograms) / self._projector.norm

    def compute_output_shape(self, input_shape):
        """Return the shape of the images."""
        return (None, self.beam.size, self.beam.size, 1)


@keras.saving.register_keras_serializable("srtools")
class FilteredBackProjection(_Operator):
    """Reconstruct as `ParallelBeam.fbp` does, inside a network.

    Parameters
    ----------
    geometry : dict
        The arguments of `ParallelBeam`, as numbers and lists.
    filter, cutoff
        As in `ParallelBeam.fbp`.

    Notes
    -----
    Sinograms (n, n_translations, n_angles, 1) to images (n, size, size, 1).
    """

    def __init__(
        self, geometry, *, filter: str = "hann", cutoff: float = 1.0, **kwargs
    ):
        super().__init__(geometry, **kwargs)
        self.filter, self.cutoff = filter, cutoff

    def build(self, input_shape):
        """Build filter and weights of the projections."""
        n = self.beam.n_translations
        response = fbp_filter(n, self.filter, self.cutoff)
        kernel = fft.irfft(response)  # symmetric: convolution is a Toeplitz matrix
        lag = np.abs(np.arange(n)[:, None] - np.arange(n)[None, :])
        self._filter = kernel[lag].astype(np.float32)
        self._weights = self.beam.angle_weights[:, None].astype(np.float32)
        self._seen = self.beam.field_of_view[:, :, None].astype(np.float32)

    def _apply(self, sinograms):
        filtered = ops.einsum("st,btac->bsac", self._filter, sinograms)
        weighted = ops.multiply(filtered, self._weights)
        return ops.multiply(self._projector.backproject(weighted), self._seen)

    def compute_output_shape(self, input_shape):
        """Return the shape of the images."""
        return (None, self.beam.size, self.beam.size, 1)

    def get_config(self):
        """Return the configuration."""
        config = {"filter": self.filter, "cutoff": self.cutoff}
        return {**super().get_config(), **config}


def fbp_unet(
    beam: ParallelBeam,
    *,
    filters: tuple[int, ...] = (16, 32, 64),
    filter: str = "hann",
    cutoff: float = 1.0,
) -> keras.Model:
    """Build FBP followed by a U-Net that learns what to add to it.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry of the scan; it is part of the model, and saved with it.
    filters : tuple of int
        Filters of the U-Net, from the finest to the coarsest level.
    filter, cutoff
        As in `ParallelBeam.fbp`.

    Returns
    -------
    keras.Model
        Sinograms (n, n_translations, n_angles, 1), line integrals in pixel units, to
        images (n, size, size, 1); uncompiled.

    Raises
    ------
    ValueError
        If the size of the image cannot be halved often enough for the U-Net.

    References
    ----------
    .. [1] Jin, McCann, Froustey, Unser, "Deep convolutional neural network for inverse
       problems in imaging", IEEE Trans. Image Process. 26 (2017) 4509,
       doi:10.1109/TIP.2017.2713099.
    """
    shape = (beam.n_translations, beam.n_angles, 1)
    sinogram = keras.Input(shape, name="sinogram")
    draft = FilteredBackProjection(
        beam.settings, filter=filter, cutoff=cutoff, name="fbp"
    )(sinogram)
    image = unet((beam.size, beam.size, 1), filters=filters, residual=True)(draft)
    return keras.Model(sinogram, image, name="fbp_unet")


def learned_primal_dual(
    beam: ParallelBeam,
    *,
    iterations: int = 5,
    filters: int = 16,
    memory: int = 4,
) -> keras.Model:
    """Build an iterative reconstruction whose every step is learnt.

    Two sets of maps are improved in turns: the dual ones, in the space of sinograms,
    see the measurement and the projection of the image so far; the primal ones, in the
    space of images, see the back-projection of the dual maps.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry of the scan; it is part of the model, and saved with it.
    iterations : int
        Number of turns. Each has weights of its own.
    filters : int
        Filters of the hidden convolutions of a turn.
    memory : int
        Maps that are handed from turn to turn, in each space.

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
    .. [1] Adler & Oktem, "Learned primal-dual reconstruction", IEEE Trans. Med.
       Imaging 37 (2018) 1322, doi:10.1109/TMI.2018.2799231.
    """
    if min(iterations, filters, memory) < 1:
        raise ValueError(
            f"expected positive sizes, received {iterations=}, {filters=}, {memory=}"
        )
    # Four digits, alike on every machine: they become part of the saved model.
    geometry, scale = beam.settings, float(f"{beam.norm:.4g}")
    shape = (beam.n_translations, beam.n_angles, 1)
    sinogram = keras.Input(shape, name="sinogram")
    measured = layers.Rescaling(1 / scale, name="over_norm")(sinogram)
    project = Projection(geometry, name="project")
    backproject = BackProjection(geometry, name="backproject")

    start = FilteredBackProjection(geometry, name="fbp")(sinogram)
    primal = layers.Concatenate(name="primal_start")([start] * memory)
    dual = layers.Concatenate(name="dual_start")([measured] * memory)
    for turn in range(iterations):
        seen = project(primal[..., :1])
        dual = _improve(dual, [seen, measured], filters, f"dual{turn}")
        seen = backproject(dual[..., :1])
        primal = _improve(primal, [seen], filters, f"primal{turn}")
    return keras.Model(sinogram, primal[..., :1], name="learned_primal_dual")


def _improve(maps, seen, filters, name):
    """Add to maps what convolutions make of them and of what they are shown."""
    x = layers.Concatenate(name=f"{name}_see")([maps, *seen])
    for i in (1, 2):
        x = layers.Conv2D(filters, 3, **_CONV, name=f"{name}_conv{i}")(x)
        x = layers.PReLU(shared_axes=[1, 2], name=f"{name}_prelu{i}")(x)
    x = layers.Conv2D(maps.shape[-1], 3, **_CONV, name=f"{name}_change")(x)
    return layers.Add(name=f"{name}_add")([maps, x])
