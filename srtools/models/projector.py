"""Projection and back-projection inside a network, on any backend of Keras."""

import json
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from weakref import WeakValueDictionary

import keras
import numpy as np
from keras import ops

from srtools.tomography import ParallelBeam

_SIDE = 4  # of a tile [pixels]: larger tiles multiply more zeros, smaller ones add more


@dataclass(frozen=True)
class Projector:
    """What layers of one geometry share.

    Attributes
    ----------
    project, backproject : callable
        As `ParallelBeam.project` and `ParallelBeam.backproject`, for float32 tensors
        (n, size, size, 1) and (n, n_translations, n_angles, 1).
    norm : float
        The largest singular value of the matrix.
    """

    project: Callable
    backproject: Callable
    norm: float


_IN_USE: WeakValueDictionary[tuple, Projector] = WeakValueDictionary()


def projector(beam: ParallelBeam) -> Projector:
    """Return projection and back-projection, each the gradient of the other.

    All layers of one geometry have the same, as long as one of them is in use.

    TensorFlow and JAX: the image is cut into tiles of 4 x 4 pixels. At one angle a tile
    meets a few strips, which are neighbours: its part of the matrix is a small dense
    block. All blocks are multiplied at once, and what tiles give to the same ray is
    added. This compiles, takes a third of the memory of the backends' own sparse
    products, and is faster. PyTorch's own is the faster one there, and is taken.

    Parameters
    ----------
    beam : ParallelBeam

    Returns
    -------
    Projector
    """
    backend = keras.backend.backend()
    key = backend, json.dumps(beam.settings)
    found = _IN_USE.get(key)
    if found is None:
        functions = (sparse if backend == "torch" else tiled)(beam)
        found = _IN_USE[key] = Projector(*linear(*functions), float(beam.norm))
    return found


def sparse(beam):
    """Products with PyTorch's compressed rows of the matrix, and of its transpose."""
    import torch

    def tensor(matrix):
        rows = matrix.tocsr()
        parts = rows.indptr, rows.indices, rows.data.astype(np.float32)
        parts = map(torch.from_numpy, parts)
        with warnings.catch_warnings():  # "in beta state", "checks are disabled"
            warnings.filterwarnings("ignore", "Sparse", UserWarning)
            return torch.sparse_csr_tensor(*parts, rows.shape).to(device)

    device = ops.convert_to_tensor(0.0).device
    matrix, transposed = tensor(beam.matrix), tensor(beam.matrix.T)

    def product(by, arrays, shape):
        columns = by @ ops.transpose(ops.reshape(arrays, (arrays.shape[0], -1)))
        return ops.reshape(ops.transpose(columns), (-1, *shape, 1))

    def forward(images):
        return product(matrix, images, (beam.n_translations, beam.n_angles))

    def adjoint(sinograms):
        return product(transposed, sinograms, (beam.size, beam.size))

    return forward, adjoint


def tiled(beam):
    """Products with dense blocks of the matrix, a tile of the image each."""
    size, n_angles, n_bins = beam.size, beam.n_angles, beam.n_translations
    n = -(-size // _SIDE)  # tiles along a side; the last one may reach over the image
    blocks, rays = map(_constant, _cut(beam, n))
    over = n * _SIDE - size

    def forward(images):
        x = ops.pad(images[..., 0], [(0, 0), (0, over), (0, over)])
        x = ops.transpose(ops.reshape(x, (-1, n, _SIDE, n, _SIDE)), (1, 3, 2, 4, 0))
        y = ops.matmul(blocks, ops.reshape(x, (n * n, _SIDE * _SIDE, -1)))
        y = ops.reshape(y, (len(rays), -1))
        y = ops.segment_sum(y, rays, num_segments=n_angles * n_bins)
        y = ops.transpose(ops.reshape(y, (n_angles, n_bins, -1)), (2, 1, 0))
        return ops.expand_dims(y, -1)

    def adjoint(sinograms):
        y = ops.transpose(sinograms[..., 0], (2, 1, 0))
        y = ops.take(ops.reshape(y, (n_angles * n_bins, -1)), rays, axis=0)
        y = ops.reshape(y, (n * n, blocks.shape[1], -1))
        x = ops.matmul(ops.swapaxes(blocks, 1, 2), y)
        x = ops.transpose(ops.reshape(x, (n, n, _SIDE, _SIDE, -1)), (4, 0, 2, 1, 3))
        x = ops.reshape(x, (-1, n * _SIDE, n * _SIDE, 1))
        return x[:, :size, :size]

    return forward, adjoint


def _cut(beam, n):
    """Cut the matrix into blocks.

    Returns
    -------
    blocks : float32 array, shape (n * n, n_angles * reach, pixels of a tile)
    rays : int32 array, shape (n * n * n_angles * reach,)
        Number of the ray, ``angle * n_translations + translation``, of each row.
    """
    n_angles, n_bins = beam.n_angles, beam.n_translations
    entries = beam.matrix.tocoo()
    bins, angles = np.divmod(entries.row, n_angles)
    rows, columns = np.divmod(entries.col, beam.size)
    tiles = rows // _SIDE * n + columns // _SIDE
    pixels = rows % _SIDE * _SIDE + columns % _SIDE

    first = np.full((n * n, n_angles), n_bins)
    last = np.zeros((n * n, n_angles), int)
    np.minimum.at(first, (tiles, angles), bins)
    np.maximum.at(last, (tiles, angles), bins)
    reach = max(1, (last - first).max() + 1)
    first = np.minimum(first, n_bins - reach)  # the detector may end before the block

    blocks = np.zeros((n * n, n_angles * reach, _SIDE * _SIDE), np.float32)
    strips = angles * reach + bins - first[tiles, angles]
    blocks[tiles, strips, pixels] = entries.data
    rays = np.arange(n_angles)[:, None] * n_bins + first[:, :, None] + np.arange(reach)
    return blocks, rays.ravel().astype(np.int32)


def _constant(array):
    """A tensor that outlives the graph inside which a layer may be first called."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        outside = tf.init_scope()
    elif backend == "jax":
        import jax

        outside = jax.ensure_compile_time_eval()
    else:
        outside = nullcontext()
    with outside:
        return ops.convert_to_tensor(array)


def linear(function, transposed):
    """Make two linear functions, each the transposed of the other, their gradients."""
    return _with_gradient(function, transposed), _with_gradient(transposed, function)


def _with_gradient(function, transposed):
    """A linear function whose gradient is the product with the transposed matrix."""

    @ops.custom_gradient
    def linear(x):
        def gradient(*args, upstream=None):  # PyTorch names it, the others do not
            return transposed(args[0] if upstream is None else upstream)

        return function(x), gradient

    return linear
