"""Figures leave a page with their titles and texts; participants see no solutions."""

import base64
import io
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import pairs  # noqa: E402
import slides  # noqa: E402

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

## A line & a curve

```{code-cell} ipython3
---
mystnb: {image: {alt: A line that rises.}, figure: {caption: It <rises>.}}
---
import matplotlib.pyplot as plt

plt.plot([0, 1]);
```

## Exercises

1. **One.** Why?

   <details><summary>Solution</summary>

   ```python
   1 + 1
   ```
   </details>

2. **Two.** How?

   <details><summary>Solution</summary>

   So.
   </details>

## Summary

<details><summary>More</summary>stays</details>
"""


@pytest.fixture
def page(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "_config.yml").write_text("repository: {url: https://a.org/b/c}\n")
    source = tmp_path / "book" / "page.md"
    source.write_text(PAGE)
    return source


def test_a_page_becomes_slides(page, tmp_path):
    folder = tmp_path / "figures"
    assert slides.export(page, folder) == 1
    names = ["01_a_line_a_curve.png", "01_a_line_a_curve.svg", "slides.html"]
    assert sorted(f.name for f in folder.iterdir()) == names
    picture = Image.open(folder / names[0])
    assert picture.text["Title"] == "A line & a curve"
    assert picture.text["Description"] == "A line that rises."
    assert picture.width > 700  # fine enough for a screen
    drawn = (folder / names[1]).read_text()
    assert "<title>A line &amp; a curve</title><desc>A line that rises.</desc>" in drawn
    shown = (folder / "slides.html").read_text()
    assert 'src="01_a_line_a_curve.svg" alt="A line that rises."' in shown
    assert "<p>It &lt;rises&gt;.</p>" in shown and "<title>A page</title>" in shown
    assert not page.with_suffix(".ipynb").exists()  # the page is as it was


def test_a_page_that_fails_leaves_the_slides_as_they_were(page, tmp_path):
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "slides.html").write_text("old")
    page.write_text(PAGE.replace("plt.plot([0, 1]);", "1 / 0"))
    with pytest.raises(pairs.FAILURES, match="ZeroDivisionError"):
        slides.export(page, folder)
    assert (folder / "slides.html").read_text() == "old"


def test_of_an_animation_there_is_the_last_frame():
    frames = []
    for shade in (0, 255):
        file = io.BytesIO()
        Image.new("L", (4, 2), shade).save(file, "PNG")
        code = base64.b64encode(file.getvalue()).decode()
        frames.append(f'frames[{len(frames)}] = "data:image/png;base64,{code}\\\n"')
    output = nbformat.v4.new_output("display_data", {"text/html": "\n".join(frames)})
    cell = nbformat.v4.new_code_cell("", outputs=[output])
    (figure,) = slides.figures(nbformat.v4.new_notebook(cells=[cell]))
    assert Image.open(io.BytesIO(figure.png)).getpixel((0, 0)) == 255
    assert 'viewBox="0 0 4 2"' in figure.svg and "<image" in figure.svg


def test_participants_get_neither_solutions_nor_outputs(page):
    notebook = pairs.for_participants(page)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "Why?" in text and "How?" in text and "stays" in text
    assert "Solution" not in text and "1 + 1" not in text and "So." not in text


def test_no_solution_is_left_on_any_page():
    for source in pairs.pages([], ROOT):
        notebook = pairs.for_participants(source)
        for cell in notebook.cells:
            assert "<summary>Solution" not in cell.source, source
            assert not cell.get("outputs")
