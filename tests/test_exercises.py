"""Every tutorial has exercises of both kinds, and code in a solution runs."""

import ast
import builtins
import os
import re
import subprocess
import symtable
import sys
from pathlib import Path
from textwrap import dedent

import jupytext
import pytest

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]

import pairs  # noqa: E402

from conftest import REAL  # noqa: E402

TUTORIALS = [
    page for page in pairs.pages([], ROOT) if "**After this page" in page.read_text()
]
SOLUTION = re.compile(
    r"<details><summary>Solution</summary>\n(.*?)</details>", re.DOTALL
)
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
# An exercise says of which kind it is, or it shows.
KINDS = {
    "*Change a number.*": re.compile(r"\*Change a number|\b\w+ ?= ?\d[^`]*`"),
    "*Predict first.*": re.compile(r"\bpredict\b(?!\()", re.IGNORECASE),
}


def name_of(page):
    return page.relative_to(ROOT / "book").with_suffix("").as_posix()


def exercises(page):
    """The part of a page below the heading of the exercises, one text each."""
    section = page.read_text().split("\n## Exercises\n")[1].split("\n## ")[0]
    return re.split(r"^(?:\*\*)?\d\.(?:\*\*)? ", section, flags=re.MULTILINE)[1:]


def solutions(page):
    """The code of each solution that has any."""
    folds = SOLUTION.findall(page.read_text())
    codes = ["\n".join(dedent(b) for b in BLOCK.findall(fold)) for fold in folds]
    return [code for code in codes if code]


def cells(page):
    code = [c.source for c in jupytext.read(page).cells if c.cell_type == "code"]
    return [source for source in code if not source.startswith("# setup")]


@pytest.mark.parametrize("page", TUTORIALS, ids=name_of)
def test_a_tutorial_asks_to_change_a_number_and_to_predict(page):
    asked = exercises(page)
    assert len(asked) >= 2
    questions = [text.split("<details>")[0] for text in asked]
    for kind, sign in KINDS.items():
        assert any(map(sign.search, questions)), f"expected an exercise: {kind}"
    for text in asked:
        assert text.count("<details>") == 1, "expected one folded solution"


def test_the_plans_name_sections_and_exercises_that_there_are():
    text = (ROOT / "book" / "teach.md").read_text()
    plans = text.split("\n## Three hours\n")[1].split("\n## Where people")[0]
    rows = [row for row in plans.splitlines() if row.startswith("| ")]
    page, named = None, 0
    for row in rows:
        if linked := re.search(r"\]\(([\w/]+)\.ipynb\)", row):
            page = ROOT / "book" / f"{linked[1]}.md"
        for kind in KINDS:
            row = row.replace(kind[1:-2], "")
        for section in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*", row):
            headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
            assert any(h.startswith(section) for h in headings), (page, section)
            named += 1
        for number in re.findall(r"[Ee]xercise (\d)", row):
            assert int(number) <= len(exercises(page)), (page, row)
            named += 1
    assert named > 20


# What one has to know about names, to run no more of a page than a solution needs.
ALTERING = {"trained", "train", "fit", "train_on_batch", "set_weights"}


def scopes(table):
    yield table
    for child in table.get_children():
        yield from scopes(child)


def used(code):
    """Names that a code reads from outside of its functions."""
    top = symtable.symtable(code, "code", "exec")
    found = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    for scope in scopes(top):
        if scope is not top:
            found |= {s.get_name() for s in scope.get_symbols() if s.is_global()}
    return found - set(dir(builtins))


def bound(code):
    """Names that a code gives a value."""
    top = symtable.symtable(code, "code", "exec")
    return {
        s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()
    }


def wanted(code):
    """Names that a code takes from before it."""
    found, own = set(), set()
    for statement in ast.parse(code).body:
        text = ast.unparse(statement)
        inside = bound(text) if isinstance(statement, (ast.For, ast.With)) else set()
        if isinstance(statement, ast.FunctionDef):
            inside = {statement.name}
        found |= used(text) - own - inside
        own |= bound(text)
    return found


def altered(code):
    """Names whose objects a code changes, as far as one can see."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(
            node.ctx, ast.Store
        ):
            found |= {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                found.add(called.value.id)
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ALTERING:
                found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return found


def needed(code, before):
    """Those of the cells before a code without which it cannot run."""
    imported = {
        alias.asname or alias.name.split(".")[0]
        for cell in before
        for node in ast.walk(ast.parse(cell))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    names, taken = wanted(code), []
    for cell in reversed(before):
        if names & (bound(cell) | (altered(cell) - imported)):
            taken.append(cell)
            names |= wanted(cell)
    return taken[::-1]


@pytest.mark.parametrize("page", [p for p in TUTORIALS if solutions(p)], ids=name_of)
def test_a_solution_uses_only_names_that_there_are(page):
    there = set().union(*map(bound, cells(page)))
    for code in solutions(page):
        unknown = used(code) - there - bound(code)
        assert not unknown, f"expected names of the page, found {unknown} in\n{code}"


def test_what_a_solution_needs_is_found():
    page = [
        "import numpy as np\nfrom keras import Model",
        "x = np.ones(3)\nmodel = Model()",
        "model.fit(x)",
        "print(np.sum(x))",
        "y = [v for v in x]",
    ]
    assert needed("model.predict(x)", page) == page[:3]
    assert needed("y[0]", page) == [page[0], page[1], page[2], page[4]]
    assert needed("np.ones(2)", page) == page[:1]
    assert wanted("z = 1\nfor i in z:\n    print(i, w)") == {"w"}


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in TUTORIALS if solutions(p)], ids=name_of)
def test_a_solution_runs(page, tmp_path):
    data = REAL.get(page.relative_to(ROOT).with_suffix(".ipynb").as_posix(), [])
    if data:
        from srtools.datasets import available

        if missing := [name for name in data if not available(name)]:
            pytest.skip(f"needs {missing}: not in SRTOOLS_DATA, offline")
    codes, before = solutions(page), cells(page)
    taken = {cell for code in codes for cell in needed(code, before)}
    parts = [cell for cell in before if cell in taken]
    parts.append(f"import os\nos.chdir({str(tmp_path)!r})")  # where they may save
    for code in codes:  # each on its own, as a reader may do one of them
        parts.append(f"print('---')\nexec({code!r}, dict(globals()))")
    script = "\n\n".join(parts)
    (tmp_path / "solutions.py").write_text(script)
    done = subprocess.run(
        [sys.executable, tmp_path / "solutions.py"],
        cwd=page.parent,
        env={**os.environ, "MPLBACKEND": "agg", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
