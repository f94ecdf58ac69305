"""The sparse matrix product of whichever backend Keras runs on."""

import keras
import numpy as np


def sparse_product(matrix):
    """Return a function that multiplies by a SciPy sparse matrix.

    Its gradient is the product with the transposed matrix, stored beside it.

    Parameters
    ----------
    matrix : scipy sparse array, shape (m, n)

    Returns
    -------
    callable
        From tensors (n, batch) to tensors (m, batch).
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _tensorflow(matrix)
    if backend == "jax":
        return _jax(matrix)
    raise NotImplementedError(f"expected TensorFlow or JAX, received {backend}")


def _tensorflow(matrix):
    import tensorflow as tf

    def tensor(m):
        m = m.tocsr().tocoo()
        places = np.stack([m.row, m.col], axis=1).astype(np.int64)
        return tf.SparseTensor(places, m.data.astype(np.float32), m.shape)

    with tf.init_scope():  # constants, also when a layer is built inside a graph
        forward, adjoint = tensor(matrix), tensor(matrix.T)

    @tf.custom_gradient
    def product(x):
        y = tf.sparse.sparse_dense_matmul(forward, x)
        return y, lambda dy: tf.sparse.sparse_dense_matmul(adjoint, dy)

    return product


def _jax(matrix):
    import jax
    from jax.experimental.sparse import BCSR

    forward, adjoint = (
        BCSR.from_scipy_sparse(matrix.tocsr()),
        BCSR.from_scipy_sparse(matrix.T.tocsr()),
    )

    @jax.custom_vjp
    def product(x):
        return forward @ x

    product.defvjp(lambda x: (product(x), None), lambda _, dy: (adjoint @ dy,))
    return product
