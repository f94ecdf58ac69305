"""Measure our package beside others, each in an environment that this script makes.

    python benchmarks/peers.py [install | project | train | denoise ...]

Adds to results/peers.csv what is not yet there, a row a result:

* install: is the package to be had from PyPI, and in which version;
* project: projection and FBP beside scikit-image, ASTRA and deepinv, their seconds and
  their distance from exact integrals (`_peers_projection.py`);
* train: the same networks in Keras and in PyTorch, seconds a step, the share of the
  rate of a matrix product, and PSNR after the same seconds (`_peers_training.py`);
* denoise: Noise2Inverse beside the Noise2Void of CAREamics, on the tooth at 300 photons
  for the same seconds, judged by views that neither has seen (`_peers_denoising.py`).

Everything has one core, and what is measured is the time of the processor. About 15
minutes, and as long again to install.
"""

import os
import sys
import tempfile
from pathlib import Path

import _environments
import _record
import numpy as np

ONE_CORE = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
SEEDS, SECONDS = (0, 1, 2), 30
VOID = [(what, filters) for filters in ("32", "16") for what in ("image", "sinogram")]
RATE = "1e-3"  # of Noise2Void; its own is 1e-4
STEPS = 300  # of Noise2Inverse
SOFTWARE = {
    "scikit-image": "scikit-image",
    "ASTRA": "astra-toolbox",
    "TomoPy": "tomopy",
    "deepinv": "deepinv",
    "CAREamics": "careamics",
}


def main() -> None:
    """Do the parts that are missing, and write the table after each."""
    parts = {"install": install, "project": project, "train": train, "denoise": denoise}
    for name in sys.argv[1:] or parts:
        for case, run in parts[name]():
            known = {(row["task"], row["part"]) for row in _record.read("peers")}
            if (name, case) in known:
                continue
            rows = []
            for found in run():
                rows.append({"task": name, "part": case} | found)
                print(rows[-1], flush=True)
            _record.write("peers", [*_record.read("peers"), *rows])


def install():
    """Whether pip finds a package."""
    for software, package in SOFTWARE.items():

        def run(software=software, package=package):
            there = float(_environments.can_be_installed(package))
            yield _row("", software, "", "to be had", there)

        yield software, run


def project():
    """Projection and FBP."""
    script = "_peers_projection.py"
    for environment, peers in (
        ("torch", ("scikit-image", "ASTRA")),
        ("image", ("deepinv",)),
    ):

        def run(environment=environment, peers=peers):
            return _environments.rows(environment, script, *peers, **ONE_CORE)

        yield " ".join(peers), run


def train():
    """Speed and quality of two networks."""
    for network in ("U-Net", "learned primal-dual"):
        for more in [(), *((str(seed), str(SECONDS)) for seed in SEEDS)]:
            case = " ".join([network, *more])

            def run(arguments=(network, *more)):
                script = "_peers_training.py"
                return _environments.rows("torch", script, *arguments, **ONE_CORE)

            yield case, run


TOOTH = "tooth, 300 photons"


def denoise():
    """Ours, and then theirs for as long."""
    yield "ours", _ours
    for what, filters in VOID:

        def run(what=what, filters=filters):
            return _noise2void(what, filters)

        yield f"Noise2Void {what} {filters}", run


def _scan():
    import noise2inverse

    tooth = noise2inverse.Tooth()
    scan = tooth.expose(300, range(0, 180, 2), 0)
    return tooth, scan, scan.beam(), scan.sinograms(noise2inverse.ROWS)


def _ours():
    import noise2inverse

    tooth, scan, beam, y = _scan()
    yield from _judged(tooth, "FBP, Hann", "", beam.fbp(y, filter="hann"))
    seconds, images = _noise2inverse(noise2inverse, scan)
    yield _row(TOOTH, "Noise2Inverse", "", "seconds", seconds)
    yield from _judged(tooth, "Noise2Inverse", "", images)


def _noise2void(what, filters):
    """For the seconds that ours took, as the table has them."""
    (seconds,) = [
        row["value"]
        for row in _record.read("peers")
        if (row["software"], row["measure"]) == ("Noise2Inverse", "seconds")
    ]
    tooth, _, beam, y = _scan()
    shown = beam.fbp(y, filter="hann") if what == "image" else y
    with tempfile.TemporaryDirectory() as folder:
        path, answer = Path(folder) / "shown.npy", Path(folder) / "answer.npy"
        np.save(path, shown[..., 0])
        arguments = (str(path), str(answer), RATE, filters, seconds)
        script = "_peers_denoising.py"
        (told,) = _environments.rows("image", script, *arguments, **ONE_CORE)
        images = np.load(answer)[..., None]
    if what == "sinogram":
        images = beam.fbp(images, filter="hann")
    case = f"Noise2Void of the {what}, {filters} filters", told["version"]
    for measure in ("steps", "seconds"):
        yield _row(TOOTH, *case, measure, told[measure])
    yield from _judged(tooth, *case, images)


def _judged(tooth, software, version, images):
    near, left = tooth.score(images)
    yield _row(TOOTH, software, version, "PSNR [dB]", near)
    yield _row(TOOTH, software, version, "misfit [%]", 100 * left)


def _noise2inverse(module, scan):
    """Ours on one core: its images, and the seconds of its steps."""
    import time

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    start = time.process_time()
    images = module.self_taught(scan, 1, "U-Net", 2, "X:1", STEPS)
    return time.process_time() - start, images


def _row(case, software, version, measure, value):
    row = {"case": case, "software": software, "version": version}
    return row | {"measure": measure, "value": float(f"{value:.4g}")}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
