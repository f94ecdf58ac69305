"""Losses for classes that are rare, computed from logits.

Pixels with a label below 0 are those that nobody labelled: no loss counts them.
"""

import keras
from keras import ops


class _PixelLoss(keras.losses.Loss):
    """A binary loss with one value per pixel: maps of weights work, and weights too."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Return the loss, weighted per sample (n,) or per pixel (n, height, width)."""
        if sample_weight is not None and len(sample_weight.shape) == 1:
            # Keras would spread (n,) along the width, silently if that is n as well.
            sample_weight = ops.reshape(sample_weight, (-1, 1, 1))
        return super().__call__(y_true, y_pred, sample_weight=sample_weight)

    def _terms(self, y_true, y_pred):
        """Cross entropy of the positive and of the negative part of each pixel."""
        same = tuple(y_true.shape[1:]) == tuple(y_pred.shape[1:])
        if len(y_pred.shape) != 4 or y_pred.shape[-1] != 1 or not same:
            raise ValueError(
                "expected labels and logits of one shape (n, height, width, 1), "
                f"received {tuple(y_true.shape)} and {tuple(y_pred.shape)}"
            )
        label, known = _split(y_true[..., 0], y_pred.dtype)
        logit = y_pred[..., 0]
        # -log(sigmoid(z)) is softplus(-z): finite for any logit.
        positive, negative = ops.softplus(-logit), ops.softplus(logit)
        # Keras takes the mean over all pixels: make it that over the labelled ones.
        known = known / ops.maximum(ops.mean(known), keras.config.epsilon())
        return known * label * positive, known * (1 - label) * negative

    def get_config(self):
        """Return the configuration."""
        return {**super().get_config(), "beta": self.beta}


@keras.saving.register_keras_serializable("srtools", "weighted_cross_entropy")
class WeightedCrossEntropy(_PixelLoss):
    r"""Cross entropy in which positive pixels count `beta` times.

    .. math:: -\left( \beta \, p \log \hat{p} + (1 - p) \log (1 - \hat{p}) \right)

    With ``beta > 1`` missed positives cost more, so that there are fewer of them; with
    ``beta < 1`` there are fewer false positives.

    Parameters
    ----------
    beta : float
        Weight of positive pixels, above 0.
    **kwargs
        As for `keras.losses.Loss`.

    Raises
    ------
    ValueError
        If `beta` is not above 0; when called, if labels and logits are not of one shape
        (n, height, width, 1).

    Notes
    -----
    Labels are 0 or 1, or below 0 where nobody labelled; predictions are logits. One
    value per pixel, (n, height, width), is reduced by Keras: to the mean over the
    labelled pixels of the batch.
    """

    def __init__(self, beta: float, **kwargs):
        if not 0 < beta < float("inf"):
            raise ValueError(f"expected a beta above 0, received {beta}")
        super().__init__(**{"name": "weighted_cross_entropy", **kwargs})
        self.beta = float(beta)

    def call(self, y_true, y_pred):
        """Return one value per pixel."""
        positive, negative = self._terms(y_true, y_pred)
        return self.beta * positive + negative


@keras.saving.register_keras_serializable("srtools", "balanced_cross_entropy")
class BalancedCrossEntropy(_PixelLoss):
    r"""Cross entropy that shares its weight between positive and negative pixels.

    .. math:: -\left( \beta \, p \log \hat{p}
              + (1 - \beta) (1 - p) \log (1 - \hat{p}) \right)

    Parameters
    ----------
    beta : float
        Share of positive pixels, above 0 and below 1; 0.5 is half of the plain cross
        entropy.
    **kwargs
        As for `keras.losses.Loss`.

    Raises
    ------
    ValueError
        If `beta` is not between 0 and 1; when called, if labels and logits are not of
        one shape (n, height, width, 1).

    Notes
    -----
    Shapes as for `WeightedCrossEntropy`.
    """

    def __init__(self, beta: float, **kwargs):
        if not 0 < beta < 1:
            raise ValueError(f"expected a beta between 0 and 1, received {beta}")
        super().__init__(**{"name": "balanced_cross_entropy", **kwargs})
        self.beta = float(beta)

    def call(self, y_true, y_pred):
        """Return one value per pixel."""
        positive, negative = self._terms(y_true, y_pred)
        return self.beta * positive + (1 - self.beta) * negative


weighted_cross_entropy = WeightedCrossEntropy
balanced_cross_entropy = BalancedCrossEntropy


@keras.saving.register_keras_serializable("srtools")
def dice_loss(y_true, y_pred):
    r"""Return one minus the overlap of labels and predictions, for each sample.

    .. math:: 1 - \frac{2 \sum p \hat{p} + 1}{\sum p + \sum \hat{p} + 1}

    Parameters
    ----------
    y_true : tensor, shape (n, height, width, channels)
        Labels, 0 or 1, or below 0 where nobody labelled.
    y_pred : tensor
        Logits, of the same shape.

    Returns
    -------
    tensor, shape (n,)
        From 0, all right, to nearly 1.

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    .. [1] Milletari, Navab, Ahmadi, "V-Net: fully convolutional neural networks for
       volumetric medical image segmentation", 2016, doi:10.1109/3DV.2016.79.
    """
    label, found = label_and_found(y_true, y_pred)
    both, each = sum_of_each(label * found), sum_of_each(label) + sum_of_each(found)
    return 1 - (2 * both + 1) / (each + 1)


def label_and_found(y_true, y_pred):
    """Labels and probabilities of logits, both 0 where nobody labelled."""
    if tuple(y_true.shape[1:]) != tuple(y_pred.shape[1:]):
        raise ValueError(
            "expected labels and logits of one shape, "
            f"received {tuple(y_true.shape)} and {tuple(y_pred.shape)}"
        )
    label, known = _split(y_true, y_pred.dtype)
    return label, known * ops.sigmoid(y_pred)


def sum_of_each(x):
    """Sum over all but the samples."""
    return ops.sum(x, axis=tuple(range(1, len(x.shape))))


def _split(y_true, dtype):
    """Labels, 0 where nobody labelled, and where somebody did: 1 or 0."""
    label = ops.cast(y_true, dtype)
    return ops.maximum(label, 0), ops.cast(label >= 0, dtype)
