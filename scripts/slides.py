"""The figures of a page as slides: PNG, SVG, and one page of HTML that shows them.

A figure carries its title, its caption and its alternative text along, inside of both
files: who puts it into a talk has them at hand.
"""

import base64
import html
import io
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
from PIL import Image
from PIL.PngImagePlugin import PngInfo

# The first cell of the copy that is executed: fine pictures, and drawings.
FORMATS = "%config InlineBackend.figure_formats = {'retina', 'svg'}"
FRAME = re.compile(r'frames\[\d+\] = "data:image/png;base64,(.*?)"', re.DOTALL)
SLIDES = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
html {{ scroll-snap-type: y mandatory; font-family: sans-serif }}
body {{ margin: 0 }}
section {{ height: 100vh; box-sizing: border-box; padding: 3vh 5vw; display: flex;
  flex-direction: column; scroll-snap-align: start; break-after: page }}
h2 {{ margin: 0 0 2vh }} p {{ margin: 2vh 0 0; color: #444 }}
img {{ flex: 1; min-height: 0; object-fit: contain }}
</style>
{sections}</html>
"""
SECTION = (
    '<section><h2>{title}</h2><img src="{name}.svg" alt="{alt}">{caption}</section>'
)


@dataclass(frozen=True)
class Figure:
    """What a cell of a page draws."""

    title: str
    caption: str
    alt: str
    png: bytes
    svg: str


def figures(notebook) -> list[Figure]:
    """Return the figures of an executed notebook; a title is the heading above.

    Of an animation it is the last frame.
    """
    found, title = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^#+ (.*)$", cell.source, re.MULTILINE):
                title = heading.replace("`", "")
            continue
        shown = cell.metadata.get("mystnb", {})
        alt = shown.get("image", {}).get("alt", "")
        caption = shown.get("figure", {}).get("caption", "")
        for output in cell.get("outputs", []):
            png, svg = _pictures(output.get("data", {}))
            if png:
                svg = _labelled(svg or _framed(png), title, alt)
                found.append(Figure(title, caption, alt, png, svg))
    return found


def _pictures(data):
    frames = FRAME.findall(data.get("text/html", ""))
    code = frames[-1].replace("\\\n", "") if frames else data.get("image/png")
    return code and base64.b64decode(code), data.get("image/svg+xml", "")


def _framed(png):
    """An SVG around a picture that has no drawing."""
    width, height = Image.open(io.BytesIO(png)).size
    code = base64.b64encode(png).decode()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" '
        f'href="data:image/png;base64,{code}"/></svg>'
    )


def _labelled(svg, title, alt):
    label = f"<title>{html.escape(title)}</title><desc>{html.escape(alt)}</desc>"
    return re.sub(r"<svg\b[^>]*>", lambda tag: tag[0] + label, svg, count=1)


def export(source: Path, folder: Path) -> int:
    """Execute a copy of a page; write its figures into a folder, and return how many.

    What the folder held before is replaced, once the page has succeeded.
    """
    from pairs import derive, execute

    notebook = derive(source)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(FORMATS))
    execute(notebook, source.parent)
    return write(figures(notebook), notebook.cells, folder)


def write(found: list[Figure], cells, folder: Path) -> int:
    """Write figures, and the page of HTML that shows them, into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sections = []
    for number, figure in enumerate(found, 1):
        words = re.sub(r"\W+", "_", figure.title.lower()).strip("_")
        name = f"{number:02}_{words}"
        (folder / f"{name}.svg").write_text(figure.svg, encoding="utf-8")
        told = PngInfo()
        for key, text in (("Title", figure.title), ("Description", figure.alt)):
            told.add_itxt(key, text)
        picture = Image.open(io.BytesIO(figure.png))
        picture.save(folder / f"{name}.png", pnginfo=told)
        caption = f"<p>{html.escape(figure.caption)}</p>" if figure.caption else ""
        labels = {"title": html.escape(figure.title), "alt": html.escape(figure.alt)}
        sections.append(SECTION.format(name=name, caption=caption, **labels))
    first = next(c.source for c in cells if c.cell_type == "markdown")
    title = re.search(r"^# (.*)$", first, re.MULTILINE)
    text = SLIDES.format(
        title=html.escape(title[1] if title else folder.name),
        sections="\n".join(sections),
    )
    (folder / "slides.html").write_text(text, encoding="utf-8")
    return len(found)
