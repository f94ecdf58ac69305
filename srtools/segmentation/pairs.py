"""Pairs of images and masks: opened, checked, and gone through once."""

import math
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from srtools.files import pair_by_name
from srtools.segmentation.tiles import TiledImage

UNLABELLED = -1  # the class of pixels that nobody labelled
_UNKNOWN = -2  # of values that are no class
_SAMPLE = 200_000  # pixels of a file that the percentiles come from


class Pairs:
    """Images and their masks, of which every pixel has been checked.

    Parameters
    ----------
    images, masks : sequence of Path
        Files of the same names, as in `srtools.segmentation.TiledImage`.
    image_shape, classes, ignore
        As in `srtools.segmentation.PatchDataset`.

    Attributes
    ----------
    files : list of (TiledImage, TiledImage)
        Each image with its mask.
    classes : dict of int to int
        The class of each value in the masks; -1 where nobody labelled.
    grey_values : (float, float)
        The 0.5 and 99.5 percentiles over all images.
    checksum : str
        Changes with the names, the sizes and the pixels of the files; of floating point
        numbers count mean and standard deviation, to four digits of the latter.

    Raises
    ------
    FileNotFoundError, ValueError
        As `srtools.segmentation.PatchDataset`.
    """

    def __init__(
        self,
        images: Sequence[Path],
        masks: Sequence[Path],
        *,
        image_shape: tuple[int, int] | None,
        classes: Sequence[int] | None,
        ignore: int | None,
    ):
        self.files = _open(images, masks, image_shape)
        self.classes = _numbers(classes, ignore)
        self._table = np.full(256, _UNKNOWN, np.int16)  # of 8-bit masks, for speed
        for value, number in self.classes.items():
            if 0 <= value < 256:
                self._table[value] = number
        checksum, samples, ends = _Checksum(), [], []
        for image, mask in self.files:
            sample, extremes = _sample(image, checksum.watch(image))
            samples.append(sample)
            ends.append(extremes)
            for band in checksum.watch(mask):
                self._to_classes(mask, band)
        self.checksum = f"{checksum.value:08x}"
        low, high = np.percentile(np.concatenate(samples), (0.5, 99.5))
        if low == high:  # nearly everything has one grey value
            low, high = np.min(ends), np.max(ends)
        self.grey_values = float(low), float(high)

    def read(self, file: int, page: int, rows: slice, columns: slice):
        """Read a region of an image, and the classes of its pixels."""
        image, mask = self.files[file]
        classes = self._to_classes(mask, mask.read(page, rows, columns))
        return image.read(page, rows, columns), classes

    def _to_classes(self, file, mask):
        if mask.dtype == np.uint8:
            classes = self._table[mask]
        else:
            classes = np.full(mask.shape, _UNKNOWN, np.int16)
            for value, number in self.classes.items():
                classes[mask == value] = number
        if classes.min() == _UNKNOWN:
            some = np.unique(mask[classes == _UNKNOWN])[:5].tolist()
            raise ValueError(
                f"{file.path}: expected labels {list(self.classes)}, found {some}"
            )
        return classes


def _open(images, masks, image_shape):
    pairs = [tuple(map(TiledImage, pair)) for pair in pair_by_name(images, masks)]
    for image, mask in pairs:
        if image.shape != mask.shape:
            raise ValueError(
                f"{mask.path}: expected a mask of the image's (pages, height, width) "
                f"{image.shape}, found {mask.shape}"
            )
        if image_shape is not None and image.shape[1:] != tuple(image_shape):
            raise ValueError(
                f"{image.path}: expected an image of {tuple(image_shape)} pixels, "
                f"found {image.shape[1:]}"
            )
    return pairs


def _numbers(classes, ignore):
    """Class of each value in the masks."""
    if classes is None:
        numbers = {0: 0, 1: 1, 255: 1}
    else:
        numbers = {int(value): number for number, value in enumerate(classes)}
        if ignore in numbers:
            raise ValueError(
                f"expected a value to ignore that is no class, received {ignore} and "
                f"classes {list(numbers)}"
            )
    return numbers if ignore is None else numbers | {int(ignore): UNLABELLED}


def _sample(image, bands):
    """Check that an image is one; return some of its values, and the extremes."""
    low, high, sample = np.inf, -np.inf, []
    step = max(1, np.prod(image.shape) // _SAMPLE)
    width = image.shape[-1]
    while step >= width and math.gcd(step, width) > 1:
        step += 1  # or it would take the same columns in every row
    for band in bands:
        low, high = min(low, band.min()), max(high, band.max())
        sample.append(band.ravel()[::step].astype(np.float64))
    if low == high:
        raise ValueError(f"{image.path}: expected an image, found {low} everywhere")
    return np.concatenate(sample), (low, high)


class _Checksum:
    """A checksum of files that are gone through for another reason."""

    def __init__(self):
        self.value = 0

    def _add(self, text):
        self.value = crc32(text, self.value)

    def watch(self, file):
        """Go through a file in bands."""
        self._add(f"{file.path.name} {file.shape} {file.dtype.str}".encode())
        total = squares = 0.0
        for band in file.bands():
            yield band
            if file.dtype.kind == "f":
                values = band.astype(np.float64)
                total, squares = total + values.sum(), squares + (values**2).sum()
            else:
                self._add(np.ascontiguousarray(band))
        if file.dtype.kind == "f":
            mean = total / np.prod(file.shape)
            spread = np.sqrt(max(squares / np.prod(file.shape) - mean**2, 0))
            self._add(f"{spread:.3e} {round(mean / (spread or 1), 4) + 0}".encode())
