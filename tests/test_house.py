"""The package is a house of rooms: imports run down only, and every door opens."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

SRTOOLS = Path(__file__).parents[1] / "srtools"
# From the ground up; rooms on one floor do not know each other.
FLOORS = (
    ("files", "metrics", "phantoms"),
    ("weights",),
    ("tomography",),
    ("xrdct",),
    ("datasets", "scan"),
    ("models",),
    ("inspection", "segmentation", "superresolution"),
    ("plotting", "tutorial"),
    ("command",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(SRTOOLS.rglob("*.py"))
FACES = [room for room in FLOOR if (SRTOOLS / room).is_dir()]


def room_of(path):
    return path.relative_to(SRTOOLS).with_suffix("").parts[0]


def imports(path):
    """Dotted names from the package that a module imports, wherever in its text."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
            if node.module == "srtools":
                names = [f"srtools.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.startswith("srtools"))


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in MODULES} - {"__init__"}
    assert rooms == FLOOR.keys()


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: path.relative_to(SRTOOLS).as_posix()
)
def test_arrows_run_down_and_through_the_door(path):
    here = room_of(path)
    for name in imports(path):
        _, there, *inner = name.split(".")
        if there != here:
            assert FLOOR[there] < FLOOR[here], f"{here} imports {name}, not below it"
            assert not inner, f"{here} imports {name}: take it from srtools.{there}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_is_longer_than_a_reader_can_bear(path):
    assert len(path.read_text().splitlines()) <= 300, path


@pytest.mark.parametrize("room", FACES)
def test_every_name_on_a_face_can_be_had(room):
    face = import_module(f"srtools.{room}")
    assert face.__all__, room
    for name in face.__all__:
        assert not name.startswith("_")
        assert getattr(face, name) is not None, f"srtools.{room}.{name}"


def test_an_arrow_that_runs_up_would_be_seen(tmp_path):
    module = tmp_path / "module.py"
    module.write_text("def f():\n    from srtools.models.u_net import unet\n")
    assert list(imports(module)) == ["srtools.models.u_net"]
