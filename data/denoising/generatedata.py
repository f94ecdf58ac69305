"""Write noisy and noiseless images of squares, discs and rings, as TIFF files."""

from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser
from pathlib import Path

from srtools.datasets import simulate_denoising


def main() -> None:
    """Read the command line and write the tree."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--count",
        type=int,
        nargs=3,
        default=(1_000, 100, 200),
        metavar=("TRAIN", "VAL", "TEST"),
        help="number of pairs",
    )
    parser.add_argument("--size", type=int, default=64, help="side of the images")
    parser.add_argument(
        "--noise",
        type=float,
        default=0.5,
        help="standard deviation, in units of the brightest object",
    )
    parser.add_argument("--seed", type=int, default=0, help="of objects and noise")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parent,
        help="folder for train, val and test",
    )
    wish = parser.parse_args()
    try:
        folder = simulate_denoising(
            wish.output,
            tuple(wish.count),
            size=wish.size,
            noise=wish.noise,
            seed=wish.seed,
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{folder}: {sum(wish.count)} pairs of noisy and noiseless images")


if __name__ == "__main__":
    main()
