"""Projection and FBP of several packages in one process, against exact integrals.

Run by peers.py, `NAME ...`, in an environment that has them. The object is that of
`_exact.py`. Every package works on one core, on batches where it can; what is measured
is the time of the processor. Each has conventions of its own: we look for the sense of
rotation, the first angle and the axis with which its projections are nearest to the
exact ones, and judge it by those.
"""

import itertools
import json
import statistics
import sys
import time
from importlib.metadata import version

import numpy as np
from _exact import exact, picture

from srtools.tomography import AstraBeam, ParallelBeam

SIZES = ((64, 64, 16), (128, 180, 16), (256, 256, 8))  # pixels, views, images
REPEATS = 5


def ours(beam):
    """Projection and FBP, from and to arrays (n, height, width)."""
    return [
        lambda batch, method=method: method(batch[..., None])[..., 0]
        for method in (beam.project, beam.fbp)
    ]


def skimage(size, angles):
    """As `ours`, of scikit-image: an image a call."""
    from skimage.transform import iradon, radon

    return [
        lambda batch, method=method: np.stack([method(x, angles) for x in batch])
        for method in (radon, iradon)
    ]


def deepinv(size, angles):
    """As `ours`, of deepinv: a batch a call."""
    import torch
    from deepinv.physics import Tomography

    torch.set_num_threads(1)
    physics = Tomography(
        angles=torch.tensor(angles, dtype=torch.float32),
        img_width=size,
        circle=True,
        normalize=False,
        adjoint_via_backprop=False,  # its documentation calls this the cheaper one
    )

    def torched(method):
        def call(batch):
            with torch.no_grad():
                return method(torch.from_numpy(batch[:, None])).numpy()[:, 0]

        return call

    return torched(physics.A), torched(physics.fbp)


def astra(size, angles):
    """As `ours`, of ASTRA on a processor: an image a call."""
    import astra

    scan = astra.create_proj_geom("parallel", 1.0, size, np.deg2rad(angles))
    volume = astra.create_vol_geom(size, size)
    measured = astra.data2d.create("-sino", scan)
    image = astra.data2d.create("-vol", volume)
    settings = astra.astra_dict("FBP") | {
        "ProjectorId": astra.create_projector("strip", scan, volume),
        "ProjectionDataId": measured,
        "ReconstructionDataId": image,
        "option": {"FilterType": "ram-lak"},
    }
    algorithm = astra.algorithm.create(settings)

    def fbp(batch):
        images = []
        for sinogram in batch:
            astra.data2d.store(measured, np.ascontiguousarray(sinogram.T))
            astra.algorithm.run(algorithm)
            images.append(astra.data2d.get(image))
        return np.stack(images)

    return ours(AstraBeam(size, angles))[0], fbp


PACKAGES = {  # distribution, and what it does
    "scikit-image": ("scikit-image", skimage),
    "ASTRA": ("astra-toolbox", astra),
    "deepinv": ("deepinv", deepinv),
}


def off(found, truth, where=None):
    """Root of the mean squared error, in percent of that of the truth."""
    where = np.ones(truth.shape, bool) if where is None else where
    return 100 * np.linalg.norm((found - truth)[where]) / np.linalg.norm(truth[where])


def conventions(size):
    """Middle of the image, axis on the detector, sense of rotation, first angle."""
    middles = sorted({(size - 1) / 2, size // 2})
    return itertools.product(middles, middles, (1, -1), (0, 90, 180, 270))


def main():
    """Measure, and print a row a result."""
    for size, n_angles, count in SIZES:
        angles = np.linspace(0, 180, n_angles, endpoint=False)
        rivals = {name: PACKAGES[name][1](size, angles) for name in sys.argv[1:]}
        rivals = {"srtools": ours(ParallelBeam(size, angles))} | rivals
        case = f"{size} px, {n_angles} views"
        pictures = {m: picture(size, m) for m in {(size - 1) / 2, size // 2}}
        work, result = {}, {name: [] for name in rivals}
        for name, (project, fbp) in rivals.items():
            found = {
                m: project(np.repeat(p[None], 1, 0))[0] for m, p in pictures.items()
            }
            how = min(
                conventions(size),
                key=lambda c: off(found[c[0]], exact(size, c[2] * angles + c[3], c[1])),
            )
            middle, axis, sense, first = how
            turned = sense * angles + first
            truth, sinogram = pictures[middle], exact(size, turned, axis)
            side = np.arange(size) - middle
            inside = np.hypot(side[:, None], side) < 0.45 * size
            result[name] += [
                ("project", "error [%]", off(found[middle], sinogram)),
                ("fbp", "error [%]", off(fbp(sinogram[None])[0], truth, inside)),
            ]
            if middle == axis == (size - 1) / 2:
                beam = ParallelBeam(size, turned)
                own = beam.project(truth[None, ..., None])[0, ..., 0]
                image = beam.fbp(sinogram[None, ..., None])[0, ..., 0]
                theirs = fbp(sinogram[None])[0]
                result[name] += [
                    ("project", "from ours [%]", off(found[middle], own)),
                    ("fbp", "from ours [%]", off(theirs, image, inside)),
                ]
            work[name, "project"] = project, np.repeat(truth[None], count, 0)
            work[name, "fbp"] = fbp, np.repeat(sinogram[None], count, 0)
        seconds = {key: [] for key in work}
        for _ in range(REPEATS):  # in turn: what else the machine does hits all alike
            for key, (call, batch) in work.items():
                start = time.process_time()
                call(batch)
                seconds[key].append((time.process_time() - start) / count)
        for (name, task), values in seconds.items():
            value = statistics.median(values)
            result[name].append((task, "seconds an image", value))
            ratios = [v / o for v, o in zip(values, seconds["srtools", task])]  # noqa: B905
            result[name].append((task, "times ours", statistics.median(ratios)))
        for name, found in result.items():
            package = PACKAGES[name][0] if name in PACKAGES else ""
            for task, measure, value in found:
                row = {"task": task, "case": case, "software": name}
                row["version"] = version(package) if package else ""
                row |= {"measure": measure, "value": float(f"{value:.4g}")}
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
