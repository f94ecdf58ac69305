"""Do the networks of the reconstruction pages get the same seconds?

    python benchmarks/budgets.py

Measures a few steps of each network of RECIPES, in turn, three rounds in one run, and
writes results/budgets.csv: the shortest time of an epoch, the epochs of the recipe, and
the seconds of both. Seconds are the processor's, over all cores. About two minutes.
"""

import os
import time

import _record
import keras

from srtools.tutorial import RECIPES, shapes_task

ROUNDS, STEPS = 3, 20


def main() -> None:
    """Measure and write the table."""
    task = shapes_task()
    x, y = task.sinograms[task.train], task.images[task.train]
    models = {name: recipe.build(task.beam) for name, recipe in RECIPES.items()}
    for name, model in models.items():
        model.compile(keras.optimizers.Adam(1e-3), "mean_squared_error")
        first = 4 * RECIPES[name].batch_size  # compiles
        model.fit(x[:first], y[:first], batch_size=RECIPES[name].batch_size, verbose=0)
    found = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, model in models.items():
            size = RECIPES[name].batch_size
            some = STEPS * size
            start = time.process_time()
            model.fit(x[:some], y[:some], batch_size=size, verbose=0)
            passed = (time.process_time() - start) / (os.cpu_count() or 1)
            found[name].append(passed * len(x) / some)
    rows = []
    for name, seconds in found.items():
        epoch, epochs = min(seconds), RECIPES[name].epochs
        row = {"network": name, "epoch": f"{epoch:.1f}", "epochs": epochs}
        rows.append(row | {"seconds": f"{epoch * epochs:.0f}"})
        print(rows[-1], flush=True)
    print(_record.write("budgets", rows))


if __name__ == "__main__":
    main()
