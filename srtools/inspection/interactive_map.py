"""A map of images whose points show their image, in a page that no server serves."""

import base64
import html
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

# Dark enough on white and bright enough on black; apart for colour-blind eyes.
_COLOURS = (
    *("#3b7dd8", "#e08214", "#2ca25f", "#c9308f", "#8c6bb1", "#a6761d", "#17a2b8"),
    *("#7f7f7f", "#d7301f"),
)

_PAGE = """\
<div id="{name}" style="max-width:46rem;font:13px sans-serif;position:relative">
<div>{legend}</div>
<canvas width="1200" height="800" role="img" aria-label="{alt}"
 style="width:100%;touch-action:none;border:1px solid #8888"></canvas>
<div style="display:flex;gap:1em;align-items:center;min-height:104px">
<canvas width="{side}" height="{side}" aria-hidden="true"
 style="width:96px;height:96px;image-rendering:pixelated;background:#000"></canvas>
<span aria-live="polite">Point at the map, or touch it.</span></div></div>
<script>(function () {{
  const box = document.getElementById("{name}");
  const [map, view] = box.querySelectorAll("canvas");
  const text = box.querySelector("span[aria-live]");
  const points = {points}, labels = {labels}, colours = {colours};
  const side = {side}, columns = {columns}, sheet = new Image();
  sheet.src = "data:image/png;base64,{sheet}";
  const pen = map.getContext("2d"), glass = view.getContext("2d");
  function draw(chosen) {{
    pen.clearRect(0, 0, 1200, 800);
    points.forEach(([x, y, kind], i) => {{
      pen.fillStyle = colours[kind % colours.length];
      pen.beginPath();
      pen.arc(x, y, i === chosen ? 13 : 5, 0, 7);
      pen.fill();
    }});
  }}
  function look(event) {{
    const place = map.getBoundingClientRect();
    const x = (event.clientX - place.left) * 1200 / place.width;
    const y = (event.clientY - place.top) * 800 / place.height;
    let best = 0, least = Infinity;
    points.forEach((p, i) => {{
      const far = (p[0] - x) ** 2 + (p[1] - y) ** 2;
      if (far < least) {{ least = far; best = i; }}
    }});
    draw(best);
    glass.drawImage(sheet, (best % columns) * side, Math.floor(best / columns) * side,
      side, side, 0, 0, side, side);
    text.textContent = "number " + points[best][3] + ": " + labels[points[best][2]];
  }}
  map.addEventListener("pointermove", look);
  map.addEventListener("pointerdown", look);
  draw(-1);
}})();</script>"""


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
    return Html(
        _PAGE.format(
            name=html.escape(name),
            legend=legend,
            alt=f"Map of {n} images of the kinds {html.escape(', '.join(names))}",
            points=json.dumps(
                [
                    [int(v) for v in point]
                    for point in zip(x, y, kinds, numbers, strict=True)
                ],
                separators=(",", ":"),
            ),
            labels=json.dumps(names.tolist()).replace("<", "\\u003c"),
            colours=json.dumps(_COLOURS),
            side=side,
            columns=columns,
            sheet=_sheet(images[..., 0], columns),
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
