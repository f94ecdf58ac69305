"""PSNR against the seconds of training, for the networks of the reconstruction pages.

    python benchmarks/budgets.py [name ...]

Trains each network of RECIPES three times as long as its page does, with the same
settings, and writes results/budgets.csv: after each epoch the seconds of training until
then, the processor's time over all cores, and the PSNR of the mean squared error on the
validation pairs; in the last row of each the mean PSNR on the test pairs. About six
minutes a network on two cores.
"""

import os
import sys
import time

import _record
import keras
import numpy as np

from srtools.metrics import psnr
from srtools.tutorial import RECIPES, shapes_task

LONGER = 3


class Clock(keras.callbacks.Callback):
    """Notes the processor's seconds after each epoch, without the validation."""

    def __init__(self):
        super().__init__()
        self.seconds, self._lost = [], 0.0

    def on_train_begin(self, logs=None):
        """Start."""
        self._start = time.process_time()

    def on_test_begin(self, logs=None):
        """Stop for the validation."""
        self._stopped = time.process_time()

    def on_test_end(self, logs=None):
        """Go on."""
        self._lost += time.process_time() - self._stopped

    def on_epoch_end(self, epoch, logs=None):
        """Read the clock."""
        passed = time.process_time() - self._start - self._lost
        self.seconds.append(passed / (os.cpu_count() or 1))


def main() -> None:
    """Train the networks that the table lacks, and write it after each."""
    task = shapes_task()
    x, y = task.sinograms, task.images
    for name in sys.argv[1:] or RECIPES:
        rows = _record.read("budgets")
        if any(row["network"] == name for row in rows):
            continue
        recipe, clock = RECIPES[name], Clock()
        keras.utils.set_random_seed(1)
        model = recipe.build(task.beam)
        epochs = LONGER * recipe.epochs
        steps = epochs * len(x[task.train]) // recipe.batch_size
        falling = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
        model.compile(keras.optimizers.Adam(falling), "mean_squared_error")
        history = model.fit(
            x[task.train],
            y[task.train],
            validation_data=(x[task.val], y[task.val]),
            epochs=epochs,
            batch_size=recipe.batch_size,
            callbacks=[clock],
            verbose=2,
        ).history["val_loss"]
        found = psnr(y[task.test], model.predict(x[task.test], verbose=0)).mean()
        for epoch, (loss, seconds) in enumerate(
            zip(history, clock.seconds, strict=True), 1
        ):
            row = {"network": name, "epoch": epoch, "seconds": f"{seconds:.1f}"}
            row["psnr_validation"] = f"{-10 * np.log10(loss):.3f}"
            row["psnr_test"] = f"{found:.3f}" if epoch == epochs else ""
            rows.append(row)
        print(rows[-1], flush=True)
        _record.write("budgets", rows)


if __name__ == "__main__":
    main()
