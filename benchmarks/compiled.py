"""The projection that networks train with, beside sparse products, on three backends.

    python benchmarks/compiled.py

One step is what gradient descent and learned primal-dual do: project, subtract what was
measured, project back, A'(A x - y). The tiles of `srtools.models` are computed by
`keras.ops`, compiled and not; beside them the sparse product of the backend, also
compiled where it can be (on PyTorch it is what `srtools.models` takes), and that of
SciPy. Each backend has an environment of its own, made by the script; inside a run the
methods take turns, on one core, and what is measured is the time of the processor.
Writes results/compiled.csv, and passes over what is there. About three minutes on two
cores.
"""

import json
import os
import statistics
import sys
import time

SIZES = ((32, 16, 32), (64, 64, 16), (128, 180, 8))  # pixels, views, images
REPEATS, STEPS = 5, 3
ONE_CORE = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "NPROC": "1",  # threads of XLA
}
BACKENDS = {"tensorflow": "torch", "torch": "torch", "jax": "jax"}  # environments


def main() -> None:
    """Run every backend, and write the table."""
    import _environments
    import _record

    rows = _record.read("compiled")
    known = {row["backend"] for row in rows}
    for backend, environment in BACKENDS.items():
        if backend in known:
            continue
        settings = {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"} | ONE_CORE
        found = _environments.rows(environment, "compiled.py", backend, **settings)
        for row in found:
            print(row, flush=True)
            rows.append(row)
        _record.write("compiled", rows)


def measure(backend: str) -> None:
    """Print a row for every size and method of one backend."""
    import numpy as np

    from srtools.tomography import ParallelBeam

    for size, n_angles, count in SIZES:
        beam = ParallelBeam(size, np.linspace(0, 180, n_angles, endpoint=False))
        rng = np.random.default_rng(0)
        x = rng.random((count, size, size, 1), np.float32)
        y = beam.project(rng.random((count, size, size, 1), np.float32))
        expected = beam.backproject(beam.project(x) - y)
        methods = {"scipy": lambda: beam.backproject(beam.project(x) - y)}  # noqa: B023
        methods |= BACKENDS_OWN[backend](beam, x, y)
        seconds = {name: [] for name in methods}
        for name, step in methods.items():  # compiles, and is right
            found = np.asarray(step()).reshape(expected.shape)
            assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max(), name
        for _ in range(REPEATS):
            for name, step in methods.items():
                start = time.process_time()
                for _ in range(STEPS):
                    step()
                seconds[name].append((time.process_time() - start) / STEPS)
        for name, values in seconds.items():
            ratios = [v / o for v, o in zip(values, seconds["tiles, compiled"])]  # noqa: B905
            row = {"backend": backend, "version": version_of(backend), "size": size}
            row |= {"views": n_angles, "images": count, "method": name}
            row["milliseconds"] = float(f"{1e3 * statistics.median(values):.3g}")
            row["times the compiled tiles"] = float(f"{statistics.median(ratios):.3g}")
            print(json.dumps(row), flush=True)


def version_of(backend: str) -> str:
    """The version of the library behind a backend."""
    from importlib.metadata import version

    return version(backend)


def on_tensorflow(beam, x, y):
    """Functions without arguments; each waits for its result."""
    import tensorflow as tf

    from srtools.models.projector import projector

    rows = beam.matrix.tocoo()
    places = list(zip(rows.row, rows.col, strict=True))
    matrix = tf.sparse.reorder(tf.SparseTensor(places, rows.data, rows.shape))
    project, backproject = projector(beam)
    x, y = tf.constant(x), tf.constant(y)
    flat = len(x), -1

    def tiles():
        return backproject(project(x) - y)

    def product():
        found = tf.sparse.sparse_dense_matmul(
            matrix, tf.reshape(x, flat), adjoint_b=True
        )
        rest = found - tf.transpose(tf.reshape(y, flat))
        back = tf.sparse.sparse_dense_matmul(matrix, rest, adjoint_a=True)
        return tf.transpose(back)

    compiled = tf.function(tiles, jit_compile=True)
    graph, sparse = tf.function(tiles), tf.function(product)
    return {
        "tiles, compiled": lambda: compiled().numpy(),
        "tiles": lambda: graph().numpy(),
        "sparse": lambda: sparse().numpy(),  # XLA has no kernel for it
    }


def on_torch(beam, x, y):
    """As `on_tensorflow`."""
    import torch

    from srtools.models import projector

    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def step(project, backproject):
        def once():
            with torch.no_grad():
                return backproject(project(x) - y)

        return once

    # PyTorch cannot keep what it compiled of a function with a gradient of its own, and
    # begins anew at every call: what it makes of the operations alone is measured too.
    tiles = step(*projector.linear(*projector.tiled(beam)))
    sparse = step(*projector.projector(beam))
    compiled = torch.compile(step(*projector.tiled(beam)))
    methods = {
        "tiles, compiled": lambda: compiled().numpy(),
        "tiles": lambda: tiles().numpy(),
        "sparse": lambda: sparse().numpy(),
    }
    if beam.size == SIZES[0][0]:  # once is enough
        whole = torch.compile(tiles)
        methods["tiles with our gradient, compiled"] = lambda: whole().numpy()
    return methods


def on_jax(beam, x, y):
    """As `on_tensorflow`."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.experimental import sparse

    from srtools.models.projector import projector

    matrix = sparse.BCOO.from_scipy_sparse(beam.matrix)
    transposed = sparse.BCOO.from_scipy_sparse(beam.matrix.T.tocsr())
    project, backproject = projector(beam)
    x, y = jnp.asarray(x), jnp.asarray(y)

    def tiles(x, y):
        return backproject(project(x) - y)

    def product(x, y):
        found = matrix @ x.reshape(len(x), -1).T
        return (transposed @ (found - y.reshape(len(y), -1).T)).T

    compiled, quick = jax.jit(tiles), jax.jit(product)
    return {
        "tiles, compiled": lambda: np.asarray(compiled(x, y)),
        "tiles": lambda: np.asarray(tiles(x, y)),
        "sparse, compiled": lambda: np.asarray(quick(x, y)),
    }


BACKENDS_OWN = {"tensorflow": on_tensorflow, "torch": on_torch, "jax": on_jax}

if __name__ == "__main__":
    if sys.argv[1:]:
        os.environ["KERAS_BACKEND"] = sys.argv[1]
        measure(sys.argv[1])
    else:
        main()
