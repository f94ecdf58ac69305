"""What grows how: seconds and memory against size, views, images and workers.

    python benchmarks/scaling.py [task ...]

Adds to results/scaling.csv what is not yet there. Each row is a run in a process of its
own: seconds of the processor on one core, over all processes of a run; and the memory
that the run added at its highest, in the first of them. Tasks:

* matrix, fbp: building the geometry, and reconstructing a slice with it;
* astra: reconstructing a slice without a stored matrix (in an environment of its own);
* simulate, reconstruct, segment: a library, a volume, a folder of images, by one or two
  workers of a Dask cluster;
* predict: segmenting one image tile by tile;
* train: a U-Net on patches that are read from disk;
* devices: the loss of each epoch on one device and on two (`_several_devices.py`).

About six minutes on two cores.
"""

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

RUNS = {
    "matrix": [{"size": n} for n in (64, 128, 256)],
    "fbp": [{"size": n} for n in (64, 128, 256)],
    "astra": [{"size": n} for n in (64, 128, 256)],
    "simulate": [{"images": n, "workers": w} for w in (0, 2) for n in (512, 1024)],
    "reconstruct": [{"images": n, "workers": w} for w in (0, 2) for n in (32, 64)],
    "segment": [{"images": n, "workers": w} for w in (0, 2) for n in (8, 16)],
    "predict": [{"size": n} for n in (256, 512, 1024, 2048)],
    "train": [{"images": n} for n in (128, 256, 512)],
}
SIZE = 128  # pixels and views of the volume


def main() -> None:
    """Do the runs that are missing, and write the table after each task."""
    import _record

    for task in sys.argv[1:] or [*RUNS, "devices"]:
        table, rows = _record.read("scaling"), []
        if task == "devices" and not any(row["task"] == task for row in table):
            rows += devices()
        for run in RUNS.get(task, ()):
            row = {"task": task} | {k: run.get(k, "") for k in _COLUMNS}
            if not any(all(r[k] == str(row[k]) for k in row) for r in table):
                rows.append(row | measured(task, run))
                print(rows[-1], flush=True)
        _record.write("scaling", [*_record.read("scaling"), *rows])


_COLUMNS = ("size", "images", "workers", "devices", "epoch")


def measured(task, run):
    """Seconds and megabytes of a run, in a process of its own."""
    import _environments

    arguments = (task, json.dumps(run))
    if task == "astra":
        (found,) = _environments.rows("torch", "scaling.py", *arguments, **ONE_CORE)
        return found
    command = [sys.executable, "-W", "ignore", __file__, *arguments]
    done = subprocess.run(
        command, env=os.environ | ONE_CORE, stdout=subprocess.PIPE, text=True
    )
    done.check_returncode()
    return json.loads(done.stdout.splitlines()[-1])


ONE_CORE = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def devices():
    """The loss of every epoch, on one device and on two."""
    import _environments

    script = "_several_devices.py"
    here = [sys.executable, "-W", "ignore", Path(__file__).parent / script]
    found = {}
    for how in ("one", "mirrored"):
        done = subprocess.run([*here, how], stdout=subprocess.PIPE, text=True)
        done.check_returncode()
        found[how] = json.loads(done.stdout.splitlines()[-1])["loss"]
    jax = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    (alone,) = _environments.rows("jax", script, "one", **jax)
    found["jax, one"] = alone["loss"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = os.environ | jax | {"PYTHONPATH": str(_environments.ROOT)}
    both = [
        subprocess.Popen(
            [_environments.python("jax"), *here[3:], "jax", str(process), port],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for process in (0, 1)
    ]
    said = [process.communicate(timeout=600)[0] for process in both]
    first, second = [json.loads(text.splitlines()[-1])["loss"] for text in said]
    assert first == second, "both processes see the loss of the whole batch"
    found["jax, two processes"] = first
    for name, losses in found.items():
        for epoch, loss in enumerate(losses):
            yield {"task": "devices", "devices": name, "epoch": epoch, "loss": loss}


def work(task, run):
    """Prepare a run, and return what is to be measured, and the cluster it needs."""
    import numpy as np

    from srtools.tomography import AstraBeam, ParallelBeam

    size = run.get("size", SIZE)
    angles = np.linspace(0, 180, size, endpoint=False)
    folder = Path(tempfile.mkdtemp())
    if task == "matrix":
        return lambda: ParallelBeam(size, angles).matrix
    if task in ("fbp", "astra"):
        beam = (AstraBeam if task == "astra" else ParallelBeam)(size, angles)
        sinogram = np.ones((1, size, size, 1), np.float32)
        beam.fbp(sinogram)  # what is kept is built
        return lambda: beam.fbp(sinogram)
    if task == "simulate":
        from srtools.datasets import simulate

        n, jobs = run["images"], n_jobs(run)
        return lambda: simulate("shapes", folder / "a.h5", scale=0.5, n=n, n_jobs=jobs)
    if task == "reconstruct":
        return _reconstruct(folder, run)
    if task == "train":
        return _train(folder, run["images"])
    return _segment(folder, task, run)


def n_jobs(run):
    """All workers of a cluster, or no one but this process."""
    return -1 if run.get("workers") else 1


def _reconstruct(folder, run):
    import numpy as np

    from srtools.scan import read_scan, reconstruct

    n_rows, jobs = run["images"], n_jobs(run)
    shape = (SIZE, n_rows, SIZE)
    light = np.random.default_rng(0).integers(5_000, 20_000, shape, "uint16")
    np.save(folder / "scan.npy", light)
    flats = np.full((1, n_rows, SIZE), 20_000)
    angles = np.linspace(0, 180, SIZE, endpoint=False)
    scan = read_scan(folder / "scan.npy", flats=flats, angles=angles)
    scan = scan.corrected(axis=(SIZE - 1) / 2)
    del light
    return lambda: reconstruct(
        scan, scan.beam().fbp, output=folder / "v.h5", n_jobs=jobs
    )


def segment(model, source, output):
    """Segment one file: what a worker does."""
    from srtools.segmentation import predict_image

    return predict_image(model, source, output, patch_shape=(128, 128), overlap=16)


def _segment(folder, task, run):
    import joblib
    import numpy as np
    import tifffile

    from srtools.models import unet

    side, n = (run["size"], 1) if task == "predict" else (512, run["images"])
    files = [folder / f"{i:05}.tiff" for i in range(n)]
    for i, file in enumerate(files):
        image = np.random.default_rng(i).random((side, side), np.float32)
        tifffile.imwrite(file, image)
    model = unet((128, 128, 1), filters=(8, 16, 32))
    model.predict(np.zeros((16, 128, 128, 1)), verbose=0)
    jobs = [
        joblib.delayed(segment)(model, f, f.with_name(f"mask_{f.name}")) for f in files
    ]
    return lambda: joblib.Parallel(n_jobs(run))(jobs)


def _train(folder, n):
    import keras
    import numpy as np
    import tifffile

    from srtools.models import unet

    for part in ("noisy", "label"):
        (folder / part).mkdir()
        for i in range(n):
            patch = np.random.default_rng(i).random((64, 64), np.float32)
            tifffile.imwrite(folder / part / f"{i:05}.tiff", patch)

    class Patches(keras.utils.PyDataset):
        def __init__(self, n):
            super().__init__()
            self.n = n

        def __len__(self):
            return self.n // 16

        def __getitem__(self, index):
            names = [f"{16 * index + i:05}.tiff" for i in range(16)]
            return tuple(
                np.stack([tifffile.imread(folder / part / x) for x in names])[..., None]
                for part in ("noisy", "label")
            )

    model = unet((64, 64, 1))
    model.compile("adam", "mean_squared_error")
    model.fit(Patches(32), verbose=0)  # compiles
    return lambda: model.fit(Patches(n), verbose=0)


@contextmanager
def workers(n):
    """A Dask cluster of so many processes, which joblib gives its work to."""
    import joblib
    from distributed import Client, LocalCluster

    how = {"n_workers": n, "threads_per_worker": 1, "dashboard_address": None}
    with (
        LocalCluster(**how) as cluster,
        Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        yield client


def seconds_of(client):
    """The processor's time of this process, and of the workers of a cluster."""
    used = time.process_time()
    return used + sum((client.run(time.process_time) if client else {}).values())


def measure(task, run):
    """Print seconds and megabytes of a run."""
    todo = work(task, run)
    cluster = workers(run["workers"]) if run.get("workers") else nullcontext()
    with cluster as client:
        before, start = seconds_of(client), time.perf_counter()
        least = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        todo()
        passed = time.perf_counter() - start
        spent = seconds_of(client) - before
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"seconds": spent, "passed": passed, "megabytes": (most - least) / 1024}
    print("\n" + json.dumps({k: float(f"{v:.3g}") for k, v in found.items()}))


if __name__ == "__main__":
    if sys.argv[2:] and sys.argv[2].startswith("{"):
        measure(sys.argv[1], json.loads(sys.argv[2]))
    else:
        main()
