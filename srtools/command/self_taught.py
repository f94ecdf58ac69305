"""Denoise a scan by a network that was trained on nothing but that scan."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from srtools.files import reading
from srtools.models import denoise_split, train_split
from srtools.scan import Scan, SplitViews

_ENDINGS = (".h5", ".hdf5", ".zarr")  # of volumes; other dots belong to the name
_ROWS = 8  # to learn from: more make it no better within a few thousand steps


def self_taught(
    scan: Scan, rows: slice, output: Path, filter: str, steps: int
) -> Callable:
    """Train on some rows of a scan; return a method for `srtools.scan.reconstruct`.

    Parameters
    ----------
    scan : Scan
        With its axis and corrections.
    rows : slice
        Detector rows to learn from: eight of them, spread evenly.
    output : Path
        Of the volume. The network is kept beside it, as ``NAME.keras``; one that is
        there is used again, so that an interrupted volume goes on with it.
    filter : str
        Of the reconstruction of each part of the views.
    steps : int
        Of the training.

    Returns
    -------
    callable
        From sinograms (n, n_translations, n_angles, 1) to images (n, size, size, 1).
    """
    split = SplitViews(scan.beam())
    name = output.stem if output.suffix.lower() in _ENDINGS else output.name
    kept = output.with_name(name + ".keras")
    if kept.exists():
        with reading(kept, "a network that Keras saved"):
            network = keras.saving.load_model(kept, compile=False, safe_mode=True)
        print(f"{kept}: used again")
    else:
        chosen = np.unique(np.linspace(rows.start, rows.stop - 1, _ROWS).astype(int))
        seen = np.concatenate([scan.sinograms(int(row)) for row in chosen])
        network = train_split(split.fbp(seen, filter=filter), steps=steps)
        kept.parent.mkdir(parents=True, exist_ok=True)
        network.save(kept)
        print(kept)

    def noise2inverse(sinograms):
        return denoise_split(network, split.fbp(sinograms, filter=filter))

    return noise2inverse
