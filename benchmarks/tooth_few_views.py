"""What separates a measured tooth from simulated lessons? Teach with each error.

    python benchmarks/tooth_few_views.py

Writes results/tooth_few_views.csv. The network, the steps and the judges are those of
benchmarks/few_views.py; the lesson is its mixture (cement, bone, nerve, shapes), whose
sinograms get the errors that a measured scan has, one kind at a time and all together,
or whose slices get other grey levels or the company of drawn bodies. Each is judged on
the samples of the mixture, on the tooth, and on a simulated tooth, which has the
structure and none of the errors. For the errors a network that was taught without goes
on for 640 steps with them, beside one that goes on without. What is in the table
already is not trained again.
"""

from functools import partial

import _record
import few_views
import keras
import numpy as np
from few_views import BATCH, BEAM, EPOCHS, FILTERS, LEARN, STEPS, VOLUMES
from scipy import ndimage

from srtools.datasets import FreshNoise
from srtools.metrics import psnr
from srtools.models import fbp_unet, mean_over_symmetries
from srtools.phantoms.shapes import axes
from srtools.scan import misfit
from srtools.tomography import gaussian_noise, tv

SAMPLES = (*VOLUMES, "shapes")


def axis(y, largest, amount, rng):
    """An axis that is wrong by so many columns."""
    return ndimage.shift(y, (0, amount, 0, 0), order=1)


def gains(y, largest, amount, rng):
    """Columns whose gain is wrong, by so many percent of the largest value."""
    error = rng.normal(size=(len(y), y.shape[1], 1, 1))
    return y + amount / 100 * largest * error


def hardening(y, largest, amount, rng):
    """Line integrals that fall short where they are long, by so many percent."""
    return y * (1 - amount / 100 * y / largest)


def noise(y, largest, amount, rng):
    """Noise of 10 ** amount percent, which neighbouring columns share in part."""
    share = rng.uniform(0, 0.5)
    kernel = np.array([share, 1, share]) / np.hypot(1, share * np.sqrt(2))
    error = gaussian_noise(np.zeros_like(y), 10**amount, rng=rng, largest=largest)
    return y + ndimage.convolve1d(error, kernel, axis=1)


ERRORS = {axis: (-0.5, 0.5), gains: (0, 0.5), hardening: (0, 10), noise: (-0.5, 0.5)}
REAL = {axis: 0.13, gains: 0.2, hardening: 5, noise: np.log10(0.47)}
"""How much of each error the tooth may have: axis and noise are measured."""


class Flawed(FreshNoise):
    """Batches of sinograms with errors, and slices of other grey levels."""

    def __init__(self, name: str, errors, grey: bool, **settings):
        super().__init__(slices(name), BEAM, percent=1.0, recipe={}, **settings)
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
        for error in self._errors:
            y = error(y, self.largest, rng.uniform(*ERRORS[error]), rng)
        if noise not in self._errors:
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


def other_row() -> np.ndarray:
    """Bend, turn and scale FBP of all views of the other row of the scan."""
    scan = few_views.tooth_scan().views(range(180))
    image = scan.beam().fbp(scan.sinograms(1))[0, ..., 0]
    image = np.maximum(image / np.percentile(image, 99.9), 0)
    rng, grid = np.random.default_rng(7), np.indices((128, 128)) - 63.5
    images = np.empty((84, 128, 128, 1), np.float32)
    for bent in images[..., 0]:
        turn, scale = rng.uniform(0, 2 * np.pi), rng.uniform(0.85, 1.2)
        cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
        field = ndimage.gaussian_filter(rng.normal(size=(2, 128, 128)), (0, 12, 12))
        places = np.tensordot([[cos, -sin], [sin, cos]], grid, 1) + 63.5
        bent[:] = ndimage.map_coordinates(image, places + 3 * field / field.std())
    return np.maximum(images, 0) * BEAM.field_of_view[:, :, None]


DRAWN = {"bodies": bodies, "other row": other_row}


def slices(name: str) -> np.ndarray:
    """The 84 slices of a sample that teach."""
    return DRAWN[name]() if name in DRAWN else few_views.slices(name, LEARN)


class Lesson(few_views.Mixture):
    """Batches with one slice of each sample, with errors."""

    def __init__(self, names, errors=(), grey=False, seed=0):
        def make(k, **how):
            return Flawed(names[k], errors, grey, seed=seed + k, **how)

        super().__init__(len(names), make)


LESSONS = {
    "no error": partial(Lesson, SAMPLES),
    "and bodies": partial(Lesson, (*SAMPLES, "bodies")),
    "other row": partial(Lesson, ["other row"] * 4),
}
GO_ON = {
    "no error, longer": LESSONS["no error"],
    "all errors": partial(Lesson, SAMPLES, list(ERRORS)),
    "noise": partial(Lesson, SAMPLES, [noise]),
    "grey levels": partial(Lesson, SAMPLES, [], True),
    "axis": partial(Lesson, SAMPLES, [axis]),
    "hardening": partial(Lesson, SAMPLES, [hardening]),
    "gains": partial(Lesson, SAMPLES, [gains]),
}
MORE = 4  # epochs


def teach(lesson: str, seed: int) -> keras.Model:
    """Train a network from the start."""
    keras.utils.set_random_seed(seed)
    return fit(fbp_unet(BEAM, filters=FILTERS), LESSONS[lesson](), EPOCHS, 2e-3)


def fit(model, data, epochs, rate):
    """Train with a rate that falls to 0."""
    falling = keras.optimizers.schedules.CosineDecay(rate, epochs * len(data))
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


def without_training(network, tooth, samples) -> list[dict]:
    """The simulated tooth with each error, by TV and by a network without errors."""
    (beam, *_), (truth, _) = tooth, samples["simulated tooth"]
    clean, views = BEAM.project(truth), beam.project(truth)
    largest = float(clean.max())
    rng = np.random.default_rng(1)
    views = gaussian_noise(views, 0.47, rng=rng, largest=largest)
    reference = beam.fbp(views)

    def judge(name, judged_on, image):
        found = {
            "psnr": f"{psnr(truth, image)[0]:.2f}",
            "psnr_to_fbp": f"{psnr(reference, image)[0]:.2f}",
            "misfit": f"{misfit(beam, image, views)[0]:.4f}",
        }
        return {"taught_by": name, "seed": "", "judged_on": judged_on, **found}

    rows = [judge("the truth itself", "simulated tooth", truth)]
    del rows[0]["psnr"]  # it is infinite
    for error in (None, *ERRORS):
        y = clean
        if error:
            y = error(y, largest, REAL[error], rng)
        if error != noise:
            y = gaussian_noise(y, 0.47, rng=rng, largest=largest)
        name = f"simulated tooth, {error.__name__ if error else 'no error'}"
        image = mean_over_symmetries(network, y.astype(np.float32))
        rows.append(judge("no error, as it is", name, image))
        rows.append(judge("TV", name, tv(BEAM, y.astype(np.float32), weight=2.0)))
    return rows


def main() -> None:
    """Train what is missing; write the table after each network."""
    tooth, samples = tooth_and_samples()
    rows = _record.read("tooth_few_views")
    done = {row["taught_by"] for row in rows}
    start = None if done >= {"TV", *LESSONS, *GO_ON} else teach("no error", 1)
    if "TV" not in done:
        rows += without_training(start, tooth, samples)
        _record.write("tooth_few_views", rows)
    for lesson in (*LESSONS, *GO_ON):
        if lesson in done:
            continue
        if lesson in GO_ON:
            network = few_views.for_beam(start, BEAM)
            keras.utils.set_random_seed(1)
            fit(network, GO_ON[lesson](seed=9), MORE, 1e-3)
        else:
            network = start if lesson == "no error" else teach(lesson, 1)
        images = (EPOCHS + MORE * (lesson in GO_ON)) * STEPS * BATCH
        judged = few_views.judge(lesson, 1, network, samples, tooth)
        rows += [row | {"images": images} for row in judged]
        _record.write("tooth_few_views", rows)
        print(*rows[-14:], sep="\n", flush=True)


if __name__ == "__main__":
    main()
