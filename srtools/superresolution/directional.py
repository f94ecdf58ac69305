"""Reconstruct with edges where a second image of the same object has them."""

import numpy as np

from srtools.superresolution.batches import (
    check_guide,
    check_maps,
    check_noise,
    per_phase,
)
from srtools.tomography import Geometry, noise_level

_BLOCK = 32  # maps at once: their arrays stay in the CPU cache
# Steps of the dual variables relative to the image's, and those of edges relative to
# those of rays. Any give the same image in the end; for wide detector pixels, measured
# on a reactor bed, these are the fastest.
_DUAL_STEP, _EDGE_STEP = 0.05, 0.08
# How far to go on from one iterate towards the next; below 2. Much faster than 1.
_RELAXATION = np.float32(1.9)


def directional_tv(
    beam: Geometry,
    sinograms,
    guide=None,
    *,
    weight: float,
    edge: float = 0.05,
    noise=None,
    iterations: int = 180,
) -> np.ndarray:
    r"""Reconstruct maps of few edges, which cost least where a guide has edges too.

    Minimises :math:`\frac{1}{2} \|A x - y\|^2 + w \, \sigma \sqrt{n} \sum |D \nabla x|`
    over :math:`x \ge 0`. For the guide :math:`v`,

    .. math:: D = I - \xi \xi^T, \quad
              \xi = \nabla v / \sqrt{|\nabla v|^2 + \eta^2} .

    Across a strong edge of the guide an edge of the map is nearly free; where the guide
    is flat it costs what it costs in `srtools.tomography.tv`. The guide says where
    edges may be, and never that there is one: nor which phase stands on which side.

    Parameters
    ----------
    beam : Geometry
        The scan on the grid of the guide, for example a `ParallelBeam` whose detector
        pixels are wider than the image's.
    sinograms : array, shape (n, n_translations, n_angles, n_phases)
        Line integrals, in pixels of the guide.
    guide : array, shape (n, size, size, 1), optional
        One for all phases of a layer. Without it, or if it is flat, the result is that
        of `tv`.
    weight : float
        How much edges cost, in the unit of `srtools.tomography.tv`.
    noise : float or array, shape (n, n_phases), optional
        Standard deviation of the sinograms' noise; by default what
        `srtools.tomography.noise_level` finds, as for `tv`. That is too much where
        detector pixels are wide and noise is little, and unlike for phases of fine and
        of coarse grain: where the noise is known, one weight fits all phases better.
    edge : float
        Difference :math:`\eta` of neighbouring pixels of the guide that counts as an
        edge [unit of the guide]; more than the guide's noise.
    iterations : int
        Steps of the preconditioned primal-dual solver, over-relaxed. With the default
        the maps stand still: the PSNR of a reactor bed is within 0.02 dB of its limit.

    Returns
    -------
    float32 array, shape (n, size, size, n_phases)
        Non-negative; 0 outside the field of view.

    Raises
    ------
    ValueError
        If sinograms or guide do not fit the geometry or each other or are not finite,
        the guide is zero throughout, weight, edge or noise are not positive, or there
        are no iterations.

    References
    ----------
    .. [1] Ehrhardt & Betcke, "Multicontrast MRI reconstruction with structure-guided
       total variation", SIAM J. Imaging Sci. 9 (2016) 1084, doi:10.1137/15M1047325.
    .. [2] Chambolle & Pock, J. Math. Imaging Vis. 40 (2011) 120,
       doi:10.1007/s10851-010-0251-1.
    .. [3] Condat, J. Optim. Theory Appl. 158 (2013) 460,
       doi:10.1007/s10957-012-0245-9: the relaxation.
    """
    for name, value in (("weight", weight), ("edge", edge)):
        if not value > 0:
            raise ValueError(f"expected a positive {name}, received {value}")
    if iterations < 1:
        raise ValueError(f"expected at least one iteration, received {iterations}")
    shape = beam.n_translations, beam.n_angles
    sinograms = check_maps(sinograms, shape, "sinograms")
    n, n_phases = len(sinograms), sinograms.shape[-1]
    noise = check_noise(_noise(sinograms) if noise is None else noise, n, n_phases)
    if guide is None:
        normals = np.zeros((2, n, 1, 1, 1), np.float32)
    else:
        guide = check_guide(guide, n, (beam.size, beam.size))
        normals = _gradient(np.moveaxis(guide, -1, 1))
        normals /= np.sqrt((normals**2).sum(0) + np.float32(edge) ** 2)

    maps = np.empty((n, n_phases, beam.size, beam.size), np.float32)
    apart = np.moveaxis(sinograms, -1, 1)
    step = max(1, _BLOCK // n_phases)
    for start in range(0, n, step):
        block = slice(start, start + step)
        maps[block] = _primal_dual(
            beam, apart[block], normals[:, block], weight * noise[block], iterations
        )
    return np.moveaxis(maps, 1, -1)


def _noise(sinograms):
    """The noise of each sinogram as `tv` estimates it, (n, n_phases)."""
    noise = per_phase(noise_level, sinograms)
    return np.maximum(noise, 1e-3 * np.abs(sinograms).max(axis=(1, 2))) + 1e-30


def _primal_dual(beam, sinograms, normals, cost, iterations):
    """Solve for sinograms (n, phases, translations, angles): Pock & Chambolle 2011."""
    grid = (*sinograms.shape[:2], beam.size, beam.size)
    sinograms = np.ascontiguousarray(sinograms).reshape(-1, *sinograms.shape[2:], 1)
    seen = beam.field_of_view[None, :, :, None].astype(np.float32)
    radius = np.maximum(np.sqrt(beam.n_angles) * cost, 1e-30)
    radius = radius[:, :, None, None].astype(np.float32)

    rays, pixels = beam.project(seen), beam.backproject(np.ones_like(sinograms[:1]))
    norm = np.sqrt(rays.max() * pixels.max())
    step = np.float32(_DUAL_STEP) * norm
    ray_step = step / np.maximum(rays, 1e-3)
    edge_step = step * _EDGE_STEP * norm / 2
    pixel_step = 1 / (step * (pixels + 4 * _EDGE_STEP * norm))

    image = np.zeros((len(sinograms), beam.size, beam.size, 1), np.float32)
    found = ahead = image
    misfit, edges = np.zeros_like(sinograms), np.zeros((2, *grid), np.float32)
    for _ in range(iterations):
        pull = misfit + ray_step * (beam.project(ahead) - sinograms)
        misfit = misfit + _RELAXATION * (pull / (1 + ray_step) - misfit)
        longer = edges + edge_step * _along(_gradient(ahead.reshape(grid)), normals)
        longer /= np.maximum(1, np.sqrt(longer[0] ** 2 + longer[1] ** 2) / radius)
        edges += _RELAXATION * (longer - edges)
        image = image + _RELAXATION * (found - image)
        image[np.abs(image) < 1e-30] = 0  # numbers that small are slow to compute with
        back = _gradient_adjoint(_along(edges, normals)).reshape(image.shape)
        downhill = beam.backproject(misfit) + back
        found = np.maximum(image - pixel_step * downhill, 0) * seen
        ahead = 2 * found - image
    return found.reshape(grid)


def _along(vectors, normals):
    """Leave out of each vector what points across an edge of the guide."""
    if not normals.any():
        return vectors
    return vectors - normals * (normals * vectors).sum(0)


def _gradient(images):
    """Forward differences along rows and columns (..., height, width)."""
    edges = np.zeros((2, *images.shape), np.float32)
    np.subtract(images[..., 1:, :], images[..., :-1, :], out=edges[0, ..., :-1, :])
    np.subtract(images[..., 1:], images[..., :-1], out=edges[1, ..., :-1])
    return edges


def _gradient_adjoint(edges):
    images = np.zeros(edges.shape[1:], np.float32)
    images[..., 1:, :] += edges[0, ..., :-1, :]
    images[..., :-1, :] -= edges[0, ..., :-1, :]
    images[..., 1:] += edges[1, ..., :-1]
    images[..., :-1] -= edges[1, ..., :-1]
    return images
