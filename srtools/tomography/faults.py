"""Faults of a scan: a dead detector pixel, a misjudged rotation axis."""

import numpy as np


def dead_column(sinograms, *, rng: np.random.Generator) -> np.ndarray:
    """Let one detector pixel of each scan read zero at all angles.

    Parameters
    ----------
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals.
    rng : numpy.random.Generator
        Chooses the pixel, in the middle half of the detector.

    Returns
    -------
    float32 array
        Of the same shape.
    """
    sinograms = np.array(sinograms, dtype=np.float32)
    width = sinograms.shape[1]
    columns = rng.integers(width // 4, width - width // 4, len(sinograms))
    sinograms[np.arange(len(sinograms)), columns] = 0
    return sinograms


def shifted_axis(sinograms, *, rng: np.random.Generator) -> np.ndarray:
    """Move each scan along the detector, as if its rotation axis were misjudged.

    Parameters
    ----------
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals.
    rng : numpy.random.Generator
        Chooses the side.

    Returns
    -------
    float32 array
        Of the same shape; moved by an eighth of the detector. On one side the object
        may be cut off, on the other the outermost pixel is repeated.
    """
    sinograms = np.asarray(sinograms, dtype=np.float32)
    width = sinograms.shape[1]
    shift = max(1, width // 8)
    padded = np.pad(sinograms, ((0, 0), (shift, shift), (0, 0), (0, 0)), mode="edge")
    left = rng.random(len(sinograms)) < 0.5
    sides = padded[:, 2 * shift :], padded[:, :width]
    return np.where(left[:, None, None, None], *sides)
