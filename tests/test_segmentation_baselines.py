"""Scenes in which only the surroundings of a pixel tell what it is."""

import numpy as np
import pytest
from learning import holds, seeded

from srtools.metrics import dice
from srtools.segmentation import (
    boosted_trees,
    fit_trees,
    otsu,
    otsu_levels,
    pixel_features,
    random_forest,
    sample_pixels,
    tree_probabilities,
    tune_otsu,
    tune_threshold,
    tune_trees,
)


def scenes(n, seed, noise=0.1):
    """Bands of three grey levels; the middle one is class 1."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.array([0, 1, 2, 1]), 12)[None, :, None]
    labels = np.broadcast_to(labels, (n, 48, 40))
    return 0.5 * labels + noise * rng.standard_normal(labels.shape), labels == 1


def textures(n, seed):
    """The same grey values on average; the right half is rough."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((n, 40, 48), int)
    labels[:, :, 24:] = 1
    return np.where(labels, 1.0, 0.2) * rng.standard_normal(labels.shape), labels


def test_levels_follow_the_histogram_of_the_image_or_of_another():
    images, masks = scenes(1, seed=0)
    levels = otsu_levels(images[0], 2, blur=1)
    assert set(levels[:11].ravel()) == {0} and set(levels[25:35].ravel()) == {2}
    assert dice(masks[0], levels == 1) > 0.9
    assert set(np.unique(otsu_levels(images[0], 1))) == {0, 1}
    brighter = images[0] + 0.5
    np.testing.assert_array_equal(otsu_levels(brighter, 2, blur=1), levels)
    shifted = otsu_levels(brighter, 2, 1, like=images[0])
    assert set(shifted[:11].ravel()) == {1} and set(shifted[13:23].ravel()) == {2}


def test_an_empty_image_has_one_level():
    image = scenes(1, seed=0)[0][0]
    for n in (1, 2):
        assert not otsu_levels(np.full((8, 8), 0.7), n).any()
    assert not otsu_levels(image, 1, like=np.zeros((8, 8))).any()


def test_levels_of_another_type_are_refused():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    with pytest.raises(ValueError, match="type of the image, uint8, received float64"):
        otsu_levels(image, 1, like=image / 255)
    assert otsu_levels(image, 1, like=image[:4]).any()


def test_tuned_thresholds_find_the_class_between_two_others():
    images, masks = scenes(2, seed=0)
    best = tune_otsu(images, masks)
    assert best["n_thresholds"] >= 2
    assert (best["first"], best["last"]) == (1, best["n_thresholds"] - 1)
    images, masks = scenes(2, seed=1)
    assert dice(masks, otsu(images, **best)) > 0.85
    plain = {"blur": 0, "n_thresholds": 1, "first": 1, "last": 1}
    assert dice(masks, otsu(images, **plain)) < 0.75


def test_fewer_scales_are_the_first_of_more():
    image = textures(1, seed=0)[0][0]
    few, many = pixel_features(image, 3), pixel_features(image, 5)
    assert many.shape == (image.size, 20)
    np.testing.assert_array_equal(few, many[:, :12])


def test_pixels_are_drawn_with_their_labels():
    images, labels = textures(3, seed=0)
    x, y = sample_pixels(images, labels, 50, n_scales=2, rng=np.random.default_rng(0))
    assert x.shape == (150, 8) and y.shape == (150,)
    for k in range(3):
        everything = pixel_features(images[k], 2)
        for features, label in zip(x[50 * k :][:50], y[50 * k :][:50], strict=True):
            (place,) = np.flatnonzero((everything == features).all(axis=1))
            assert labels[k].ravel()[place] == label


def score(labels, chances):
    return dice(labels, chances[:, 1] > 0.5)


FEW = {random_forest: {"n_estimators": 10}, boosted_trees: {"max_iter": 20}}


@pytest.mark.training
@pytest.mark.parametrize("build", FEW)
def test_trees_tell_textures_apart_where_thresholds_cannot(build):
    seed = 3 * seeded()
    rng = np.random.default_rng(seed)
    train = sample_pixels(*textures(2, seed), 300, n_scales=2, rng=rng)
    trees = fit_trees(build, train, 2, **FEW[build])
    images, truth = textures(4, seed + 2)
    chances = np.stack([tree_probabilities(trees, image) for image in images])
    assert chances.shape == (4, 40, 48, 2)
    np.testing.assert_allclose(chances.sum(-1), 1)
    holds("Dice of the trees", dice(truth, chances[..., 1] > 0.5), at_least=0.8)
    best = tune_otsu(*textures(4, seed + 1))
    holds("Dice of thresholds", dice(truth, otsu(images, **best)), at_most=0.75)


@pytest.mark.training
@pytest.mark.parametrize("build", FEW)
def test_in_noise_tuning_takes_the_scales_and_leaves_that_it_needs(build):
    seed = 3 * seeded()
    rng = np.random.default_rng(seed)
    train = sample_pixels(*scenes(2, seed, noise=0.5), 300, n_scales=4, rng=rng)
    val = sample_pixels(*scenes(2, seed + 1, noise=0.5), 500, n_scales=4, rng=rng)
    grid = {"min_samples_leaf": (500, 3), **{k: [v] for k, v in FEW[build].items()}}
    best = tune_trees(build, train, val, score, n_scales=(1, 4), **grid)
    assert best == {"n_scales": 4, "min_samples_leaf": 3, **FEW[build]}
    trees = fit_trees(build, train, **best)
    images, masks = scenes(4, seed + 2, noise=0.5)
    found = [tree_probabilities(trees, image)[..., 1] > 0.5 for image in images]
    holds("Dice on new images", dice(masks, np.stack(found)), at_least=0.8)


@pytest.mark.training
@pytest.mark.parametrize("build", FEW)
def test_trees_use_the_columns_they_were_given(build):
    rng = np.random.default_rng(seeded())
    labels = rng.integers(0, 2, 2_000)
    features = np.stack([rng.random(2_000), labels], axis=1)
    blind = build([0], **FEW[build]).fit(features[:100], labels[:100])
    seeing = build([1], **FEW[build]).fit(features[:100], labels[:100])
    assert seeing.score(features[100:], labels[100:]) == 1
    holds("right by chance", blind.score(features[100:], labels[100:]), at_most=0.7)


def test_the_threshold_with_the_largest_dice_is_chosen():
    truth = np.array([0, 0, 1, 1])
    assert tune_threshold(truth, np.array([0.1, 0.35, 0.45, 0.9])) == 0.4
    chances = np.array([0.1, 0.75, 0.85, 0.9])
    assert tune_threshold(truth, chances, (0.5, 0.8)) == pytest.approx(0.8)
