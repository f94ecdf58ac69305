"""Maps and guides of one's own, in the layout of simulated layers."""

import numpy as np
from scipy import ndimage

from srtools.superresolution.batches import check_guide, check_maps, per_phase
from srtools.superresolution.layers import Layers, _beam, _noisy, check_side


def resample_guide(guides, size: int) -> np.ndarray:
    """Bring guides to the grid of the maps, which shares their corners.

    Outermost pixels lie on outermost pixels, as between ``microct_369`` and
    ``xrdct_149``. Finer guides are smoothed before they are resampled.

    Parameters
    ----------
    guides : array, shape (n, side, side, 1)
        Of 2 pixels a side or more.
    size : int
        Side of the maps to find [pixels]: ``factor * (n - 1) + 1`` for coarse maps of
        n pixels, for example 149 for 75.

    Returns
    -------
    float32 array, shape (n, size, size, 1)

    Raises
    ------
    ValueError
        If guides are no such batch or not finite, a guide is zero throughout, or the
        size is below 2.
    """
    side = np.shape(guides)[1] if np.ndim(guides) == 4 else "side"
    guides = check_guide(guides, len(guides), (side, side))
    if min(side, size) < 2:
        raise ValueError(
            f"expected sides of 2 pixels or more, received {side} and {size}"
        )
    blur = max((side - 1) / (size - 1) - 1, 0) / 2
    guides = ndimage.gaussian_filter(guides, (0, blur, blur, 0), mode="nearest")
    place = np.linspace(0, side - 1, size)
    place = np.stack(np.meshgrid(place, place, indexing="ij"))
    how = {"order": 1, "mode": "nearest"}
    found = [ndimage.map_coordinates(g[..., 0], place, **how) for g in guides]
    return np.stack(found)[..., None]


def project_again(
    maps, guides, *, factor: int = 2, n_angles: int = 60, noise_percent: float = 2.0
) -> Layers:
    """Take coarse maps for a scan, with guides on the finer grid that fits them.

    For maps that were reconstructed from a real scan, such as those of ``xrdct_75``
    after `srtools.xrdct.unmix`, with slices of ``microct_369`` as their guides. Where
    the scan itself is not at hand, the projections of its maps are what a finer image
    has to explain.

    Parameters
    ----------
    maps : array, shape (n, size, size, n_phases)
        Amount of each phase at every coarse pixel.
    guides : array, shape (n, side, side, 1)
        Of any size: `resample_guide` brings them to ``factor * (size - 1) + 1`` pixels.
        Divided by the largest value of all.
    factor : int
        How many times finer the maps to find are.
    n_angles : int
        Directions of the projections, over 180 degrees.
    noise_percent : float
        How far the projections are trusted: the standard deviation of their error, in
        percent of the largest value of each. Nothing is added.

    Returns
    -------
    Layers
        Without a truth: ``maps`` is None.

    Raises
    ------
    ValueError
        If maps or guides are no such batches, of unlike numbers or not finite, a guide
        has no positive value, or a number is out of range.
    """
    maps, guides = _own(maps, guides, factor, n_angles)
    size = factor * (maps.shape[1] - 1) + 1
    if not noise_percent > 0:
        raise ValueError(f"expected a positive noise_percent, received {noise_percent}")
    beam = _beam(size, factor, n_angles)
    layers = Layers(None, maps, _on_grid(guides, size), maps, beam)
    sinograms = factor * per_phase(layers.coarse_beam.project, maps)
    noise = noise_percent / 100 * sinograms.max(axis=(1, 2))
    return layers._replace(sinograms=sinograms, noise=_of_all(noise))


def scan_maps(
    maps,
    guides,
    *,
    factor: int = 4,
    n_angles: int = 60,
    noise_percent: float = 2.0,
    rng: np.random.Generator,
) -> Layers:
    """Scan maps of one's own coarsely, and bring guides of one's own to their grid.

    For maps that were reconstructed from a real scan, such as those of ``xrdct_149``
    after `srtools.xrdct.unmix`, with ``microct_369`` as their guide: the maps are
    projected again, and stand for the truth. The projections are made on the grid on
    which the maps are to be found, which is kinder to every method than
    `simulate_layers` is.

    Parameters
    ----------
    maps : array, shape (n, size, size, n_phases)
        Amount of each phase at every pixel.
    guides : array, shape (n, side, side, 1)
        Of any size: `resample_guide` brings them to that of the maps. Divided by the
        largest value of all.
    factor, n_angles, noise_percent
        As in `simulate_layers`.
    rng : numpy.random.Generator
        Of the noise.

    Returns
    -------
    Layers

    Raises
    ------
    ValueError
        If maps or guides are no such batches, of unlike numbers or not finite, a guide
        has no positive value, a number is out of range, or the maps' side is not
        ``factor * (k - 1) + 1``.
    """
    maps, guides = _own(maps, guides, factor, n_angles)
    size = maps.shape[1]
    check_side(size, factor)
    beam = _beam(size, factor, n_angles)
    clean = per_phase(beam.project, maps)
    flat = np.moveaxis(clean, -1, 1).reshape(-1, *clean.shape[1:3])
    noisy, noise = _noisy(flat, noise_percent, rng)
    noisy = np.moveaxis(noisy.reshape(len(maps), -1, *clean.shape[1:3]), 1, -1)
    noise = _of_all(noise.reshape(len(maps), -1))
    return Layers(maps, noisy, _on_grid(guides, size), noise, beam)


def _own(maps, guides, factor, n_angles):
    """Check maps, guides and numbers."""
    if factor < 2 or factor != int(factor) or n_angles < 1:
        raise ValueError(
            "expected a whole factor of 2 or more and at least one angle, received "
            f"{factor=}, {n_angles=}"
        )
    size = np.shape(maps)[1] if np.ndim(maps) == 4 else "size"
    maps = check_maps(maps, (size, size), "maps")
    side = np.shape(guides)[1] if np.ndim(guides) == 4 else "side"
    guides = check_guide(guides, len(maps), (side, side))
    return maps, guides


def _on_grid(guides, size):
    """Guides on the grid of the maps, divided by their largest value."""
    guides = resample_guide(guides, size)
    if not (guides.max(axis=(1, 2, 3)) > 0).all():
        raise ValueError(
            "expected guides with positive values, received one that has none"
        )
    return guides / guides.max()


def _of_all(noise):
    """Noise of each phase; one that is not in a layer has little, and not none."""
    least = 1e-3 * noise.max(axis=1, keepdims=True)
    return np.maximum(noise, least).astype(np.float32)
