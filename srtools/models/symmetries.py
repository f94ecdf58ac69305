"""Ask a network eight times: an object turned or mirrored is as good a question."""

import keras
import numpy as np


def mean_over_symmetries(network: keras.Model, sinograms) -> np.ndarray:
    """Reconstruct by FBP + U-Net in eight orientations, and return the mean.

    A network that has seen each object turned by quarters and mirrored still answers a
    little differently in each orientation. What the eight answers do not share is
    error, and the mean is nearer to the truth than any of them. The FBP image is
    turned, not the scan, so that the views may lie anywhere.

    Parameters
    ----------
    network : keras.Model
        From `fbp_unet`.
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals in pixel units.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Eight times the work of one prediction.

    Raises
    ------
    ValueError
        If the network is no `fbp_unet`.
    """
    learnt = network.layers[-1]
    if network.name != "fbp_unet" or not isinstance(learnt, keras.Model):
        raise ValueError(f"expected a network of fbp_unet, received {network.name}")
    fbp = keras.Model(network.input, network.get_layer("fbp").output)
    drafts = fbp.predict(np.asarray(sinograms), verbose=0)
    turns = [(mirror, quarters) for mirror in (1, -1) for quarters in range(4)]
    turned = [np.rot90(drafts[:, :, ::m], q, axes=(1, 2)) for m, q in turns]
    answers = learnt.predict(np.concatenate(turned), batch_size=8, verbose=0)
    back = [
        np.rot90(answer, -q, axes=(1, 2))[:, :, ::m]
        for answer, (m, q) in zip(np.split(answers, 8), turns, strict=True)
    ]
    return np.mean(back, axis=0)
