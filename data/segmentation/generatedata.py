"""Write scenes to segment, and their labels, as TIFF files."""

from pathlib import Path

from srtools.datasets import command_line, simulate_segmentation


def write(
    output: Path, count: tuple[int, int, int], noise: float, cracks: float, **how
) -> str:
    """Write the tree and say how large it is."""
    how |= {"noise_std": noise, "crack_share": cracks}
    folder = simulate_segmentation(output, count, **how)
    return f"{folder}: {sum(count)} scenes with their labels"


if __name__ == "__main__":
    print(
        command_line(
            write,
            __doc__,
            count=((20, 4, 4), "scenes to train, to validate and to test"),
            size=(1280, "side of the images"),
            noise=(0.3, "standard deviation [grey values]"),
            cracks=(0.02, "cracked share of all pixels"),
            seed=(0, "of objects and noise"),
            output=(Path(__file__).parent, "folder for train, val and test"),
        )
    )
