"""One training on one device, and on two: `one | mirrored | jax [PROCESS PORT]`.

Run by scaling.py and by the tests. The same FBP + U-Net, pairs and batches of 16; a
device of two gets half of every batch. Prints a line of JSON: the loss of every epoch.

* ``one``: on the backend in `KERAS_BACKEND`;
* ``mirrored``: TensorFlow's MirroredStrategy on two virtual devices of the processor;
* ``jax``: `keras.distribution.DataParallel` on JAX, in two processes that meet at a
  port of the loopback address; each gives its half of every batch.
"""

import json
import os
import sys

import numpy as np

EPOCHS, BATCH, N, SIZE, VIEWS = 6, 16, 128, 32, 16


def pairs():
    """Noisy sinograms and images."""
    from srtools.phantoms import random_shapes
    from srtools.tomography import ParallelBeam, gaussian_noise

    beam = ParallelBeam(SIZE, np.linspace(0, 180, VIEWS, endpoint=False))
    rng = np.random.default_rng(0)
    images = random_shapes(N, SIZE, rng=rng)
    clean = beam.project(images)
    return beam, gaussian_noise(clean, 2.0, rng=rng, largest=float(clean.max())), images


def train(x, y, beam, batch=BATCH):
    """The loss of every epoch: batches in order, whatever the number of devices."""
    import keras

    from srtools.models import fbp_unet

    keras.utils.set_random_seed(0)
    model = fbp_unet(beam, filters=(8, 16))
    model.compile(keras.optimizers.Adam(1e-3), "mean_squared_error")
    model.optimizer.build(model.trainable_variables)  # else it is traced twice
    how = {"batch_size": batch, "epochs": EPOCHS, "shuffle": False, "verbose": 0}
    return model.fit(x, y, **how).history["loss"]


def mirrored():
    """On two virtual devices of TensorFlow."""
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(processor, halves)
    beam, x, y = pairs()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    with strategy.scope():
        return train(x, y, beam)


def on_jax(process, port):
    """In one of two processes of JAX."""
    import keras

    keras.distribution.initialize(f"127.0.0.1:{port}", 2, process)
    import jax

    assert jax.process_count() == 2 and jax.device_count() == 2
    beam, x, y = pairs()
    devices = keras.distribution.list_devices()
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
    )
    half = np.arange(N).reshape(-1, 2, BATCH // 2)[:, process].ravel()
    return train(x[half], y[half], beam, BATCH // 2)


def main():
    """Train, and print the losses."""
    how, *more = sys.argv[1:]
    if how == "one":
        beam, x, y = pairs()
        losses = train(x, y, beam)
    elif how == "mirrored":
        losses = mirrored()
    else:
        losses = on_jax(*map(int, more))
    print(json.dumps({"loss": losses}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
