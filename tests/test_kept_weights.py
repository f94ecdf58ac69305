"""Weights that are kept: rounded, packed, refused where they do not fit, shipped."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from small_network import X, train

from srtools import weights
from srtools.models import pretrained, zoo

pytestmark = [pytest.mark.any_backend, pytest.mark.usefixtures("folder")]


def test_weights_are_rounded_before_anyone_sees_them():
    model, _ = train()
    for values in model.get_weights():
        assert np.array_equal(values, values.astype("float16").astype("float32"))
        assert not (values.view("uint32") & 0xFFFF).any()  # eight binary digits


def test_rounding_goes_to_the_nearest_and_keeps_what_float16_cannot_hold():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(4)(inputs))
    exact = np.array([[1 / 3, -1e5, 257, 259]], "float32")
    model.set_weights([exact, np.zeros(4, "float32")])
    weights.halve(model)
    found = model.get_weights()[0]
    assert np.allclose(found, exact, rtol=2**-8)
    assert found[0].tolist()[2:] == [256, 260]  # both lie midway: to the even one


@pytest.mark.parametrize(
    ("shape", "parts"),
    [((400, 300), 8), ((3, 3, 16, 16), 32), ((50, 40), 32)],
)
def test_kernels_are_rounded_to_a_grid(shape, parts):
    values = np.random.default_rng(0).normal(size=shape).astype("float32")
    found = weights.store._half(values).astype("float32")
    assert np.unique(found * parts % 1).tolist() == [0]
    assert np.abs(found - values).max() <= 0.5 / parts
    assert (weights.store._half(found) == found).all()
    assert not weights.store._half(np.zeros(shape, "float32")).any()


def test_small_arrays_keep_eight_digits():
    values = np.random.default_rng(0).normal(size=(30, 30)).astype("float32")
    found = weights.store._half(values).astype("float32")
    assert np.unique(found * 32 % 1).size > 1
    assert np.allclose(found, values, rtol=2**-8)


def test_the_archive_of_a_network_is_packed(folder):
    train(x=np.zeros_like(X))
    (path,) = folder.glob("*.keras")
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            assert part.compress_type == zipfile.ZIP_BZIP2, part.filename


def test_weights_exchanged_between_two_networks_are_refused(folder):
    train()
    train(units=5, name="other")
    one, two = sorted(folder.glob("*.keras"))
    one.write_bytes(two.read_bytes())
    assert one.name.startswith("other")
    with pytest.raises(ValueError, match=rf"{one.name}: expected SHA-256 .* remove"):
        train(units=5, name="other")


def test_weights_of_another_architecture_are_refused(folder):
    train()
    other, _ = train(units=5, name="other")
    (path,) = folder.glob("small*.keras")
    with pytest.raises(ValueError, match=r"expected small with 16 parameters, saved"):
        weights.load_weights(other, path, weights.read_card(path))


def test_truncated_weights_are_refused_by_name(folder):
    train()
    (path,) = folder.glob("*.keras")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"{path.name}: expected SHA-256"):
        train()


def test_a_card_without_weights_is_refused_by_name(folder, fits):
    train()
    (path,) = folder.glob("*.keras")
    path.unlink()
    with pytest.raises(ValueError, match=r"small-\w+\.keras: expected the weights of "):
        train()


def test_weights_without_a_card_are_of_a_training_that_was_killed(folder, fits):
    train()
    (path,) = folder.glob("*.keras")
    path.with_suffix(".json").unlink()
    train()
    assert len(fits) == 2 and path.with_suffix(".json").exists()


@pytest.fixture
def shipped(monkeypatch, tmp_path, folder):
    """A package that comes with one small network."""
    train()
    (path,) = folder.glob("*.keras")
    place = tmp_path / "weights"
    place.mkdir()
    for file in (path, path.with_suffix(".json")):
        file.rename(place / f"small{file.suffix}")
    monkeypatch.setattr(weights, "SHIPPED", place)
    monkeypatch.setattr(zoo, "SHIPPED", place)
    return place


def test_weights_of_the_package_are_found_first(shipped, fits):
    _, training = train()
    assert training.loaded and not fits


def test_training_in_front_of_the_reader_passes_over_them(shipped, fits, monkeypatch):
    monkeypatch.setenv("SRTOOLS_TRAIN", "1")
    _, training = train()
    assert not training.loaded and len(fits) == 1


def test_other_settings_do_not_find_them(shipped, fits):
    _, training = train(rate=0.02)
    assert not training.loaded


def test_what_was_tuned_is_found_without_keras():
    code = "import sys, numpy as np; from srtools.tutorial import tuned; import srtools"
    code += (
        "; from srtools.tutorial.keeping import kept_file; kept_file('x', 'y', '.json')"
    )
    code += "; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_pretrained_network_predicts_as_the_trained_one(shipped):
    expected, _ = train()
    model, card = pretrained("small")
    assert np.allclose(model.predict_on_batch(X), expected.predict_on_batch(X))
    assert card.taught_in["input"] == pytest.approx([X.min(), X.max()])
    assert "<th>taught in</th>" in card._repr_html_()


def written_by(shipped, name, change):
    """Let a Keras of another version have written a network: a part of it differs."""
    path, card = shipped / "small.keras", shipped / "small.json"
    with zipfile.ZipFile(path) as file:
        parts = {part: file.read(part) for part in file.namelist()}
    parts[name] = change(parts[name])
    with zipfile.ZipFile(path, "w") as file:
        for part, content in parts.items():
            file.writestr(part, content)
    told = json.loads(card.read_text()) | {"versions": "keras 9.8.7 on tensorflow"}
    told["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    card.write_text(json.dumps(told))


def test_a_network_of_another_keras_is_refused_by_both_versions(shipped):
    def unknown(config):
        return config.replace(b'"units": 4', b'"units": 4, "of_next_year": 1')

    written_by(shipped, "config.json", unknown)
    both = r"small\.keras: expected small with 16 parameters, saved by keras 9\.8\.7 "
    both += rf"on tensorflow; this is keras {keras.__version__} \("
    with pytest.raises(ValueError, match=both):
        pretrained("small")


def test_weights_of_another_keras_are_refused_by_both_versions(shipped, fits):
    def unnamed(weights):
        with (
            h5py.File(io.BytesIO(weights), "r") as old,
            h5py.File(new := io.BytesIO(), "w") as f,
        ):
            old.copy(old["layers"], f, "parts")
        return new.getvalue()

    written_by(shipped, "model.weights.h5", unnamed)
    both = rf"saved by keras 9\.8\.7 on tensorflow; this is keras {keras.__version__}"
    with pytest.raises(ValueError, match=both):
        train()
    assert not fits


def test_an_unknown_network_is_answered_with_the_nearest(shipped):
    with pytest.raises(
        KeyError, match=r"expected one of small, .*did you mean 'small'"
    ):
        pretrained("smal")


def test_what_comes_with_the_package_is_whole_and_small():
    networks = list(weights.SHIPPED.glob("*.keras"))
    assert networks
    for network in networks:
        card = weights.read_card(network)
        weights.check_file(network, card)
        assert card.metrics["test"], network
        with zipfile.ZipFile(network) as file:
            config = file.read("config.json").decode()
        # Colab's Keras does not know them.
        assert not [n for n in ('"input_axes"', '"renorm"') if n in config], network
    files = [f for f in weights.SHIPPED.iterdir() if f.suffix in (".keras", ".json")]
    assert sum(file.stat().st_size for file in files) < 12e6


@pytest.mark.parametrize("name", ["fbp_unet", "vae_spatial", "unet_denoiser"])
def test_a_network_of_the_package_is_ready_for_data(name):
    model, card = pretrained(name)
    sides = [32 if side == "any" else side for side in card.architecture["input"]]
    assert np.isfinite(model.predict_on_batch(np.zeros((1, *sides)))).all()
