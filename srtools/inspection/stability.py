"""How much can a small change of the measurement change the image?"""

import keras
import numpy as np
from keras import ops


def worst_perturbation(
    model: keras.Model,
    sinograms,
    norm: float,
    *,
    rng: np.random.Generator,
    steps: int = 30,
) -> np.ndarray:
    r"""Find the change of each sinogram, of a given norm, that changes the image most.

    Gradient ascent on :math:`\| f(y + r) - f(y) \|^2` over :math:`\| r \| = \rho`: each
    step goes to the point of the sphere in the direction of the gradient.

    Parameters
    ----------
    model : keras.Model
        From sinograms to images.
    sinograms : array, shape (n, n_translations, n_angles, 1)
        The measurements :math:`y`.
    norm : float
        Norm :math:`\rho` of each perturbation [as the sinograms].
    rng : numpy.random.Generator
        For the direction to start from.
    steps : int
        Steps of the ascent. For a linear method it is the power method.

    Returns
    -------
    float32 array
        The perturbations :math:`r`, in the shape of the sinograms.

    Raises
    ------
    ValueError
        If the norm is not positive.

    References
    ----------
    .. [1] Antun, Renna, Poon, Adcock, Hansen, "On instabilities of deep learning in
       image reconstruction and the potential costs of AI", PNAS 117 (2020) 30088,
       doi:10.1073/pnas.1907377117.
    """
    if not norm > 0:
        raise ValueError(f"expected a positive norm, received {norm}")
    sinograms = ops.convert_to_tensor(np.asarray(sinograms, np.float32))
    image = ops.stop_gradient(model(sinograms, training=False))

    def change(r):
        return ops.sum(ops.square(model(sinograms + r, training=False) - image))

    gradient = _gradient(change)
    r = _to_norm(rng.standard_normal(sinograms.shape), norm)
    for _ in range(steps):
        r = _to_norm(ops.convert_to_numpy(gradient(ops.convert_to_tensor(r))), norm)
    return r


def _to_norm(batch, norm):
    length = np.sqrt((batch**2).sum(axis=(1, 2, 3), keepdims=True))
    return (norm * batch / np.maximum(length, 1e-12)).astype(np.float32)


def _gradient(function):
    """Gradient of a scalar function, on the backend in use."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(function)
    if keras.backend.backend() == "torch":
        import torch

        def torch_gradient(x):
            x = x.detach().requires_grad_()
            return torch.autograd.grad(function(x), x)[0]

        return torch_gradient
    import tensorflow as tf

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x)

    return gradient
