"""The cheat sheet is one page, is up to date, and its code runs."""

import sys
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import cheat_sheet  # noqa: E402

from srtools.metrics import psnr  # noqa: E402
from srtools.models import fbp_unet  # noqa: E402
from srtools.phantoms import random_shapes  # noqa: E402
from srtools.tomography import ParallelBeam, tune_fbp  # noqa: E402


def test_the_sheet_that_is_stored_is_that_of_its_source():
    stored = cheat_sheet.SHEET.read_bytes()
    advice = "python scripts/cheat_sheet.py"
    assert cheat_sheet.digest().encode() in stored, f"the sheet is older: {advice}"
    assert stored.count(b"/Type /Page\n") + stored.count(b"/Type /Page ") == 1


def test_all_words_are_on_the_page_and_do_not_touch():
    figure = cheat_sheet.draw()
    draw = FigureCanvasAgg(figure).get_renderer()
    page, boxes = figure.bbox, {}
    for text in figure.texts:
        box = text.get_window_extent(draw)
        assert page.x0 < box.x0 and box.x1 < page.x1, text.get_text()
        assert page.y0 + 20 < box.y0 and box.y1 < page.y1, text.get_text()
        for words, other in boxes.items():
            same_line = abs(box.y0 - other.y0) < 3
            apart = box.x1 < other.x0 or other.x1 < box.x0
            assert apart or not same_line, f"{text.get_text()!r} touches {words!r}"
        boxes[text.get_text()] = box
    plt.close(figure)


@pytest.mark.filterwarnings("ignore")
def test_its_code_runs(capsys):
    keras.utils.set_random_seed(0)
    size, n_views = 16, 12
    x = random_shapes(24, size, rng=np.random.default_rng(0))
    y = ParallelBeam(size, np.linspace(0, 180, n_views, endpoint=False)).project(x)
    train, val, test = slice(0, 16), slice(16, 20), slice(20, None)
    code = cheat_sheet.CODE.replace("epochs=5", "epochs=1, verbose=0")
    names = dict(np=np, ParallelBeam=ParallelBeam, tune_fbp=tune_fbp, psnr=psnr)
    names |= dict(fbp_unet=fbp_unet, size=size, n_views=n_views, x=x, y=y)
    exec(code, names | dict(train=train, val=val, test=test))
    first, second = capsys.readouterr().out.strip().splitlines()[-2:]
    assert len(first.split()) == 2 and 0 < float(second)
