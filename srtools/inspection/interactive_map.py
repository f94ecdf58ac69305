"""A map of images whose points show their image, in a page that no server serves."""

import base64
import html
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

# Dark enough on white and bright enough on black; apart for colour-blind eyes.
_COLOURS = (
    *("#3b7dd8", "#e08214", "#2ca25f", "#c9308f", "#8c6bb1", "#a6761d", "#17a2b8"),
    *("#7f7f7f", "#d7301f"),
)
_PAGE = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Html:
    """A piece of a page, which notebooks show as such."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


def hover_map(
    places,
    images,
    labels: Sequence[str],
    *,
    numbers: Sequence[int] | None = None,
    name: str = "hover-map",
) -> Html:
    """Draw a map of points that show their image when they are pointed at.

    Everything is inside the piece of HTML that is returned, the images as one PNG, so
    that it works in a static page, offline, and in a notebook.

    Parameters
    ----------
    places : array, shape (n, 2)
        For example from `srtools.inspection.dimension_reducer`.
    images : array, shape (n, size, size, 1)
        Drawn from 0 (black) to their common maximum (white).
    labels : sequence of str
        What each point is; equal labels have one colour.
    numbers : sequence of int, optional
        What to call each point; by default its position.
    name : str
        Identifier of the piece, different for each on a page.

    Returns
    -------
    Html
        About 0.3 kB an image of 32 pixels.

    Raises
    ------
    ValueError
        If the places are not two-dimensional, the images not square, their numbers
        differ, or a value is not finite.
    """
    places, images = np.asarray(places, float), np.asarray(images, np.float32)
    n = len(places)
    numbers = range(n) if numbers is None else numbers
    if places.shape != (n, 2) or not n:
        raise ValueError(f"expected places of shape (n, 2), received {places.shape}")
    side = images.shape[1] if images.ndim == 4 else 0
    if images.shape != (n, side, side, 1) or len(labels) != n or len(numbers) != n:
        raise ValueError(
            f"expected {n} square images, labels and numbers, received images of shape "
            f"{images.shape}, {len(labels)} labels and {len(numbers)} numbers"
        )
    if not (np.isfinite(places).all() and np.isfinite(images).all()):
        raise ValueError("expected finite places and images, received NaN or infinite")

    names, kinds = np.unique(np.asarray(labels, str), return_inverse=True)
    low, high = places.min(axis=0), places.max(axis=0)
    inside = (places - low) / np.maximum(high - low, 1e-9)
    x, y = (inside * [1160, -760] + [20, 780]).round().astype(int).T
    legend = " ".join(
        f'<span style="color:{_COLOURS[i % len(_COLOURS)]}">&#9679;</span>&nbsp;'
        f"{html.escape(label)}&ensp;"
        for i, label in enumerate(names)
    )
    columns = int(np.ceil(np.sqrt(n)))
    points = zip(x, y, kinds, numbers, strict=True)
    data = {
        "name": name,
        "points": [[int(value) for value in point] for point in points],
        "labels": names.tolist(),
        "colours": _COLOURS,
        "side": side,
        "columns": columns,
        "sheet": _sheet(images[..., 0], columns),
    }
    # A label must not end the script that it stands in.
    script = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    kinds = html.escape(", ".join(names))
    return Html(
        _PAGE.substitute(
            name=html.escape(name),
            legend=legend,
            alt=f"Map of {n} images of the kinds {kinds}",
            side=side,
            data=script,
        )
    )


def _sheet(images, columns):
    """All images on one PNG of 16 greys, in base64."""
    n, side, _ = images.shape
    rows = -(-n // columns)
    sheet = np.zeros((rows * columns, side, side), np.uint8)
    sheet[:n] = np.clip(images / (images.max() or 1) * 15, 0, 15).round() * 17
    sheet = sheet.reshape(rows, columns, side, side).swapaxes(1, 2)
    file = io.BytesIO()
    Image.fromarray(sheet.reshape(rows * side, columns * side)).save(
        file, "PNG", optimize=True
    )
    return base64.b64encode(file.getvalue()).decode()
