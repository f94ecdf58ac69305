"""Every page's notebook is in order, and what is not in order is seen."""

import base64
import io
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]

import notebooks  # noqa: E402
import pairs  # noqa: E402

from conftest import WAITING, outgrown  # noqa: E402
from srtools.datasets import catalogue  # noqa: E402

PAGE = """\
---
jupytext:
  formats: md:myst
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# A page

```{code-cell} ipython3
:tags: [remove-cell]

# setup
```

```{code-cell} ipython3
import sys
print("a log line", file=sys.stderr)
two = 1 + 1
print(two)
print("another log line", file=sys.stderr)
print("three")
```

```{code-cell} ipython3
:tags: [nbval-check-output]

print("holds")
```
"""


def _page(source):
    """A page, with the mark of those that wait to be executed."""
    name = source.relative_to(ROOT).with_suffix(".ipynb").as_posix()
    waits = pytest.mark.xfail(strict=True, reason="waits to be executed")
    return pytest.param(source, marks=waits if name in WAITING else (), id=name)


def test_a_reply_that_comes_while_a_widget_is_served_is_not_missed():
    # nbclient's own client misses one in thirty, and waits until the time is over.
    code = "import ipywidgets\nwith ipywidgets.Output():\n    print(1)"
    notebook, ends = nbformat.v4.new_notebook(), []
    notebook.cells = [nbformat.v4.new_code_cell(code) for _ in range(150)]
    pairs.Client(
        notebook,
        timeout=5,
        kernel_name="python3",
        on_cell_executed=lambda **_: ends.append(time.monotonic()),
    ).execute()
    assert np.diff(ends).max() < 4


@pytest.mark.parametrize("source", [_page(p) for p in pairs.pages([], ROOT)])
def test_the_notebook_of_each_page_is_in_order(source):
    assert notebooks.check(source, ROOT) == []


@pytest.mark.parametrize("source", pairs.pages([], ROOT), ids=lambda p: p.stem)
def test_a_page_with_trained_networks_says_how_to_see_them_train(source):
    text = source.read_text()
    if re.search(r"\b(trained|train)\(", text):
        assert "`SRTOOLS_TRAIN=1`" in text


def test_every_page_with_networks_of_its_own_has_its_turn(monkeypatch):
    def at(commit):
        said = SimpleNamespace(stdout=f"{commit:040x}\n")
        monkeypatch.setattr(notebooks.subprocess, "run", lambda *_, **__: said)
        names = notebooks.turn(3, ROOT)
        assert len(set(names)) == 3
        return names

    taught = [page for page in pairs.pages([], ROOT) if "trained(" in page.read_text()]
    taught = {p.relative_to(ROOT).with_suffix(".ipynb").as_posix() for p in taught}
    seen = {name for commit in range(40) for name in at(commit)}
    assert taught <= seen and "book/reconstruction/compare.ipynb" not in seen


def test_what_is_trained_anew_though_it_ships_is_found():
    ships = f"{sorted((ROOT / 'srtools' / 'weights').glob('*.json'))[0].stem}-0af.json"
    assert outgrown({ships, "of_my_own-0af.json"}) == [ships]


def test_each_tutorial_is_in_the_contents_and_each_notebook_has_a_source():
    contents = (ROOT / "_toc.yml").read_text()
    for source in pairs.pages([], ROOT):
        name = source.with_suffix(".ipynb").relative_to(ROOT).as_posix()
        assert f"file: {name}\n" in contents, f"_toc.yml: expected '- file: {name}'"
    for notebook in (ROOT / "book").rglob("[!.]*.ipynb"):
        assert notebook.with_suffix(".md") in pairs.pages([], ROOT), notebook


def test_the_page_on_data_sets_shows_the_whole_catalogue():
    shown = (ROOT / "book" / "datasets.ipynb").read_text()
    missing = [name for name in catalogue() if name not in shown]
    advice = "python scripts/notebooks.py run book/datasets.md"
    assert not missing, f"book/datasets.ipynb lacks {missing}: {advice}"


def make(root, page=PAGE, folder="book/part"):
    (root / folder).mkdir(parents=True)
    url = "repository:\n  url: https://github.com/someone/a-fork\n"
    (root / "_config.yml").write_text(url)
    source = root / folder / "page.md"
    source.write_text(page)
    return source


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    root = tmp_path_factory.mktemp("executed")
    source = make(root)
    assert pairs.run(source, root) > 0
    return source


@pytest.fixture
def source(executed, tmp_path):
    """Return a page of its own for each test, with its executed notebook."""
    copy = make(tmp_path, executed.read_text())
    stored = executed.with_suffix(".ipynb").read_text()
    copy.with_suffix(".ipynb").write_text(stored)
    assert notebooks.check(copy, tmp_path) == []
    return copy


def faults(source):
    return " ".join(notebooks.check(source, source.parents[2]))


def change(source, edit):
    path = source.with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)


def stored_text(source):
    return source.with_suffix(".ipynb").read_text()


def output(text, **more):
    return nbformat.v4.new_output("stream", text=text, **more)


def test_running_stores_results_and_no_log_lines(source):
    code = nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells[1:]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert [out.text for cell in code for out in cell.outputs] == [
        "2\nthree\n",
        "holds\n",
    ]
    assert "execution" not in code[1].metadata  # no times


@pytest.mark.parametrize(
    ("kind", "mode"), [("grey", "L"), ("coloured", "RGB"), ("see-through", "RGBA")]
)
def test_a_picture_is_stored_in_fewer_bytes_and_stays_pixel_for_pixel(kind, mode):
    pixels = np.full((30, 40, 4), 255, np.uint8)
    pixels[..., :3] = np.random.default_rng(0).integers(0, 256, (30, 40, 1))
    if kind != "grey":
        pixels[:9, :9, 0] = 7
    if kind == "see-through":
        pixels[:9, :9, 3] = 100
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    stored = base64.b64encode(file.getvalue()).decode()
    picture = nbformat.v4.new_output("display_data", {"image/png": stored})
    pairs._pack(picture)
    packed = picture["data"]["image/png"]
    assert len(packed) < len(stored)
    image = Image.open(io.BytesIO(base64.b64decode(packed)))
    assert image.mode == mode
    assert np.array_equal(np.asarray(image.convert("RGBA")), pixels)


def test_the_setup_cell_is_of_the_repository_and_of_the_page(source):
    for text in (source.read_text(), stored_text(source)):
        assert "clone -q --depth 1 https://github.com/someone/a-fork /content/" in text
        assert "install -q --no-deps /content/a-fork" in text
        assert "cd -q /content/a-fork/book/part" in text


def test_syncing_again_changes_nothing(source):
    before = source.read_text(), stored_text(source)
    pairs.sync(source, source.parents[2])
    assert before == (source.read_text(), stored_text(source))


def test_syncing_keeps_ids_and_outputs_when_prose_changes(source):
    old = nbformat.reads(stored_text(source), as_version=4)
    source.write_text(source.read_text().replace("# A page", "# A page\n\nProse."))
    assert "differs from its source: sync" in faults(source)
    pairs.sync(source, source.parents[2])
    assert faults(source) == ""
    new = nbformat.reads(stored_text(source), as_version=4)
    assert [cell.id for cell in new.cells] == [cell.id for cell in old.cells]
    assert new.cells[-1].outputs == old.cells[-1].outputs


def test_a_folded_cell_is_folded_everywhere_and_can_be_unfolded(source):
    plain = source.read_text()
    folded = plain.replace(
        "ipython3\nimport sys", "ipython3\n:tags: [hide-input]\n\n# The log\nimport sys"
    )
    source.write_text(folded)
    pairs.sync(source, source.parents[2])
    cells = nbformat.reads(stored_text(source), as_version=4).cells
    assert cells[2].source.startswith("# @title The log\nimport sys")
    assert cells[2].outputs and faults(source) == "the outputs are of other code: run"
    for cell in cells[1:]:  # the setup, the log, and a claim
        assert cell.metadata.cellView == "form"
        assert cell.metadata.jupyter == {"source_hidden": True}
    source.write_text(plain)
    pairs.sync(source, source.parents[2])
    assert faults(source) == ""


def test_a_folded_cell_without_a_comment_is_seen(source):
    text = source.read_text().replace(
        "ipython3\nimport sys", "ipython3\n:tags: [hide-input]\n\nimport sys"
    )
    source.write_text(text)
    pairs.sync(source, source.parents[2])
    assert "says in no comment what is inside: 'import sys'" in faults(source)


def test_visible_lines_are_those_that_a_reader_sees(source):
    lines = pairs.visible_lines(pairs.derive(source))
    assert lines[0] == "import sys" and len(lines) == 6


@pytest.mark.parametrize(
    "source", pairs.pages([], ROOT), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_page_shows_little_code(source, record_property):
    name = source.relative_to(ROOT / "book").with_suffix("").as_posix()
    notebook = pairs.derive(source)
    count = len(pairs.visible_lines(notebook))
    record_property("visible lines of code", (name, count))  # for the ledger
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    lines = "\n".join(code[1:]).splitlines()  # without the setup cell
    assert count <= 120
    assert not [line for line in lines if len(line) > 74]


def test_two_people_derive_the_same_notebook(source, tmp_path):
    other = make(tmp_path / "other", source.read_text())
    source.with_suffix(".ipynb").unlink()
    for page in (source, other):
        pairs.sync(page, page.parents[2])
    assert stored_text(source) == stored_text(other)


def test_a_failing_run_leaves_the_notebook_as_it_was(source):
    before = stored_text(source)
    source.write_text(source.read_text().replace("1 + 1", "1 / 0"))
    with pytest.raises(pairs.FAILURES, match="ZeroDivisionError"):
        pairs.run(source, source.parents[2])
    assert stored_text(source) == before


def test_a_missing_notebook_is_seen(source):
    source.with_suffix(".ipynb").unlink()
    assert "there is no notebook" in faults(source)


def test_outputs_of_other_code_are_seen_even_after_sync(source):
    source.write_text(source.read_text().replace("1 + 1", "1 + 2"))
    pairs.sync(source, source.parents[2])
    assert "outputs are of other code: run" in faults(source)


def test_a_changed_tag_is_seen(source):
    text = source.read_text()
    source.write_text(text.replace("nbval-check-output", "hide-input"))
    assert "differs from its source" in faults(source)
    pairs.sync(source, source.parents[2])
    assert "claims nothing" in faults(source)


def test_a_setup_cell_that_readers_see_is_seen(source):
    source.write_text(source.read_text().replace(":tags: [remove-cell]\n", ""))
    pairs.sync(source, source.parents[2])
    assert "remove-cell" in faults(source)


def test_a_picture_without_alternative_text_is_seen(source):
    picture = nbformat.v4.new_output("display_data", {"image/png": "AAAA"})
    change(source, lambda notebook: notebook.cells[-1].outputs.append(picture))
    assert "alternative text" in faults(source)


def test_a_claim_cell_without_output_is_seen(source):
    change(source, lambda notebook: notebook.cells[-1].update(outputs=[]))
    assert "tagged nbval-check-output says nothing" in faults(source)


def test_two_claims_with_one_sentence_are_seen(source):
    facts = {"claim": {"anchor": "claim-it-holds"}}
    shown = nbformat.v4.new_output("display_data", {}, metadata=facts)
    change(source, lambda notebook: notebook.cells[-1].outputs.append(shown))
    assert faults(source) == ""
    change(source, lambda notebook: notebook.cells[-1].outputs.append(shown))
    assert "two claims say the same, and have one address" in faults(source)


def test_another_address_needs_a_sync_and_no_run(source):
    config = source.parents[2] / "_config.yml"
    config.write_text("repository:\n  url: https://github.com/else/where\n")
    assert "the first code cell is not the setup cell" in faults(source)
    pairs.sync(source, source.parents[2])
    assert faults(source) == ""
    assert "github.com/else/where /content/where" in stored_text(source)


def test_a_page_without_setup_cell_is_seen(tmp_path):
    source = make(tmp_path, PAGE.replace("# setup", "# begin"))
    pairs.sync(source, tmp_path)
    assert "begin it with # setup" in faults(source)


def test_a_cell_that_was_not_executed_or_out_of_order_is_seen(source):
    change(source, lambda notebook: notebook.cells[-1].update(execution_count=None))
    assert "not every cell was executed, in order" in faults(source)
    change(source, lambda notebook: notebook.cells[-1].update(execution_count=7))
    assert "not every cell was executed, in order" in faults(source)


def test_a_stored_error_is_seen(source):
    error = nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[])
    change(source, lambda notebook: notebook.cells[2].outputs.append(error))
    assert "an error is stored below 'import sys'" in faults(source)


def test_stored_standard_error_is_seen(source):
    log = output("100%", name="stderr")
    change(source, lambda notebook: notebook.cells[2].outputs.append(log))
    assert "standard error is stored below 'import sys'" in faults(source)


@pytest.mark.parametrize(
    "text",
    [
        "/home/ada/page.py:3: Warning",
        "saved to\n/tmp/a.png",
        "PosixPath('/Users/ada/x.h5')",
        "file:///root/x",
        "PATH=/bin:/work/x",
        "C:\\data\\x.h5",
        "<Axes object at 0x7f1e2d3c>",
    ],
)
def test_what_belongs_to_one_machine_is_seen(source, text):
    change(source, lambda n: n.cells[2].outputs.append(output(text)))
    assert "it differs elsewhere" in faults(source)
    shown = nbformat.v4.new_output("display_data", {"text/html": text})
    change(source, lambda n: n.cells[2].update(outputs=[shown]))
    assert "it differs elsewhere" in faults(source)


@pytest.mark.parametrize(
    "text", ["https://example.org/home/x", "data/tmp/x.h5", "PSNR:\n 3 dB", "A:\nB"]
)
def test_what_is_the_same_everywhere_passes(source, text):
    change(source, lambda n: n.cells[2].outputs.append(output(text)))
    assert faults(source) == ""


def test_a_page_of_prose_needs_no_claim(tmp_path):
    source = make(tmp_path, PAGE.split("```")[0])
    pairs.sync(source, tmp_path)
    assert notebooks.check(source, tmp_path) == []


def test_the_command_goes_on_after_a_failure_and_says_so(
    source, tmp_path, monkeypatch, capsys
):
    broken = make(tmp_path, PAGE.replace("1 + 1", "1 / 0"), "book/broken")
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["notebooks.py", "run", str(broken), str(source)])
    assert notebooks.main() == 1
    shown = capsys.readouterr().out
    assert "page.md: failed; its notebook is as it was" in shown
    assert "s  book/part/page.md" in shown
    assert "s  in all" in shown


def test_an_unknown_page_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["notebooks.py", "check", "nowhere"])
    with pytest.raises(SystemExit):
        notebooks.main()
    assert "expected a page, received" in capsys.readouterr().err
