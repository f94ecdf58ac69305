"""Train on patches for long, and go on after an interruption."""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from srtools.files import atomic_write, check_settings, reading
from srtools.segmentation.patches import PatchDataset


def fit_resumable(
    model,
    data: PatchDataset,
    path: str | Path,
    *,
    epochs: int,
    validation_data=None,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Train a network on patches; what is there after each epoch is kept in a file.

    A call after an interruption, even by ``kill -9``, goes on after the last whole
    epoch. It ends with the same weights as a call that was not interrupted, on the same
    machine, since the batches of an epoch depend on the seed and its number alone.

    Parameters
    ----------
    model : keras.Model
        Compiled, and built anew with the same initial weights for each call; what the
        file holds replaces its weights, and the state of its optimizer.
    data : PatchDataset
        What it learns from. `seed` takes the place of that of the data set.
    path : str or Path
        A file, by custom ``.npz``, in a folder that exists. It stays when the training
        is over: a call for more epochs goes on from there.
    epochs : int
        In all.
    validation_data : optional
        As for ``model.fit``.
    seed : int
        Of the order of the patches, and of their augmentation.

    Returns
    -------
    dict
        Loss and metrics after each epoch, as ``model.fit`` has them in its history.

    Raises
    ------
    ValueError
        If the file is damaged, or of another training: of other data, another seed, or
        a network with other layers or another optimizer.
    """
    import keras

    from srtools.models import end_passes_in_time

    path, history = Path(path), {}
    settings = {
        "data": data.recipe,
        "seed": int(seed),
        "shapes": [list(v.shape) for v in model.variables],
        "optimizer": [type(model.optimizer).__name__, model.optimizer.get_config()],
    }
    settings["optimizer"][1].pop("name", None)  # has a number in its second building
    settings = json.loads(json.dumps(settings, default=str))
    model.optimizer.build(model.trainable_variables)
    end_passes_in_time()
    if path.exists():
        with reading(path, "an interrupted training"):
            history = _restore(path, model, settings)
    done = len(next(iter(history.values()), ()))
    for epoch in tqdm(range(done, epochs), desc=path.stem, unit="epoch"):
        data._rng = np.random.default_rng((seed, epoch))
        data.on_epoch_end()  # draw the order anew
        keras.utils.set_random_seed(seed + epoch)
        told = model.fit(
            data, validation_data=validation_data, shuffle=False, verbose=0
        )
        for name, values in told.history.items():
            history.setdefault(name, []).extend(float(v) for v in values)
        _keep(path, model, settings, history)
    return history


def _restore(path, model, settings):
    """Give a model the state in a file, and return the history."""
    with path.open("rb") as file, np.load(file) as kept:
        check_settings(path, settings, json.loads(str(kept["settings"])))
        for name, variable in _variables(model):
            variable.assign(kept[name])
        return json.loads(str(kept["history"]))


def _variables(model):
    """All state by name: weights, seeds of layers, and the optimizer's."""
    for part in (model, model.optimizer):
        for i, variable in enumerate(part.variables):
            yield f"{type(part).__name__} {i}", variable


def _keep(path, model, settings, history):
    state = {name: np.asarray(value) for name, value in _variables(model)}
    notes = {"settings": json.dumps(settings), "history": json.dumps(history)}
    with atomic_write(path) as partial, partial.open("wb") as file:
        np.savez(file, **state, **notes)
