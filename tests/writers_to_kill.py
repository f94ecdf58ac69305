"""Everything that writes for long, to be killed by tests at random moments.

`WRITERS` says by name how to write into a folder, and how to read what is whole there.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from srtools.datasets import (
    read_families,
    simulate,
    simulate_denoising,
    simulate_families,
    simulate_library,
)
from srtools.files import (
    atomic_write,
    build_list_images,
    library_settings,
    read_image,
    read_reconstruct_library,
    write_image,
)
from srtools.phantoms import random_shapes
from srtools.scan import read_scan, reconstruct
from srtools.tomography import ParallelBeam

_BEAM = ParallelBeam(32, np.arange(0, 180, 15.0))
_SIDE = 48
_IMAGE = np.random.default_rng(0).integers(0, 60_000, (800, 1000), np.uint16)


@dataclass(frozen=True)
class Writer:
    """Something that writes.

    Attributes
    ----------
    write : callable
        Takes a folder, and goes on with what is there.
    output : str
        What is in the folder as soon as everything is whole, and never before.
    read : callable
        Takes the folder, returns arrays.
    """

    write: Callable[[Path], object]
    output: str
    read: Callable[[Path], list]


def _tree(folder):
    library_settings(folder / "tree")
    kinds = sorted((folder / "tree").glob("*/*"))
    return [read_image(file) for kind in kinds for file in build_list_images(kind)]


def _hdf5(path):
    with h5py.File(path) as file:
        return [file[name][()] for name in sorted(file)]


def _reconstruct(folder, output):
    scan = folder.parent / "scan.npy"
    if not scan.exists():
        views = np.arange(0, 180, 6.0)
        images = random_shapes(40, _SIDE, rng=0)
        sinograms = ParallelBeam(_SIDE, views).project(images)
        np.save(scan, np.exp(-sinograms[..., 0].transpose(2, 0, 1) / 40))
    found = read_scan(scan, angles=np.arange(0, 180, 6.0), flats=1)
    found = found.corrected(axis=(_SIDE - 1) / 2)
    method = found.beam().fbp
    reconstruct(found, method, output=folder / output, block=2, n_jobs=1)


def _table(path):
    return np.loadtxt(path, delimiter=",", skiprows=1)


def _network(dropout=0.0):
    import keras

    image = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(4, 5, padding="same", activation="relu")(image)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(image, keras.layers.Conv2D(1, 1)(x))


def _segment(folder):
    import keras

    from srtools.segmentation import inference_binary_segmentation

    images = folder / "images"
    images.mkdir(exist_ok=True)
    for k in range(4):
        if not (images / f"{k}.tif").exists():
            write_image(images / f"{k}.tif", _IMAGE[k:])
    keras.utils.set_random_seed(0)
    inference_binary_segmentation(
        images,
        (64, 64),
        None,
        _network(),
        savepath=folder / "labels",
        scaling=(0, 60_000),
        resume=True,
    )


def _labels(folder):
    return [read_image(folder / "labels" / f"binary_mask_{k}.tiff") for k in range(4)]


def _train(folder):
    import keras

    from srtools.segmentation import PatchDataset, fit_resumable

    for kind in ("noisy", "label"):
        (folder / kind).mkdir(exist_ok=True)
        if not (folder / kind / "0.tif").exists():
            image = _IMAGE if kind == "noisy" else (_IMAGE > 30_000).astype(np.uint8)
            write_image(folder / kind / "0.tif", image)
    data = PatchDataset(
        [folder / "noisy" / "0.tif"],
        [folder / "label" / "0.tif"],
        (64, 64),
        augment=True,
        jitter=0.1,
    )
    keras.utils.set_random_seed(0)
    model = _network(dropout=0.3)
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    fit_resumable(model, data, folder / "training.npz", epochs=6)
    with atomic_write(folder / "weights.npz") as place:
        np.savez(place, *model.get_weights())


def _weights(folder):
    with np.load(folder / "weights.npz") as found:
        return [found[name] for name in sorted(found)]


_FAMILIES = {"n_anomalies": 2}
_DENOISING = {"counts": (20, 3, 3), "size": 32}
_BED = {"n": 120, "scale": 0.15, "n_jobs": 1}
WRITERS = {
    "library": Writer(
        lambda f: simulate_library(f / "a.h5", random_shapes, _BEAM, 1_100),
        "a.h5",
        lambda f: read_reconstruct_library(f / "a.h5")[:2],
    ),
    "families": Writer(
        lambda f: simulate_families(f / "a.h5", _BEAM, 300, **_FAMILIES),
        "a.h5",
        lambda f: read_families(f / "a.h5"),
    ),
    "stand-in": Writer(
        lambda f: simulate("microct_185", f / "a.h5", **_BED),
        "a.h5",
        lambda f: _hdf5(f / "a.h5"),
    ),
    "folders": Writer(
        lambda f: simulate_denoising(f / "tree", **_DENOISING),
        "tree/settings.json",
        _tree,
    ),
    "volume, HDF5": Writer(
        partial(_reconstruct, output="v.h5"),
        "v.h5",
        lambda f: [*_hdf5(f / "v.h5"), _table(f / "v.csv")],
    ),
    "volume, TIFFs": Writer(
        partial(_reconstruct, output="v"),
        "v",
        lambda f: [
            *(read_image(file) for file in build_list_images(f / "v")),
            _table(f / "v" / "misfit.csv"),
        ],
    ),
    "inference": Writer(_segment, "labels/binary_mask_3.tiff", _labels),
    "patch training": Writer(_train, "weights.npz", _weights),
}
KERAS = ("inference", "patch training")  # TensorFlow does not survive a fork


def run(name: str, folder: Path, seconds: float | None = None) -> float:
    """Write in a process of its own, which is killed after some time, or never.

    Returns
    -------
    float
        How long it took [s].

    Raises
    ------
    RuntimeError
        If it ended by itself, and not well.
    """
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # progress
        if name in KERAS:
            os.execv(sys.executable, [sys.executable, __file__, name, str(folder)])
        try:
            WRITERS[name].write(folder)
            os._exit(0)
        finally:
            os._exit(1)
    end = start + (600 if seconds is None else seconds)
    done = 0
    while not done and time.perf_counter() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.001)
    if not done:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"{name}: ended with {os.WEXITSTATUS(status)}")
    return time.perf_counter() - start


def kill_and_go_on(name: str, folder: Path, kills: int, seed: int = 0) -> dict:
    """Kill a writer so many times, each in a folder of its own, and let it go on.

    Returns
    -------
    dict
        rounds, of which some end by themselves; kills; half: how often something was
        there under its name that was not whole; other: how often what came in the end
        differed from what comes undisturbed.
    """
    writer, rng = WRITERS[name], np.random.default_rng(seed)
    whole = folder / "whole"
    whole.mkdir()
    seconds = run(name, whole)
    expected = writer.read(whole)
    begin = 0.4 if name in KERAS else 0  # until then, libraries are being loaded
    found = {"rounds": 0, "kills": 0, "half": 0, "other": 0}
    while found["kills"] < kills and found["rounds"] < 4 * kills:
        place = folder / f"{found['rounds']}"
        place.mkdir()
        found["rounds"] += 1
        took = run(name, place, seconds * rng.uniform(begin, 1))
        if (place / writer.output).exists():
            seconds = min(seconds, took)
            found["half"] += not _alike(writer.read(place), expected)
        else:
            found["kills"] += 1
            run(name, place)
        found["other"] += not _alike(writer.read(place), expected)
    return found


def _alike(some, others):
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


if __name__ == "__main__":
    WRITERS[sys.argv[1]].write(Path(sys.argv[2]))
