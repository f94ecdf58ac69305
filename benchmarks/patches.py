"""Measure how fast patches are read and segmented, and what memory that takes.

Rows of ``benchmarks/results/patches.csv``:

- reading: patches of 64 x 64 pixels a second, at random from eight TIFFs of
  1280 x 1280, by the data set and by opening and decoding the file for every patch;
- inference: tiles a second through a small network, by ``predict_image`` and by one
  ``predict`` a tile;
- memory: peak above the loaded, once used model while an uncompressed image of 16 bits
  is segmented, 20 000 x 20 000 pixels and twice as high, each in its own process.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _record
import keras
import numpy as np
import tifffile

from srtools.models import unet
from srtools.segmentation import mask_patch_from_file, predict_image

SIDE, PATCH, WIDE = 1280, 64, 20_000


def reading(folder, compression):
    """Patches a second by the data set, and by re-opening the file."""
    rng = np.random.default_rng(0)
    root = folder / f"reading-{compression}"
    for kind in ("noisy", "label"):
        (root / kind).mkdir(parents=True)
    for k in range(8):
        image = rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
        for kind, array in (("noisy", image), ("label", (image > 0).astype(np.uint8))):
            tifffile.imwrite(root / kind / f"{k}.tiff", array, compression=compression)
    data = mask_patch_from_file(root, "noisy", "label", (PATCH, PATCH))
    start = time.perf_counter()
    for _ in range(10):  # epochs
        for k in range(len(data)):
            data[k]
        data.on_epoch_end()
    fast = 10 * len(data.patches) / (time.perf_counter() - start)

    some = data.patches[rng.permutation(len(data.patches))[:200]]
    start = time.perf_counter()
    for k, _, y, x in some:
        for kind in ("noisy", "label"):
            array = tifffile.imread(root / kind / f"{k}.tiff")
            array[y : y + PATCH, x : x + PATCH].astype(np.float32)
    return fast, len(some) / (time.perf_counter() - start)


def inference(folder):
    """Tiles a second by rows of tiles, and by one ``predict`` a tile."""
    image = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    tifffile.imwrite(folder / "in.tif", image)
    model = unet((PATCH, PATCH, 1), filters=(8, 16, 32))
    model.predict_on_batch(np.zeros((20, PATCH, PATCH, 1)))  # compile
    model.predict(np.zeros((1, PATCH, PATCH, 1)), verbose=0)
    n = (SIDE // PATCH) ** 2
    start = time.perf_counter()
    predict_image(
        model,
        folder / "in.tif",
        folder / "out.tif",
        patch_shape=(PATCH, PATCH),
        overlap=0,
        batch_size=20,
    )
    fast = n / (time.perf_counter() - start)
    start = time.perf_counter()
    for k in range(n // 4):
        y, x = divmod(k, SIDE // PATCH)
        tile = image[y * PATCH : (y + 1) * PATCH, x * PATCH : (x + 1) * PATCH]
        model.predict(tile[None, ..., None], verbose=0)
    return fast, (n // 4) / (time.perf_counter() - start)


def peak():
    """Peak memory of this process [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory(source):
    """Print the peak above the loaded model [MB] while an image is segmented."""
    image = keras.Input((512, 512, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
    model.predict_on_batch(np.zeros((8, 512, 512, 1)))
    before = peak()
    predict_image(
        model,
        source,
        source.with_name(f"labels-{source.name}"),
        patch_shape=(512, 512),
        overlap=32,
        scaling=(0.0, 65535.0),
        batch_size=8,
    )
    print(peak() - before)


def write_large(path, height):
    """Write noise of 16 bits in strips, without holding the image."""
    rng = np.random.default_rng(0)
    strip = rng.integers(0, 2**16, (500, WIDE), dtype=np.uint16)
    strips = (np.roll(strip, k, axis=1) for k in range(height // 500))
    tifffile.imwrite(
        path,
        strips,
        shape=(height, WIDE),
        dtype=np.uint16,
        rowsperstrip=500,
        bigtiff=True,
        metadata=None,
    )


def main():
    """Measure everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=Path, help="segment this image alone")
    memory_of = parser.parse_args().memory
    if memory_of:
        return memory(memory_of)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for compression in (None, "zlib"):
            fast, slow = reading(folder, compression)
            name = f"read {SIDE}x{SIDE} TIFF, {compression or 'uncompressed'}"
            rows.append((name, "patches/s", fast, slow, fast / slow))
            print(rows[-1], flush=True)
        fast, slow = inference(folder)
        rows.append(("inference, U-Net", "tiles/s", fast, slow, fast / slow))
        print(rows[-1], flush=True)
        for height in (WIDE, 2 * WIDE):
            source = folder / f"{height}.tif"
            write_large(source, height)
            command = [sys.executable, __file__, "--memory", str(source)]
            done = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True
            )
            megabytes = float(done.stdout)
            name = f"peak memory above the model, {height}x{WIDE}"
            rows.append((name, "MB", megabytes))
            print(rows[-1], flush=True)
            source.unlink()
            source.with_name(f"labels-{source.name}").unlink()
    columns = "what", "unit", "ours", "simple way", "ratio"
    shown = [[f"{v:.4g}" if isinstance(v, float) else v for v in row] for row in rows]
    _record.write("patches", [dict(zip(columns, row, strict=False)) for row in shown])
    return None


if __name__ == "__main__":
    main()
