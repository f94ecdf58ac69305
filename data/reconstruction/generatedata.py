"""Write a library of random shapes and their noisy sinograms, in HDF5.

An interrupted run goes on where it stopped when it is started again.
"""

from pathlib import Path

import numpy as np

from srtools.datasets import command_line, simulate_library
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam


def write(
    output: Path | None, size: int, angles: int, count: int, noise: float, seed: int
) -> str:
    """Write the library and say how large it is."""
    name = f"shapes_random_noise_{size}px_{angles}angles.h5"
    path = output or Path(__file__).with_name(name)
    beam = ParallelBeam(size, np.arange(angles) * 180 / angles)
    simulate_library(path, random_shapes, beam, count, noise_percent=noise, seed=seed)
    return f"{path}: {count} pairs of images and sinograms"


if __name__ == "__main__":
    print(
        command_line(
            write,
            __doc__,
            size=(64, "side of the images"),
            angles=(64, "angles over 180 degrees"),
            count=(10_000, "number of pairs"),
            noise=(5.0, "standard deviation, percent of the largest sinogram value"),
            seed=(0, "of objects and noise"),
            output=(Path, "file; None: named by size and angles, beside this script"),
        )
    )
