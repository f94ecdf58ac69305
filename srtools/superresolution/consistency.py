"""What an image has to answer for: the sinogram that was measured."""

import numpy as np

from srtools.tomography import Geometry, check_batch


def consistent(
    beam: Geometry, images, sinograms, noise, *, at_most: int = 10
) -> np.ndarray:
    r"""Change images as little as needed to explain their sinograms.

    Conjugate gradients on :math:`\frac{1}{2} \|A x - y\|^2`, begun at the images and
    stopped, each by itself, when what is left unexplained is no more than the noise:
    :math:`\|A x - y\| \le \sigma \sqrt{m}` with `m` rays. Going on would fit the noise.
    The steps stay in the range of :math:`A^T`: what the scan cannot see is left as it
    was.

    Parameters
    ----------
    beam : Geometry
        The scan on the grid of the images, for example a `ParallelBeam` whose detector
        pixels are wider than the image's.
    images : array, shape (n, size, size, 1)
        What a network made, for example.
    sinograms : array, shape (n, n_translations, n_angles, 1)
        Line integrals, in pixels of the images.
    noise : float, or array of shape (n,)
        Standard deviation of the sinograms' noise, in their unit, as
        `srtools.tomography.noise_level` estimates it.
    at_most : int
        Steps after which to stop in any case. The grid itself cannot explain a sinogram
        entirely; where that is more than the noise, the discrepancy is never reached.

    Returns
    -------
    float32 array, shape (n, size, size, 1)
        An image that explains its sinogram already comes back as it was.

    Raises
    ------
    ValueError
        If images or sinograms are not of this geometry, differ in number or are not
        finite, the noise is not positive, or there is no step.

    References
    ----------
    .. [1] Hanke & Hansen, "Regularization methods for large-scale problems", Surv.
       Math. Ind. 3 (1993) 253: conjugate gradients, stopped by the discrepancy.
    """
    images = check_batch(images, (beam.size, beam.size), "images")
    shape = beam.n_translations, beam.n_angles
    sinograms = check_batch(sinograms, shape, "sinograms")
    if len(images) != len(sinograms):
        raise ValueError(
            "expected a sinogram for each image, "
            f"received {len(sinograms)} for {len(images)}"
        )
    noise = np.asarray(noise, np.float64)
    if noise.shape not in ((), (len(images),)) or not (noise > 0).all():
        raise ValueError(
            "expected the noise of the sinograms as a positive number, or one for "
            f"each, received {noise}"
        )
    if at_most < 1:
        raise ValueError(f"expected at least one step, received {at_most}")

    seen = beam.field_of_view[:, :, None].astype(np.float32)
    allowed = noise**2 * sinograms[:1].size
    images = images.copy()
    left = sinograms - beam.project(images)
    downhill = direction = seen * beam.backproject(left)
    steepness = _squares(downhill)
    for _ in range(at_most):
        going = (_squares(left) > allowed) & (steepness > 0)
        if not going.any():
            break
        ahead = beam.project(direction)
        step = np.where(going, steepness / np.maximum(_squares(ahead), 1e-30), 0)
        images += _each(step) * direction
        left -= _each(step) * ahead
        downhill = seen * beam.backproject(left)
        before, steepness = steepness, _squares(downhill)
        turn = steepness / np.maximum(before, 1e-30)
        direction = downhill + _each(turn) * direction
    return images


def _squares(batch):
    """Sum of the squares of each member."""
    return np.square(batch, dtype=np.float64).sum(axis=(1, 2, 3))


def _each(numbers):
    """One number a member, ready to multiply a batch."""
    return numbers[:, None, None, None].astype(np.float32)
