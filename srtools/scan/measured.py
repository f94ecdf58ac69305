"""A scan: what was counted, and how its line integrals are made of it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from srtools.scan.corrections import flat_field
from srtools.scan.stacks import Stack
from srtools.scan.widening import Fold, Pad
from srtools.tomography import AstraBeam, ParallelBeam

_log = logging.getLogger(__name__)
_STORED = 1e8  # pixels times views: the matrix has 17 bytes for each, 24 while made


@dataclass(frozen=True)
class Scan:
    """A parallel-beam scan that is read row by row.

    Nothing is read before `counts` or `sinograms` asks for it. A scan does not change:
    `corrected`, `folded` and `held_out` return new ones, which know what is to be done
    with their counts.

    Attributes
    ----------
    path : Path
        The file or folder, for messages.
    projections : Stack
        Counts, shape (n, n_rows, n_columns).
    angles : float64 array
        Of the sinograms [degrees].
    flats, darks : Stack or None
        Pictures without the sample, and without the beam.
    pixel_size : float or None
        Of the detector at the sample [micrometres].
    axis : float or None
        Detector column of the rotation axis, where the first column is 0; None while
        it is not known.
    steps : tuple of callables
        Applied to the line integrals, first to last.
    margin : int
        Rows above and below that the steps need.
    n_translations : int or None
        Columns of a sinogram, where a step has changed them.
    """

    path: Path
    projections: Stack
    angles: np.ndarray
    flats: Stack | None = None
    darks: Stack | None = None
    pixel_size: float | None = None
    axis: float | None = None
    steps: tuple[Callable, ...] = ()
    margin: int = 0
    n_translations: int | None = None

    def __post_init__(self):
        """Refuse parts that do not fit together."""
        for name in ("flats", "darks"):
            stack = getattr(self, name)
            if stack is not None and stack.shape[1:] != self.projections.shape[1:]:
                raise ValueError(
                    f"{self.path}: expected {name} of {_size(self.projections)} "
                    f"pixels, as the projections, found {_size(stack)}"
                )
        self._check_axis()

    @property
    def n_rows(self) -> int:
        """Rows of the detector, which become slices of the volume."""
        return self.projections.shape[1]

    def counts(self, rows: int | slice) -> np.ndarray:
        """Read what the detector counted behind the sample.

        Parameters
        ----------
        rows : int or slice
            Within the detector.

        Returns
        -------
        float32 array, shape (n_rows, n_columns, n, 1)

        Raises
        ------
        ValueError
            If the rows are not on the detector, or a file is truncated.
        """
        counts = self.projections.read(self.rows(rows)).astype(np.float32)
        return np.ascontiguousarray(counts.transpose(1, 2, 0))[..., None]

    def sinograms(self, rows: int | slice) -> np.ndarray:
        """Read counts, and turn them into line integrals by all the steps.

        Parameters
        ----------
        rows : int or slice
            Within the detector.

        Returns
        -------
        float32 array, shape (n_rows, n_translations, n_angles, 1)
            Line integrals [dimensionless].

        Raises
        ------
        ValueError
            If there are no flats, the rows are not on the detector, or too many pixels
            are dead: the message names file and rows.
        """
        rows = self.rows(rows)
        if self.flats is None:
            raise ValueError(
                f"{self.path}: expected flats (pictures without the sample), found "
                "none; name them with flats=, or say flats=1 if the projections are "
                "divided by them already"
            )
        first = max(rows.start - self.margin, 0)
        wide = slice(first, min(rows.stop + self.margin, self.n_rows))
        darks = None if self.darks is None else self.darks.read(wide)
        try:
            sinograms, bad = flat_field(self.counts(wide), self.flats.read(wide), darks)
        except ValueError as error:
            raise ValueError(f"{self.path}, rows from {wide.start}: {error}") from error
        if bad.any():
            _log.info("%s: %d dead or hot pixels replaced", self.path, bad.sum())
        for step in self.steps:
            sinograms = step(sinograms)
        return sinograms[rows.start - first :][: rows.stop - rows.start]

    def corrected(
        self, *steps: Callable, axis: float | None = None, margin: int = 0
    ) -> "Scan":
        """Return the scan with further corrections, or with its axis.

        Parameters
        ----------
        *steps : callables
            From sinograms to sinograms (n_rows, n_translations, n_angles, 1), as
            `remove_rings` or ``functools.partial(remove_air, width=20)``.
        axis : float, optional
            Detector column of the rotation axis.
        margin : int
            Rows above and below that these steps need, as `paganin` does.

        Returns
        -------
        Scan

        Raises
        ------
        ValueError
            If the axis is not on the detector.
        """
        axis = self.axis if axis is None else float(axis)
        return replace(
            self,
            steps=self.steps + steps,
            axis=axis,
            margin=self.margin + margin,
        )

    def folded(self) -> "Scan":
        """Return a scan over 360 degrees as one over 180: see `fold`.

        Raises
        ------
        ValueError
            If the axis is not known, or a view has no opposite.
        """
        step = Fold(tuple(self.angles), self.known_axis, self.width)
        return replace(
            self,
            steps=(*self.steps, step),
            angles=step.new_angles,
            axis=step.new_axis,
            n_translations=step.width,
        )

    def padded(self, columns: int) -> "Scan":
        """Return the scan with views that go on beyond the detector: see `pad`."""
        return replace(
            self,
            steps=(*self.steps, Pad(columns)),
            axis=None if self.axis is None else self.axis + columns,
            n_translations=self.width + 2 * columns,
        )

    def views(self, numbers: Sequence[int]) -> "Scan":
        """Return the scan of some of its views, chosen after all steps so far.

        Before any step, the others are not even read: they may be spoilt.
        """
        numbers = np.arange(len(self.angles))[np.asarray(numbers, int)]
        angles = self.angles[numbers]
        if not self.steps:
            some = self.projections.pick(numbers.tolist())
            return replace(self, projections=some, angles=angles)
        return replace(self, steps=(*self.steps, _Views(numbers)), angles=angles)

    def beam(self, size: int | None = None) -> ParallelBeam:
        """Return the geometry of the scan.

        Parameters
        ----------
        size : int, optional
            Side of the images, in detector pixels; by default the width of a sinogram.

        Returns
        -------
        ParallelBeam
            An `AstraBeam` where a stored matrix would take more than 1.7 GB (2.4 GB
            while it is made): at 512 pixels, from 382 views on. What projects too, as
            `tv` does, takes as much again.

        Raises
        ------
        ValueError
            If the axis is not known.
        ImportError
            If ASTRA is needed and not installed.
        """
        axis, width = self.known_axis, self.width
        size = size or width
        large = size**2 * len(self.angles) > _STORED
        kind = AstraBeam if large else ParallelBeam
        return kind(size, self.angles, width, axis=axis)

    @property
    def known_axis(self) -> float:
        """The axis; a ValueError where nobody has found it."""
        if self.axis is None:
            raise ValueError(
                f"{self.path}: expected a scan whose axis is known; "
                "scan.corrected(axis=find_axis(scan))"
            )
        return self.axis

    @property
    def width(self) -> int:
        """Columns of a sinogram: those of the detector, unless folded or padded."""
        return self.n_translations or self.projections.shape[2]

    def rows(self, rows: int | slice | None) -> slice:
        """Return rows as a slice from start to stop; None means all of them."""
        if rows is None:
            return slice(0, self.n_rows)
        if not isinstance(rows, slice):
            rows = slice(rows, rows + 1)
        start = 0 if rows.start is None else rows.start
        stop = self.n_rows if rows.stop is None else rows.stop
        if not 0 <= start < stop <= self.n_rows or rows.step not in (None, 1):
            raise ValueError(
                f"{self.path}: expected rows from 0 to {self.n_rows - 1}, received "
                f"{rows}"
            )
        return slice(start, stop)

    def _check_axis(self):
        if self.axis is not None and not 0 <= self.axis <= self.width - 1:
            raise ValueError(
                f"{self.path}: expected an axis on the detector, from 0 to "
                f"{self.width - 1}, received {self.axis}"
            )


@dataclass(frozen=True, eq=False)
class _Views:
    """Leaves some views of a sinogram."""

    numbers: np.ndarray

    def __call__(self, sinograms):
        return sinograms[:, :, self.numbers]


def _size(stack):
    return " x ".join(map(str, stack.shape[1:]))
