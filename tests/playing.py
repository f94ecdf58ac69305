"""What the page of the playable tomograph holds, for the tests of its parts."""

import base64
import functools
import json
import re
from pathlib import Path

import numpy as np

from srtools.models import unet
from srtools.phantoms import random_shapes, shepp_logan
from srtools.tomography import ParallelBeam

BOOK = Path(__file__).parents[1] / "book"
TRY = BOOK / "_static" / "try"


def constant(name, file):
    """The value of the constant that a written JavaScript file defines."""
    text = (TRY / file).read_text()
    return json.loads(text.split(f"const {name} = ")[1].removesuffix(";\n"))


@functools.cache
def trained_network():
    """The U-Net of the page, in Keras, with the weights of the page."""
    network = constant("NETWORK", "weights.js")
    model = unet((64, 64, 1), residual=True)
    assert {w.path: list(w.shape) for w in model.weights} == network["shapes"]
    values = np.frombuffer(base64.b64decode(network["values"]), "<f2")
    sizes = np.cumsum([np.prod(w.shape) for w in model.weights])
    assert sizes[-1] == len(values)
    parts = np.split(values.astype(np.float32), sizes[:-1])
    pairs = zip(parts, model.weights, strict=True)
    model.set_weights([part.reshape(w.shape) for part, w in pairs])
    return model


@functools.cache
def fixed_inputs():
    """FBP images of few, some and many views, and what Keras makes of them."""
    images = np.concatenate(
        [random_shapes(2, 64, rng=np.random.default_rng(2)), shepp_logan(64)]
    )
    drafts = []
    for views, image in zip((5, 20, 90), images, strict=True):
        beam = ParallelBeam(64, np.linspace(0, 180, views, endpoint=False))
        drafts.append(beam.fbp(beam.project(image[None]), filter="hann")[0])
    return drafts, trained_network()(np.stack(drafts)).numpy()


def stages():
    """What the buttons of the page set: the object and the controls, by their words."""
    text = (BOOK / "try.md").read_text()
    buttons = re.findall(r'class="try-stage" (.*?)>(.*?)</button>', text)
    return {words: dict(re.findall(r'data-(\w+)="(\S+)"', s)) for s, words in buttons}
