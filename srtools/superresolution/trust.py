"""Whether a guide belongs to the scan: tests, and a remedy for a shifted one."""

import numpy as np
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from srtools.superresolution.batches import (
    check_guide,
    check_maps,
    check_noise,
    per_phase,
    sides_of,
)
from srtools.tomography import Geometry


def misfit(beam: Geometry, maps, sinograms, noise) -> np.ndarray:
    r"""Compare what maps leave unexplained of a scan with the noise of the scan.

    .. math:: \sqrt{\mathrm{mean} \left( (A x - y) / \sigma \right)^2}

    About 1 says that the maps explain all but the noise; 2, that the error of their
    projections is nearly twice the noise. Ask before `consistent`, which makes the
    number 1 whatever the maps are: a network that trusted a wrong guide shows here,
    and no more afterwards. `srtools.scan.misfit` gives the unexplained share of the
    signal instead, for scans whose noise is not known.

    Parameters
    ----------
    beam : Geometry
        The scan on the grid of the maps.
    maps : array, shape (n, size, size, n_phases)
    sinograms : array, shape (n, n_translations, n_angles, n_phases)
        Line integrals, in pixels of the maps.
    noise : float or array, shape (n, n_phases)
        Standard deviation of the noise.

    Returns
    -------
    float64 array, shape (n,)
        Over all phases of a layer.

    Raises
    ------
    ValueError
        If the shapes do not fit the geometry or each other, values are not finite, or
        the noise is not positive.
    """
    maps = check_maps(maps, (beam.size, beam.size), "maps")
    shape = beam.n_translations, beam.n_angles
    sinograms = check_maps(sinograms, shape, "sinograms")
    n, n_phases = len(maps), maps.shape[-1]
    noise = check_noise(noise, n, n_phases)
    if sinograms.shape[0] != n or sinograms.shape[-1] != n_phases:
        raise ValueError(
            f"expected sinograms of {n} layers and {n_phases} phases, as the maps, "
            f"received shape {sinograms.shape}"
        )
    left = per_phase(beam.project, maps).astype(np.float64) - sinograms
    left /= noise[:, None, None]
    return np.sqrt(np.square(left).mean(axis=(1, 2, 3)))


def invented(maps, without, region) -> np.ndarray:
    """Measure what appears in maps because something was drawn into the guide.

    Draw a disc into a guide that is not in the object, fuse, and compare with what the
    same method makes of the guide as it was.

    Parameters
    ----------
    maps, without : arrays, shape (n, height, width, n_phases)
        Volume fractions by the same method, with the drawn guide and with the right
        one.
    region : bool array, shape (n, height, width, 1)
        Where something was drawn.

    Returns
    -------
    float64 array, shape (n,)
        Share of the region's volume that changed its phase: half the mean over the
        region of the sum over the phases of the change, with what is void as one more
        phase. 0 for a method that is not taken in, 1 for one that fills a void.

    Raises
    ------
    ValueError
        If the shapes do not fit, values are not finite, or a region is empty.
    """
    sides = sides_of(region)
    maps = check_maps(maps, sides, "maps")
    without = check_maps(without, sides, "maps without")
    region = check_guide(np.asarray(region) != 0, len(maps), sides)
    if maps.shape != without.shape:
        raise ValueError(
            f"expected maps of one shape, received {maps.shape} and {without.shape}"
        )
    change = maps.astype(np.float64) - without
    moved = np.abs(change).sum(-1) + np.abs(change.sum(-1))  # the last is the void's
    inside = region[..., 0]
    return (moved * inside).sum((1, 2)) / (2 * inside.sum((1, 2)))


def register_guide(guide, maps) -> tuple[np.ndarray, np.ndarray]:
    """Find how far a guide is shifted against maps of the same layer, and shift it.

    The maps are combined to what resembles the guide most, by least squares, and both
    are compared by phase correlation, to a tenth of a pixel.

    Parameters
    ----------
    guide : array, shape (n, height, width, 1)
    maps : array, shape (n, height, width, n_phases)
        On the grid of the guide, made without it: for example enlarged coarse ones.

    Returns
    -------
    guide : float32 array, shape (n, height, width, 1)
        Shifted by linear interpolation.
    shift : float64 array, shape (n, 2)
        What was done to it, along rows and columns [pixels].

    Raises
    ------
    ValueError
        If maps and guide do not fit each other or are not finite, or the guide is zero
        throughout.

    Notes
    -----
    There is always an answer: for a guide of another specimen, too, which no shift
    makes right, and for one that is turned or of another pixel size. `misfit` tells
    whether the fused maps explain the scan.

    References
    ----------
    .. [1] Guizar-Sicairos, Thurman, Fienup, "Efficient subpixel image registration
       algorithms", Opt. Lett. 33 (2008) 156, doi:10.1364/OL.33.000156.
    """
    sides = sides_of(guide)
    maps = check_maps(maps, sides, "maps on the grid of the guide,")
    guide = check_guide(guide, len(maps), sides)
    shifts = np.empty((len(maps), 2))
    moved = np.empty_like(guide)
    for i, (image, phases) in enumerate(zip(guide[..., 0], maps, strict=True)):
        columns = phases.reshape(-1, phases.shape[-1])
        amounts = np.linalg.lstsq(columns, image.ravel(), rcond=None)[0]
        like = (columns @ amounts).reshape(image.shape)
        shifts[i] = phase_cross_correlation(
            like, image, upsample_factor=10, normalization=None
        )[0]
        moved[i, ..., 0] = ndimage.shift(image, shifts[i], order=1)
    return moved, shifts
