"""Write a library of several families of objects with planted anomalies, in HDF5."""

from pathlib import Path

import numpy as np

from srtools.datasets import command_line, simulate_families
from srtools.tomography import ParallelBeam


def write(
    output: Path | None,
    size: int,
    angles: int,
    count: int,
    noise: float,
    anomalies: int,
    seed: int,
) -> str:
    """Write the library and say how large it is."""
    path = output or Path(__file__).with_name(f"families_{size}px_{angles}angles.h5")
    beam = ParallelBeam(size, np.arange(angles) * 180 / angles)
    how = {"noise_percent": noise, "n_anomalies": anomalies, "seed": seed}
    simulate_families(path, beam, count, **how)
    return f"{path}: {count} pairs of images and sinograms"


if __name__ == "__main__":
    print(
        command_line(
            write,
            __doc__,
            size=(64, "side of the images"),
            angles=(64, "angles over 180 degrees"),
            count=(2_000, "number of pairs"),
            anomalies=(10, "pairs of each planted anomaly"),
            noise=(5.0, "standard deviation, percent of the largest sinogram value"),
            seed=(0, "of objects and noise"),
            output=(Path, "file; None: named by size and angles, beside this script"),
        )
    )
