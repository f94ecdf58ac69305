"""One U-Net for many numbers of views and doses: the network of the page *Try it*."""

from collections.abc import Sequence

import keras
import numpy as np

from srtools.metrics import psnr
from srtools.models import unet
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam, poisson_noise, tv
from srtools.tutorial.key import training_key
from srtools.tutorial.training import Training, trained, tuned

SIZE = 64
"""Side of the images [pixels]."""

VIEWS = tuple(range(4, 97))
"""Numbers of views that the network is taught."""

PHOTONS = (100, 100_000)
"""Fewest and most photons that meet a detector pixel."""

ATTENUATION = 0.05
"""Attenuation of an image value of 1, per pixel."""

_PAIRS = 8_000, 400, 400  # training, validation, test
_EPOCHS, _BATCH = 4, 16


def scan(images, views: int, photons, *, rng: np.random.Generator):
    """Scan images with a number of views and of photons.

    Parameters
    ----------
    images : array, shape (n, 64, 64, 1)
    views : int
        Directions over 180 degrees.
    photons : array, shape (n,)
        That meet a detector pixel without an object, for each image.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    beam : ParallelBeam
    sinograms : float32 array, shape (n, 64, views, 1)
    """
    beam = ParallelBeam(SIZE, np.linspace(0, 180, views, endpoint=False))
    clean = beam.project(images)
    pairs = zip(clean, photons, strict=True)
    noisy = [poisson_noise(y, n, scale=ATTENUATION, rng=rng) for y, n in pairs]
    return beam, np.stack(noisy)


def drafts_and_images(n: int, views: Sequence[int], *, seed: int):
    """Draw shapes, scan each at random, and reconstruct it by FBP.

    Parameters
    ----------
    n : int
        Number of pairs.
    views : sequence of int
        Numbers of views to choose from: each octave is as likely as the next, and so
        is each of the doses of `PHOTONS`.
    seed : int

    Returns
    -------
    drafts, images : float32 arrays, shape (n, 64, 64, 1)
        FBP with the Hann window, which is what the network sees, and the truth.
    """
    rng = np.random.default_rng(seed)
    images = random_shapes(n, SIZE, rng=rng)
    odds = 1 / np.asarray(views, float)
    chosen = rng.choice(views, n, p=odds / odds.sum())
    photons = np.exp(rng.uniform(*np.log(PHOTONS), n))
    drafts = np.empty_like(images)
    for number in np.unique(chosen):
        here = chosen == number
        beam, sinograms = scan(images[here], int(number), photons[here], rng=rng)
        drafts[here] = beam.fbp(sinograms, filter="hann")
    return drafts, images


def unet_many_views(
    views: Sequence[int] = VIEWS, *, name: str = "unet_many_views", seed: int = 1
) -> tuple[keras.Model, Training]:
    """Train a U-Net on FBP of shapes, or load its weights.

    It is the second half of `srtools.models.fbp_unet`. The first, FBP, is left to the
    caller, so that one network serves any geometry.

    Parameters
    ----------
    views : sequence of int
        Numbers of views to teach.
    name : str
        Of its files.
    seed : int
        As for `trained`.

    Returns
    -------
    model : keras.Model
        FBP images (n, 64, 64, 1) to images (n, 64, 64, 1); compiled and trained.
    training : Training
    """
    train, val, test = (
        drafts_and_images(n, views, seed=i) for i, n in enumerate(_PAIRS)
    )
    model, recipe, fit = _set_up(views)
    fit = {"validation_data": val, **fit}
    training = trained(
        name, model, *train, recipe=recipe, seed=seed, test_data=test, **fit
    )
    return model, training


def many_views_key(*, seed: int = 1) -> str:
    """Return the key under which `unet_many_views` is kept, without drawing its data.

    It changes with the network, its settings, and the code behind its data.

    Parameters
    ----------
    seed : int
        As for `unet_many_views`.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    model, recipe, fit = _set_up(VIEWS)
    train, val = (
        [np.broadcast_to(np.float32(0), (n, SIZE, SIZE, 1))] * 2 for n in _PAIRS[:2]
    )
    return training_key(model, recipe, seed, train, {"validation_data": val, **fit})


def _set_up(views):
    """Network, recipe of the data, and arguments of ``fit``."""
    model = unet((SIZE, SIZE, 1), residual=True)
    steps = _EPOCHS * _PAIRS[0] // _BATCH
    falling = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(keras.optimizers.Adam(falling), "mean_squared_error")
    recipe = {"pairs": drafts_and_images, "n": _PAIRS, "views": list(views)}
    return model, recipe, {"epochs": _EPOCHS, "batch_size": _BATCH}


def tv_many_views() -> float:
    """Return the weight of TV that does best over all numbers of views and doses.

    It is chosen on shapes that are scanned as those of the network, and that it was not
    trained on.

    Returns
    -------
    float
        For `srtools.tomography.tv`.
    """
    recipe = {"scores": _tv_scores}
    return tuned("tv many views", _best_weight, recipe=recipe, seed=1)


def _best_weight(seed):
    """Mean PSNR of TV over a grid of weights; return the best weight."""
    weights = np.geomspace(0.1, 1.6, 9)
    scores = np.mean([_tv_scores(weight, seed) for weight in weights], axis=1)
    return float(weights[np.argmax(scores)])


def _tv_scores(weight, seed):
    """PSNR of TV on shapes at seven numbers of views [dB]."""
    rng = np.random.default_rng(seed)
    scores = []
    for views in (4, 7, 11, 19, 33, 56, 96):
        images = random_shapes(7, SIZE, rng=rng)
        photons = np.geomspace(*PHOTONS, 7)
        beam, sinograms = scan(images, views, photons, rng=rng)
        scores.extend(psnr(images, tv(beam, sinograms, weight=weight)))
    return scores
