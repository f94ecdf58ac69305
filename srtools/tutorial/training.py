"""What the notebooks share: scale, claims, networks trained once, real data."""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm


def repository() -> Path:
    """Return the folder that holds ``_toc.yml``, or the working folder outside one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "_toc.yml").exists():
            return folder
    return here


def cache_folder() -> Path:
    """Return the folder of trained weights: ``SRTOOLS_CACHE``, or ``.cache``."""
    folder = os.environ.get("SRTOOLS_CACHE")
    return Path(folder) if folder else repository() / ".cache"


def scale() -> str:
    """Return ``"quick"``, or ``"full"`` on a GPU or where ``SRTOOLS_SCALE`` says so.

    Raises
    ------
    ValueError
        If ``SRTOOLS_SCALE`` is neither ``quick`` nor ``full``.
    """
    wish = os.environ.get("SRTOOLS_SCALE")
    if wish is None:
        import keras  # slow to load, and not needed when the wish is known

        return "full" if keras.distribution.list_devices("gpu") else "quick"
    if wish not in ("quick", "full"):
        raise ValueError(f"SRTOOLS_SCALE: expected quick or full, received {wish!r}")
    return wish


@dataclass(frozen=True)
class Training:
    """How a network was trained: loss per epoch, and seconds that it took."""

    history: dict[str, list[float]]
    seconds: float


def trained(name: str, model, x, y=None, **fit) -> Training:
    """Call ``model.fit(x, y, **fit)`` once; from then on load the weights it gave.

    The weights are kept in `cache_folder`, under a key made of the compiled model, the
    source of its srtools layers, the data themselves and the arguments of ``fit``:
    change any of them and the network is trained again.

    Parameters
    ----------
    name : str
        Name of the network, for people.
    model : keras.Model
        Built and compiled. It ends up with the trained weights.
    x, y : arrays, or an object with an attribute ``fingerprint``
        As for ``fit``; a `keras.utils.PyDataset` must say what it holds with a string
        ``fingerprint``, since its data are not in memory.
    **fit
        Further arguments of ``fit``.

    Returns
    -------
    Training
        The history and the seconds of the training, also when it was loaded.

    Raises
    ------
    TypeError
        If the data can not be told from other data.
    """
    import keras

    config = keras.saving.serialize_keras_object(model)
    parts = [_nameless(config), _sources(model)]
    parts += [_fingerprint(part) for part in (x, y, fit)]
    key = hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]
    folder = cache_folder() / "trained"
    weights = folder / f"{name}-{key}.weights.h5"
    ledger = folder / f"{name}-{key}.json"
    if ledger.exists():
        model.optimizer.build(model.trainable_variables)  # its state is kept too
        model.load_weights(weights)
        return Training(**json.loads(ledger.read_text()))

    epochs = fit.get("epochs", 1)
    fit["callbacks"] = [*fit.get("callbacks", ()), _progress(name, epochs)]
    start = time.perf_counter()
    history = model.fit(x, y, verbose=0, **fit).history
    training = Training(history, time.perf_counter() - start)

    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"partial-{os.getpid()}-{weights.name}"
    model.save_weights(partial)
    partial.replace(weights)
    ledger.write_text(json.dumps(vars(training), default=float))  # last: it says "done"
    return training


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


def _nameless(config):
    """A configuration without names: Keras counts them up (adam, adam_1, ...)."""
    if isinstance(config, dict):
        return {k: _nameless(v) for k, v in config.items() if k != "name"}
    if isinstance(config, (list, tuple)):
        return [_nameless(c) for c in config]
    return config


def _sources(model):
    """Source files, from this package, of the model's class and of its layers."""
    import inspect

    kinds = {type(layer) for layer in model._flatten_layers()}
    files = {inspect.getsourcefile(k) for k in kinds if k.__module__[:8] == "srtools."}
    return [Path(file).read_text() for file in sorted(files)]


def _fingerprint(part):
    """Something short that JSON can hold and that differs when the data differ."""
    if part is None or isinstance(part, (bool, int, float, str)):
        return part
    if isinstance(part, dict):
        return {str(k): _fingerprint(v) for k, v in part.items() if k != "verbose"}
    if isinstance(part, (list, tuple)):
        return [_fingerprint(p) for p in part]
    if isinstance(part, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(part)).hexdigest()
        return [str(part.dtype), part.shape, digest]
    if hasattr(part, "fingerprint"):
        return part.fingerprint
    if hasattr(part, "on_epoch_end"):  # a callback: its settings
        settings = {k: v for k, v in vars(part).items() if np.isscalar(v)}
        return [type(part).__name__, sorted(settings.items(), key=str)]
    raise TypeError(
        f"expected arrays or an object with `fingerprint`, received {type(part)}"
    )
