"""The ellipses benchmark of doi:10.1088/1361-6420/aba415, run end to end.

    python benchmarks/ellipses.py fbp
    python benchmarks/ellipses.py tv
    python benchmarks/ellipses.py fbp_unet --train 32 --minutes 30
    python benchmarks/ellipses.py learned_primal_dual --train 320 --minutes 120

Each call replaces its row of results/ellipses.csv. A training that was interrupted goes
on where it stopped; one that has run for its minutes is judged. Images, measurement and
score are the benchmark's. The networks see the training images in all eight flips and
quarter turns, with fresh noise in every epoch; the published ones saw them as they are.
The epoch whose validation score was best is tested. The minutes in the table are those
of all parts of a training, for FBP and TV those of the call.
"""

import argparse
import json
import time

import _record
import numpy as np
from skimage.transform import resize
from tqdm import tqdm

from srtools.metrics import psnr, ssim
from srtools.phantoms import ellipses
from srtools.tomography import ParallelBeam, tune_tv, tv
from srtools.tutorial import cache_folder

SIZE, FINE, N_DETECTOR = 128, 400, 183
ANGLES = np.linspace(0, 180, 30, endpoint=False)
N_VAL, N_TEST = 32, 100


def images(part: str, n: int) -> np.ndarray:
    """Return the first n images of a part; each part has a seed of its own."""
    seed = {"train": 1, "val": 2, "test": 3}[part]
    return ellipses(n, SIZE, rng=np.random.default_rng((seed, 128)))


def measure(truth: np.ndarray) -> np.ndarray:
    """Project images on the fine grid of the benchmark; no noise yet."""
    scan = ParallelBeam(FINE, ANGLES, N_DETECTOR, detector_spacing=FINE / SIZE)
    sinograms = []
    for image in tqdm(truth[..., 0], desc="projecting"):
        fine = resize(image, (FINE, FINE), order=1)[None, :, :, None]
        sinograms.append(scan.project(fine)[0] * SIZE / FINE)
    return np.stack(sinograms)


def noisy(sinograms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add white noise of 2.5 % of the mean of each observation."""
    spread = 0.025 * np.abs(sinograms).mean(axis=(1, 2, 3), keepdims=True)
    return (sinograms + spread * rng.standard_normal(sinograms.shape)).astype("float32")


def turns(truth: np.ndarray) -> np.ndarray:
    """Return images in all eight flips and quarter turns."""
    turned = [np.rot90(truth, k, axes=(1, 2)) for k in range(4)]
    return np.concatenate([*turned, *(t[:, :, ::-1] for t in turned)])


def pairs(part: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images and noisy sinograms for choosing and for testing."""
    truth = images(part, n)
    return truth, noisy(measure(truth), np.random.default_rng((4, n)))


def best_of(method, values) -> float:
    """Return the value that does best on validation images."""
    truth, measured = pairs("val", N_VAL)
    scores = [psnr(truth, method(measured, v), data_range=None).mean() for v in values]
    print("validation", dict(zip(values, np.round(scores, 2), strict=True)))
    return values[int(np.argmax(scores))]


def train(name: str, n_train: int, minutes: float):
    """Train a network for some minutes in all, over any number of calls."""
    import keras

    from srtools.models import fbp_unet, learned_primal_dual

    beam = ParallelBeam(SIZE, ANGLES, N_DETECTOR)
    keras.utils.set_random_seed(1)
    if name == "fbp_unet":
        model, rate, batch = fbp_unet(beam, filters=(32, 32, 64, 64)), 1e-3, 8
    else:
        model, rate, batch = learned_primal_dual(beam, memory=5), 1e-3, 2
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), "mean_squared_error")

    folder = cache_folder() / "ellipses" / f"{name}-{n_train}"
    folder.mkdir(parents=True, exist_ok=True)
    ledger, last, best = (
        folder / file for file in ("state.json", "last.weights.h5", "best.weights.h5")
    )
    state = {"epoch": 0, "seconds": 0.0, "best": -np.inf}
    if ledger.exists():
        state = json.loads(ledger.read_text())
        model.optimizer.build(model.trainable_variables)
        model.load_weights(last)

    truth = turns(images("train", n_train))
    clean = measure(truth)
    val_truth, val = pairs("val", N_VAL)
    start, before = time.perf_counter(), state["seconds"]
    while state["seconds"] < 60 * minutes:
        # The rate falls with the time that is used up, to a hundredth at the end.
        used = state["seconds"] / (60 * minutes)
        model.optimizer.learning_rate = rate * (0.505 + 0.495 * np.cos(np.pi * used))
        rng = np.random.default_rng((5, state["epoch"]))
        some = rng.permutation(len(truth))[:256]  # an epoch is 256 images
        loss = model.fit(
            noisy(clean[some], rng), truth[some], batch_size=batch, verbose=0
        )
        found = model.predict(val, batch_size=4, verbose=0)
        score = float(psnr(val_truth, found, data_range=None).mean())
        state["epoch"] += 1
        state["seconds"] = before + time.perf_counter() - start
        if score > state["best"]:
            state["best"] = score
            model.save_weights(best)
        model.save_weights(last)
        ledger.write_text(json.dumps(state))
        print(
            f"epoch {state['epoch']:3} {state['seconds'] / 60:6.1f} min "
            f"loss {loss.history['loss'][-1]:.2e} validation {score:.2f} dB",
            flush=True,
        )
    model.load_weights(best)
    settings = f"{state['epoch']} epochs of 256 images, Adam {rate}, batch {batch}"
    return model, state["seconds"] / 60, settings


def report(method, n_train, truth, found, parameters, minutes, settings) -> None:
    """Put the row of a run into the table."""
    scores = psnr(truth, found, data_range=None)
    row = {
        "method": method,
        "n_train": n_train,
        "n_test": len(truth),
        "psnr": f"{scores.mean():.2f}",
        "psnr_sem": f"{scores.std(ddof=1) / len(scores) ** 0.5:.2f}",
        "ssim": f"{ssim(truth, found, data_range=None).mean():.3f}",
        "parameters": parameters,
        "minutes": f"{minutes:.1f}",
        "settings": settings,
    }
    key = (method, str(n_train))
    rows = [r for r in _record.read("ellipses") if (r["method"], r["n_train"]) != key]
    _record.write("ellipses", [*rows, row])
    print(row)


def main() -> None:
    """Read the command line and run one method."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    methods = ["fbp", "tv", "fbp_unet", "learned_primal_dual"]
    parser.add_argument("method", choices=methods)
    parser.add_argument("--train", type=int, default=32, help="training images")
    parser.add_argument("--minutes", type=float, default=60, help="of training")
    options = parser.parse_args()
    beam = ParallelBeam(SIZE, ANGLES, N_DETECTOR)
    start = time.perf_counter()
    parameters, n_train, minutes = 0, 0, None
    if options.method == "fbp":
        # The published setting; it is near the best that validation images give.
        cutoff = best_of(
            lambda y, c: beam.fbp(y, filter="hann", cutoff=c), [0.5, 0.641, 0.75, 0.9]
        )
        truth, measured = pairs("test", N_TEST)
        found = beam.fbp(measured, filter="hann", cutoff=cutoff)
        settings = f"Hann, cut-off {cutoff}, chosen on {N_VAL} validation images"
    elif options.method == "tv":
        truth, measured = pairs("val", N_VAL)
        best = tune_tv(beam, measured, truth)
        truth, measured = pairs("test", N_TEST)
        found = tv(beam, measured, **best)
        settings = f"weight {best['weight']:.2f}, chosen on {N_VAL} validation images"
    else:
        n_train = options.train
        model, minutes, settings = train(options.method, n_train, options.minutes)
        truth, measured = pairs("test", N_TEST)
        found = model.predict(measured, batch_size=4, verbose=0)
        parameters = model.count_params()
    if minutes is None:
        minutes = (time.perf_counter() - start) / 60
    report(options.method, n_train, truth, found, parameters, minutes, settings)


if __name__ == "__main__":
    main()
