import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from srtools.inspection import hover_map


@pytest.fixture
def five():
    images = np.zeros((5, 8, 8, 1))
    for i, image in enumerate(images):
        image[i, i] = 1
    places = np.array([(0, 0), (2, 0), (0, 4), (2, 4), (1, 2)])
    return places, images, ["b", "a", "a", "b", "<i>"]


def test_points_colours_and_pictures_belong_together(five):
    text = hover_map(*five, numbers=[7, 8, 9, 10, 11])._repr_html_()
    points = json.loads(re.search(r"points = (\[\[.*?\]\])", text)[1])
    assert [p[3] for p in points] == [7, 8, 9, 10, 11]
    assert [p[2] for p in points] == [2, 1, 1, 2, 0]
    assert points[0][:2] == [20, 780] and points[3][:2] == [1180, 20]  # y goes up
    sheet = base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])
    picture = np.asarray(Image.open(io.BytesIO(sheet)))
    assert picture.shape == (16, 24)  # 3 columns
    assert picture[8 + 4, 8 + 4] == 255 and picture[8:, 8:16].sum() == 255  # number 4
    assert "<i>" not in text and "http" not in text


def test_errors(five):
    places, images, labels = five
    with pytest.raises(ValueError, match=r"shape \(n, 2\), received \(5, 3\)"):
        hover_map(np.zeros((5, 3)), images, labels)
    with pytest.raises(ValueError, match=r"5 square images, .* \(5, 8, 7, 1\)"):
        hover_map(places, images[:, :, :7], labels)
    with pytest.raises(ValueError, match="4 labels"):
        hover_map(places, images, labels[:4])
    with pytest.raises(ValueError, match="finite places"):
        hover_map(places * np.nan, images, labels)
