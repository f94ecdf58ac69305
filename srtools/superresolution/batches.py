"""Several maps of one layer, and the guide of them all."""

import numpy as np


def check_maps(maps, sides: tuple, name: str) -> np.ndarray:
    """Return a batch (n, height, width, n_phases) as float32, or say why it is none."""
    maps = np.asarray(maps, np.float32)
    if maps.ndim != 4 or maps.shape[1:3] != tuple(sides) or not maps.shape[-1]:
        raise ValueError(
            f"expected {name} of shape (n, {sides[0]}, {sides[1]}, n_phases), "
            f"received {maps.shape}"
            + ("; `resample_guide` brings it to that grid" if name == "guide" else "")
        )
    check_finite(maps, name)
    return maps


def sides_of(images) -> tuple:
    """Height and width of a batch, or their names where it is none."""
    return np.shape(images)[1:3] if np.ndim(images) == 4 else ("height", "width")


def check_finite(arrays, name: str) -> None:
    """Refuse NaN and infinite values."""
    if not np.isfinite(arrays).all():
        raise ValueError(f"expected finite {name}, received NaN or infinite values")


def check_guide(guide, n: int, sides: tuple) -> np.ndarray:
    """Return a guide (n, height, width, 1) as float32, or say why it is none."""
    guide = check_maps(guide, sides, "guide")
    if guide.shape[0] != n or guide.shape[-1] != 1:
        raise ValueError(
            f"expected a guide of shape {(n, *sides, 1)}, one for each layer, "
            f"received {guide.shape}"
        )
    if n and not guide.any(axis=(1, 2, 3)).all():
        raise ValueError("expected a guide that shows something, received only zeros")
    return guide


def check_noise(noise, n: int, n_phases: int) -> np.ndarray:
    """Return noise as float64 (n, n_phases), or say why it is none."""
    noise = np.asarray(noise, np.float64)
    if noise.shape not in ((), (n, n_phases)) or not (noise > 0).all():
        raise ValueError(
            "expected the noise of the sinograms as a positive number, or one for each "
            f"of {n} layers and {n_phases} phases, received shape {noise.shape} and "
            f"{noise.min(initial=np.inf)} as the smallest"
        )
    return np.broadcast_to(noise, (n, n_phases))


def per_phase(method, *batches, **settings) -> np.ndarray:
    """Call a method that knows one map at a time for each phase of each layer.

    Parameters
    ----------
    method : callable
        ``method(*batches, **settings)`` takes batches (n, height, width, 1), such as
        `srtools.tomography.ParallelBeam.fbp`, `srtools.superresolution.consistent`
        after the beam, or `srtools.metrics.psnr`.
    *batches : arrays, shape (n, ..., n_phases)
        Given to the method as (n * n_phases, ..., 1), all phases of the first layer
        first. Arrays (n, n_phases) are numbers, and given as (n * n_phases,).
    **settings
        Given to the method as they are.

    Returns
    -------
    array
        Of shape (n, ..., n_phases), or (n, n_phases) where the method gives a number
        for each map.

    Raises
    ------
    ValueError
        If the batches differ in layers or phases.

    Examples
    --------
    >>> per_phase(psnr, truth, maps).mean(axis=0)  # of each phase [dB]
    """
    batches = [np.asarray(batch) for batch in batches]
    sizes = {(len(batch), batch.shape[-1]) for batch in batches}
    if len(sizes) != 1:
        raise ValueError(
            "expected batches of the same layers and phases, received shapes "
            f"{[batch.shape for batch in batches]}"
        )
    n, n_phases = sizes.pop()
    apart = [
        np.moveaxis(b, -1, 1).reshape(n * n_phases, *b.shape[1:-1], *[1] * (b.ndim > 2))
        for b in batches
    ]
    found = np.asarray(method(*apart, **settings))
    found = found.reshape(n, n_phases, *found.shape[1:])
    return found if found.ndim == 2 else np.moveaxis(found[..., 0], 1, -1)
