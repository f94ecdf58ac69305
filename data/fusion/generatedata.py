"""Write layers of reactor beds: coarse phase sinograms, micro-CT and truth, in HDF5.

An interrupted run starts again from the first layer.
"""

from pathlib import Path

from srtools.datasets import command_line
from srtools.superresolution import simulate_layers


def write(
    output: Path | None,
    size: int,
    factor: int,
    angles: int,
    count: int,
    noise: float,
    guide_noise: float,
    seed: int,
) -> str:
    """Write the library and say how large it is."""
    path = output or Path(__file__).with_name(f"bed_{size}px_x{factor}.h5")
    simulate_layers(
        path,
        count,
        size=size,
        factor=factor,
        n_angles=angles,
        noise_percent=noise,
        guide_noise=guide_noise,
        seed=seed,
    )
    return f"{path}: {count} layers, each of a bed of its own"


if __name__ == "__main__":
    print(
        command_line(
            write,
            __doc__.splitlines()[0],
            size=(149, "side of maps and guides"),
            factor=(4, "how many times coarser the diffraction scan is"),
            angles=(60, "angles over 180 degrees"),
            count=(84, "number of layers"),
            noise=(2.0, "standard deviation, percent of each sinogram's largest value"),
            guide_noise=(0.02, "standard deviation of the guide's noise"),
            seed=(0, "of beds and noise"),
            output=(Path, "file; None: named by size and factor, beside this script"),
        )
    )
