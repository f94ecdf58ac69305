"""What do the two networks that know the geometry gain from more seconds?

    python benchmarks/until_flat.py

Trains FBP + U-Net and learned primal-dual of RECIPES on the pairs of the reconstruction
pages, three times as long as there: the same optimizer, its rate falling along a cosine
as long as the training. Writes results/until_flat.csv, one row an epoch: seconds (the
processor's, over all cores), PSNR of the mean squared error on the validation pairs,
and in the last row the mean PSNR of the test pairs, as *compare* has it. About fifteen
minutes on two quiet cores; a network that is in the table already is not trained again.
"""

import _record
import keras
import numpy as np

from srtools.metrics import psnr
from srtools.tutorial import RECIPES, shapes_task, trained

EPOCHS = {"learned_primal_dual": 9, "fbp_unet": 12}


def curve(name: str, task) -> list[dict[str, object]]:
    """Train a network for long, and return a row for each epoch."""
    recipe, epochs = RECIPES[name], EPOCHS[name]
    x, y = task.sinograms, task.images
    model = recipe.build(task.beam)
    steps = epochs * len(x[task.train]) // recipe.batch_size
    falling = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    model.compile(keras.optimizers.Adam(falling), "mean_squared_error", metrics=["mse"])
    training = trained(
        f"long {name}",
        model,
        x[task.train],
        y[task.train],
        recipe=task.recipe,
        seed=1,
        validation_data=(x[task.val], y[task.val]),
        epochs=epochs,
        batch_size=recipe.batch_size,
    )
    found = psnr(y[task.test], model.predict(x[task.test], verbose=0)).mean()
    rows = []
    for epoch, error in enumerate(training.history["val_mse"], 1):
        row = {"network": name, "epoch": epoch}
        row["seconds"] = f"{training.seconds * epoch / epochs:.0f}"
        row["validation"] = f"{-10 * np.log10(error):.3f}"
        row["test"] = f"{found:.3f}" if epoch == epochs else ""
        rows.append(row)
    return rows


def main() -> None:
    """Train both networks and write the table."""
    task = shapes_task()
    done = {row["network"] for row in _record.read("until_flat")}
    for name in EPOCHS:
        if name not in done:
            rows = curve(name, task)
            print(rows[-1], flush=True)
            _record.write("until_flat", [*_record.read("until_flat"), *rows])


if __name__ == "__main__":
    main()
