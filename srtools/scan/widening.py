"""Sinograms made wider: by what the views from behind saw, or by a guess."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from srtools.scan.corrections import check_sinograms

_FADE = 0.2  # of the overlap: where one half of the scan fades into the other


def pad(sinograms, width: int) -> np.ndarray:
    """Continue each view beyond the detector, where the sample is wider than that.

    The ramp filter takes the end of the detector for the end of the sample, and paints
    a bright rim. Views that go on with their outermost value, and fall to zero along
    half a cosine, leave a region of interest that is right but for a constant and
    something smooth.

    Parameters
    ----------
    sinograms : array, shape (n_rows, n_translations, n_angles, 1)
    width : int
        Columns to add on either side: about as many as the sample sticks out. The axis
        moves by as many.

    Returns
    -------
    float32 array, shape (n_rows, n_translations + 2 * width, n_angles, 1)

    Raises
    ------
    ValueError
        If the width is negative.
    """
    sinograms = check_sinograms(sinograms)
    if width < 0:
        raise ValueError(f"expected columns to add, received {width}")
    wide = np.pad(sinograms, ((0, 0), (width, width), (0, 0), (0, 0)), mode="edge")
    n = sinograms.shape[1]
    beyond = np.abs(np.arange(n + 2 * width) - (n - 1) / 2 - width) - (n - 1) / 2
    fade = np.cos(np.pi / 2 * np.clip(beyond / (width + 1), 0, 1)) ** 2
    return wide * fade[:, None, None].astype(np.float32)


def fold(sinograms, angles, axis: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Join the two halves of a scan over 360 degrees into a wider one over 180.

    With the axis near one side of the detector, half a turn sees one side of the
    sample, the other half the other side: a view from behind, mirrored about the axis,
    is the rest of the view from the front. What both saw is averaged.

    Parameters
    ----------
    sinograms : array, shape (n_rows, n_translations, n_angles, 1)
    angles : array, shape (n_angles,)
        Degrees, over 360, in any order.
    axis : float
        Detector column of the rotation axis. Columns from the front stay as they are;
        those from behind come to lie upon them if twice the axis is a whole number,
        and are interpolated if not.

    Returns
    -------
    sinograms : float32 array, shape (n_rows, wider, about half of n_angles, 1)
    angles : float64 array
    axis : float
        Column of the axis in the wider sinograms.

    Raises
    ------
    ValueError
        If the axis is not on the detector, or a view has no opposite.
    """
    sinograms = check_sinograms(sinograms)
    step = Fold(tuple(np.asarray(angles, float)), float(axis), sinograms.shape[1])
    return step(sinograms), step.new_angles, step.new_axis


@dataclass(frozen=True)
class Pad:
    """`pad` as a step of a scan."""

    columns: int

    def __call__(self, sinograms):
        """Pad the sinograms."""
        return pad(sinograms, self.columns)


@dataclass(frozen=True)
class Fold:
    """`fold` as a step of a scan."""

    angles: tuple[float, ...]
    axis: float
    n_translations: int

    def __post_init__(self):
        """Refuse an axis beyond the detector."""
        if not 0 <= self.axis <= self.n_translations - 1:
            raise ValueError(
                f"expected an axis on the detector, from 0 to "
                f"{self.n_translations - 1}, received {self.axis}"
            )

    @cached_property
    def pairs(self):
        """Numbers of the views from the front, and of their opposites."""
        angles = np.asarray(self.angles)
        step = np.median(np.diff(np.sort(angles))) if len(angles) > 1 else 0
        turned = angles - angles.min()
        front = np.flatnonzero(turned < 180 - step / 2)
        off = np.abs(turned[front, None] + 180 - turned)
        back = off.argmin(axis=1)
        worst = off.min(axis=1).max()
        if worst > 0.51 * step:
            raise ValueError(
                "expected views over 360 degrees, each with its opposite, found one "
                f"whose nearest opposite is {worst:.3g} degrees off"
            )
        return front, back

    @property
    def new_angles(self):
        """Angles of the views from the front [degrees]."""
        return np.asarray(self.angles)[self.pairs[0]]

    @property
    def first(self):
        """The first new column, counted on the detector: 0 or less."""
        return min(0, int(np.ceil(2 * self.axis)) - self.n_translations + 1)

    @property
    def width(self):
        """Number of new columns."""
        last = max(self.n_translations - 1, int(np.floor(2 * self.axis)))
        return last - self.first + 1

    @property
    def new_axis(self):
        """Column of the axis in the new sinograms."""
        return self.axis - self.first

    def __call__(self, sinograms):
        """Fold the sinograms."""
        front, back = self.pairs
        n = self.n_translations
        column = np.arange(self.first, self.first + self.width)
        mirrored = 2 * self.axis - column  # the column that sees the same from behind
        weights = self._weight(column), self._weight(mirrored)
        low = np.clip(np.floor(mirrored).astype(int), 0, n - 1)
        part = (np.clip(mirrored, 0, n - 1) - low).astype(np.float32)[:, None, None]
        behind = sinograms[:, :, back]
        behind = (
            behind[:, low] * (1 - part) + behind[:, np.minimum(low + 1, n - 1)] * part
        )
        ahead = sinograms[:, np.clip(column, 0, n - 1)][:, :, front]
        share = (weights[0] / (weights[0] + weights[1])).astype(np.float32)
        return behind + share[:, None, None] * (ahead - behind)

    def _weight(self, column):
        """How much a column counts: nothing beyond the ends, less near them."""
        n = self.n_translations
        overlap = 2 * min(self.axis, n - 1 - self.axis)
        inside = np.minimum(column, n - 1 - column) + 1
        return np.clip(inside / (_FADE * overlap + 1), 0, 1)
