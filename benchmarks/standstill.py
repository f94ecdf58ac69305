"""After how many steps does TV stand still, and what do the numbers inside do for it?

    python benchmarks/standstill.py

Four shapes a case, of several sizes, views, noises, weights and detector pixels. The
limit is what 2 000 steps give. Writes results/standstill.csv, one row a case and a
variant of the solver: after 40, 60 and 100 steps, how far the PSNR is from its limit
[dB], the largest of the four. The variants have no ramp, another share of the rays in
the norm, or another range between the steps of dual variables and image; "as it is" is
what the package has. About ten minutes on one core.
"""

import contextlib
from unittest import mock

import _record
import numpy as np

from srtools.metrics import psnr
from srtools.phantoms import random_shapes
from srtools.tomography import (
    ParallelBeam,
    gaussian_noise,
    noise_level,
    primal_dual,
    solver,
)

STEPS, LIMIT = (40, 60, 100), 2_000
# Size and width of a detector pixel [pixels], views, noise [percent of the largest
# value], weight.
CASES = [
    (32, 1, 16, 5.0, 0.7),
    (32, 1, 16, 5.0, 3.0),
    (64, 1, 32, 2.0, 0.3),
    (64, 1, 180, 2.0, 0.7),
    (96, 2, 128, 1.0, 0.3),
    (128, 1, 30, 1.0, 0.5),
    (64, 1, 60, 0.3, 0.1),
]


def _flat(beam):
    return np.eye(beam.n_translations, dtype=np.float32)


def _no_ramp():
    """All frequencies alike; the best ranges are then others."""
    return mock.patch.object(solver, "_ramp", _flat)


def _share(value):
    return lambda: mock.patch.object(solver, "_SHARE", value)


VARIANTS = {
    "as it is": (contextlib.nullcontext, 22),
    "no ramp, range of 0.25": (_no_ramp, 0.25),
    "no ramp, range of 0.5": (_no_ramp, 0.5),
    "share of 0.2": (_share(0.2), 22),
    "share of 0.5": (_share(0.5), 22),
    "range of 11": (contextlib.nullcontext, 11),
    "range of 44": (contextlib.nullcontext, 44),
}


def distances(case: tuple) -> list[dict[str, object]]:
    """Return a row for each variant of the solver."""
    size, width, views, percent, weight = case
    angles = np.linspace(0, 180, views, endpoint=False)
    beam = ParallelBeam(size, angles, size // width, detector_spacing=width)
    truth = random_shapes(4, size, rng=np.random.default_rng(0))
    clean = beam.project(truth)
    measured = gaussian_noise(clean, percent, rng=np.random.default_rng(1))

    def quality(steps, dual_step=22):
        how = {"weight": weight, "iterations": steps, "dual_step": dual_step}
        return psnr(truth, primal_dual(beam, measured, noise_level(measured), **how))

    limit = quality(LIMIT)
    rows = []
    for name, (change, dual_step) in VARIANTS.items():
        with change():
            far = {n: np.abs(quality(n, dual_step) - limit).max() for n in STEPS}
        row = {"size": size, "pixel": width, "views": views, "noise": percent}
        row |= {"weight": weight, "limit": f"{limit.mean():.2f}", "solver": name}
        rows.append(row | {f"after {n}": f"{v:.3f}" for n, v in far.items()})
    return rows


def main() -> None:
    """Measure all cases and write the table."""
    rows = []
    for case in CASES:
        rows += distances(case)
        for row in rows[-len(VARIANTS) :]:
            print(*row.values(), flush=True)
        _record.write("standstill", rows)


if __name__ == "__main__":
    main()
