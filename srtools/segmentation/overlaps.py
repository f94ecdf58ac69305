"""Losses that ask for overlap, beside `dice_loss`: of a batch, of lines, with weights.

Computed from logits; labels below 0 are where nobody labelled, and are left out.
"""

import keras
from keras import ops

from srtools.segmentation.losses import dice_loss, label_and_found, sum_of_each


@keras.saving.register_keras_serializable("srtools")
def batch_dice_loss(y_true, y_pred):
    r"""Return one minus the overlap of a whole batch, the same for each sample.

    As `dice_loss`, with sums over all samples: one that holds no positive pixel does
    not ask for silence by itself [1]_.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (n, height, width, channels)
        Labels and logits, as for `dice_loss`.

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
    .. [1] Kodym, Spanel, Herout, "Segmentation of head and neck organs at risk using
       CNN with batch Dice loss", 2018, doi:10.48550/arXiv.1812.02427.
    """
    label, found = label_and_found(y_true, y_pred)
    each = ops.sum(label) + ops.sum(found)
    lost = 1 - (2 * ops.sum(label * found) + 1) / (each + 1)
    return ops.broadcast_to(lost, ops.shape(y_pred)[:1])


@keras.saving.register_keras_serializable("srtools")
def tversky_loss(y_true, y_pred, alpha: float = 0.3, beta: float = 0.7):
    r"""Return one minus the Tversky index, for each sample.

    .. math:: 1 - \frac{\sum p \hat{p} + 1}{\sum p \hat{p}
              + \alpha \sum (1 - p) \hat{p} + \beta \sum p (1 - \hat{p}) + 1}

    With ``alpha`` and ``beta`` of one half it is the Dice loss, but for the 1 that
    keeps it finite. With ``beta > alpha`` a miss costs more than a false alarm [1]_.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (n, height, width, channels)
        Labels and logits, as for `dice_loss`.
    alpha, beta : float
        Weights of false positives and of false negatives.

    Returns
    -------
    tensor, shape (n,)
        From 0, all right, to nearly 1.

    Raises
    ------
    ValueError
        If the shapes differ, or a weight is not above 0.

    References
    ----------
    .. [1] Salehi, Erdogmus, Gholipour, "Tversky loss function for image segmentation
       using 3D fully convolutional deep networks", 2017,
       doi:10.1007/978-3-319-67389-9_44.
    """
    if not (alpha > 0 and beta > 0):
        raise ValueError(f"expected weights above 0, received {alpha} and {beta}")
    label, found = label_and_found(y_true, y_pred)
    both = sum_of_each(label * found)
    false, missed = sum_of_each(found) - both, sum_of_each(label) - both
    return 1 - (both + 1) / (both + alpha * false + beta * missed + 1)


@keras.saving.register_keras_serializable("srtools")
def cldice_loss(y_true, y_pred, iterations: int = 4):
    r"""Return the mean of Dice loss and centreline Dice loss, for each sample.

    The second is one minus the harmonic mean of two shares: of the skeleton that was
    found, how much lies in the label; of the label's skeleton, how much was found. A
    gap in a thin line costs as much there as one in a thick line [1]_.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (n, height, width, channels)
        Labels and logits, as for `dice_loss`.
    iterations : int
        Erosions on the way to a skeleton: at least half the width of the widest line
        [pixels].

    Returns
    -------
    tensor, shape (n,)
        From 0, all right, to nearly 1.

    Raises
    ------
    ValueError
        If the shapes differ, or there is no iteration.

    References
    ----------
    .. [1] Shit, Paetzold et al., "clDice: a novel topology-preserving loss function for
       tubular structure segmentation", 2021, doi:10.1109/CVPR46437.2021.01629.
    """
    if iterations < 1:
        raise ValueError(f"expected iterations of 1 or more, received {iterations}")
    label, found = label_and_found(y_true, y_pred)
    thin_found = _soft_skeleton(found, iterations)
    thin_label = _soft_skeleton(label, iterations)
    right = (sum_of_each(thin_found * label) + 1) / (sum_of_each(thin_found) + 1)
    whole = (sum_of_each(thin_label * found) + 1) / (sum_of_each(thin_label) + 1)
    lines = 1 - 2 * right * whole / (right + whole)
    return (dice_loss(y_true, y_pred) + lines) / 2


def _soft_skeleton(x, iterations):
    """What an opening takes away, at every depth of erosion; x from 0 to 1."""
    skeleton = ops.relu(x - _opened(x))
    for _ in range(iterations):
        x = _eroded(x)
        more = ops.relu(x - _opened(x))
        skeleton = skeleton + ops.relu(more - skeleton * more)
    return skeleton


def _opened(x):
    return ops.max_pool(_eroded(x), 3, strides=1, padding="same")


def _eroded(x):
    """Least value of a pixel and its four neighbours."""
    lines = (ops.max_pool(-x, size, 1, padding="same") for size in ((3, 1), (1, 3)))
    return -ops.maximum(*lines)
