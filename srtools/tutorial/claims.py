"""Claims: sentences of a page that a measured value bears out."""

import numpy as np


def claim(
    sentence: str,
    value: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> None:
    """Print a sentence of the page if a measured value bears it out, else raise.

    Parameters
    ----------
    sentence : str
        What a reader may quote.
    value : float
        What was measured.
    at_least, at_most : float, optional
        The bounds that make the sentence true; at least one is needed.

    Raises
    ------
    AssertionError
        If the value lies outside the bounds or is not a number.
    ValueError
        If no bound is given.

    Examples
    --------
    >>> claim("Two is more than one", 2, at_least=1)
    holds: Two is more than one
    """
    if at_least is None and at_most is None:
        raise ValueError(f"expected at_least or at_most for the claim {sentence!r}")
    low = -np.inf if at_least is None else at_least
    high = np.inf if at_most is None else at_most
    if not low <= value <= high:  # also catches NaN
        raise AssertionError(
            f"does not hold: {sentence} (measured {value:.4g}, "
            f"expected {low:.4g} to {high:.4g})"
        )
    print(f"holds: {sentence}")
