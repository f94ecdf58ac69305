"""Start from TV: does a network that sees the TV image improve on it, and where?

    python benchmarks/refined_tv.py

Writes results/refined_tv.csv. A U-Net sees FBP and TV of 30 views and learns what to
add to TV. Its lesson is the mixture of benchmarks/few_views.py, or that and drawn
bodies, or the other row of the tooth's scan, bent and turned; each slice has noise of
0.3 to 2 % and TV of one of three weights: the network should not depend on either.
Samples, tooth and judges are those of benchmarks/few_views.py. The reference of the
tooth is FBP, and blurred; `psnr_alike` compares it with FBP of the same views of the
image, which is blurred as much. The weight of TV is tuned on slices that teach or, for
the tooth, on views that are used, and networks get the same TV image. "Then the views":
the image is changed once more towards what the used views say, by as much as is best on
slices that teach. What is in the table already is not made again.
"""

from functools import cache, partial

import _record
import few_views
import keras
import numpy as np
from few_views import BEAM, EPOCHS, FILTERS, JUDGE, LEARN, STEPS, TUNE, VOLUMES
from keras import layers
from tooth_few_views import slices

from srtools.metrics import psnr
from srtools.models import SubPixels, unet
from srtools.scan import misfit, tune_by_views
from srtools.tomography import gaussian_noise, noise_level, tune_tv, tv

BATCH, WEIGHTS = 4, (0.5, 1.0, 2.0)
HOLDS = 100.0, 300.0, 1e3, 3e3, 1e4, 1e6  # of the answer, against the views
SAMPLES, JUDGED = (*VOLUMES, "shapes"), ("cement", "bone")
LESSONS = {
    "mixture": SAMPLES,
    "and bodies": (*SAMPLES, "bodies"),
    "other row": ("other row",),
}
NETWORKS = [(lesson, 1) for lesson in LESSONS]
NETWORKS += [(name, seed) for name in ("mixture", "other row") for seed in (2, 3)]


def drafts(beam, y, weight, iterations=180):
    """FBP and TV as two channels (n, 128, 128, 2)."""
    image = tv(beam, y, weight=weight, iterations=iterations)
    return np.concatenate([beam.fbp(y), image], axis=-1)


@cache
def pairs(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Drafts and slices of a sample; a third of them with TV of each weight."""
    rng, seen = np.random.default_rng(3), []
    images = slices(name)
    parts = [images[k :: len(WEIGHTS)] for k in range(len(WEIGHTS))]
    largest = BEAM.project(images).max()
    for part, weight in zip(parts, WEIGHTS, strict=True):
        y = BEAM.project(part)
        noise = gaussian_noise(0 * y, 1.0, rng=rng, largest=largest)
        noise *= np.exp(rng.uniform(np.log(0.3), np.log(2), (len(y), 1, 1, 1)))
        seen.append(drafts(BEAM, y + noise, weight, iterations=100))
    return np.concatenate(seen), np.concatenate(parts)


class Drafts(keras.utils.PyDataset):
    """Batches of drafts and slices, in their eight symmetries."""

    def __init__(self, names):
        super().__init__()
        seen, truth = zip(*map(pairs, names), strict=True)
        self._seen, self._truth = np.concatenate(seen), np.concatenate(truth)
        self._epoch = 0

    def __len__(self):
        """Return the number of batches an epoch."""
        return few_views.BATCH * STEPS // BATCH

    def __getitem__(self, index):
        """Return a batch; quarter turns and mirrors map the 30 views on themselves."""
        rng = np.random.default_rng((0, self._epoch, index))
        chosen = rng.integers(len(self._seen), size=BATCH)
        mirror, quarters = rng.choice([1, -1]), rng.integers(4)
        pair = self._seen[chosen], self._truth[chosen]
        return tuple(np.rot90(x[:, :, ::mirror], quarters, (1, 2)) for x in pair)

    def on_epoch_end(self):
        """Draw other batches in the next epoch."""
        self._epoch += 1


def refiner() -> keras.Model:
    """TV, plus what a U-Net makes of FBP and TV; at first nothing.

    As in `srtools.models.fusion_refine` it works at half the resolution.
    """
    seen = keras.Input((128, 128, 2))
    strides = {"strides": 2, "padding": "same", "activation": "relu"}
    half = layers.Conv2D(FILTERS[1], 4, **strides)(seen)
    maps = unet((64, 64, FILTERS[1]), FILTERS[1], filters=FILTERS[1:])(half)
    change = layers.Conv2D(4, 1, kernel_initializer="zeros")(maps)
    image = layers.Add()([seen[..., -1:], SubPixels(2)(change)])
    return keras.Model(seen, image)


def teach(lesson: str, seed: int) -> keras.Model:
    """Train a network."""
    data = Drafts(LESSONS[lesson])
    falling = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(data))
    keras.utils.set_random_seed(seed)
    model = refiner()
    model.compile(keras.optimizers.Adam(falling), "mean_squared_error")
    model.fit(data, epochs=EPOCHS, verbose=0)
    return model


def mean_of_eight(network, seen):
    """Mean of the answers in eight orientations, turned back."""
    mean = 0
    for mirror in (1, -1):
        for quarters in range(4):
            turned = np.rot90(seen[:, :, ::mirror], quarters, (1, 2))
            answer = np.rot90(network.predict(turned, verbose=0), -quarters, (1, 2))
            mean += answer[:, :, ::mirror] / 8
    return mean


def explain(beam, y, image, hold, steps=8):
    """Minimise |A x - y|^2 / noise^2 + hold |x - image|^2 by conjugate gradients."""
    precise = 1 / noise_level(y)[:, None, None, None] ** 2
    left = precise * beam.backproject(y - beam.project(image))
    ahead, size = left, _dot(left, left)
    for _ in range(steps):
        bent = precise * beam.backproject(beam.project(ahead)) + hold * ahead
        along = size / np.maximum(_dot(ahead, bent), 1e-30)
        image, left = image + along * ahead, left - along * bent
        before, size = size, _dot(left, left)
        ahead = left + size / np.maximum(before, 1e-30) * ahead
    return (image * beam.field_of_view[:, :, None]).astype(np.float32)


def _dot(a, b):
    return (a * b).sum(axis=(1, 2, 3), keepdims=True)


def questions(weights: dict) -> dict:
    """Drafts of all that is judged, and how to judge an image."""
    asked = {}
    for name in JUDGED:
        largest = float(BEAM.project(few_views.slices(name, LEARN)).max())
        if name not in weights:
            some = few_views.slices(name, TUNE)
            seen = few_views.measure(some, largest, seed=2)
            weights[name] = tune_tv(BEAM, seen, some)["weight"]
        truth = few_views.slices(name, JUDGE)
        seen = drafts(BEAM, few_views.measure(truth, largest), weights[name])
        asked[name] = seen, lambda x, truth=truth: {"psnr": psnr(truth, x).mean()}
    few, judge, unit = tooth()
    for name, used in few.items():
        if name not in weights:
            grid = np.geomspace(0.1, 12, 9)
            best, _ = tune_by_views(used, tv, 0, every=6, weight=grid)
            weights[name] = best["weight"]
        seen = drafts(used.beam(), used.sinograms(0) / unit, weights[name])
        asked[name] = seen, judge
    return asked


def tooth() -> tuple:
    """Scans of few views of the tooth, their judge, and the unit of the images."""
    beam, unseen = few_views.tooth_views(k for k in range(180) if k % 6)
    reference = beam.fbp(unseen)
    unit = np.percentile(reference, 99.9)
    scan = few_views.tooth_scan()

    def judge(image):
        alike = beam.fbp(beam.project(image))  # as blurred as the reference
        return {
            "psnr": psnr(reference / unit, image)[0],
            "psnr_alike": psnr(reference / unit, alike)[0],
            "misfit": misfit(beam, image, unseen / unit)[0],
        }

    few = {f"tooth, {n} views": scan.views(range(0, 180, 180 // n)) for n in (30, 15)}
    return few, judge, unit


def best_hold(ask, names, weight) -> float:
    """Find on slices that teach how far the views should change an answer."""
    truth = np.concatenate([slices(name)[::28] for name in names])
    rng = np.random.default_rng(4)
    y = gaussian_noise(BEAM.project(truth), 0.5, rng=rng)  # the tooth has 0.47 %
    image = ask(drafts(BEAM, y, weight))
    scores = [psnr(truth, explain(BEAM, y, image, hold)).mean() for hold in HOLDS]
    return HOLDS[int(np.argmax(scores))]


def row(about: dict, judged_on: str, answer: str, found: dict) -> dict:
    """A row of the table."""
    digits = {"psnr": ".2f", "psnr_alike": ".2f", "misfit": ".4f"}
    found = {key: format(value, digits[key]) for key, value in found.items()}
    return {**about, "judged_on": judged_on, "answer": answer, **found}


def main() -> None:
    """Train what is missing; write the table after each network."""
    rows = _record.read("refined_tv")
    done = {(r["taught_by"], r["seed"]) for r in rows}
    weights = {r["judged_on"]: float(r["weight"]) for r in rows if r["weight"]}
    asked = questions(weights)
    few, _, unit = tooth()

    def judged(about, names, answers):
        for name, (seen, judge) in asked.items():
            for answer, ask in answers.items():
                yield row(about, name, answer, judge(ask(seen)))
            if name in few:
                hold = best_hold(ask, names, weights[name])
                beam, y = few[name].beam(), few[name].sinograms(0) / unit
                found = judge(explain(beam, y, ask(seen), hold))
                yield row(about, name, f"{answer}, then the views", found) | {
                    "hold": hold
                }

    if not done:
        about = {"taught_by": "TV alone", "seed": ""}
        rows += judged(about, SAMPLES, {"one": lambda seen: seen[..., 1:]})
        rows = [r | {"weight": f"{weights[r['judged_on']]:.4g}"} for r in rows]
        print(*rows, sep="\n", flush=True)
        _record.write("refined_tv", rows)
    for lesson, seed in NETWORKS:
        if (lesson, str(seed)) in done:
            continue
        network = teach(lesson, seed)
        answers = {
            "one": partial(network.predict, verbose=0),
            "mean of eight": partial(mean_of_eight, network),
        }
        about = {"taught_by": lesson, "seed": seed}
        rows += judged(about, LESSONS[lesson], answers)
        _record.write("refined_tv", rows)
        print(*rows[-10:], sep="\n", flush=True)


if __name__ == "__main__":
    main()
