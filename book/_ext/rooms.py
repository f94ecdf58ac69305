"""Reference pages from the faces of the rooms, so that none of them can go stale.

``.. room:: srtools.tomography`` documents every public name of a room, module by
module in the order of its face; ``.. rooms::`` lists all rooms with their names.
"""

import ast
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

PACKAGE = Path(__file__).parents[2] / "srtools"


def rooms() -> list[str]:
    """Return the rooms: the folders and modules of the package."""
    found = [path.parent for path in PACKAGE.glob("*/__init__.py")]
    found += PACKAGE.glob("[!_]*.py")
    return sorted(path.stem for path in found)


def source(room: str) -> Path:
    """Return the file of a room: its face, or the module that it is."""
    face = PACKAGE / room / "__init__.py"
    return face if face.exists() else PACKAGE / f"{room}.py"


def face(room: str) -> dict[Path, list[str]]:
    """Return the public names of a room, by the file that defines them."""
    path = source(room)
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "submod_attrs":
            modules = ast.literal_eval(node.value)
            return {path.with_name(f"{m}.py"): names for m, names in modules.items()}
    return {path: [name for name in definitions(path) if not name.startswith("_")]}


def definitions(path: Path) -> dict[str, ast.AST]:
    """Return what a module defines at its top level: classes, functions, constants."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in getattr(node, "targets", None) or [node.target]:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        found[name.id] = node
    return found


def summary(node: ast.AST) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())


def entry(room: str, path: Path, name: str) -> list[str]:
    """Return the directive that documents one name of a room."""
    node = definitions(path).get(name)
    if isinstance(node, ast.ClassDef):
        return [f".. autoclass:: {name}", "   :members:", ""]
    if isinstance(node, ast.FunctionDef):
        return [f".. autofunction:: {name}", ""]
    if node is None:
        raise ValueError(f"expected {name} of srtools.{room} to be defined in {path}")
    comments = ModuleAnalyzer.for_file(path, path.stem).find_attr_docs()
    about = comments.get(("", name), [])
    lines = [f".. py:data:: {name}"]
    value = ast.unparse(node.value)
    if isinstance(node.value, ast.Name):
        about = [f"Another name of `{value}`."]
    if isinstance(node.value, ast.Constant | ast.Tuple) and len(value) <= 60:
        lines.append(f"   :value: {value}")
    return [*lines, "", *(f"   {line}" for line in about), ""]


class Room(SphinxDirective):
    """Document the public names of a room."""

    required_arguments = 1

    def run(self):
        """Return the nodes of the documentation."""
        room = self.arguments[0].removeprefix("srtools.")
        self.env.note_dependency(str(source(room)))
        found = parsed(self, [f".. py:module:: srtools.{room}"])
        modules = face(room)
        for path, names in modules.items():
            self.env.note_dependency(str(path))
            entries = [line for name in names for line in entry(room, path, name)]
            if len(modules) == 1:
                return found + parsed(self, entries)
            title = path.stem.replace("_", " ").capitalize()
            about = [summary(ast.parse(path.read_text())), ""]
            section = nodes.section(ids=[f"{room}-{path.stem}"])
            section += [nodes.title(text=title), *parsed(self, about + entries)]
            found.append(section)
        return found


class Rooms(SphinxDirective):
    """List the rooms with their public names."""

    def run(self):
        """Return the nodes of a list."""
        lines = []
        for room in rooms():
            self.env.note_dependency(str(source(room)))
            names = [name for names in face(room).values() for name in names]
            links = ", ".join(f":py:obj:`~srtools.{room}.{name}`" for name in names)
            about = summary(ast.parse(source(room).read_text()))
            lines += [f":doc:`{room}`", f"   {about}", "", f"   {links}", ""]
        return parsed(self, lines)


def parsed(directive: SphinxDirective, lines: list[str]) -> list[nodes.Node]:
    """Parse reStructuredText where a directive stands."""
    container = nodes.Element()
    container.document = directive.state.document
    nested_parse_with_titles(directive.state, StringList(lines), container)
    return container.children


def setup(app):
    """Connect to Sphinx."""
    app.add_directive("room", Room)
    app.add_directive("rooms", Rooms)
    return {"parallel_read_safe": True}
