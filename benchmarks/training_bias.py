"""Train on one kind of object, test on every kind: how much of it is bias?

    python benchmarks/training_bias.py

Writes results/training_bias.csv: mean PSNR of FBP, of the CNN and of FBP + U-Net, tuned
or trained on random shapes, ellipses or packed particles, and tested on each of them.
Geometry and noise are those of the quick scale, the same for all.
"""

import _record
import numpy as np

from srtools.metrics import psnr
from srtools.phantoms import ellipses, packed_particles, random_shapes
from srtools.tomography import ParallelBeam, gaussian_noise, tune_fbp
from srtools.tutorial import RECIPES, Task, train

N, N_VAL, N_TEST = 4_000, 300, 300


def main() -> None:
    """Train, test and write the table."""
    beam = ParallelBeam(32, np.linspace(0, 180, 16, endpoint=False))
    kinds = {
        "shapes": random_shapes,
        "ellipses": ellipses,
        "particles": packed_particles,
    }
    parts = slice(0, N), slice(N, N + N_VAL), slice(N + N_VAL, None)
    tasks, largest = {}, None
    for number, (kind, draw) in enumerate(kinds.items()):
        rng = np.random.default_rng((1, number))
        images = draw(N + N_VAL + N_TEST, beam.size, rng=rng)
        images *= beam.field_of_view[:, :, None]
        clean = beam.project(images)
        largest = largest or float(clean.max())  # one noise for all, that of shapes
        noisy = gaussian_noise(clean, 5, rng=rng, largest=largest)
        recipe = {"draw": draw, "n": len(images), "seed": [1, number]}
        tasks[kind] = Task(beam, images, noisy, recipe, *parts)

    rows = []
    for learnt, task in tasks.items():
        best = tune_fbp(beam, task.sinograms[task.val], task.images[task.val])
        methods = {"FBP": lambda y, best=best: beam.fbp(y, **best)}
        for label, name in {"CNN": "cnn", "FBP + U-Net": "fbp_unet"}.items():
            model, _ = train(name, task)
            methods[label] = lambda y, model=model: model.predict(y, verbose=0)
        for tested, other in tasks.items():
            truth, measured = other.images[other.test], other.sinograms[other.test]
            for label, method in methods.items():
                score = psnr(truth, method(measured)).mean()
                row = {"method": label, "trained_on": learnt, "tested_on": tested}
                rows.append(row | {"psnr": f"{score:.2f}", "n_train": N})
                print(rows[-1], flush=True)

    path = _record.write("training_bias", rows)
    settings = {k: RECIPES[k].epochs for k in ("cnn", "fbp_unet")}
    print(f"{path}: epochs {settings}")


if __name__ == "__main__":
    main()
