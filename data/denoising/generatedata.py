"""Write noisy and noiseless images of squares, discs and rings, as TIFF files."""

from pathlib import Path

from srtools.datasets import command_line, simulate_denoising


def write(output: Path, count: tuple[int, int, int], noise: float, **how) -> str:
    """Write the tree and say how large it is."""
    folder = simulate_denoising(output, count, noise_std=noise, **how)
    return f"{folder}: {sum(count)} pairs of noisy and noiseless images"


if __name__ == "__main__":
    print(
        command_line(
            write,
            __doc__,
            count=((1_000, 100, 200), "pairs to train, to validate and to test"),
            size=(64, "side of the images"),
            noise=(0.5, "standard deviation, in units of the brightest object"),
            seed=(0, "of objects and noise"),
            output=(Path(__file__).parent, "folder for train, val and test"),
        )
    )
