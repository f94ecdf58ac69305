"""Cut the pictures of the front page out of the figures of the pages.

    python scripts/cards.py

Run it when a page named below was executed: the front page then shows what it shows.
"""

import base64
import io
import sys
from pathlib import Path

import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "book" / "_static" / "cards"
SIZE = 480, 300  # pixels
# Name of the picture: page, number of its figure, and what to cut out of it, as shares
# of width and height: left, top, right, bottom.
CARDS = {
    "own_scan": ("real/own_scan", 4, (0.45, 0.2, 0.8, 0.8)),
    "few_views": ("real/few_views", 4, (0.235, 0.0, 0.679, 0.48)),
    "fusion": ("superresolution/fusion", 0, (0.0, 0.0, 1.0, 1.0)),
    "compare": ("reconstruction/compare", 0, (0.0, 0.0, 0.9, 0.645)),
    "alloy": ("real/alloy", 1, (0.0, 0.0, 0.61, 0.495)),
    "vae": ("denoising/vae", 1, (0.0, 0.0, 0.62, 1.0)),
    "tsne": ("inspection/tsne", 5, (0.0, 0.0, 1.0, 1.0)),
    "tomograms": ("superresolution/tomograms", 1, (0.23, 0.0, 0.912, 0.485)),
    "noise2inverse": ("real/noise2inverse", 0, (0.0, 0.0, 0.73, 0.97)),
}
HERO = "real/noise2inverse", 1  # the large picture, which is shown whole
SIDE = 432  # pixels of the square
# Two parts of it, which a reader slides one over the other.
SLIDER = {
    "before": (0.1919, 0.0651, 0.363, 0.47),
    "after": (0.7359, 0.0651, 0.907, 0.47),
}


def pictures(page: str) -> list[Image.Image]:
    """Return the figures of a page, in order."""
    notebook = nbformat.read(ROOT / "book" / f"{page}.ipynb", as_version=4)
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    drawn = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    return [Image.open(io.BytesIO(base64.b64decode(png))) for png in drawn]


def part_of(picture: Image.Image, box: tuple) -> Image.Image:
    """Cut a part out of a picture."""
    sides = (*picture.size, *picture.size)
    pixels = [round(share * side) for share, side in zip(box, sides, strict=True)]
    return picture.convert("RGB").crop(pixels)


def card(picture: Image.Image, box: tuple) -> Image.Image:
    """Fit a part of a picture on white ground."""
    part = part_of(picture, box)
    scale = min(SIZE[0] / part.width, SIZE[1] / part.height)
    part = part.resize((round(scale * part.width), round(scale * part.height)))
    ground = Image.new("RGB", SIZE, "white")
    ground.paste(part, ((SIZE[0] - part.width) // 2, (SIZE[1] - part.height) // 2))
    return ground


def main() -> int:
    """Write the large picture and all cards."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    page, number = HERO
    hero = pictures(page)[number]
    hero.save(FOLDER.parent / "hero.png")
    for name, box in SLIDER.items():
        part = part_of(hero, box)
        larger = part.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        larger.save(FOLDER.parent / "slider" / f"{name}.png", optimize=True)
    for name, (page, number, box) in CARDS.items():
        card(pictures(page)[number], box).save(FOLDER / f"{name}.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
