"""What separates a measured tooth from simulated lessons? Teach with each error.

    python benchmarks/tooth_few_views.py

Writes results/tooth_few_views.csv. The network, the steps and the judges are those of
benchmarks/few_views.py; the lesson is its mixture (cement, bone, nerve, shapes), whose
sinograms get the errors that a measured scan has, one kind at a time and all together,
or whose slices get other grey levels or the company of drawn bodies. Each is judged on
the samples of the mixture, on the tooth, and on a simulated tooth, which has the
structure and none of the errors. What is in the table already is not trained again.
"""

from functools import partial

import _record
import few_views
import keras
import numpy as np
from few_views import BATCH, BEAM, EPOCHS, FILTERS, LEARN, STEPS, VOLUMES
from scipy import ndimage

from srtools.datasets import FreshNoise
from srtools.models import fbp_unet
from srtools.phantoms.shapes import axes
from srtools.tomography import gaussian_noise, tv

SAMPLES = (*VOLUMES, "shapes")


def axis(y, largest, rng):
    """An axis that is wrong by up to half a column."""
    return ndimage.shift(y, (0, rng.uniform(-0.5, 0.5), 0, 0), order=1)


def gains(y, largest, rng):
    """Columns whose gain is wrong, by up to 0.5 % of the largest value."""
    error = rng.normal(size=(len(y), y.shape[1], 1, 1))
    return y + rng.uniform(0, 0.005) * largest * error


def hardening(y, largest, rng):
    """Line integrals that fall short where they are long, by up to a tenth."""
    return y * (1 - rng.uniform(0, 0.1) * y / largest)


def noise(y, largest, rng):
    """Noise of 0.3 to 3 %, which neighbouring columns share in part."""
    share = rng.uniform(0, 0.5)
    kernel = np.array([share, 1, share]) / np.hypot(1, share * np.sqrt(2))
    clean = np.zeros_like(y)
    percent = np.exp(rng.uniform(np.log(0.3), np.log(3)))
    error = gaussian_noise(clean, percent, rng=rng, largest=largest)
    return y + ndimage.convolve1d(error, kernel, axis=1)


ERRORS = {"axis": axis, "gains": gains, "hardening": hardening, "noise": noise}


class Flawed(FreshNoise):
    """Batches of sinograms with errors, and slices of other grey levels."""

    def __init__(self, name: str, errors, grey: bool, **settings):
        images = bodies() if name == "bodies" else few_views.slices(name, LEARN)
        super().__init__(images, BEAM, percent=1.0, recipe={}, **settings)
        self._errors, self._grey = errors, grey
        if grey:
            self._solid = (self._images > 0.1).astype(np.float32)
            self._shadow = BEAM.project(self._solid)

    def __getitem__(self, index):
        """Return a batch: errors first, noise last."""
        rng = np.random.default_rng((self._seed, self._epoch, index))
        chosen = rng.integers(len(self._images), size=self._batch_size)
        y, x = self._clean[chosen], self._images[chosen]
        if self._grey:  # less contrast within a body that is more solid
            share, level, scale = rng.uniform((0, 0.5, 0.5), (0.9, 1, 1.2))
            x = scale * ((1 - share) * x + share * level * self._solid[chosen])
            y = scale * ((1 - share) * y + share * level * self._shadow[chosen])
        for name in self._errors:
            y = ERRORS[name](y, self.largest, rng)
        if "noise" not in self._errors:
            y = gaussian_noise(y, self._percent, rng=rng, largest=self.largest)
        return y.astype(np.float32), x.astype(np.float32)


def bodies() -> np.ndarray:
    """Draw large solid bodies in a layer, with a hollow and a few faint spots."""
    rng, (x, y) = np.random.default_rng(6), axes(128)
    images = np.zeros((84, 128, 128, 1), np.float32)
    for image in images[..., 0]:
        x0, y0 = rng.uniform(-0.2, 0.2, 2)
        turn, distance = np.arctan2(y - y0, x - x0), np.hypot(x - x0, y - y0)
        waves = rng.normal(0, 0.25, 6) / np.arange(1, 7) / 2
        phases = rng.uniform(0, 2 * np.pi, 6)
        bumps = sum(
            wave * np.cos((k + 1) * turn + phase)
            for k, (wave, phase) in enumerate(zip(waves, phases, strict=True))
        )
        outline = rng.uniform(0.4, 0.7) * (1 + bumps)
        inner, hollow = rng.uniform((0.75, 0.1), (0.95, 0.4))
        rim, core = rng.uniform((0.6, 0.4), (1, 0.9))
        image[distance < outline] = rim
        image[distance < inner * outline] = core
        image *= 1 + 0.1 * (rng.normal() * x + rng.normal() * y)
        for _ in range(rng.integers(0, 6)):
            u, v, radius = rng.uniform((-0.5, -0.5, 0.03), (0.5, 0.5, 0.15))
            spot = np.hypot(x - u, y - v) < radius
            image[spot & (image > 0)] *= rng.uniform(0.85, 1.15)
        image[distance < hollow * outline] = rng.uniform(0, 0.3)
    soft = ndimage.gaussian_filter(images, (0, 0.5, 0.5, 0))
    return soft * BEAM.field_of_view[:, :, None]


class Lesson(keras.utils.PyDataset):
    """Batches with one slice of each sample."""

    def __init__(self, names, errors=(), grey=False):
        super().__init__()
        steps = BATCH * STEPS // len(names)
        make = partial(Flawed, errors=errors, grey=grey, batch_size=1, steps=steps)
        self._parts = [make(name, seed=k) for k, name in enumerate(names)]

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


LESSONS = {
    "no error": partial(Lesson, SAMPLES),
    "and bodies": partial(Lesson, (*SAMPLES, "bodies")),
    "noise": partial(Lesson, SAMPLES, ["noise"]),
    "all errors": partial(Lesson, SAMPLES, list(ERRORS)),
    "grey levels": partial(Lesson, SAMPLES, [], True),
    "hardening": partial(Lesson, SAMPLES, ["hardening"]),
    "gains": partial(Lesson, SAMPLES, ["gains"]),
    "axis": partial(Lesson, SAMPLES, ["axis"]),
}


def teach(lesson: str, seed: int, times: int = 1) -> keras.Model:
    """Train a network, for so many times as long as on the page."""
    data = LESSONS[lesson]()
    epochs = times * EPOCHS
    falling = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(data))
    keras.utils.set_random_seed(seed)
    model = fbp_unet(BEAM, filters=FILTERS)
    model.compile(keras.optimizers.Adam(falling), "mean_squared_error")
    model.fit(data, epochs=epochs, verbose=0)
    return model


def tooth_and_samples():
    """What few_views judges by, and the simulated tooth."""
    samples = {}
    for name in SAMPLES:
        largest = float(BEAM.project(few_views.slices(name, LEARN)).max())
        truth = few_views.slices(name, few_views.JUDGE)
        samples[name] = truth, few_views.measure(truth, largest)
    beam, unseen = few_views.tooth_views(k for k in range(180) if k % 6)
    reference = beam.fbp(unseen)
    unit = np.percentile(reference, 99.9)
    every, y = few_views.tooth_views(range(180))
    truth = tv(every, y / unit, weight=1.0)
    rng = np.random.default_rng(1)
    measured = gaussian_noise(BEAM.project(truth), 0.47, rng=rng)  # as the tooth has
    samples["simulated tooth"] = truth, measured
    return (beam, unseen, reference, unit), samples


def main() -> None:
    """Train what is missing; write the table after each network."""
    tooth, samples = tooth_and_samples()
    rows = _record.read("tooth_few_views")
    done = {(row["taught_by"], row["seed"]) for row in rows}
    for lesson in LESSONS:
        if (lesson, "1") not in done:
            network = teach(lesson, 1)
            rows += few_views.judge(lesson, 1, network, samples, tooth)
            _record.write("tooth_few_views", rows)
            print(*rows[-14:], sep="\n", flush=True)


if __name__ == "__main__":
    main()
