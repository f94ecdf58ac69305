"""Pairs of images and masks: opened, checked, and gone through once."""

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
        Changes with the names, the sizes and the pixels of the files.

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
        content, samples, ends = 0, [], []
        for image, mask in self.files:
            content, sample, extremes = _scan(image, content)
            samples.append(sample)
            ends.append(extremes)
            content = self._check(mask, content)
        self.checksum = f"{content:08x}"
        low, high = np.percentile(np.concatenate(samples), (0.5, 99.5))
        if low == high:  # nearly everything has one grey value
            low, high = np.min(ends), np.max(ends)
        self.grey_values = float(low), float(high)

    def read(self, file: int, page: int, rows: slice, columns: slice):
        """Read a region of an image, and the classes of its pixels."""
        image, mask = self.files[file]
        classes = self._to_classes(mask, mask.read(page, rows, columns))
        return image.read(page, rows, columns), classes

    def _check(self, mask, content):
        content = _begin(mask, content)
        for band in mask.bands():
            self._to_classes(mask, band)
            content = crc32(np.ascontiguousarray(band), content)
        return content

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


def _scan(image, content):
    """Check every value; return a checksum, a sample of them, and the extremes."""
    low, high, sample = np.inf, -np.inf, []
    step = max(1, np.prod(image.shape) // _SAMPLE)
    content = _begin(image, content)
    for band in image.bands():
        low, high = min(low, band.min()), max(high, band.max())
        sample.append(band.ravel()[::step].astype(np.float64))
        content = crc32(np.ascontiguousarray(band), content)
    if low == high:
        raise ValueError(f"{image.path}: expected an image, found {low} everywhere")
    return content, np.concatenate(sample), (low, high)


def _begin(file, content):
    """Go on with a checksum at another file."""
    about = f"{file.path.name} {file.shape} {file.dtype.str}"
    return crc32(about.encode(), content)
