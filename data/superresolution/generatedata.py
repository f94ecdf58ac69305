"""Write a library of scans with wide detector pixels and their fine truths, in HDF5."""

from pathlib import Path

import numpy as np

from srtools.datasets import command_line, crops
from srtools.phantoms import random_shapes
from srtools.superresolution import beds, simulate_scans
from srtools.tomography import ParallelBeam

KINDS = {"beds": beds, "shapes": random_shapes, "photographs": crops}


def write(
    output: Path | None,
    kind: str,
    size: int,
    factor: int,
    angles: int,
    count: int,
    noise: float,
    seed: int,
) -> str:
    """Write the library and say how large it is."""
    if kind not in KINDS:
        raise ValueError(f"expected one of {', '.join(KINDS)}, received {kind!r}")
    path = output or Path(__file__).with_name(f"{kind}_{size}px_{angles}angles.h5")
    views = np.arange(angles) * 180 / angles
    beam = ParallelBeam(size, views, size // factor, detector_spacing=factor)
    how = {"noise_percent": noise, "seed": seed}
    simulate_scans(path, KINDS[kind], beam, count, **how)
    return f"{path}: {count} pairs of fine images and coarse sinograms"


if __name__ == "__main__":
    print(
        command_line(
            write,
            __doc__,
            kind=("beds", "what to scan: beds, shapes or photographs"),
            size=(96, "side of the fine images"),
            factor=(2, "fine pixels to a detector pixel"),
            angles=(128, "angles over 180 degrees"),
            count=(324, "number of pairs"),
            noise=(1.0, "standard deviation, percent of the largest sinogram value"),
            seed=(0, "of objects and noise"),
            output=(Path, "file; None: named by kind, size and angles, beside this"),
        )
    )
