"""How long passes over data last beyond their work, and without the thread that tunes.

    python benchmarks/passes.py

FBP + U-Net predicts, and trains for five epochs, on more and more pairs of 32 pixels;
with TensorFlow as it comes and after `srtools.models.end_passes_in_time`, in turns.
Chance decides which passes last longer: means of four runs are kept. Writes
results/passes.csv. Six minutes on two cores.
"""

import inspect
import time

import _record
import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from srtools.models import end_passes_in_time, fbp_unet
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam

PAIRS = (96, 192, 288, 384, 576)
REPEATS = 4


def main() -> None:
    """Take the seconds of both, and write the table."""
    end_passes_in_time()
    ends = tf.data.Options.__init__
    ways = {"as it comes": inspect.unwrap(ends), "ends in time": ends}
    beam = ParallelBeam(32, np.linspace(0, 180, 16, endpoint=False))
    images = random_shapes(max(PAIRS), 32, rng=np.random.default_rng(0))
    sinograms = beam.project(images)
    model = fbp_unet(beam)
    model.compile("adam", "mean_squared_error")
    model.optimizer.build(model.trainable_variables)

    def predict(n):
        model.predict(sinograms[:n], verbose=0)

    def train(n):
        model.fit(sinograms[:n], images[:n], epochs=5, verbose=0)

    passes = {"a prediction": predict, "five epochs": train}
    for run in passes.values():
        run(PAIRS[0])  # compiles
    seconds = {(name, n): {way: [] for way in ways} for name in passes for n in PAIRS}
    for _ in tqdm(range(REPEATS)):
        for (name, n), taken in seconds.items():
            for way, begin in ways.items():
                tf.data.Options.__init__ = begin
                start = time.perf_counter()
                passes[name](n)
                taken[way].append(time.perf_counter() - start)
    rows = [
        {"pass": name, "pairs": n}
        | {way: f"{np.mean(taken[way]):.2f}" for way in ways}
        | {"keras": keras.__version__, "tensorflow": tf.__version__}
        for (name, n), taken in seconds.items()
    ]
    print(*rows, _record.write("passes", rows), sep="\n")


if __name__ == "__main__":
    main()
