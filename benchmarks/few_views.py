"""Teach FBP + U-Net with one sample, judge it on others: which teaching transfers?

    python benchmarks/few_views.py

Writes results/few_views.csv: PSNR of networks that are taught by cement, bone, nerve
(one end of each volume), drawn shapes, or a mixture of the four, and judged on the
other ends, on other shapes, and on the tooth (against FBP of 150 views that nobody
saw, with the part of these views that stays unexplained); as they come, and as the mean
over eight orientations. Cement and bone are taught with three seeds. Beside them FBP
and TV, tuned on slices that teach, and TV by an oracle, on those that judge. Geometry,
noise, network and steps are those of book/real/few_views. What is in the table already
is not trained again. About half an hour on two cores.
"""

from dataclasses import replace

import _record
import keras
import numpy as np
import tifffile

from srtools import tutorial
from srtools.datasets import FreshNoise, fetch
from srtools.metrics import psnr
from srtools.models import fbp_unet, mean_over_symmetries
from srtools.phantoms import random_shapes
from srtools.scan import misfit, read_scan
from srtools.tomography import ParallelBeam, gaussian_noise, tune_fbp, tune_tv, tv

VOLUMES = ("cement", "bone", "nerve")
TEACHERS = ("cement", "bone", "shapes", "mixture", "nerve")
LESSONS = [(teacher, 1) for teacher in TEACHERS]
LESSONS += [(teacher, seed) for teacher in ("cement", "bone") for seed in (2, 3)]
FILTERS, EPOCHS, STEPS, BATCH = (16, 32, 48, 48), 10, 160, 2
ANSWERS = {
    "one": lambda network, y: network.predict(y, verbose=0),
    "mean of eight": mean_over_symmetries,
}
LEARN, JUDGE, TUNE = slice(84), slice(104, 128, 2), slice(0, 84, 14)
BEAM = ParallelBeam(128, np.linspace(0, 180, 30, endpoint=False))


def slices(name: str, part: slice) -> np.ndarray:
    """Some slices of a volume, or as many shapes: those that teach never judge."""
    if name == "shapes":
        shapes = random_shapes(128, BEAM.size, rng=np.random.default_rng(5))
        return shapes[part] * BEAM.field_of_view[:, :, None]
    grey = tifffile.imread(fetch(name))[part].astype("float32") / 255
    return grey[..., None] * BEAM.field_of_view[:, :, None]


def lesson(name: str, batch_size: int = BATCH, steps: int = STEPS) -> FreshNoise:
    """Batches of noisy sinograms and slices, as on the page."""
    return FreshNoise(
        slices(name, LEARN),
        BEAM,
        percent=1.0,
        steps=steps,
        batch_size=batch_size,
        recipe={"volume and slices": [name, LEARN.start, LEARN.stop, LEARN.step]},
    )


class Mixture(keras.utils.PyDataset):
    """Batches with one slice of each lesson, as many slices an epoch as of others.

    ``make(k, batch_size=1, steps=...)`` makes the k-th of n lessons.
    """

    def __init__(self, n, make):
        super().__init__()
        steps = BATCH * STEPS // n
        self._parts = [make(k, batch_size=1, steps=steps) for k in range(n)]

    def __len__(self):
        """Return the number of batches an epoch."""
        return len(self._parts[0])

    def __getitem__(self, index):
        """Return a batch: a pair of each sample."""
        pairs = [part[index] for part in self._parts]
        return tuple(np.concatenate(side) for side in zip(*pairs, strict=True))

    def on_epoch_end(self):
        """Draw other batches in the next epoch."""
        for part in self._parts:
            part.on_epoch_end()


def teach(teacher: str, seed: int) -> keras.Model:
    """Train a network, or load the one that the page has trained."""
    names = *VOLUMES, "shapes"
    if teacher == "mixture":
        data = Mixture(len(names), lambda k, **how: lesson(names[k], **how))
    else:
        data = lesson(teacher)
    falling = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(data))
    keras.utils.set_random_seed(seed)
    model = fbp_unet(BEAM, filters=FILTERS)
    model.compile(keras.optimizers.Adam(falling), "mean_squared_error")
    if teacher in ("cement", "bone") and seed == 1:
        tutorial.trained(f"few_views_{teacher}", model, data, seed=1, epochs=EPOCHS)
        return model
    model.fit(data, epochs=EPOCHS, verbose=0)
    return model


def for_beam(model: keras.Model, beam: ParallelBeam) -> keras.Model:
    """Return a network with the same weights for another geometry."""
    other = fbp_unet(beam, filters=FILTERS)
    other.set_weights(model.get_weights())
    return other


def join(y: np.ndarray) -> np.ndarray:
    """384 columns of the tooth about its axis at 295.5, three to a pixel."""
    return y[:, 104:488].reshape(len(y), 128, 3, -1, 1).mean(axis=2)


def tooth_scan():
    """The tooth with joined columns."""
    scan = read_scan(fetch("tooth")).corrected(join)
    return replace(scan, axis=63.5, n_translations=128)


def tooth_views(numbers):
    """Geometry and line integrals of some views of the tooth, of its own unit."""
    part = tooth_scan().views(list(numbers))
    return part.beam(), part.sinograms(0)


def judge(name: str, seed: int, network, samples: dict, tooth: tuple) -> list[dict]:
    """Rows of the table for one network."""
    about = {"taught_by": name, "seed": seed, "images": EPOCHS * STEPS * BATCH}
    rows = []
    for sample, (truth, measured) in samples.items():
        for how, answer in ANSWERS.items():
            score = psnr(truth, answer(network, measured)).mean()
            found = {"judged_on": sample, "answer": how, "psnr": f"{score:.2f}"}
            rows.append(about | found)
    beam, unseen, reference, unit = tooth
    for n in (30, 15):
        few, y = tooth_views(range(0, 180, 180 // n))
        for how, answer in ANSWERS.items():
            image = answer(for_beam(network, few), y / unit)
            row = {**about, "judged_on": f"tooth, {n} views", "answer": how}
            row["psnr"] = f"{psnr(reference / unit, image)[0]:.2f}"
            row["misfit"] = f"{misfit(beam, image, unseen / unit)[0]:.4f}"
            rows.append(row)
    return rows


def classical(samples: dict, largest: dict) -> list[dict]:
    """Rows of FBP and TV, tuned on six of the slices that teach, and of the oracle."""
    rows = []
    for sample, (truth, measured) in samples.items():
        some = slices(sample, TUNE)
        seen = measure(some, largest[sample], seed=2)
        images = {
            "FBP, tuned": BEAM.fbp(measured, **tune_fbp(BEAM, seen, some)),
            "TV, tuned": tv(BEAM, measured, **tune_tv(BEAM, seen, some)),
            "TV, oracle": tv(BEAM, measured, **tune_tv(BEAM, measured, truth)),
        }
        for name, image in images.items():
            score = psnr(truth, image).mean()
            row = {"taught_by": name, "seed": "", "images": "", "judged_on": sample}
            rows.append(row | {"answer": "one", "psnr": f"{score:.2f}"})
    return rows


def measure(truth, largest: float, seed: int = 1) -> np.ndarray:
    """Sinograms with 1 % of the largest value of the lesson as noise."""
    rng = np.random.default_rng(seed)
    return gaussian_noise(BEAM.project(truth), 1.0, rng=rng, largest=largest)


def main() -> None:
    """Train what is missing; write the table after each network."""
    largest, samples = {}, {}
    for name in (*VOLUMES, "shapes"):
        largest[name] = float(BEAM.project(slices(name, LEARN)).max())
        truth = slices(name, JUDGE)
        samples[name] = truth, measure(truth, largest[name])
    beam, unseen = tooth_views(k for k in range(180) if k % 6)
    reference = beam.fbp(unseen)
    tooth = beam, unseen, reference, np.percentile(reference, 99.9)

    rows = _record.read("few_views")
    done = {(row["taught_by"], row["seed"]) for row in rows}
    if ("TV, oracle", "") not in done:
        rows += classical(samples, largest)
        print(_record.write("few_views", rows), flush=True)
    for teacher, seed in LESSONS:
        if (teacher, str(seed)) not in done:
            network = teach(teacher, seed)
            rows += judge(teacher, seed, network, samples, tooth)
            _record.write("few_views", rows)
            print(*rows[-12:], sep="\n", flush=True)


if __name__ == "__main__":
    main()
