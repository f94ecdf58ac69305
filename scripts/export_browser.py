"""What the page *Try it* takes from Python: a trained network, and ready objects.

    python scripts/export_browser.py

Writes weights.js and objects.js into book/_static/try. The network is trained, or
loaded, by `srtools.tutorial.many_views`; the objects are drawn by `srtools.phantoms`,
and the tooth is a slice of the measured one.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from srtools.datasets import fetch  # noqa: E402
from srtools.phantoms import (  # noqa: E402
    circle,
    grains,
    packed_particles,
    random_shapes,
    shepp_logan,
)
from srtools.scan import find_axis, read_scan, remove_rings  # noqa: E402
from srtools.tomography import ParallelBeam  # noqa: E402
from srtools.tutorial import (  # noqa: E402
    many_views_key,
    tv_many_views,
    unet_many_views,
)

SIZE = 64
FOLDER = ROOT / "book" / "_static" / "try"
HEAD = "// Written by scripts/export_browser.py.\n"
SEED = 3  # of the objects: none of them is among the training pairs


def letters() -> np.ndarray:
    """Write the equation of tomography, A x = y, on two lines."""
    image = Image.new("L", (SIZE, SIZE))
    font = ImageFont.load_default(28)
    for text, y in (("Ax", 18), ("=y", 44)):
        ImageDraw.Draw(image).text((SIZE / 2, y), text, 230, font, anchor="mm")
    return np.asarray(image, np.float32) / 255


def tooth() -> np.ndarray:
    """Reconstruct the first slice of the measured tooth, coarsely, from 0 to 1."""
    scan = read_scan(fetch("tooth"))
    scan = scan.corrected(axis=find_axis(scan)).corrected(remove_rings)
    beam = ParallelBeam(SIZE, scan.angles, 640, detector_spacing=0.17, axis=scan.axis)
    image = beam.fbp(scan.sinograms(0), filter="hann")[0, :, :, 0]
    return np.clip(image / np.quantile(image, 0.999), 0, 1)


def objects() -> dict[str, np.ndarray]:
    """Return the ready objects, by name: float arrays (64, 64), from 0 to 1."""
    drawn = {
        draw.__name__: draw(1, SIZE, rng=np.random.default_rng(SEED))[0, :, :, 0]
        for draw in (random_shapes, packed_particles, grains)
    }
    return {
        "shapes": drawn["random_shapes"],
        "head": shepp_logan(SIZE)[0, :, :, 0],
        "tooth": tooth(),
        "particles": drawn["packed_particles"],
        "grains": drawn["grains"],
        "letters": letters(),
    }


def main() -> None:
    """Train or load the network, and write both files."""
    model, training = unet_many_views()
    print(training)
    values = [np.asarray(w, np.float16) for w in model.get_weights()]
    for short, w in zip(values, model.get_weights(), strict=True):
        assert (short == w).all(), "expected weights in half precision"
    network = {
        "key": many_views_key(),
        "tvWeight": float(f"{tv_many_views():.3g}"),
        "shapes": {w.path: list(w.shape) for w in model.weights},
        "values": packed(np.concatenate([v.ravel() for v in values])),
    }
    write("weights.js", "NETWORK", network)
    images = {
        name: packed(np.round(image * circle(SIZE) * 255).astype(np.uint8))
        for name, image in objects().items()
    }
    write("objects.js", "OBJECTS", images)


def packed(values: np.ndarray) -> str:
    """Return the bytes of an array, little-endian, as text."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<"))).decode()


def write(name: str, constant: str, value) -> None:
    """Write a JavaScript file that defines one constant."""
    text = json.dumps(value, indent=1)
    (FOLDER / name).write_text(f'{HEAD}"use strict";\nconst {constant} = {text};\n')


if __name__ == "__main__":
    main()
