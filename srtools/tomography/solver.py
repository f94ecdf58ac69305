"""The solver behind total variation: a primal-dual method with a ramp inside."""

import numpy as np

from srtools.tomography.geometry import Geometry

# Neither changes what is found in the end, only how soon; nor does `dual_step`. What
# others bring, with and without the ramp, is in benchmarks/standstill.py.
_SHARE = 0.35  # of rays in the norm that bounds the steps; the rest is for edges
_RELAXATION = np.float32(1.9)  # how far to go on towards the next iterate; below 2


def primal_dual(
    beam: Geometry,
    sinograms,
    noise,
    *,
    weight: float,
    iterations: int,
    normals=None,
    dual_step: float = 22,
) -> np.ndarray:
    r"""Find the image of few edges that explains a measurement.

    Minimises :math:`\frac{1}{2} \|A x - y\|^2 + w \, \sigma \sqrt{n} \sum |D \nabla x|`
    over :math:`x \ge 0`, with the number of angles :math:`n`.

    Back-projection after projection blurs: slow waves come out of it much larger than
    fast ones, so that a solver that follows it settles the fast ones last. Here each
    step along a projection goes through the ramp of filtered back-projection, up to
    where the views are dense enough for it. All waves then settle alike, with the same
    steps for any scan; without it, each needs a range of steps of its own.

    Parameters
    ----------
    beam : Geometry
        The scan :math:`A`.
    sinograms : float32 array, shape (n, n_translations, n_angles, 1)
        Line integrals :math:`y`.
    noise : float array, shape (n,)
        Standard deviation :math:`\sigma` of each sinogram's noise.
    weight : float
        How much edges cost, :math:`w`.
    iterations : int
    normals : float32 array, shape (2, n, size, size, 1), optional
        Vectors :math:`\xi`, along rows and along columns, of length below one;
        :math:`D = I - \xi \xi^T`. Without them it is one.
    dual_step : float
        Steps of the dual variables over those of the image, for a weight of one and
        detector pixels as wide as the image's. Any finds the same image in the end.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        Non-negative; 0 outside the field of view.

    References
    ----------
    .. [1] Chambolle & Pock, J. Math. Imaging Vis. 40 (2011) 120,
       doi:10.1007/s10851-010-0251-1.
    .. [2] Pock & Chambolle, "Diagonal preconditioning for first order primal-dual
       algorithms", ICCV 2011, doi:10.1109/ICCV.2011.6126441.
    .. [3] Condat, J. Optim. Theory Appl. 158 (2013) 460,
       doi:10.1007/s10957-012-0245-9: the relaxation.
    """
    cost = weight * np.sqrt(beam.n_angles) * np.maximum(noise, 1e-30)
    cost = cost.astype(np.float32)[:, None, None, None]
    seen = beam.field_of_view[None, :, :, None].astype(np.float32)
    ramp = _ramp(beam)
    largest = _largest(beam, ramp, seen)
    width = beam.n_angles * seen.sum() / beam.project(seen).sum()  # of a detector pixel
    ratio = np.float32(dual_step * weight**0.75 / width)
    edge_step = ratio * (1 - _SHARE) * largest / 8
    image_step = 1 / (ratio * largest)
    ramp *= ratio * _SHARE
    settle = np.linalg.inv(np.eye(len(ramp), dtype=np.float32) + ramp)

    image = np.zeros((len(sinograms), beam.size, beam.size, 1), np.float32)
    found = ahead = image
    misfit, edges = np.zeros_like(sinograms), np.zeros((2, *image.shape), np.float32)
    for _ in range(iterations):
        pull = misfit + _filter(ramp, beam.project(ahead) - sinograms)
        misfit = misfit + _RELAXATION * (_filter(settle, pull) - misfit)
        longer = edges + edge_step * _along(gradient(ahead), normals)
        shorten(longer, cost)
        edges += _RELAXATION * (longer - edges)
        image = image + _RELAXATION * (found - image)
        image[np.abs(image) < 1e-30] = 0  # numbers that small are slow to compute with
        downhill = beam.backproject(misfit) + gradient_adjoint(_along(edges, normals))
        found = np.maximum(image - image_step * downhill, 0) * seen
        ahead = 2 * found - image
    return found


def _ramp(beam):
    """The ramp filter as a matrix, up to where the views are dense enough for it."""
    n = beam.n_translations
    frequencies = np.abs(np.fft.fftfreq(2 * n))
    enough = min(beam.n_angles / (np.pi * n), 0.5)
    response = np.clip(frequencies, 0.5 / n, max(enough, 0.5 / n))
    kernel = np.fft.ifft(response).real
    places = np.arange(n)
    return kernel[np.abs(places[:, None] - places)].astype(np.float32)


def _largest(beam, ramp, seen):
    """The largest eigenvalue of back-projection after ramp and projection."""
    image = np.random.default_rng(0).random(seen.shape, np.float32)
    for _ in range(20):
        image = image * seen / np.linalg.norm(image)
        image = beam.backproject(_filter(ramp, beam.project(image)))
    return np.float32(1.1) * np.linalg.norm(image * seen)  # a power method stays below


def _filter(matrix, sinograms):
    """Multiply each projection by a matrix."""
    return np.matmul(matrix, sinograms[..., 0])[..., None]


def _along(vectors, normals):
    """Leave out of each vector what points across an edge of the guide."""
    if normals is None:
        return vectors
    return vectors - normals * (normals * vectors).sum(0)


def gradient(images):
    """Return forward differences (2, n, height, width, 1), 0 at the end of each."""
    edges = np.zeros((2, *images.shape), np.float32)
    np.subtract(images[:, 1:], images[:, :-1], out=edges[0, :, :-1])
    np.subtract(images[:, :, 1:], images[:, :, :-1], out=edges[1, :, :, :-1])
    return edges


def gradient_adjoint(edges):
    """Return what `gradient` makes of images, turned round: (n, height, width, 1)."""
    images = np.zeros(edges.shape[1:], np.float32)
    images[:, 1:] += edges[0, :, :-1]
    images[:, :-1] -= edges[0, :, :-1]
    images[:, :, 1:] += edges[1, :, :, :-1]
    images[:, :, :-1] -= edges[1, :, :, :-1]
    return images


def shorten(edges, longest):
    """Cut each vector to a length of at most `longest`, in place."""
    edges /= np.maximum(1, np.sqrt(edges[0] ** 2 + edges[1] ** 2) / longest)
