"""Plug-and-play: one denoiser inside an iteration with the data, on several samples.

    python benchmarks/plug_and_play.py

Writes results/plug_and_play.csv. A U-Net learns to take white noise of a known level
away from slices of the volumes, shapes and photographs; no scan teaches it. Then
images of 30 views are found by half-quadratic splitting: a step of conjugate gradients
that explains the views, and the denoiser, in turns, while the level falls to its last
value (Zhang et al., IEEE TPAMI 44 (2022) 6360, doi:10.1109/TPAMI.2021.3088914). Last
level and weight of the prior are tuned on slices that teach or, for the tooth, on views
that are used. Samples, tooth and judges are those of benchmarks/few_views.py. What is
in the table already is not made again.
"""

from functools import partial

import _record
import few_views
import keras
import numpy as np
from few_views import BEAM, FILTERS, JUDGE, LEARN, TUNE, VOLUMES
from keras import layers
from refined_tv import explain, row, tooth

from srtools.datasets import crops
from srtools.metrics import psnr
from srtools.models import unet
from srtools.scan import tune_by_views
from srtools.tomography import tune

GRID = {"last": [0.01, 0.03], "weight": [0.3, 1.0, 3.0]}
EPOCHS, STEPS, BATCH, LARGEST = 5, 80, 4, 0.3


class Noisy(keras.utils.PyDataset):
    """Batches of noisy pictures with their noise level, and of clean ones."""

    def __init__(self, names):
        super().__init__()
        rng = np.random.default_rng(4)
        pictures = [few_views.slices(name, LEARN) for name in names]
        photographs = crops(252, 128, rng=rng)
        self._clean = np.concatenate([*pictures, photographs])
        self._epoch = 0

    def __len__(self):
        """Return the number of batches an epoch."""
        return STEPS

    def __getitem__(self, index):
        """Return a batch."""
        rng = np.random.default_rng((0, self._epoch, index))
        clean = self._clean[rng.integers(len(self._clean), size=BATCH)]
        clean = np.rot90(clean[:, :: rng.choice([1, -1])], rng.integers(4), (1, 2))
        level = LARGEST * rng.uniform(size=(BATCH, 1, 1, 1)) ** 2
        noisy = clean + level * rng.normal(size=clean.shape)
        return with_level(noisy, level), clean

    def on_epoch_end(self):
        """Draw other batches in the next epoch."""
        self._epoch += 1


def with_level(images, level):
    """Put the noise level beside the image, as a second channel."""
    levels = np.broadcast_to(level, images.shape)
    return np.concatenate([images, levels], axis=-1).astype(np.float32)


def teach(names, seed: int) -> keras.Model:
    """Train a denoiser whose second channel is the noise level."""
    data = Noisy(names)
    falling = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(data))
    keras.utils.set_random_seed(seed)
    seen = keras.Input((128, 128, 2))
    change = unet((128, 128, 2), filters=FILTERS)(seen)
    model = keras.Model(seen, layers.Add()([seen[..., :1], change]))
    model.compile(keras.optimizers.Adam(falling), "mean_squared_error")
    model.fit(data, epochs=EPOCHS, verbose=0)
    return model


def plug_and_play(denoiser, beam, y, *, last, weight, iterations=20):
    """Reconstruct images that explain the views and that the denoiser leaves alone."""
    level = np.geomspace(LARGEST / 2, last, 2 * iterations // 3)
    level = np.append(level, np.full(iterations - len(level), last))
    turns = [(mirror, quarters) for mirror in (1, -1) for quarters in range(4)]
    image = plain = np.maximum(beam.fbp(y), 0)
    for step, now in enumerate(level):
        mirror, quarters = turns[step % 8]  # another orientation each time
        noisy = np.rot90(image[:, :, ::mirror], quarters, (1, 2))
        clean = np.asarray(denoiser(with_level(noisy, now)))
        plain = np.rot90(clean, -quarters, (1, 2))[:, :, ::mirror]
        image = explain(beam, y, plain, weight / now**2, steps=6)
    return plain * beam.field_of_view[:, :, None]


def main() -> None:
    """Judge what is missing; write the table after each sample."""
    rows = _record.read("plug_and_play")
    done = {(r["seed"], r["judged_on"]) for r in rows}
    used, judge, unit = tooth()
    for seed in (1,):
        method = partial(plug_and_play, teach((*VOLUMES, "shapes"), seed))
        for name in ("tooth, 30 views", "tooth, 15 views", "cement", "bone"):
            if (str(seed), name) in done:
                continue
            if name in used:
                scan = used[name].corrected(lambda y: y / unit)
                best, _ = tune_by_views(scan, method, 0, every=6, **GRID)
                found = judge(method(scan.beam(), scan.sinograms(0), **best))
            else:
                largest = float(BEAM.project(few_views.slices(name, LEARN)).max())
                some = few_views.slices(name, TUNE)[::2]
                truth = few_views.slices(name, JUDGE)
                seen = few_views.measure(some, largest, seed=2)
                best, _ = tune(partial(method, BEAM), seen, some, **GRID)
                image = method(BEAM, few_views.measure(truth, largest), **best)
                found = {"psnr": psnr(truth, image).mean()}
            rows.append(row({"seed": seed, **best}, name, "one", found))
            _record.write("plug_and_play", rows)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
