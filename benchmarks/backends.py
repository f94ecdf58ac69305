"""Which network trains on which backend of Keras, and how fast.

    python benchmarks/backends.py

Trains every network of `srtools.models` for some steps on TensorFlow, JAX and PyTorch,
one after the other on this machine, and writes results/backends.csv: the processor's
milliseconds a step over all cores, for batches of 8 small images. A network that cannot
be trained on a backend ends the run with its error. Makes the environments it needs in
the cache folder; ten minutes on two cores.
"""

import _environments
import _record

BACKENDS = {"tensorflow": "torch", "torch": "torch", "jax": "jax"}  # where they are


def main() -> None:
    """Measure and write the table."""
    found = []
    for backend, place in BACKENDS.items():
        variables = {"KERAS_BACKEND": backend}
        for row in _environments.rows(place, "_backend_steps.py", **variables):
            print(row, flush=True)
            found.append(row)
    print(_record.write("backends", found))


if __name__ == "__main__":
    main()
