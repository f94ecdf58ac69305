"""Tell when an image is unlike those that a network was trained on."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from srtools.inspection.embedding import _batch

_TINY = 1e-12  # keeps the logarithm of nothing finite
_RIDGE = 1e-6  # keeps a covariance regular


class NoveltyScore:
    """Tell whether a new image is like those that a network was trained on.

    Four statistics are taken of an image: its distance from the plane of the first
    principal components (*residual*); its Mahalanobis distance within that plane; the
    mean distance to its five nearest neighbours there; and the variance along its
    quietest row, which in a sinogram is a detector pixel. The score is the squared
    Mahalanobis distance of their logarithms from what familiar images have: too little
    is as unfamiliar as too much.

    Parameters
    ----------
    n_components : int
        Principal components.
    false_alarm_rate : float
        Fraction of familiar images that may be flagged.

    Attributes
    ----------
    threshold : float
        The score above which an image is flagged; known after `fit`.

    Raises
    ------
    ValueError
        If the rate is not between 0 and 1.

    References
    ----------
    .. [1] Jackson & Mudholkar, "Control procedures for residuals associated with
       principal component analysis", Technometrics 21 (1979) 341,
       doi:10.1080/00401706.1979.10489779.
    .. [2] Lee et al., "A simple unified framework for detecting out-of-distribution
       samples and adversarial attacks", NeurIPS 2018, doi:10.48550/arXiv.1807.03888.
    .. [3] Barber, Candes, Ramdas, Tibshirani, "Predictive inference with the
       jackknife+", Ann. Statist. 49 (2021) 486, doi:10.1214/20-AOS1965.
    """

    STATISTICS = ("residual", "Mahalanobis", "neighbours", "quietest row")

    def __init__(self, *, n_components: int = 50, false_alarm_rate: float = 0.05):
        if not 0 < false_alarm_rate < 1:
            raise ValueError(
                f"expected a false_alarm_rate between 0 and 1, "
                f"received {false_alarm_rate}"
            )
        self.n_components = n_components
        self.false_alarm_rate = false_alarm_rate

    def fit(self, training, calibration) -> "NoveltyScore":
        """Learn what is familiar, and set the threshold.

        Parameters
        ----------
        training : array, shape (n, height, width, 1)
            Images that the network was trained on.
        calibration : array, shape (m, height, width, 1)
            Others of the same kind, not among the training images: at least ``1 / rate
            - 1``. With m of them the rate of false alarms is known to about
            ``sqrt(rate / m)``.

        Returns
        -------
        NoveltyScore
            Itself.

        Raises
        ------
        ValueError
            If images are not finite, all the same or of different shapes, or too few
            for the principal components or for the rate.

        Notes
        -----
        An image that has moved the mean and the covariance looks more familiar than a
        new one does. So each calibration image is scored by what the others say, and
        the threshold is the conformal quantile of these scores: of m of them the one
        of rank ``ceil((m + 1) * (1 - rate))``.
        """
        training, calibration = _batch(training), _batch(calibration)
        values = training.reshape(len(training), -1)
        needed = max(int(np.ceil(1 / self.false_alarm_rate - 1e-9)) - 1, 10)
        if not 0 < self.n_components < min(values.shape):
            raise ValueError(
                f"expected fewer than {min(values.shape)} principal components for "
                f"{len(values)} images of {values.shape[1]} pixels, "
                f"received {self.n_components}"
            )
        if len(calibration) < needed:
            raise ValueError(
                f"expected at least {needed} calibration images for a "
                f"false_alarm_rate of {self.false_alarm_rate}, "
                f"received {len(calibration)}"
            )
        if calibration.shape[1:] != training.shape[1:]:
            raise ValueError(
                f"expected calibration images of shape {training.shape[1:]}, as those "
                f"of the training, received {calibration.shape[1:]}"
            )
        if np.ptp(values, axis=0).max() == 0:
            raise ValueError(
                f"expected images that differ, received {len(values)} times the same"
            )
        self._shape = training.shape[1:]
        self._pca = PCA(self.n_components, random_state=0)  # the same each time
        scores = self._pca.fit_transform(values)
        self._deviation = np.sqrt(self._pca.explained_variance_) + _TINY
        self._neighbours = NearestNeighbors(n_neighbors=min(5, len(values))).fit(scores)
        familiar = np.log(self.statistics(calibration) + _TINY)
        self._mean = familiar.mean(axis=0)
        covariance = np.cov(familiar.T) + _RIDGE * np.eye(familiar.shape[1])
        self._precision = np.linalg.inv(covariance)
        above = int((len(familiar) + 1) * self.false_alarm_rate + 1e-9)
        self.threshold = float(np.sort(_scores_by_the_others(familiar))[-above])
        return self

    def statistics(self, images) -> np.ndarray:
        """Return the four statistics of each image, in the order of ``STATISTICS``.

        Parameters
        ----------
        images : array, shape (n, height, width, 1)

        Returns
        -------
        float64 array, shape (n, 4)
        """
        images = self._check(images)
        values = images.reshape(len(images), -1)
        scores = self._pca.transform(values)
        residual = values - self._pca.inverse_transform(scores)
        distances, _ = self._neighbours.kneighbors(scores)
        return np.stack(
            [
                np.sum(np.square(residual, dtype=np.float64), axis=1),
                np.sum(np.square(scores / self._deviation, dtype=np.float64), axis=1),
                distances.mean(axis=1),
                images.var(axis=(2, 3), dtype=np.float64).min(axis=1),
            ],
            axis=1,
        )

    def score(self, images) -> np.ndarray:
        """Return how unfamiliar each image is.

        Parameters
        ----------
        images : array, shape (n, height, width, 1)

        Returns
        -------
        float64 array, shape (n,)
            About 4 for familiar images; larger is less familiar.

        Raises
        ------
        ValueError
            Before `fit`, or if the images are of another shape or not finite.
        """
        away = np.log(self.statistics(images) + _TINY) - self._mean
        return np.einsum("ni,ij,nj->n", away, self._precision, away)

    def flag(self, images) -> np.ndarray:
        """Return which images are unfamiliar: bool array, shape (n,)."""
        return self.score(images) > self.threshold

    def _check(self, images):
        if not hasattr(self, "_shape"):
            raise ValueError("expected a fitted NoveltyScore: call fit first")
        images = _batch(images)
        if images.shape[1:] != self._shape:
            raise ValueError(
                f"expected images of shape (n, {', '.join(map(str, self._shape))}), "
                f"received {images.shape}"
            )
        return images


def _scores_by_the_others(values):
    """Squared Mahalanobis distance of each row from the mean of all other rows.

    Mean and covariance without a row follow from those with it.
    """
    n = len(values)
    away = values - values.mean(axis=0)
    of_all = (n - 1) * np.cov(away.T)
    of_row = np.einsum("ni,nj->nij", away, away) * n / (n - 1)
    covariance = (of_all - of_row) / (n - 2) + _RIDGE * np.eye(away.shape[1])
    away = away * n / (n - 1)
    scaled = np.linalg.solve(covariance, away[..., None])[..., 0]
    return np.einsum("ni,ni->n", away, scaled)
