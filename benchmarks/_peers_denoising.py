"""Noise2Void of CAREamics on the images of a file, for so many seconds.

Run by peers.py in an environment that has it: `FILE ANSWER RATE FILTERS SECONDS`.
Trains on the images (n, height, width), writes what it makes of them, and prints how
many steps it had. Settings are its defaults, but for the learning rate, the filters of
the first level (it has 32, ours 16), patches of 64 pixels in batches of 16 as ours, and
epochs of 50 steps. Data are loaded in the process itself, so that its clock counts all
work; images are repeated, since every epoch looks at a patch once.
"""

import json
import sys
import time
from importlib.metadata import version
from tempfile import TemporaryDirectory

import numpy as np
import torch
from careamics import CAREamist
from careamics.config import create_advanced_n2v_config
from lightning.pytorch.callbacks import Callback

torch.set_num_threads(1)


class Clock(Callback):
    """Ends a training after so many seconds of the processor."""

    def __init__(self, seconds):
        self.budget = seconds

    def on_train_start(self, trainer, module):
        """Start."""
        self.start = time.process_time()

    def on_train_batch_end(self, trainer, *_):
        """Look."""
        self.seconds, self.steps = time.process_time() - self.start, trainer.global_step
        if self.seconds > self.budget:
            trainer.should_stop = True


def main():
    """Train and denoise."""
    path, answer, rate, filters, seconds = sys.argv[1:]
    images = np.load(path)
    clock = Clock(float(seconds))
    config = create_advanced_n2v_config(
        "tooth",
        "array",
        "SYX",
        (64, 64),
        16,
        num_epochs=10_000,
        num_steps=50,
        optimizer_params={"lr": float(rate)},
        model_params={"depth": 2, "num_channels_init": int(filters)},
        num_workers=0,
        seed=1,
    )
    with TemporaryDirectory() as folder:
        model = CAREamist(
            config, work_dir=folder, callbacks=[clock], enable_progress_bar=False
        )
        model.train(train_data=np.repeat(images, 60, axis=0))
        tiles = {"tile_size": (64, 64), "tile_overlap": (48, 48)}
        (found,), _ = model.predict(images, **tiles)
    np.save(answer, np.reshape(found, images.shape))
    told = {"steps": clock.steps, "seconds": clock.seconds}
    print("\n" + json.dumps(told | {"version": version("careamics")}), flush=True)


if __name__ == "__main__":
    main()
