"""Seconds a step of every network on the backend of Keras that is set; one row each.

Run by backends.py. What is measured is the time of the processor over all its cores,
which does not count what else the machine does; compiling comes before.
"""

import json
import time

import keras
import numpy as np

from srtools.models import (
    CVAE,
    alexnet,
    automap,
    dense_reconstruct,
    edsr,
    espcn,
    fbp_unet,
    fusion_net,
    fusion_refine,
    learned_primal_dual,
    msd,
    reconstruct_cnn,
    unet,
)
from srtools.tomography import ParallelBeam

BATCH, STEPS, ROUNDS = 8, 10, 3
BEAM = ParallelBeam(32, np.linspace(0, 180, 16, endpoint=False))
MAPS, GUIDE = (16, 16, 5), (61, 61, 1)  # they share their corners
NETWORKS = {
    "reconstruct_cnn": (lambda: reconstruct_cnn(32, 16), [(32, 16, 1)]),
    "dense_reconstruct": (lambda: dense_reconstruct(32, 16), [(32, 16, 1)]),
    "automap": (lambda: automap(32, 16), [(32, 16, 1)]),
    "fbp_unet": (lambda: fbp_unet(BEAM), [(32, 16, 1)]),
    "learned_primal_dual": (lambda: learned_primal_dual(BEAM), [(32, 16, 1)]),
    "unet": (lambda: unet((64, 64, 1)), [(64, 64, 1)]),
    "msd": (lambda: msd((64, 64, 1)), [(64, 64, 1)]),
    "alexnet": (lambda: alexnet((64, 64, 1), 2, small=True), [(64, 64, 1)]),
    "espcn": (espcn, [(32, 32, 1)]),
    "edsr": (edsr, [(32, 32, 1)]),
    "fusion_net": (lambda: fusion_net(MAPS), [MAPS, GUIDE]),
    "fusion_refine": (lambda: fusion_refine((61, 61, 5)), [(61, 61, 5), GUIDE]),
    "CVAE": (lambda: CVAE(8, (32, 32, 1), spatial=True), [(32, 32, 1)]),
}


def measure(build, sides) -> float:
    """Return the seconds of a step, the fastest of some rounds."""
    keras.utils.set_random_seed(1)
    model = build()
    rng = np.random.default_rng(0)
    n = BATCH * STEPS
    inputs = [rng.random((n, *side), dtype="float32") for side in sides]
    x = inputs if len(inputs) > 1 else inputs[0]
    cvae = isinstance(model, CVAE)  # has its loss, and denoises
    model.compile(keras.optimizers.Adam(1e-3), None if cvae else "mean_squared_error")
    target = inputs[0] if cvae else np.zeros_like(model.predict(x, verbose=0))
    seconds = []
    for _ in range(1 + ROUNDS):  # the first one compiles
        start = time.process_time()
        history = model.fit(x, target, batch_size=BATCH, epochs=1, verbose=0).history
        seconds.append((time.process_time() - start) / STEPS)
        assert np.isfinite(history["loss"][-1])
    return min(seconds[1:])


def main() -> None:
    """Print a row for each network."""
    backend = keras.backend.backend()
    for name, (build, sides) in NETWORKS.items():
        row = {"network": name, "backend": backend, "keras": keras.__version__}
        row["ms"] = f"{1e3 * measure(build, sides):.1f}"
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
