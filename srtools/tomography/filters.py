"""Filters of filtered back-projection."""

import numpy as np
from scipy import fft

FILTERS = ("ramp", "shepp-logan", "cosine", "hann")
"""Windows on the ramp that `ParallelBeam.fbp` knows."""


def fbp_filter(
    n_translations: int, filter: str = "ramp", cutoff: float = 1.0
) -> np.ndarray:
    """Return the frequency response of a filter of `ParallelBeam.fbp`.

    Parameters
    ----------
    n_translations : int
        Number of detector pixels.
    filter, cutoff
        As in `ParallelBeam.fbp`.

    Returns
    -------
    float32 array
        Real response at the frequencies of a real FFT of length
        ``2 * (len(response) - 1)``, which is long enough to avoid wrapping round.

    Raises
    ------
    ValueError
        If the filter is unknown or the cut-off is not in (0, 1].
    """
    if filter not in FILTERS:
        raise ValueError(f"expected a filter of {FILTERS}, received {filter!r}")
    if not 0 < cutoff <= 1:
        raise ValueError(f"expected a cut-off in (0, 1], received {cutoff}")
    # The ramp is defined by its values on the detector, not by |f|: sampling |f| would
    # lose the mean of the image.
    length = max(64, 2 ** int(np.ceil(np.log2(2 * n_translations))))
    n = np.minimum(np.arange(length), length - np.arange(length))
    kernel = np.zeros(length)
    kernel[0] = 0.25
    kernel[n % 2 == 1] = -1 / (np.pi * n[n % 2 == 1]) ** 2
    frequency = fft.rfftfreq(length) * 2 / cutoff  # 1 at the cut-off
    window = {
        "ramp": np.ones_like(frequency),
        "shepp-logan": np.sinc(frequency / 2),
        "cosine": np.cos(np.pi / 2 * frequency),
        "hann": np.cos(np.pi / 2 * frequency) ** 2,
    }[filter]
    response = fft.rfft(kernel).real * window * (frequency <= 1)
    return response.astype(np.float32)
