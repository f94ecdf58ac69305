import json
import sys
from functools import partial

import numpy as np
import pytest

from srtools.files import check_settings, function_settings
from srtools.phantoms import ellipses, random_shapes


def drawing(n, size, *, rng, value=1):
    return np.full((n, size, size, 1), value, np.float32)


class Drawer:
    def draw(self, n, size, *, rng): ...


def test_a_function_is_told_by_its_module_name_and_arguments():
    found = function_settings(random_shapes)
    assert found == {"function": "srtools.phantoms.shapes:random_shapes"}
    bound = function_settings(partial(partial(drawing, 3), 8, value=(1, 2)))
    assert bound == {
        "function": f"{__name__}:drawing",
        "args": [3, 8],
        "keywords": {"value": [1, 2]},
    }
    assert json.loads(json.dumps(bound)) == bound
    everything = [
        function_settings(f)
        for f in (drawing, ellipses, partial(drawing, value=1), partial(drawing, 1))
    ]
    assert all(everything.count(f) == 1 for f in everything)


def nested():
    def inner(n, size, *, rng): ...

    return inner


@pytest.mark.parametrize(
    "function",
    [
        lambda n, size, rng: None,
        partial(lambda n, size, rng: None),
        nested(),
        partial(nested(), 3),
        Drawer().draw,
        partial(drawing, value=np.ones(3)),
        partial(drawing, value=float("nan")),
        partial(drawing, rng=np.random.default_rng(0)),
        None,
    ],
    ids=lambda function: getattr(function, "__name__", "partial"),
)
def test_what_its_name_does_not_tell_is_refused(function):
    with pytest.raises(ValueError, match=r"found again by its name.*received \S"):
        function_settings(function)


def test_a_name_that_means_another_thing_in_every_script_is_refused(monkeypatch):
    monkeypatch.setattr(drawing, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "drawing", drawing, raising=False)
    with pytest.raises(ValueError, match="none of a notebook, of a script"):
        function_settings(drawing)


def test_a_function_that_another_took_the_name_of_is_refused(monkeypatch):
    monkeypatch.setattr("srtools.phantoms.shapes.ellipses", drawing)
    with pytest.raises(ValueError, match="received <function ellipses"):
        function_settings(ellipses)


def test_settings_that_differ_are_named_and_no_others():
    one = {"n": 3, "angles": list(range(400)), "seed": 1}
    check_settings("a.h5", one, dict(one))
    other = one | {"seed": 2, "angles": list(range(1, 400)), "extra": 0}
    with pytest.raises(ValueError, match=r"^a\.h5: expected angles .* seed 1, found"):
        check_settings("a.h5", one, other)
    with pytest.raises(ValueError, match="seed 2, extra 0; remove it") as raised:
        check_settings("a.h5", one, other)
    assert len(str(raised.value)) < 200 and " n " not in str(raised.value)
