"""What a result rests on: the code behind a function or class, without its prose.

Code counts as syntax trees without docstrings, comments, annotations and the messages
of errors, so that an edited sentence changes nothing; and definition by definition, so
that an edited formula changes what rests on it and nothing else.
"""

import ast
import functools
import hashlib
import inspect
import symtable
import textwrap
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

_PACKAGE = "srtools."
_FILES = "srtools.files."  # how things are stored does not change what they are


def sources(things: Iterable) -> dict[str, str]:
    """Return the code that things rest on, as a checksum for each definition.

    Parameters
    ----------
    things : iterable
        Functions and classes, of this package or of a notebook, or names such as
        ``"srtools.phantoms.shapes:random_shapes"``. Whatever else they use from this
        package or from the notebook is followed; other packages are not. Numbers and
        words that a function takes from the notebook count, also in lists and
        dictionaries; arrays of real numbers do not: they are data.

    Returns
    -------
    dict
        From ``"module:name"`` to a checksum of the syntax tree.
    """
    found, left = {}, list(things)
    while left:
        thing = left.pop()
        name, tree, used = _look_up(thing)
        if name is None or name in found:
            continue
        checksum = _checksum(tree)
        if "<" in name:  # lambdas, and functions within others, may share a name
            name += f" {checksum}"
            if name in found:
                continue
        found[name] = checksum
        left.extend(used)
    return dict(sorted(found.items()))


def is_own(name: str) -> bool:
    """Whether a string such as ``"srtools.phantoms.shapes:circle"`` names our code."""
    module, _, definition = name.partition(":")
    return module.startswith(_PACKAGE) and definition.isidentifier()


def _look_up(thing):
    """Return name and syntax tree of a definition, and the things that it uses."""
    if isinstance(thing, functools.partial):
        thing = thing.func
    if inspect.ismethod(thing):
        thing = thing.__func__
    if not isinstance(thing, str):
        module = getattr(thing, "__module__", None) or ""
        if not module.startswith(_PACKAGE):
            return _look_up_live(thing) if module == "__main__" else (None, None, ())
        thing = f"{module}:{thing.__qualname__.split('.')[0]}"
    module, _, name = thing.partition(":")
    if module.startswith(_FILES):
        return None, None, ()
    definitions, _ = _module(module)
    if name not in definitions:
        return None, None, ()
    return thing, definitions[name], _used(module, name)


@functools.cache
def _used(module, name):
    """What a definition of this package uses from it."""
    definitions, imports = _module(module)
    used = []
    for first, attribute in dict.fromkeys(_names(definitions[name])):
        if first in definitions:
            used.append(f"{module}:{first}")
        elif first in imports:
            used.append(_through_the_face(*imports[first], attribute))
    return used


@functools.cache
def _checksum(tree):
    """A checksum of a syntax tree without its prose."""
    return hashlib.sha256(repr(_plain(tree)).encode()).hexdigest()[:16]


def _look_up_live(thing):
    """The same for a function or class of a notebook, whose names are alive."""
    parts = [thing]
    if inspect.isclass(thing):
        parts = [part for part in vars(thing).values() if inspect.isfunction(part)]
    trees, used = [], []
    for part in parts:
        tree, outer = _tree(part)
        trees.append(tree)
        known = dict(part.__globals__)
        known.update(inspect.getclosurevars(part).nonlocals)
        for first, attribute in _names(tree):
            value = known.get(first) if first in outer else None
            if inspect.ismodule(value):
                value = getattr(value, attribute or "", None)
            used.extend(_callables(value))
            if (setting := _setting(value)) not in (None, [], {}):
                trees.append(ast.Constant((first, repr(setting))))
    return f"__main__:{thing.__qualname__}", ast.List(trees), used


def _tree(function):
    """The syntax tree of a function of a notebook, and its names from outside."""
    text = textwrap.dedent(inspect.getsource(function))
    try:
        return ast.parse(text), _outer_names(symtable.symtable(text, "", "exec"))
    except SyntaxError:  # the line of a lambda in a dictionary is no statement
        code = function.__code__
        text = "".join(inspect.findsource(function)[0])
        found = [node for node in ast.walk(ast.parse(text)) if _is_lambda(node, code)]
        return ast.List(found), {*code.co_names, *code.co_freevars}


def _is_lambda(node, code):
    return isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno


def _setting(value):
    """Numbers and words as JSON has them; None for anything else."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, slice):
        return str(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "bi" and value.size < 1000:
        value = value.tolist()
    if isinstance(value, dict):
        inside = {str(k): _setting(v) for k, v in value.items()}
        return {k: v for k, v in inside.items() if v is not None}
    if isinstance(value, (list, tuple)):
        inside = map(_setting, value)
        return [v for v in inside if v is not None]
    return None


def _outer_names(table):
    """Names that are no arguments, and not assigned inside."""
    found = {s.get_name() for s in table.get_symbols() if s.is_global()}
    return found.union(*map(_outer_names, table.get_children()))


def _callables(value):
    """A function or class, or those that lie in a dictionary, list or tuple."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _callables(part)
    elif inspect.isroutine(value) or inspect.isclass(value):
        yield value
    elif isinstance(value, functools.partial):
        yield value.func


@functools.cache
def _module(name):
    """Definitions at the top of a module, and what it imports from this package."""
    tree = ast.parse(Path(find_spec(name).origin).read_text(encoding="utf-8"))
    definitions, imports = {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "srtools"
        ):
            for alias in node.names:
                imports[alias.asname or alias.name] = node.module, alias.name
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            definitions[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for part in ast.walk(target):
                    if isinstance(part, ast.Name):
                        definitions[part.id] = node
    return definitions, imports


def _through_the_face(module, name, attribute):
    """Where a name that is imported from a room is defined."""
    spec = find_spec(module)
    if spec.submodule_search_locations is None:  # a plain module
        return f"{module}:{name}"
    if attribute and find_spec(f"{module}.{name}"):  # a room was imported, not a name
        return _through_the_face(f"{module}.{name}", attribute, None)
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "submod_attrs":
            for inner, names in ast.literal_eval(node.value).items():
                if name in names:
                    return f"{module}.{inner}:{name}"
    return f"{module}:{name}"


def _names(tree):
    """Names that a tree uses, each with the attribute that is taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr
        elif isinstance(node, ast.Name):
            yield node.id, None


_PROSE = {"returns", "annotation", "type_comment", "type_params", "kind", "ctx"}


def _plain(node):
    """A tree as nested lists, without its prose and alike on every Python."""
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.Raise):  # that it raises counts, what it says does not
        return ["Raise"]
    fields = {k: v for k, v in ast.iter_fields(node) if k not in _PROSE}
    body = fields.get("body")
    if isinstance(body, list) and body and _is_docstring(body[0]):
        fields["body"] = body[1:]
    kept = {k: _plain(v) for k, v in fields.items() if v not in (None, [])}
    return [type(node).__name__, *sorted(kept.items())]


def _is_docstring(node):
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
