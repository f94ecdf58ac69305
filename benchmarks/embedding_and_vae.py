"""Compare with one image at a time: training a VAE, features of an embedding.

Side by side in one process, the two ways in turn, so that the ratios hold whatever
else the machine does. Writes ``results/embedding_and_vae.csv``.
"""

import time

import _record
import keras
import numpy as np

from srtools.inspection import dimension_reducer
from srtools.models import CVAE
from srtools.phantoms import FAMILIES, template_objects
from srtools.tomography import ParallelBeam, gaussian_noise

N = 2_000


def seconds(function) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def vae_epoch(n: int = 256) -> tuple[float, float]:
    """Return seconds of an epoch: one image a step in a Python loop, and ours."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    clean = template_objects(n, 64, rng=rng)
    noisy = clean + 0.5 * rng.standard_normal(clean.shape, dtype=np.float32)
    model = CVAE(8, (64, 64, 1), spatial=True)
    model.compile("adam")
    model.fit(noisy[:32], clean[:32], batch_size=32, verbose=0)  # compiles
    optimizer = keras.optimizers.Adam()

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )

    def loop():
        for x, y in zip(noisy, clean, strict=True):
            step(x[None], y[None])

    step(noisy[:1], clean[:1])
    slow = seconds(loop)
    fast = seconds(lambda: model.fit(noisy, clean, batch_size=32, verbose=0))
    return slow, fast


def features(n: int = 200) -> tuple[float, float]:
    """Return seconds for the features of 2 000 images: one predict an image, ours."""
    images = sinograms(N)
    image = keras.Input(images.shape[1:])
    x = keras.layers.Conv2D(16, 3, strides=2, activation="relu")(image)
    x = keras.layers.Conv2D(32, 3, strides=2, activation="relu")(x)
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    network.predict(images[:64], verbose=0)
    network.predict(images[:1], verbose=0)
    slow = seconds(lambda: [network.predict(i[None], verbose=0) for i in images[:n]])
    fast = seconds(lambda: network.predict(images, batch_size=64, verbose=0))
    return slow * N / n, fast


def sinograms(n: int) -> np.ndarray:
    """Return sinograms of 64 x 64 from all families."""
    rng = np.random.default_rng(0)
    beam = ParallelBeam(64, np.arange(64) * 180 / 64)
    each = -(-n // len(FAMILIES))
    images = np.concatenate([draw(each, 64, rng=rng) for draw in FAMILIES.values()])
    return gaussian_noise(beam.project(images[:n]), 5, rng=rng)


def main() -> None:
    """Measure, print, and write the table."""
    rows = []
    for task, (slow, fast) in (
        ("one epoch of a spatial VAE against a loop over single images", vae_epoch()),
        ("features of 2000 sinograms against one predict an image", features()),
    ):
        rows.append(
            {
                "task": task,
                "seconds_one_by_one": f"{slow:.2f}",
                "seconds": f"{fast:.2f}",
                "ratio": f"{slow / fast:.1f}",
            }
        )
    data = sinograms(N)
    whole = seconds(lambda: dimension_reducer(data))
    task = "t-SNE map of 2000 sinograms of 64 x 64"
    rows.append({"task": task, "seconds": f"{whole:.2f}"})
    print(_record.write("embedding_and_vae", rows).read_text())


if __name__ == "__main__":
    main()
