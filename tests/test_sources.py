"""An edited formula changes the key of what rests on it, an edited sentence none."""

import functools
import sys

import numpy as np
import pytest

from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam, tune_fbp
from srtools.tutorial.sources import _module, sources

HOUSE = {
    "srtools/__init__.py": "",
    "srtools/below/__init__.py": (
        "import lazy_loader\n"
        "__getattr__, __dir__, __all__ = lazy_loader.attach(\n"
        "    __name__, submod_attrs={'depth': ['deep', 'SCALE']})\n"
    ),
    "srtools/below/depth.py": (
        '"""Depth."""\n'
        "SCALE = 2\n"
        "UNUSED = 3\n"
        "def deep(x: float) -> float:\n"
        '    """Say what it does."""\n'
        "    if x < 0:\n"
        "        raise ValueError(f'expected more, received {x}')\n"
        "    return SCALE * x  # why\n"
        "def beside(x):\n"
        "    return UNUSED\n"
    ),
    "srtools/top.py": (
        "from srtools.below import deep\n"
        "def formula(x):\n"
        "    return _part(deep(x))\n"
        "def _part(x):\n"
        "    return x + 1\n"
    ),
}


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Checksums of `formula` after an edit of one of the files above."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "srtools"]:
        monkeypatch.delitem(sys.modules, name)

    def write(edited="", old="", new=""):
        for name, text in HOUSE.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(old, new) if name.endswith(edited) else text)
            assert name != edited or old in text
        _module.cache_clear()
        return sources(["srtools.top:formula"])

    yield write
    _module.cache_clear()


def test_everything_that_a_formula_uses_is_followed(house):
    assert list(house()) == [
        "srtools.below.depth:SCALE",
        "srtools.below.depth:deep",
        "srtools.top:_part",
        "srtools.top:formula",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("depth.py", "SCALE = 2", "SCALE = 2.5"),
        ("depth.py", "SCALE * x", "SCALE / x"),
        ("depth.py", "x < 0", "x < 1"),
        ("top.py", "x + 1", "x + 2"),
        ("top.py", "_part(deep(x))", "deep(x)"),
    ],
)
def test_an_edited_formula_counts(house, file, old, new):
    assert house() != house(file, old, new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("depth.py", "Say what it does.", "Say it otherwise."),
        ("depth.py", "# why", "# for another reason"),
        ("depth.py", "expected more", "wanted more"),
        ("depth.py", "x: float", "x"),
        ("depth.py", "-> float", "-> int"),
        ("depth.py", "UNUSED = 3", "UNUSED = 4"),
        ("depth.py", "return UNUSED", "return 5"),
        ("top.py", "def formula", "\n\n\ndef formula"),
    ],
)
def test_an_edited_sentence_and_what_is_not_used_do_not(house, file, old, new):
    assert house() == house(file, old, new)


def test_functions_of_the_package_are_found_through_its_faces():
    found = sources([tune_fbp, functools.partial(random_shapes, max_shapes=3)])
    assert "srtools.tomography.parallel_beam:ParallelBeam" in found
    assert "srtools.metrics.images:psnr" in found
    assert "srtools.phantoms.shapes:circle" in found
    assert not [name for name in found if not name.startswith("srtools.")]


def test_a_method_counts_as_its_class():
    assert sources([ParallelBeam.fbp]) == sources([ParallelBeam])


PAGE = """
from srtools.tomography import tv, tune_fbp

def mine(y, weight):
    return y * 2

METHODS = {
    "TV": (tv, [1, 2]),
    "mine": mine,
    "bound": lambda y: tune_fbp(y, 0.5),
    "part": lambda y: y[1:],
    "more": lambda y: y + 4,
}

def tune(y):
    return [method(y) for method in METHODS.values()]
"""


def of_page(tmp_path, monkeypatch, old="", new="", **variables):
    """Checksums of the function of a notebook that uses a dictionary of others."""
    assert old in PAGE
    path = tmp_path / f"page{len(list(tmp_path.iterdir()))}.py"
    path.write_text(PAGE.replace(old, new))
    known = {"__name__": "__main__", **variables}
    exec(compile(path.read_text(), path, "exec"), known)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(path), raising=False)
    return sources([known["tune"]])


def test_what_lies_in_a_dictionary_of_a_notebook_is_followed(tmp_path, monkeypatch):
    found = of_page(tmp_path, monkeypatch)
    assert "srtools.tomography.total_variation:tv" in found
    assert "srtools.tomography.baselines:tune_fbp" in found
    assert "__main__:mine" in found
    assert found == of_page(tmp_path, monkeypatch)
    for old, new in (
        ("y * 2", "y * 3"),
        ("0.5", "0.7"),
        ("(tv,", "(tune_fbp,"),
        ("[1, 2]", "[1, 3]"),
        ("y[1:]", "y[2:]"),
        ("y[1:]", "y[:1]"),
        ("y + 4", "y - 4"),
        ("y + 4", "y + 5"),
    ):
        assert found != of_page(tmp_path, monkeypatch, old, new), (old, new)


def test_what_a_function_takes_from_the_page_counts(tmp_path, monkeypatch):
    def of(value):
        return of_page(tmp_path, monkeypatch, "y * 2", "y * factor", factor=value)

    for one, other in (
        ([1, 2], [1, 3]),
        ({"a": 1}, {"a": 2}),
        ({"a": (1.5, "b")}, {"a": (1.5, "c")}),
        (slice(0, 2), slice(0, 3)),
        (np.arange(3), np.arange(1, 4)),
        (np.float32(1), np.float32(2)),
    ):
        assert of(one) == of(one) != of(other), one
    data = np.random.default_rng(0)
    assert of(data.random(3)) == of(data.random(3))
    assert of([data.random(3)]) == of({"seen": data.random(3)})


def test_a_variable_of_the_page_counts_only_where_a_function_uses_it(
    tmp_path, monkeypatch
):
    # A loop leaves its variables, which have the names of arguments and locals.
    left = "y, method = 3, 'left from a loop'\n\ndef tune(y)"
    found = of_page(tmp_path, monkeypatch)
    assert found == of_page(tmp_path, monkeypatch, "def tune(y)", left)
    used = [
        of_page(tmp_path, monkeypatch, "y * 2", "y * factor", factor=factor)
        for factor in (2, 2, 3)
    ]
    assert used[0] == used[1] != used[2]
