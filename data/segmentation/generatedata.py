"""Write scenes to segment, and their labels, as TIFF files."""

from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser
from pathlib import Path

from srtools.datasets import simulate_segmentation


def main() -> None:
    """Read the command line and write the tree."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--count",
        type=int,
        nargs=3,
        default=(20, 4, 4),
        metavar=("TRAIN", "VAL", "TEST"),
        help="number of scenes",
    )
    parser.add_argument("--size", type=int, default=1280, help="side of the images")
    parser.add_argument(
        "--noise", type=float, default=0.3, help="standard deviation [grey values]"
    )
    parser.add_argument(
        "--cracks", type=float, default=0.02, help="cracked share of all pixels"
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
        folder = simulate_segmentation(
            wish.output,
            tuple(wish.count),
            size=wish.size,
            noise=wish.noise,
            crack_share=wish.cracks,
            seed=wish.seed,
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{folder}: {sum(wish.count)} scenes with their labels")


if __name__ == "__main__":
    main()
