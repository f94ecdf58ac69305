"""How many pairs does a network need to learn from?

    python benchmarks/fewer_pairs.py

Trains the CNN and FBP + U-Net of RECIPES on the first pairs of the reconstruction pages
only, so and so many, in as many steps as there: an epoch shows the same pairs again.
The weights of the best epoch on all validation pairs are kept. The networks of the
pages, which saw all pairs, stand beside them. Writes results/fewer_pairs.csv: mean PSNR
of the test pairs and of the pairs that it was taught by. About four minutes a row on
two quiet cores; a row that is in the table already is not measured again.
"""

import _record
import keras
import numpy as np

from srtools.metrics import psnr
from srtools.tutorial import RECIPES, shapes_task, train, trained

NETWORKS = "fbp_unet", "cnn"
PAIRS = 8_100, 100, 900, 2_700, 300


def learn(name: str, n: int, task) -> dict[str, object]:
    """Train a network on n pairs and return its row."""
    y = task.images[task.train][:n], task.images[task.test]
    x = task.sinograms[task.train][:n], task.sinograms[task.test]
    size = task.train.stop  # an epoch of the pages
    model = train(name, task)[0] if n == size else taught(name, n, task)
    known, new = (
        psnr(truth, model.predict(seen, verbose=0)).mean()
        for truth, seen in zip(y, x, strict=True)
    )
    row = {"network": name, "pairs": n}
    return row | {"test": f"{new:.3f}", "taught by": f"{known:.3f}"}


def taught(name: str, n: int, task) -> keras.Model:
    """Return a network taught by the first n pairs, again and again."""
    recipe = RECIPES[name]
    model = recipe.build(task.beam)
    size = task.train.stop
    steps = recipe.epochs * size // recipe.batch_size
    falling = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    model.compile(keras.optimizers.Adam(falling), "mean_squared_error")
    again = np.resize(np.arange(n), size)
    x, y = task.sinograms[:n][again], task.images[:n][again]
    val = task.sinograms[task.val], task.images[task.val]
    best = keras.callbacks.EarlyStopping(patience=99, restore_best_weights=True)
    trained(
        f"few pairs {name} {n}",
        model,
        x,
        y,
        recipe=[task.recipe, n],
        seed=1,
        validation_data=val,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        callbacks=[best],
    )
    return model


def main() -> None:
    """Train both networks and write the table."""
    task = shapes_task()
    rows = _record.read("fewer_pairs")
    done = {(row["network"], int(row["pairs"])) for row in rows}
    for n in PAIRS:
        for name in NETWORKS:
            if (name, n) not in done:
                rows.append(learn(name, n, task))
                print(rows[-1], flush=True)
                _record.write("fewer_pairs", rows)


if __name__ == "__main__":
    main()
