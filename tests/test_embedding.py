import functools
from urllib.error import URLError

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils
from learning import holds, seeded
from sklearn.metrics import roc_auc_score

from srtools.inspection import NoveltyScore, dimension_reducer, resnet50_features
from srtools.inspection.novelty import _scores_by_the_others
from srtools.phantoms import foam, grains, random_shapes
from srtools.tomography import ParallelBeam, dead_column, gaussian_noise

pytestmark = pytest.mark.any_backend


def kinds(seed):
    """Bright above, or bright below; more so from image to image."""
    images = np.random.default_rng(seed).normal(0, 0.1, (80, 16, 12, 1))
    brightness = np.linspace(1, 3, 40)[:, None, None, None]
    images[:40, :8] += brightness
    images[40:, 8:] += brightness
    return images.astype("float32")


@pytest.fixture(scope="module")
def two_kinds():
    return kinds(seeded())


def same_kind(places):
    """Fraction of points whose nearest neighbour is of the same kind."""
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    kind = np.arange(80) < 40
    return (kind[distances.argmin(axis=1)] == kind).mean()


# In three dimensions t-SNE leaves a point or two astray, on each CPU another one: the
# mean over several sets of images is what can be relied on.
@pytest.mark.training
@pytest.mark.parametrize(("dimensions", "sets"), [(2, 1), (3, 12)])
def test_kinds_separate(dimensions, sets):
    found = []
    for seed in range(sets):
        images = kinds(seeded(4 * seed))
        places = dimension_reducer(images, dimensions, 3, perplexity=10)
        assert places.shape == (80, dimensions) and places.dtype == np.float32
        found.append(same_kind(places))
    holds("nearest neighbours of a kind", np.mean(found), at_least=0.95)


def test_the_same_images_give_the_same_map(two_kinds):
    first, again = (dimension_reducer(two_kinds, 2, 3) for _ in range(2))
    assert np.array_equal(first, again)


@pytest.mark.training
def test_any_network_gives_features(two_kinds):
    image = keras.Input((16, 12, 1))
    halves = keras.layers.AveragePooling2D((8, 12))(image)
    network = keras.Model(image, halves)
    places = dimension_reducer(two_kinds, 2, 2, perplexity=10, features=network)
    holds("nearest neighbours of a kind", same_kind(places), at_least=0.95)
    with pytest.raises(
        ValueError, match=r"at most 2 principal components .* received 3"
    ):
        dimension_reducer(two_kinds, 2, 3, perplexity=10, features=network)


def test_resnet_sees_what_it_was_trained_to_see(monkeypatch, two_kinds):
    seen = []

    class Body(keras.layers.Layer):
        def call(self, x):
            seen.append(x.shape)
            return keras.ops.stop_gradient(x)

    monkeypatch.setattr(keras.applications, "ResNet50", lambda **_: Body())
    network = resnet50_features((16, 12))
    out = network.predict(100 * two_kinds[:3], verbose=0)
    assert seen[0][1:] == (64, 64, 3)
    # preprocessed: 0 ... 255, minus the mean blue, green and red of ImageNet
    means = np.array([103.939, 116.779, 123.68])
    low, high = out.min(axis=(0, 1, 2)), out.max(axis=(0, 1, 2))
    np.testing.assert_allclose(low, -means, atol=6)
    np.testing.assert_allclose(high, 255 - means, atol=6)


@pytest.mark.training
def test_random_resnet_features_separate_kinds(monkeypatch, two_kinds):
    seeded()
    once = functools.cache(keras.applications.ResNet50)
    monkeypatch.setattr(
        keras.applications, "ResNet50", lambda **k: once(**k | {"weights": None})
    )
    assert resnet50_features((16, 12)).output_shape == (None, 2048)
    places = dimension_reducer(
        two_kinds, 2, 10, perplexity=10, features="resnet50", batch_size=40
    )
    holds("nearest neighbours of a kind", same_kind(places), at_least=0.9)


@pytest.mark.parametrize("error", [URLError("no route to host"), TimeoutError("slow")])
def test_resnet_without_network_says_what_to_do(
    monkeypatch, tmp_path, two_kinds, error
):
    def offline(*_, **__):
        raise error

    monkeypatch.setattr(file_utils, "urlretrieve", offline)  # what Keras downloads by
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    message = r"weights of ResNet-50, .*notop.h5, .* cannot be downloaded: .*'pixels'"
    with pytest.raises(ConnectionError, match=message) as caught:
        dimension_reducer(two_kinds, features="resnet50")
    assert str(error.args[0]) in str(caught.value)


def test_a_file_of_weights_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"weights=nowhere\.weights\.h5"):
        resnet50_features((16, 12), weights="nowhere.weights.h5")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sinograms": np.ones((80, 16, 12, 1))}, r"80 times the same"),
        ({"sinograms": np.ones((80, 16, 12))}, r"\(n, height, width, 1\), received"),
        ({"sinograms": np.full((80, 4, 4, 1), np.nan)}, r"finite images"),
        ({"perplexity": 80}, r"below the 80 images, received 80"),
        ({"n_components_pca": 100}, r"at most 80 principal components .* received 100"),
        ({"n_components_tsne": 4}, r"2 or 3, received 4"),
        ({"features": "vgg"}, r"keras.Model, received 'vgg'"),
    ],
)
def test_bad_input(two_kinds, change, message):
    with pytest.raises(ValueError, match=message):
        dimension_reducer(**{"sinograms": two_kinds, "perplexity": 10} | change)


@pytest.fixture(scope="module")
def scans():
    beam = ParallelBeam(24, np.arange(12) * 15)
    rng = np.random.default_rng(0)

    def scan(draw, n):
        clean = beam.project(draw(n, 24, rng=rng))
        return gaussian_noise(clean, 2, rng=rng, largest=12)

    return scan


@pytest.fixture(scope="module")
def novelty(scans):
    score = NoveltyScore(n_components=30, false_alarm_rate=0.1)
    return score.fit(scans(random_shapes, 1500), scans(random_shapes, 500))


def test_the_score_knows_strangers(scans, novelty):
    familiar = scans(random_shapes, 200)
    strange = {
        "grains": scans(grains, 50),
        "foam": scans(foam, 50),
        "dead column": dead_column(familiar, rng=np.random.default_rng(1)),
        "empty scan": scans(lambda n, size, rng: np.zeros((n, size, size, 1)), 50),
    }
    base = novelty.score(familiar)
    for name, images in strange.items():
        truth = np.repeat([0, 1], [len(base), len(images)])
        scores = np.append(base, novelty.score(images))
        assert roc_auc_score(truth, scores) > 0.9, name


@pytest.mark.parametrize("n", [20, 50, 200])
def test_false_alarms_come_at_the_stated_rate(n):
    rng = np.random.default_rng(n)
    mix = rng.standard_normal((6, 40))

    def draw(n):
        values = rng.standard_normal((n, 6)) @ mix + rng.standard_normal((n, 40)) / 5
        return values.reshape(n, 8, 5, 1)

    training, rates = draw(200), []
    for _ in range(100):
        score = NoveltyScore(n_components=8).fit(training, draw(n))
        rates.append(score.flag(draw(100)).mean())
    mean, error = np.mean(rates), np.std(rates) / 10
    assert 0.025 < mean < 0.05 + 3 * error


def test_the_score_by_the_others_leaves_each_one_out():
    values = np.random.default_rng(0).gamma(1, size=(12, 4))
    found = _scores_by_the_others(values)
    for i, value in enumerate(values):
        others = np.delete(values, i, axis=0)
        away = value - others.mean(axis=0)
        expected = away @ np.linalg.solve(np.cov(others.T), away)
        assert found[i] == pytest.approx(expected, rel=1e-3)


def test_score_of_one_image_does_not_depend_on_the_others(scans, novelty):
    images = scans(random_shapes, 5)
    alone = [novelty.score(image[None])[0] for image in images]
    np.testing.assert_allclose(novelty.score(images), alone, rtol=1e-4)
    assert novelty.statistics(images).shape == (5, len(NoveltyScore.STATISTICS))


def test_bad_input_of_the_score(scans, novelty):
    some = scans(random_shapes, 40)
    with pytest.raises(ValueError, match=r"between 0 and 1, received 1"):
        NoveltyScore(false_alarm_rate=1)
    with pytest.raises(ValueError, match=r"call fit first"):
        NoveltyScore().score(some)
    with pytest.raises(ValueError, match=r"fewer than 40 principal .* received 50"):
        NoveltyScore().fit(some, some)
    with pytest.raises(ValueError, match=r"at least 99 calibration .* received 40"):
        NoveltyScore(n_components=5, false_alarm_rate=0.01).fit(some, some)
    with pytest.raises(ValueError, match=r"at least 19 calibration .* received 18"):
        NoveltyScore(n_components=5).fit(some, some[:18])
    assert NoveltyScore(n_components=5).fit(some, some[:19]).threshold > 0
    with pytest.raises(ValueError, match=r"40 times the same"):
        NoveltyScore(n_components=5).fit(np.ones_like(some), some)
    with pytest.raises(ValueError, match=r"shape \(n, 24, 12, 1\), received"):
        novelty.score(some[:, :20])
    with pytest.raises(ValueError, match=r"finite"):
        novelty.score(some * np.nan)


def test_a_fit_that_fails_leaves_no_half_of_one():
    images = np.random.default_rng(0).random((40, 8, 8, 1))
    score = NoveltyScore(n_components=5, false_alarm_rate=0.1)
    with pytest.raises(ValueError, match=r"shape \(8, 8, 1\).*received \(4, 4, 1\)"):
        score.fit(images, images[:, :4, :4])
    with pytest.raises(ValueError, match="fit"):
        score.score(images)
