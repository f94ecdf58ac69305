"""The key of a training: short, alike on every platform, of all that determines it."""

import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping

import numpy as np

from srtools.tutorial.sources import is_own, sources

_LARGEST = 10_000  # numbers that a recipe may list


def training_key(model, recipe, seed: int, data, fit: Mapping) -> str:
    """Return the key of a training.

    It is made of the architecture and of how the model was compiled, metrics included,
    the seed, the recipe of the data, the arguments of ``fit``, the shapes of the
    arrays, and the sources of all of them. It does not hold the data, whose last digits
    differ from machine to machine, nor names, nor settings at their defaults, which
    come and go with the versions of Keras.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    recipe
        How the data are made, as in `plain`.
    seed : int
    data : sequence
        What ``fit`` learns from: arrays, or objects with a ``recipe``.
    fit : mapping
        Arguments of ``fit``.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    code = []
    loss = model.loss
    parts = {
        "architecture": _architecture(model, code),
        "optimizer": _settings(model.optimizer, code),
        "loss": loss if isinstance(loss, str) else _settings(loss, code),
        "seed": seed,
        "recipe": plain(recipe, code),
        "data": [_shape(part, code) for part in data],
        "fit": {k: _shape(v, code) for k, v in sorted(fit.items()) if k != "verbose"},
    }
    compiled = getattr(model, "_compile_loss", None)
    if (weights := getattr(compiled, "_user_loss_weights", None)) is not None:
        parts["loss weights"] = plain(weights)
    metrics = getattr(model, "_compile_metrics", None)
    if (noted := getattr(metrics, "_user_metrics", None)) is not None:
        import keras

        parts["metrics"] = [
            m if isinstance(m, str) else _settings(m, code)
            for m in keras.tree.flatten(noted)
        ]
    return _digest(parts, code)


def result_key(function: Callable, recipe, data, settings: Mapping) -> str:
    """Return the key of what a function gives for data: see `training_key`."""
    code = [function]
    parts = {
        "recipe": plain(recipe, code),
        "data": [_shape(part, code) for part in data],
        "settings": {k: _shape(v, code) for k, v in sorted(settings.items())},
    }
    return _digest(parts, code)


def _digest(parts, code):
    parts["sources"] = sources(code)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def plain(value, code: list | None = None):
    """Return a recipe as JSON has it.

    Parameters
    ----------
    value
        Numbers, strings, lists and dictionaries; functions, classes, and objects with
        ``settings``, such as a `srtools.tomography.ParallelBeam`. Numbers are rounded
        to six digits.
    code : list, optional
        Takes up the functions and classes on the way.

    Returns
    -------
    None, bool, int, float, str, list or dict

    Raises
    ------
    TypeError
        If there is something else in it, or a long array, which is data and no recipe.
    """
    code = [] if code is None else code
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        if is_own(value):
            code.append(value)
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {str(k): plain(v, code) for k, v in value.items()}
    if isinstance(value, np.ndarray) and value.size <= _LARGEST:
        value = value.tolist()
    if isinstance(value, (list, tuple, range)):
        return [plain(v, code) for v in value]
    if hasattr(value, "settings"):
        code.append(type(value))
        return {"class": type(value).__qualname__, **plain(value.settings, code)}
    if isinstance(value, functools.partial):
        bound = {"args": value.args, "keywords": value.keywords}
        return {"function": plain(value.func, code), **plain(bound, code)}
    if callable(value) and hasattr(value, "__qualname__"):
        code.append(value)
        return f"{value.__module__}:{value.__qualname__}"
    raise TypeError(
        "expected a recipe of numbers, strings, lists, dictionaries, functions and "
        f"objects with `settings`, received {type(value).__qualname__}"
    )


def _architecture(operation, code):
    """A model, layer by layer: settings, shapes of weights, and what each follows."""
    if hasattr(operation, "operations"):
        place = {id(part): i for i, part in enumerate(operation.operations)}
        calls = {id(part): _calls(part, operation) for part in operation.operations}
        return [
            [_architecture(part, code), _inputs(calls[id(part)], place, calls)]
            for part in operation.operations
        ]
    parts = [_architecture(layer, code) for layer in getattr(operation, "layers", ())]
    return [_settings(operation, code), _shapes(operation), parts]


def _shapes(layer):
    return [list(weight.shape) for weight in getattr(layer, "weights", ())]


def _calls(operation, model):
    """The calls of an operation in a model; it may have been called elsewhere, too."""
    by_depth = getattr(model, "_nodes_by_depth", {}).values()
    inside = {id(node) for nodes in by_depth for node in nodes}
    calls = operation._inbound_nodes
    return [call for call in calls if id(call) in inside] or calls[:1]


def _inputs(nodes, place, calls):
    """For each call, the operations that it follows, and its other arguments."""
    found = []
    for node in nodes:
        found.append([])
        for value in (*node.arguments.args, *node.arguments.kwargs.values()):
            for part in value if isinstance(value, (list, tuple)) else [value]:
                history = getattr(part, "_keras_history", None)
                known = history is not None
                found[-1].append(
                    _origin(history, place, calls) if known else repr(part)
                )
    return found[0] if len(found) == 1 else found


def _origin(history, place, calls):
    """Number of an operation, and which of its calls if there are several."""
    operation = history.operation
    several = calls.get(id(operation), ())
    if len(several) < 2:
        return place.get(id(operation), -1)
    call = several.index(operation._inbound_nodes[history.node_index])
    return [place[id(operation)], call]


def _settings(thing, code):
    """Class and settings of a layer, loss or optimizer, without defaults."""
    if not hasattr(thing, "get_config"):  # a function
        return plain(thing, code)
    code.append(type(thing))
    return [type(thing).__name__, _kept(thing.get_config(), type(thing), code)]


def _kept(config, kind, code):
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
    }
    kept = {}
    for name, value in config.items():
        value = _bare(value)
        if name in ("name", "trainable") or value in (None, "float32"):
            continue
        if name in defaults and value == _bare(defaults[name]):
            continue
        kept[name] = plain(value, code)
    return kept


def _bare(value):
    """A serialised Keras object as its class with settings; tuples as lists."""
    if isinstance(value, Mapping):
        if "class_name" in value:
            name, inside = value["class_name"], value.get("config")
            if name == "DTypePolicy":
                return inside["name"]
            whole = f"{value.get('module')}:{name}"  # our own count with their code
            return [whole if is_own(whole) else name, _bare(inside)]
        return {k: _bare(v) for k, v in value.items() if v is not None and k != "name"}
    if isinstance(value, (list, tuple)):
        return [_bare(v) for v in value]
    return value


def _shape(part, code):
    """Data by their shapes or recipe; settings and callbacks by what they are."""
    if hasattr(part, "recipe"):
        return plain(part.recipe, code)
    if isinstance(part, np.ndarray):
        return ["array", *part.shape]
    if isinstance(part, (list, tuple)):
        return [_shape(p, code) for p in part]
    if hasattr(part, "on_epoch_end"):  # a callback
        code.append(type(part))
        return [type(part).__name__, _arguments(part, code)]
    return plain(part, code)


def _arguments(callback, code):
    """What a callback was made with, without defaults; not what it has noted since."""
    given = {}
    for name, parameter in inspect.signature(
        type(callback).__init__
    ).parameters.items():
        value = vars(callback).get(name)
        if value is not None and value != parameter.default:
            given[name] = plain(value, code)
    return given
