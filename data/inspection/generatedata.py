"""Write a library of several families of objects with planted anomalies, in HDF5."""

from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser
from pathlib import Path

import numpy as np

from srtools.datasets import simulate_families
from srtools.tomography import ParallelBeam


def main() -> None:
    """Read the command line and simulate the library."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64, help="side of the images")
    parser.add_argument(
        "--angles", type=int, default=64, help="angles over 180 degrees"
    )
    parser.add_argument("--count", type=int, default=2_000, help="number of pairs")
    parser.add_argument(
        "--anomalies", type=int, default=10, help="pairs of each planted anomaly"
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=5.0,
        help="standard deviation in percent of the largest sinogram value",
    )
    parser.add_argument("--seed", type=int, default=0, help="of objects and noise")
    parser.add_argument(
        "--output",
        type=Path,
        help="file to write; None: families_64px_64angles.h5, with the size and angles "
        "asked for, beside this script",
    )
    wish = parser.parse_args()
    name = f"families_{wish.size}px_{wish.angles}angles.h5"
    path = wish.output or Path(__file__).with_name(name)
    try:
        beam = ParallelBeam(wish.size, np.arange(wish.angles) * 180 / wish.angles)
        simulate_families(
            path,
            beam,
            wish.count,
            noise=wish.noise,
            n_anomalies=wish.anomalies,
            seed=wish.seed,
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{path}: {wish.count} pairs of images and sinograms")


if __name__ == "__main__":
    main()
