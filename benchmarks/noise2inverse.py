"""Noise2Inverse on the tooth: networks, splits, doses; few views at an equal dose.

    python benchmarks/noise2inverse.py [number of an experiment ...]

Adds to results/noise2inverse.csv what is not yet there, a row an experiment: PSNR to a
reference that was made of the other 90 views, at full dose, and the misfit to those
views, as on the page `book/real/noise2inverse.md`. Two to five minutes an experiment on
two cores.
"""

import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import _record
import h5py
import keras
import numpy as np

from srtools.datasets import fetch
from srtools.metrics import psnr
from srtools.models import SplitPatches, denoise_split, msd, unet
from srtools.scan import (
    SplitViews,
    misfit,
    read_scan,
    remove_air,
    remove_rings,
    tune_by_views,
)
from srtools.tomography import tv

ROWS = slice(0, 2)
AXIS = 95.25  # of the joined columns: 295 on the detector


def joined(pictures):
    """Join pairs of the 384 columns about the axis."""
    return pictures[..., 104:488].reshape(*pictures.shape[:-1], 192, 2).sum(axis=-1)


class Tooth:
    """The tooth at any dose, and its judge."""

    def __init__(self):
        self.whole = read_scan(fetch("tooth"))
        dark = self.whole.darks.read(ROWS).mean(axis=0)
        self.white = joined(self.whole.flats.read(ROWS).mean(axis=0) - dark)
        self.light = joined(self.whole.projections.read(ROWS) - dark)
        judge = self._write(self.light, self.white, range(1, 180, 2))
        self._beam, self._unseen = judge.beam(), judge.sinograms(ROWS)
        self.reference = self._beam.fbp(self._unseen, filter="hann")
        self.unit = np.percentile(self.reference, 99.9)

    def expose(self, photons, views, seed):
        """Scan some views with so many photons a pixel."""
        flat = photons * self.white / self.white.mean()
        counts = np.random.default_rng(seed).poisson(flat * self.light / self.white)
        return self._write(counts, flat, views)

    def score(self, images):
        """PSNR, seen through the reference's blur if that is better; and misfit."""
        blurred = self._beam.fbp(self._beam.project(images), filter="hann")
        unit, truth = self.unit, self.reference / self.unit
        near = max(psnr(truth, i / unit).mean() for i in (images, blurred))
        return near, misfit(self._beam, images, self._unseen).mean()

    def _write(self, counts, flat, views):
        path = Path(tempfile.mkdtemp()) / "scan.h5"
        with h5py.File(path, "w") as file:
            file["exchange/data"] = counts[list(views)].astype("float32")
            file["exchange/data_white"] = flat[None]
            file["exchange/theta"] = self.whole.angles[list(views)]
        scan = read_scan(path).corrected(axis=AXIS)
        return scan.corrected(partial(remove_air, width=8), remove_rings)


def self_taught(scan, seed, network, parts, strategy, steps):
    """Denoise a scan by Noise2Inverse."""
    split = SplitViews(scan.beam(), parts)
    y = scan.sinograms(ROWS)
    peak = np.percentile(scan.beam().fbp(y, filter="hann"), 99.9)
    images = split.fbp(y, filter="hann") / peak
    keras.utils.set_random_seed(seed)
    build, rate, batch = NETWORKS[network]
    model = build((None, None, 1))
    falling = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(falling), "mean_squared_error")
    sizes = {"batch_size": batch, "batches": steps // 4}
    model.fit(SplitPatches(images, strategy, **sizes, seed=seed), epochs=4, verbose=0)
    return denoise_split(model, images, strategy) * peak


def total_variation(scan):
    """TV, its weight chosen by held-out views."""
    grid = [0.15, 0.3, 0.6, 1.2, 2.4]
    best, _ = tune_by_views(scan, tv, 0, weight=grid)
    return tv(scan.beam(), scan.sinograms(ROWS), **best)


NETWORKS = {  # builder, learning rate, batch size
    "U-Net": (partial(unet, residual=True), 2e-3, 16),
    "MS-D": (msd, 5e-3, 4),
}


def experiments():
    """Every experiment as the row that it will be, without its result."""
    for photons in (300, 3000):
        for seed in (1, 2, 3):
            yield _row(photons, 90, "U-Net", 2, "X:1", seed)
    for views in (90, 45, 30, 18):  # the dose of 90 views of 300 photons
        yield _row(27_000 // views, views, "TV")
        if views < 90:
            yield _row(27_000 // views, views, "U-Net", 2, "X:1")
    others = ("MS-D", 2, "X:1"), ("U-Net", 4, "X:1"), ("U-Net", 4, "1:X")
    for network, parts, strategy in (*others, ("U-Net", 10, "half")):
        for photons in (300, 3000):
            yield _row(photons, 90, network, parts, strategy)
    yield _row(3000, 90, "U-Net", 2, "X:1", steps=3600)


def _row(photons, views, method, parts="", strategy="", seed=1, steps=900):
    steps = steps if parts else ""
    row = {"photons": photons, "views": views, "method": method, "parts": parts}
    return row | {"strategy": strategy, "steps": steps, "seed": seed}


def main() -> None:
    """Do the experiments that are missing, and write the table after each."""
    tooth, rows = Tooth(), _record.read("noise2inverse")
    known = {tuple(str(row[k]) for k in _row(0, 0, "")) for row in rows}
    wanted = list(experiments())
    if sys.argv[1:]:
        wanted = [wanted[int(number)] for number in sys.argv[1:]]
    for row in wanted:
        if tuple(map(str, row.values())) in known:
            continue
        step = 180 // row["views"]
        scan = tooth.expose(row["photons"], range(0, 180, step), row["seed"] - 1)
        start = time.process_time()
        if row["method"] == "TV":
            images = total_variation(scan)
        else:
            images = self_taught(scan, row["seed"], *list(row.values())[2:6])
        near, left = tooth.score(images)
        minutes = (time.process_time() - start) / 60 / os.cpu_count()
        result = {"psnr": f"{near:.2f}", "misfit": f"{left:.4f}"}
        rows.append(row | result | {"minutes": f"{minutes:.1f}"})
        print(rows[-1], flush=True)
        _record.write("noise2inverse", rows)


if __name__ == "__main__":
    main()
