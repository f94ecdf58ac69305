"""How long does the sinogram of every channel of an XRD-CT slice take?

Three ways to the same sinograms, of a slice whose every particle has its own lattice
constants and crystallite sizes, and of one in which all particles of a phase are alike:
project all 2038 channels, or project the parts and combine their patterns. Two kinds of
projector: the sparse matrix of `srtools.tomography`, and scikit-image's `radon`, timed
on a few images and multiplied by their number.

    python benchmarks/xrdct_projection.py
"""

import time

import _record
import numpy as np
from skimage.transform import radon

from srtools.tomography import ParallelBeam
from srtools.xrdct import BedSlice, ParticleBed, channel_angles, measure

_RADON_IMAGES = 5


def alike(sample: BedSlice) -> BedSlice:
    """Give all particles of a phase one lattice constant and size: a map a phase."""
    maps = sample.phase_maps()
    n = len(maps)
    return BedSlice(maps, np.arange(n), np.ones(n), np.full(n, 12.0))


def seconds(work) -> float:
    """Time the better of two runs."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Measure and write the table."""
    two_theta = channel_angles()
    rows = []
    for size, n_angles in ((75, 120), (149, 180)):
        fine = ParticleBed(0).slice(0.0, 149)
        sample = fine if size == 149 else fine.downsample()
        beam = ParallelBeam(size, np.linspace(0, 180, n_angles, endpoint=False))
        beam.matrix  # built once for all  # noqa: B018

        def channels(sample=sample, beam=beam):
            return beam.project(sample.images(two_theta))

        directly = seconds(channels)
        one = seconds(
            lambda sample=sample, beam=beam: [
                radon(image, beam.angles, circle=True)
                for image in sample.phase_maps()[:_RADON_IMAGES]
            ]
        )
        for case, these in (("own patterns", sample), ("alike", alike(sample))):
            parts = seconds(
                lambda these=these, beam=beam: measure(these, beam, two_theta)
            )
            rows.append(
                {
                    "size": size,
                    "n_angles": n_angles,
                    "particles": case,
                    "n_parts": len(these.maps),
                    "n_channels": len(two_theta),
                    "channels_s": round(directly, 3),
                    "parts_s": round(parts, 3),
                    "speed_up": round(directly / parts, 2),
                    "radon_channels_s": round(one / _RADON_IMAGES * len(two_theta), 1),
                    "radon_parts_s": round(one / _RADON_IMAGES * len(these.maps), 1),
                }
            )
            print(rows[-1])
    _record.write("xrdct_projection", rows)


if __name__ == "__main__":
    main()
