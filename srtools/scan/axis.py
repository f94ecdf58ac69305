"""Where on the detector the rotation axis is."""

import warnings

import numpy as np

from srtools.scan._algotom import algotom
from srtools.scan.angles import missing_wedge
from srtools.scan.corrections import check_sinograms
from srtools.scan.measured import Scan


def axis_by_row(sinograms, angles) -> np.ndarray:
    """Find the rotation axis in each sinogram by itself.

    Over 180 degrees, the sinogram and its mirror image together make one over 360
    degrees; its Fourier transform is empty outside of a double wedge if, and only if,
    they were mirrored about the axis [1]_. This is done by the library ``algotom``; on
    shapes with noise a single row may be half a column off, so ask several. Over 360
    degrees, the views from behind are laid upon those from the front until they match,
    so that the axis may be near one side of the detector.

    Parameters
    ----------
    sinograms : array, shape (n_rows, n_translations, n_angles, 1)
        Over 180 or 360 degrees.
    angles : array, shape (n_angles,)
        Degrees, in any order.

    Returns
    -------
    float64 array, shape (n_rows,)
        Columns, in steps of a quarter or a half; NaN for rows in which no axis is found
        within an eighth of the detector from its middle (over 360 degrees: anywhere).

    Raises
    ------
    ImportError
        If `algotom` is not installed.
    ValueError
        If the angles do not cover half a turn.

    References
    ----------
    .. [1] Vo et al., "Reliable method for calculating the center of rotation in
       parallel-beam tomography", Opt. Express 22 (2014) 19078,
       doi:10.1364/OE.22.019078.
    """
    sinograms, angles = check_sinograms(sinograms), np.asarray(angles, float)
    if (missing := missing_wedge(angles)) > 10:
        raise ValueError(
            f"expected views over 180 degrees to find the axis, found {missing:.0f} "
            "degrees without a view; say where it is with axis="
        )
    order = np.argsort(angles)
    turned = angles[order] - angles[order[0]]
    step = float(np.median(np.diff(turned)))
    find = _over_360 if turned[-1] > 360 - 1.5 * step else _over_180
    return np.array([find(s[:, order, 0].T, turned, step) for s in sinograms])


def _over_180(sinogram, turned, step):
    calculation = algotom("prep.calculation")
    views = sinogram[turned < 180 + step / 2]
    middle, reach = (views.shape[1] - 1) / 2, max(views.shape[1] / 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it warns where the best is the last it tried
        try:
            found = calculation.find_center_vo(views, middle - reach, middle + reach)
        except UserWarning:
            return np.nan
    return float(found)


def _over_360(sinogram, turned, step):
    """Lay the views from behind, mirrored, upon those from the front."""
    front = np.flatnonzero(turned < 180 - step / 2)
    back = [int(np.abs(turned - t - 180).argmin()) for t in turned[front]]
    ahead, behind = sinogram[front], sinogram[back][:, ::-1]
    width = sinogram.shape[1]
    least = max(width // 16, 4)  # columns that both must see
    likeness = [
        _correlation(
            ahead[:, max(0, shift) : width + min(0, shift)],
            behind[:, max(0, -shift) : width - max(0, shift)],
        )
        for shift in range(least - width, width - least + 1)
    ]
    best = int(np.argmax(likeness))
    return (width - 1 + least - width + best) / 2 if likeness[best] > 0.5 else np.nan


def _correlation(a, b):
    a, b = a - a.mean(), b - b.mean()
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float((a * b).sum() / norm) if norm > 0 else 0.0


def axis_by_mass(sinograms, angles) -> np.ndarray:
    """Find the rotation axis in each sinogram by its centre of mass.

    The centre of mass of an object goes round on a circle, so that of its projections
    follows a sine about the axis [1]_: the constant beside the sine is the axis. This
    needs no mirrored views, so a few views are enough; but the whole object must be
    seen in all of them. What is below a tenth of the largest value of its sinogram
    counts as air, whose noise far from the axis would move the centre.

    Parameters
    ----------
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals.
    angles : array, shape (n_angles,)
        Degrees, in any order; at least three.

    Returns
    -------
    float64 array, shape (n,)
        Columns, to a fraction; NaN for sinograms with a view that shows nothing.

    Raises
    ------
    ValueError
        If `sinograms` are no such array, or the angles are of another number.

    References
    ----------
    .. [1] Azevedo et al., "Calculation of the rotational centers in computed tomography
       sinograms", IEEE Trans. Nucl. Sci. 37 (1990) 1525, doi:10.1109/23.55866.
    """
    sinograms, angles = check_sinograms(sinograms), np.deg2rad(angles)
    if len(angles) != sinograms.shape[2] or len(angles) < 3:
        raise ValueError(
            f"expected at least 3 angles, one a view, received {len(angles)} angles "
            f"and {sinograms.shape[2]} views"
        )
    largest = sinograms.max(axis=(1, 2, 3), keepdims=True)
    seen = np.where(sinograms > 0.1 * largest, sinograms, 0)[..., 0]
    mass = seen.sum(axis=1)
    empty = ~(mass > 0)
    centre = np.einsum("nta,t->na", seen, np.arange(seen.shape[1]))
    centre /= np.where(empty, 1, mass)
    basis = np.stack([angles**0, np.cos(angles), np.sin(angles)], axis=1)
    axis = np.linalg.lstsq(basis, centre.T, rcond=None)[0][0]
    return np.where(empty.any(axis=1), np.nan, axis)


def find_axis(scan: Scan, n_rows: int = 9) -> float:
    """Find the rotation axis of a scan.

    Parameters
    ----------
    scan : Scan
        With its views over 180 or 360 degrees.
    n_rows : int
        Rows, spread evenly, that are looked at. Those that have less than a quarter
        of the contrast of the best one do not count: they may see nothing but air.

    Returns
    -------
    float
        The median of their `axis_by_row` [columns].

    Raises
    ------
    ImportError
        If `algotom` is not installed.
    ValueError
        If no axis is found, or as in `axis_by_row` and `Scan.sinograms`.
    """
    rows = np.linspace(0, scan.n_rows, min(n_rows, scan.n_rows) + 2)[1:-1].astype(int)
    sinograms = np.concatenate([scan.sinograms(int(row)) for row in np.unique(rows)])
    contrast = np.ptp(np.percentile(sinograms, (5, 95), axis=(1, 2, 3)), axis=0)
    sinograms = sinograms[contrast >= contrast.max() / 4]
    found = axis_by_row(sinograms, scan.angles)
    if not np.isfinite(found).any():
        raise ValueError(
            f"{scan.path}: expected an axis near the middle of the detector, found "
            "none in any row; say where it is with axis="
        )
    return float(np.nanmedian(found))
