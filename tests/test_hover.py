import base64
import html
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


def data_of(text):
    return json.loads(re.search(r"\}\)\((\{.*\})\);</script>", text)[1])


def test_points_colours_and_pictures_belong_together(five):
    text = hover_map(*five, numbers=[7, 8, 9, 10, 11])._repr_html_()
    data = data_of(text)
    points = data["points"]
    assert [p[3] for p in points] == [7, 8, 9, 10, 11]
    assert [data["labels"][p[2]] for p in points] == five[2]
    assert points[0][:2] == [20, 780] and points[3][:2] == [1180, 20]  # y goes up
    sheet = base64.b64decode(data["sheet"])
    picture = np.asarray(Image.open(io.BytesIO(sheet)))
    assert picture.shape == (16, 24)  # 3 columns
    assert picture[8 + 4, 8 + 4] == 255 and picture[8:, 8:16].sum() == 255  # number 4
    assert "http" not in text


def test_labels_and_names_cannot_leave_their_places(five):
    places, images, _ = five
    evil = ["</script><script>alert(1)</script>", '"', "&", "\\", "$name"]
    name = "a\"b<c>'d"
    text = hover_map(places, images, evil, name=name)._repr_html_()
    assert text.count("<script>") == text.count("</script>") == 1
    assert "<c>" not in text and f'id="{html.escape(name)}"' in text
    data = data_of(text)
    assert data["name"] == name and sorted(data["labels"]) == sorted(evil)


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
