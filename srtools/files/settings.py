"""Settings: what a file was made of, in words that JSON can hold."""

import functools
import json
import operator
import reprlib
import sys
from collections.abc import Callable
from pathlib import Path

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 200


def function_settings(function: Callable) -> dict:
    """Tell a function from all others, by what can be written into a file.

    Parameters
    ----------
    function : callable
        A function or class of a module, or `functools.partial` of one.

    Returns
    -------
    dict
        ``function``, as ``"module:name"``; where arguments are bound, also ``args``
        and ``keywords``.

    Raises
    ------
    ValueError
        If its name does not lead to it (a lambda, a function within a function, a
        method of an object), leads to another one in every script or notebook, or JSON
        cannot hold an argument.

    Examples
    --------
    >>> function_settings(functools.partial(scene, 512, noise_std=0.1))
    {'function': 'srtools.phantoms.scenes:scene', 'args': [512],
     'keywords': {'noise_std': 0.1}}
    """
    bound, inner = {}, function
    if isinstance(function, functools.partial):
        inner = function.func
        bound = {"args": function.args, "keywords": function.keywords}
    module = getattr(inner, "__module__", None)
    name = getattr(inner, "__qualname__", "")
    try:
        leads_to_it = operator.attrgetter(name)(sys.modules[module]) is inner
        bound = json.loads(json.dumps(bound, allow_nan=False))
    except (AttributeError, KeyError, TypeError, ValueError):
        leads_to_it = False
    if not leads_to_it or module == "__main__":
        raise ValueError(
            "expected a function that is found again by its name: one of a module (no "
            "lambda, none of a notebook, of a script or of another function), or "
            "functools.partial of one with arguments that JSON can hold; received "
            f"{function!r}"
        )
    return {"function": f"{module}:{name}", **bound}


def check_settings(path: str | Path, expected: dict, found: dict) -> None:
    """Raise an error if a file was made of other settings than those expected.

    Parameters
    ----------
    path : str or Path
        The file or folder, to be named.
    expected, found : dict
        Settings as JSON gives them back.

    Raises
    ------
    ValueError
        If they differ; it names those that do.
    """
    if expected != found:
        raise ValueError(
            f"{path}: expected {_differing(expected, found)}, found "
            f"{_differing(found, expected)}; remove it or choose another name"
        )


def _differing(one, other):
    alone = [k for k in one if k not in other or one[k] != other[k]]
    return ", ".join(f"{k} {_REPR.repr(one[k])}" for k in alone) or "nothing else"
