"""Reading what others made runs nothing of theirs, and shows their names as text.

Files outside the folder of an HDF5 file: ``test_broken_files.py``.
"""

import html
import json
import re
import zipfile

import keras
import numpy as np
import pytest

from srtools import weights
from srtools.command import networks
from srtools.datasets import load
from srtools.files import open_npy
from srtools.inspection import hover_map
from srtools.metrics import Table
from srtools.models import zoo
from srtools.scan import read_scan
from srtools.segmentation import TiledImage, fit_resumable
from srtools.weights import Card

EVIL = '<script>alert("1")</script>.tif'


class Malicious:
    """Says that it was unpickled by making a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def proof(tmp_path):
    """A file that would be there if code of a file was run."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


def malicious(kind, path, proof):
    """Write a network of Keras whose loading would run code."""
    image = keras.Input((8, 8, 1))
    if kind.startswith("lambda"):
        layer = keras.layers.Lambda(lambda x: x)
    else:
        layer = keras.layers.Activation("relu")
    keras.Model(image, layer(image)).save(path)
    if kind.startswith("lambda"):
        return
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    config = json.loads(parts["config.json"])
    layer = config["config"]["layers"][1]
    foreign = {"os": ("os", "system"), "class": ("subprocess", "Popen")}[kind]
    layer["module"], layer["class_name"] = foreign
    layer["config"] = {"args": ["touch", str(proof)], "command": f"touch {proof}"}
    layer.pop("registered_name", None)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
@pytest.mark.parametrize("kind", ["lambda", "lambda.h5", "os", "class"])
def test_a_network_with_code_in_it_is_refused(tmp_path, monkeypatch, proof, kind):
    path = tmp_path / ("evil.h5" if kind.endswith(".h5") else "evil.keras")
    malicious(kind, path, proof)
    with pytest.raises(ValueError, match=r"evil\.\w+: expected a network"):
        networks._load(str(path))
    if path.suffix == ".h5":
        return
    # also where it stands among the networks of the package, with a card that fits
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setattr(zoo, "check_file", lambda path, card: None)
    monkeypatch.setattr(zoo, "read_card", lambda path: CARD)
    with pytest.raises(ValueError, match=r"evil\.keras: expected"):
        zoo.pretrained("evil")


@pytest.mark.parametrize("kind", ["cut", "changed"])
def test_a_broken_network_is_told_with_its_name(tmp_path, kind):
    path = tmp_path / "a.keras"
    image = keras.Input((8, 8, 1))
    keras.Model(image, keras.layers.Conv2D(2, 3)(image)).save(path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(12):
        data = bytearray(whole)
        for place in rng.integers(len(whole), size=8):
            data[place] = rng.integers(256)
        path.write_bytes(data if kind == "changed" else data[: rng.integers(len(data))])
        try:
            networks._load(str(path))
        except (ValueError, OSError) as error:
            assert "a.keras" in str(error)
        else:
            assert kind == "changed"


CARD = Card(
    **{
        name: EVIL for name in ("name", "key", "hardware", "versions", "date", "commit")
    },
    **{name: {EVIL: EVIL} for name in ("architecture", "data", "fit", "history")},
    metrics={},
    taught_in={"input": [0, 1]},
    seed=0,
    seconds=1.0,
)


def test_a_card_of_something_else_is_refused(tmp_path):
    path = tmp_path / "a.keras"
    for text in ("[]", '{"name": 1}', '{"__class__": "os.system"}'):
        path.with_suffix(".json").write_text(text)
        with pytest.raises(ValueError, match=r"a\.json: expected the card of a netw"):
            weights.read_card(path)


def test_nothing_is_unpickled(tmp_path, proof):
    path = tmp_path / "evil.npy"
    np.save(path, np.array([Malicious(proof)] * 3, object), allow_pickle=True)
    for read in (
        open_npy,
        TiledImage,
        lambda p: read_scan(p, angles=[0, 1, 2]),
        lambda p: load("microct_185", p),
    ):
        with pytest.raises(ValueError, match=r"evil\.npy: expected"):
            read(path)
    np.save(tmp_path / "scan.npy", np.ones((3, 4, 4)))
    with pytest.raises(ValueError, match=r"evil\.npy: expected"):
        read_scan(tmp_path / "scan.npy", angles="evil.npy")
    archive = tmp_path / "evil.npz"
    np.savez(archive, settings=np.array([Malicious(proof)], object), allow_pickle=True)
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.Activation("relu")(image))
    model.compile("sgd", "mse")

    class Data:
        recipe = None

    with pytest.raises(ValueError, match=r"evil\.npz: expected an interrupted"):
        fit_resumable(model, Data(), archive, epochs=1)


def test_what_is_shown_is_text():
    images = np.zeros((2, 8, 8, 1))
    shown = [
        hover_map(np.eye(2), images, [EVIL, "b"], name=EVIL)._repr_html_(),
        CARD._repr_html_(),
        Table({EVIL: EVIL}, {EVIL: ""})._repr_html_(),
    ]
    for text in shown:
        assert html.escape(EVIL) in text
        assert EVIL not in text and not re.search(r"<script>alert", text)
