"""Measure our projector beside scikit-image and ASTRA, as ratios from one run.

    pip install -e .[crosscheck]
    python benchmarks/projection.py

Writes results/projection.csv: the median of five repetitions, and our speed relative
to each. All run on one core of the same machine, one after the other.
"""

import statistics
import time

import _record
import numpy as np
from skimage.transform import iradon, radon
from tqdm import tqdm

from srtools.phantoms import circle, random_shapes
from srtools.tomography import ParallelBeam

N, SIZE, N_ANGLES, REPEATS = 1_000, 64, 64, 5
FEW = 100  # the slow ones see this many images; speeds are per image


def main() -> None:
    """Run all measurements and write the table."""
    angles = np.linspace(0, 180, N_ANGLES, endpoint=False)
    images = random_shapes(N, SIZE, rng=np.random.default_rng(0))
    images *= circle(SIZE, SIZE / 2 - 1)[:, :, None]  # scikit-image's circle is smaller
    beam = ParallelBeam(SIZE, angles)
    sinograms = beam.project(images)  # also builds the matrix, once

    rivals = {
        "project": {
            "ours, one batch": (N, lambda: beam.project(images)),
            "scikit-image radon": (
                FEW,
                lambda: [radon(i[..., 0], angles) for i in images[:FEW]],
            ),
        },
        "fbp": {
            "ours, one batch": (N, lambda: beam.fbp(sinograms)),
            "scikit-image iradon": (
                FEW,
                lambda: [iradon(s[..., 0], angles) for s in sinograms[:FEW]],
            ),
        },
    }
    if (astra := _astra(angles)) is not None:
        rivals["project"]["ASTRA, CPU, an image a call"] = (
            N,
            lambda: [astra(i[..., 0]) for i in images],
        )

    rows = []
    for task, methods in rivals.items():
        speeds = {name: [] for name in methods}
        for _ in tqdm(range(REPEATS), desc=task):  # side by side: noise hits all alike
            for name, (count, call) in methods.items():
                start = time.perf_counter()
                call()
                speeds[name].append(count / (time.perf_counter() - start))
        ours = statistics.median(speeds["ours, one batch"])
        for name, values in speeds.items():
            speed = statistics.median(values)
            rows.append((task, name, f"{speed:.0f}", f"{ours / speed:.1f}"))

    large = ParallelBeam(369, np.linspace(0, 180, 180, endpoint=False)).matrix
    size = large.data.nbytes + large.indices.nbytes + large.indptr.nbytes
    rows.append(("matrix of 369 px, 180 angles [GB]", "ours", f"{size / 1e9:.2f}", ""))

    columns = "task", "method", "images per second", "ours is faster by"
    table = [dict(zip(columns, row, strict=True)) for row in rows]
    path = _record.write("projection", table)
    print(path.read_text())


def _astra(angles):
    try:
        import astra
    except ImportError:
        print("ASTRA is not installed: left out")
        return None
    volume = astra.create_vol_geom(SIZE, SIZE)
    scan = astra.create_proj_geom("parallel", 1.0, SIZE, np.deg2rad(angles))
    projector = astra.create_projector("strip", scan, volume)

    def project(image):
        handle, sinogram = astra.create_sino(image, projector)
        astra.data2d.delete(handle)
        return sinogram

    return project


if __name__ == "__main__":
    main()
