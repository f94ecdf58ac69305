"""The task and the trainings that the pages on reconstruction share.

One place for the settings, so that a network is trained once, on the page that
introduces it, and loaded on all others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from srtools.datasets import simulate_library
from srtools.files import library_settings, read_reconstruct_library
from srtools.models import (
    automap,
    dense_reconstruct,
    fbp_unet,
    learned_primal_dual,
    reconstruct_cnn,
)
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam
from srtools.tutorial.places import repository, scale
from srtools.tutorial.training import Training, trained


@dataclass(frozen=True)
class Task:
    """Pairs to learn from, to choose with, and to be judged on.

    Attributes
    ----------
    beam : ParallelBeam
        The geometry.
    images : float32 array, shape (n, size, size, 1)
    sinograms : float32 array, shape (n, n_translations, n_angles, 1)
    recipe : dict
        How the pairs are made, for `trained` and `tuned`.
    train, val, test : slice
        The training, validation and test pairs.
    """

    beam: ParallelBeam
    images: np.ndarray
    sinograms: np.ndarray
    recipe: dict
    train: slice
    val: slice
    test: slice


def shapes_task() -> Task:
    """Return the task of the CNN page: random shapes, few views, much noise.

    Returns
    -------
    Task
        At the quick scale 32 pixels, 16 angles and 9 400 pairs, at the full scale 64
        pixels, 64 angles and 10 000 pairs; noise of 5 % of the largest sinogram value.
    """
    size, n_angles, n = (32, 16, 9_400) if scale() == "quick" else (64, 64, 10_000)
    beam = ParallelBeam(size, np.linspace(0, 180, n_angles, endpoint=False))
    folder = repository() / "data" / "reconstruction"
    name = f"shapes_random_noise_{size}px_{n_angles}angles.h5"
    library = simulate_library(
        folder / name, random_shapes, beam, n, noise_percent=5.0, seed=0
    )
    images, sinograms, _ = read_reconstruct_library(library)
    parts = slice(0, 8_100), slice(8_100, 9_000), slice(9_000, None)
    return Task(beam, images, sinograms, library_settings(library), *parts)


@dataclass(frozen=True)
class Recipe:
    """How to build and train a network.

    Attributes
    ----------
    build : callable
        From a `ParallelBeam` to an uncompiled `keras.Model`.
    learning_rate : float
        Of Adam at the start; it falls to zero along a cosine.
    epochs : int
        At the quick scale; at the full scale 100, with early stopping.
    batch_size : int

    Notes
    -----
    The numbers of epochs are chosen so that the networks get the same seconds.
    """

    build: Callable[[ParallelBeam], keras.Model]
    learning_rate: float
    epochs: int
    batch_size: int

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"Adam, its rate falling from {self.learning_rate} along a cosine to zero; "
            f"{self.epochs} epochs in batches of {self.batch_size}; squared error"
        )


def _shape(beam):
    return beam.n_translations, beam.n_angles


RECIPES = {
    "cnn": Recipe(lambda beam: reconstruct_cnn(*_shape(beam)), 1e-3, 5, 16),
    "dense": Recipe(lambda beam: dense_reconstruct(*_shape(beam)), 1e-3, 7, 32),
    "automap": Recipe(lambda beam: automap(*_shape(beam), filters=32), 1e-3, 7, 32),
    "fbp_unet": Recipe(lambda beam: fbp_unet(beam, filters=(24, 48, 96)), 2e-3, 4, 16),
    "learned_primal_dual": Recipe(learned_primal_dual, 2e-3, 3, 8),
}
"""How each network of the reconstruction pages is built and trained."""


def train(name: str, task: Task, *, seed: int = 1) -> tuple[keras.Model, Training]:
    """Build a network and train it the way of the CNN page, or load its weights.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    task : Task
        For example `shapes_task()`.
    seed : int
        As for `trained`.

    Returns
    -------
    model : keras.Model
        Compiled and trained.
    training : Training
        Its history, and the seconds that the training took.

    Raises
    ------
    KeyError
        If there is no such recipe.
    """
    recipe = RECIPES[name]
    model = recipe.build(task.beam)
    images, sinograms = task.images, task.sinograms
    epochs = recipe.epochs if scale() == "quick" else 100
    steps = epochs * len(images[task.train]) // recipe.batch_size
    falling = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    model.compile(
        optimizer=keras.optimizers.Adam(falling),
        loss="mean_squared_error",
        metrics=["mae", "mse"],
    )
    stop_early = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    training = trained(
        name,
        model,
        sinograms[task.train],
        images[task.train],
        recipe=task.recipe,
        seed=seed,
        validation_data=(sinograms[task.val], images[task.val]),
        test_data=(sinograms[task.test], images[task.test]),
        epochs=epochs,
        batch_size=recipe.batch_size,
        callbacks=[stop_early],
    )
    return model, training
