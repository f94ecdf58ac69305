"""Networks and baselines that are trained once: where the pages keep them."""

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from srtools import weights
from srtools.files import atomic_write
from srtools.tutorial.keeping import alone, kept_file, provenance
from srtools.tutorial.key import plain, result_key, training_key

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """How a network was trained.

    Attributes
    ----------
    history : dict
        Loss and metrics after each epoch.
    seconds : float
        That the training took, where it took place: the processor's time over all
        cores, which does not count what else the machine did.
    hardware : str
        Where that was.
    loaded : bool
        Whether the weights were found and not trained just now.
    """

    history: dict[str, list[float]]
    seconds: float
    hardware: str
    loaded: bool

    def __repr__(self) -> str:
        """Say what happened: trained now, or earlier and elsewhere."""
        epochs = len(next(iter(self.history.values()), ()))
        how = "loaded; trained earlier" if self.loaded else "trained now"
        return f"{how}: {epochs} epochs in {self.seconds:.0f} s on {self.hardware}"


def trained(
    name: str, model, x, y=None, *, recipe=None, seed: int = 0, test_data=None, **fit
) -> Training:
    """Call ``model.fit(x, y, **fit)`` once; from then on load the weights it gave.

    Weights are looked for among those that come with the package, then in
    `cache_folder`, under a key made of all that determines the training: architecture,
    loss and optimizer, the seed, the recipe of the data, the arguments of ``fit``, and
    the code behind each of them. Change one constant of a formula and the network is
    trained again; change a comment and it is not. Where ``SRTOOLS_TRAIN=1`` is set,
    the package's weights are passed over.

    A training starts from the seed, whatever happened before. Its weights are rounded
    to half precision, as they are kept.

    Parameters
    ----------
    name : str
        Name of the network, and of its files.
    model : keras.Model
        Built and compiled. It ends up with the trained weights.
    x, y : arrays, an object with ``recipe``, or a function
        As for ``fit``. A `keras.utils.PyDataset` says in ``recipe`` what it holds. A
        function without arguments returns x and y; it is called only if the network
        has to be trained, and its code is part of the recipe.
    recipe : optional
        How the data are made: numbers, strings, lists, dictionaries, functions, and
        objects with ``settings``. Needed where the data have none of their own.
    seed : int
        Of the first weights, of the order of the batches, and of all that is random.
        ``SRTOOLS_SEED`` is added to it.
    test_data : (x, y), PyDataset, or a function that gives one of them, optional
        On which the trained network is measured, once, for its card.
    **fit
        Further arguments of ``fit``.

    Returns
    -------
    Training

    Raises
    ------
    TypeError
        If the recipe is missing, or holds what has no name.
    ValueError
        If weights with this key are damaged: the message says which file to remove.
    """
    from srtools.models import end_passes_in_time  # only here: Keras takes seconds

    made = callable(x) and y is None
    if recipe is None:
        recipe = getattr(x, "recipe", x if made else None)
    if recipe is None:
        raise TypeError(
            f"{name}: expected recipe=, which says how the data are made, "
            f"or data with a `recipe`, received {type(x).__name__}"
        )
    fit.pop("verbose", None)
    seed += int(os.environ.get("SRTOOLS_SEED", "0"))
    key = training_key(model, recipe, seed, [x, y], fit)
    path = kept_file(name, key, ".keras")
    whole = path.with_suffix(".json")  # the card comes last: both are there
    end_passes_in_time()
    if whole.exists():
        return _load(model, path)
    with alone(path):
        if whole.exists():  # another process has trained it meanwhile
            return _load(model, path)
        if made:
            x, y = x()
        _start_anew(model, seed)
        # Otherwise Keras traces the first step twice, which takes seconds.
        model.optimizer.build(model.trainable_variables)
        bar = _progress(name, fit.get("epochs", 1))
        fit["callbacks"] = [*fit.get("callbacks", ()), bar]
        start = time.process_time()
        history = model.fit(x, y, verbose=0, **fit).history
        seconds = (time.process_time() - start) / (os.cpu_count() or 1)
        weights.halve(model)
        judges = {"validation": fit.get("validation_data"), "test": test_data}
        card = {
            "name": name,
            "key": key,
            "architecture": {
                "class": model.name,
                "input": _sides(getattr(model, "input_shape", x)),
                "output": _sides(getattr(model, "output_shape", y)),
                "parameters": model.count_params(),
            },
            "data": plain(recipe),
            "seed": seed,
            "fit": {
                "epochs": len(history["loss"]),
                "batch_size": fit.get("batch_size", 32) if y is not None else "",
                "steps": int(model.optimizer.iterations),
            },
            "history": {k: [float(v) for v in values] for k, values in history.items()},
            "metrics": {
                k: _measure(model, v) for k, v in judges.items() if v is not None
            },
            "taught_in": _ranges(x, y),
            "seconds": round(seconds, 1),
            **provenance(),
        }
        try:
            weights.save(model, path, card)
        except OSError as error:  # the network is there all the same
            _log.warning(
                "%s: trained, but its weights cannot be kept (%s)", name, error
            )
        return Training(card["history"], seconds, card["hardware"], loaded=False)


def _load(model, path):
    card = weights.read_card(path)
    weights.load_weights(model, path, card)
    return Training(card.history, card.seconds, card.hardware, loaded=True)


def tuned(name: str, function: Callable, *data, recipe, **settings):
    """Call ``function(*data, **settings)`` once; from then on return what it gave.

    For what is tuned on validation data, such as the weight of a baseline. Results are
    kept beside the weights of `trained`, under a key of the same kind.

    Parameters
    ----------
    name : str
        Name of what is tuned, and of its file.
    function : callable
        For example `srtools.tomography.tune_tv`. What it returns must fit into JSON.
    *data
        Arrays, and objects with ``settings``.
    recipe
        How the data are made, as in `trained`.
    **settings
        Further arguments of the function.

    Returns
    -------
    What the function returned: numbers, strings, lists and dictionaries.

    Raises
    ------
    TypeError
        As in `trained`, or if the result does not fit into JSON.
    """
    key = result_key(function, recipe, data, settings)
    path = kept_file(name, key, ".json")
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))["result"]
    start = time.perf_counter()
    result = function(*data, **settings)
    card = {"name": name, "key": key, "result": result}
    card |= {"seconds": round(time.perf_counter() - start, 1), **provenance()}
    text = json.dumps(card, indent=1, default=_number)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        _log.warning("%s: tuned, but the result cannot be kept (%s)", name, error)
    return json.loads(text)["result"]


def _number(value):
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"expected a result for JSON, received {type(value).__qualname__}")


def _start_anew(model, seed):
    """Give a model the first weights, and random states, of a seed."""
    import keras

    keras.utils.set_random_seed(seed)
    fresh = type(model).from_config(model.get_config())
    for old, new in zip(_states(model), _states(fresh), strict=True):
        old.assign(new)


def _states(model):
    random = [v for v in model.variables if "seed_generator" in v.path]
    return [*model.weights, *random]


def _progress(name, epochs):
    import keras

    class Progress(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.bar = tqdm(total=epochs, desc=f"training {name}", unit="epoch")

        def on_epoch_end(self, epoch, logs=None):
            shown = {k: v for k, v in (logs or {}).items() if k.endswith("loss")}
            self.bar.set_postfix({k: f"{v:.2e}" for k, v in shown.items()})
            self.bar.update()

        def on_train_end(self, logs=None):
            self.bar.close()

    return Progress()


def _measure(model, data):
    data = data() if callable(data) else data
    arrays = data if isinstance(data, (list, tuple)) else (data,)
    arrays = dict(zip(("x", "y", "sample_weight"), arrays, strict=False))
    found = model.evaluate(**arrays, verbose=0, return_dict=True)
    return {name: float(value) for name, value in found.items()}


def _ranges(x, y):
    if y is None:
        x, y = x[0][:2]

    def ends(values):
        several = values if isinstance(values, (list, tuple)) else [values]
        return [float(min(map(np.min, several))), float(max(map(np.max, several)))]

    return {"input": ends(x), "target": ends(y)}


def _sides(shape):
    if isinstance(shape, list):  # of several inputs
        return [_sides(one) for one in shape]
    shape = getattr(shape, "shape", shape)  # a subclassed model knows no shapes
    return [side if side else "any" for side in shape[1:]]
