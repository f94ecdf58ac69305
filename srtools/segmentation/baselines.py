"""What a segmentation network has to beat: trees of features of each pixel.

As a network's are, their choices are made on validation images.
"""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np
from skimage.feature import multiscale_basic_features
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits

OF_A_SCALE = 4  # features of a scale: intensity, edge, and two of texture


def pixel_features(image, n_scales: int = 8) -> np.ndarray:
    """Describe each pixel by its surroundings: intensity, edges and texture.

    Parameters
    ----------
    image : array, shape (height, width)
    n_scales : int
        Gaussian filters of 0.5, 1, 2, ... pixels.

    Returns
    -------
    float32 array, shape (height * width, 4 * n_scales)
        Fine scales first.
    """
    found = multiscale_basic_features(
        image, sigma_min=0.5, sigma_max=0.5 * 2 ** (n_scales - 1)
    )
    return found.reshape(-1, found.shape[-1])


def sample_pixels(
    images, labels, n: int, *, n_scales: int = 8, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw pixels of each image at random.

    Parameters
    ----------
    images, labels : sequences of arrays, shape (height, width)
    n : int
        Pixels of each image.
    n_scales : int
        As in `pixel_features`.
    rng : numpy.random.Generator

    Returns
    -------
    features : float32 array, shape (n_images * n, 4 * n_scales)
    labels : array, shape (n_images * n,)
    """
    picks = [rng.choice(image.size, n, replace=False) for image in images]
    x = [
        pixel_features(image, n_scales)[pick]
        for image, pick in zip(images, picks, strict=True)
    ]
    y = [label.ravel()[pick] for label, pick in zip(labels, picks, strict=True)]
    return np.concatenate(x), np.concatenate(y)


def random_forest(columns: slice | list[int], **settings) -> Pipeline:
    """Build a random forest that uses some of the features.

    Parameters
    ----------
    columns : slice or list of int
        Of the features.
    **settings
        Of `sklearn.ensemble.RandomForestClassifier`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With ``fit(features, labels)`` and ``predict_proba(features)``.

    References
    ----------
    .. [1] Breiman, "Random forests", Machine Learning 45 (2001) 5,
       doi:10.1023/A:1010933404324.
    """
    settings = {"n_estimators": 50, "n_jobs": 2, "random_state": 0} | settings
    return _of_some(columns, RandomForestClassifier(**settings))


def boosted_trees(columns: slice | list[int], **settings) -> Pipeline:
    """Build boosted trees, each of which mends what those before it got wrong.

    Parameters
    ----------
    columns : slice or list of int
        Of the features.
    **settings
        Of `sklearn.ensemble.HistGradientBoostingClassifier`; by default 50 large trees,
        which predict in a third of the time of 200 small ones and are about as good.

    Returns
    -------
    sklearn.pipeline.Pipeline
        As `random_forest`; it is fitted in a tenth of the time.

    References
    ----------
    .. [1] Friedman, "Greedy function approximation: a gradient boosting machine",
       Ann. Statist. 29 (2001) 1189, doi:10.1214/aos/1013203451.
    """
    few_and_large = {"max_iter": 50, "learning_rate": 0.2, "max_leaf_nodes": 127}
    fixed = {"early_stopping": False, "random_state": 0}
    settings = few_and_large | fixed | settings
    return _of_some(columns, HistGradientBoostingClassifier(**settings))


def _of_some(columns, trees):
    some = ColumnTransformer([("some", "passthrough", columns)])
    return make_pipeline(some, trees)


Build = Callable[..., Pipeline]
"""`random_forest` or `boosted_trees`."""


def fit_trees(build: Build, train: tuple[Any, Any], n_scales: int, **settings):
    """Fit trees to pixels.

    Parameters
    ----------
    build : callable
        `random_forest` or `boosted_trees`.
    train : (features, labels)
        As `sample_pixels` gives them.
    n_scales : int
        How many of the scales of the features to use, fine ones first.
    **settings
        Of what is built, such as `tune_trees` found.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Fitted.
    """
    trees = build(slice(0, OF_A_SCALE * n_scales), **settings)
    features, labels = train
    with threadpool_limits(1, "openmp"):  # more wait for each other on a busy machine
        return trees.fit(features[:, : OF_A_SCALE * n_scales], labels)


def tune_trees(
    build: Build,
    train: tuple[Any, Any],
    val: tuple[Any, Any],
    score: Callable[[np.ndarray, np.ndarray], float],
    **grid: Iterable,
) -> dict[str, Any]:
    """Find the settings of the trees that do best on validation pixels.

    Parameters
    ----------
    build : callable
        `random_forest` or `boosted_trees`.
    train, val : (features, labels)
        As `sample_pixels` gives them.
    score : callable
        ``score(labels, probabilities)``, the probabilities of shape (n, n_classes);
        larger is better.
    **grid : iterables
        Values to try, by the name of the setting of `fit_trees`, ``n_scales`` among
        them; all combinations are tried.

    Returns
    -------
    dict
        Keywords for `fit_trees`, of the largest score.
    """

    def quality(settings):
        trees = fit_trees(build, train, **settings)
        return score(val[1], trees.predict_proba(val[0][:, : trees.n_features_in_]))

    every = [dict(zip(grid, v, strict=True)) for v in product(*grid.values())]
    return max(every, key=quality)


def tree_probabilities(trees: Pipeline, image) -> np.ndarray:
    """Give the probabilities that trees have for every pixel of an image.

    Parameters
    ----------
    trees : sklearn.pipeline.Pipeline
        Fitted to features of some scales, which are computed here again.
    image : array, shape (height, width)

    Returns
    -------
    array, shape (height, width, n_classes)
    """
    features = pixel_features(image, trees.n_features_in_ // OF_A_SCALE)
    with threadpool_limits(1, "openmp"):
        found = trees.predict_proba(features)
    return found.reshape(*np.shape(image), -1)
