"""Patches of large images: a data set to train on, and inference over whole images.

Reading by tile is in `srtools.tiles`, inference in `srtools.stitching`; the names that
a page needs are all here.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import keras
import numpy as np

from srtools.files import build_list_images, pair_by_name
from srtools.segmentation.inference import (
    inference_binary_segmentation,
    predict_image,
    with_scaling,
)
from srtools.segmentation.seams import seam_error
from srtools.segmentation.tiles import TiledImage, check_scaling, tile_starts

__all__ = [
    "PatchDataset",
    "inference_binary_segmentation",
    "mask_patch_from_file",
    "predict_image",
    "seam_error",
    "tile_starts",
    "with_scaling",
]

_SAMPLE = 200_000  # pixels of a file that the percentiles of the scaling come from


def mask_patch_from_file(
    datapath: str | Path,
    img_dir: str,
    mask_dir: str,
    patch_shape: tuple[int, int],
    image_shape: tuple[int, int] | None = None,
    *,
    types: Sequence[str] = (".tiff", ".tif"),
    patch_range: Sequence[int] = (),
    batch_size: int = 16,
    normalise_images: bool | tuple[float, float] = True,
    classes: Sequence[int] | None = None,
    shuffle: bool = True,
    seed: int = 0,
    augment: bool = False,
    favour: int | None = None,
) -> "PatchDataset":
    """Make a data set of patches of large images and of their masks.

    All files are gone through once, in bands, to check them and to find the scaling;
    after that a batch reads the tiles it needs, and nothing else.

    Parameters
    ----------
    datapath : str or Path
        The folder that holds the two others.
    img_dir, mask_dir : str
        Folders, below `datapath`, of images and of masks of the same names; each file
        as in `srtools.segmentation.TiledImage`.
    patch_shape : (int, int)
        Height and width of a patch [pixels].
    image_shape : (int, int), optional
        Height and width that every image must have; by default they may differ.
    types : sequence of str
        Endings of the files to use.
    patch_range : sequence of int
        Numbers of the patches to use, of every image: from zero, left to right, then
        top to bottom. By default all.
    batch_size : int
        Patches a batch; the last batch may be smaller.
    normalise_images : bool or (float, float)
        Whether to scale grey values so that the 0.5 and 99.5 percentiles over *all*
        files become 0 and 1; or the two grey values, for example ``scaling`` of the
        training set for the validation set.
    classes : sequence of int, optional
        The values in the masks: a pixel of the k-th value gets class k. By default
        masks are binary, with values 0 and 1, or 0 and 255.
    shuffle : bool
        Whether to change the order with every epoch.
    seed : int
        Seed of order, augmentation and sampling.
    augment : bool
        Whether to flip and rotate patches at random (by half turns if not square).
    favour : int, optional
        A class: every epoch draws as many patches as there are, with replacement, half
        of them from those that hold this class.

    Returns
    -------
    PatchDataset
        Batches of images (n, height, width, 1) and masks (n, height, width, 1), both
        float32. Patches do not overlap; where an image does not divide into whole
        patches, the last column or row of them is moved in, not padded.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a folder holds no file of these types; an image and its mask do not pair by
        name or size; a file is truncated, not grey, constant, or holds NaN; a mask has
        a value that is no class; a patch is larger than an image; a number of
        `patch_range` is beyond an image's patches; no patch holds `favour`; the
        grey values for 0 and 1 are equal or not finite.
    """
    return PatchDataset(
        build_list_images(Path(datapath) / img_dir, types),
        build_list_images(Path(datapath) / mask_dir, types),
        patch_shape,
        image_shape=image_shape,
        patch_range=patch_range,
        batch_size=batch_size,
        normalise_images=normalise_images,
        classes=classes,
        shuffle=shuffle,
        seed=seed,
        augment=augment,
        favour=favour,
    )


class PatchDataset(keras.utils.PyDataset):
    """Patches of images and masks, for ``model.fit``; see `mask_patch_from_file`.

    Attributes
    ----------
    scaling : (float, float)
        Grey values that became 0 and 1, for the validation set and for inference.
    fingerprint : str
        Changes with what the files hold and with the settings, for
        `srtools.tutorial.trained`.
    patches : int array, shape (n_patches, 4)
        File, page, row and column where each patch starts.
    """

    def __init__(
        self,
        images: Sequence[Path],
        masks: Sequence[Path],
        patch_shape,
        *,
        image_shape,
        patch_range,
        batch_size,
        normalise_images,
        classes,
        shuffle,
        seed,
        augment,
        favour,
    ):
        super().__init__()
        if batch_size < 1:
            raise ValueError(
                f"expected a batch size of 1 or more, received {batch_size}"
            )
        self._shape = tuple(patch_shape)
        self._batch_size, self._shuffle = batch_size, shuffle
        self._augment, self._rng = augment, np.random.default_rng(seed)
        self._files = _open_pairs(images, masks, image_shape)
        self.patches = np.concatenate(
            [
                _number(k, image, self._shape, patch_range)
                for k, (image, _) in enumerate(self._files)
            ]
        )
        values = {0: 0, 1: 1, 255: 1}
        if classes is not None:
            values = {int(value): number for number, value in enumerate(classes)}
        self._classes = values
        self._table = np.full(256, -1, np.int16)  # of 8-bit masks, for speed
        for value, number in values.items():
            if 0 <= value < 256:
                self._table[value] = number
        found = [_scan(image) for image, _ in self._files]
        content = 0
        for image, mask in self._files:
            for file in (image, mask):
                for band in file.bands():
                    content = crc32(np.ascontiguousarray(band), content)
                    if file is mask:
                        self._to_classes(mask, band)
        if normalise_images is True:
            samples, ends = zip(*found, strict=True)
            low, high = np.percentile(np.concatenate(samples), (0.5, 99.5))
            if low == high:  # nearly everything has one grey value
                low, high = np.min(ends), np.max(ends)
        elif normalise_images is False:
            low, high = 0, 1
        else:
            low, high = normalise_images
        self.scaling = check_scaling((low, high))
        self._chances = None if favour is None else self._favour(favour)
        known = [f.path.name for pair in self._files for f in pair]
        known += [content, patch_shape, tuple(patch_range), batch_size, self.scaling]
        known += [values]
        known += [shuffle, seed, augment, favour]
        self.fingerprint = hashlib.sha256(repr(known).encode()).hexdigest()
        self.on_epoch_end()

    def __len__(self):
        """Return the number of batches."""
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index):
        """Return a batch: images and masks, each (n, height, width, 1) float32."""
        start = index * self._batch_size
        order = self._order[start : start + self._batch_size]
        images = np.empty((len(order), *self._shape, 1), np.float32)
        masks = np.empty_like(images)
        for k, patch in enumerate(self.patches[order]):
            images[k, ..., 0], masks[k, ..., 0] = self._read(patch)
        low, high = self.scaling
        images -= np.float32(low)
        images /= np.float32(high - low)
        if self._augment:
            for k in range(len(images)):
                turn = _symmetry(
                    self._rng.integers(8), self._shape[0] == self._shape[1]
                )
                images[k], masks[k] = turn(images[k]), turn(masks[k])
        return images, masks

    def on_epoch_end(self):
        """Change the order of the patches, or draw others."""
        n = len(self.patches)
        if self._chances is not None:
            self._order = self._rng.choice(n, n, p=self._chances)
        else:
            self._order = self._rng.permutation(n) if self._shuffle else np.arange(n)

    def _read(self, patch):
        file, page, y, x = (int(value) for value in patch)
        rows, columns = slice(y, y + self._shape[0]), slice(x, x + self._shape[1])
        image, mask = self._files[file]
        classes = self._to_classes(mask, mask.read(page, rows, columns))
        return image.read(page, rows, columns), classes

    def _to_classes(self, file, mask):
        if mask.dtype == np.uint8:
            classes = self._table[mask]
        else:
            classes = np.full(mask.shape, -1, np.int16)
            for value, number in self._classes.items():
                classes[mask == value] = number
        if classes.min() < 0:
            some = np.unique(mask[classes < 0])[:5].tolist()
            raise ValueError(
                f"{file.path}: expected labels {list(self._classes)}, found {some}"
            )
        return classes

    def _favour(self, favour):
        holds = np.array([(self._read(p)[1] == favour).any() for p in self.patches])
        if not holds.any():
            raise ValueError(f"expected patches with class {favour}, found none")
        if holds.all():
            return np.full(len(holds), 1 / len(holds))
        return np.where(holds, 0.5 / holds.sum(), 0.5 / (~holds).sum())


def _open_pairs(images, masks, image_shape):
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


def _number(file, image, patch_shape, patch_range):
    """Place of the patches of a file: row (file, page, y, x) each, in reading order."""
    pages, *sides = image.shape
    try:
        starts = [
            tile_starts(side, tile, tile)
            for side, tile in zip(sides, patch_shape, strict=True)
        ]
    except ValueError as error:
        raise ValueError(f"{image.path}: {error}") from error
    places = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
    wanted = np.asarray(patch_range, int)
    if wanted.size:
        if wanted.min() < 0 or wanted.max() >= len(places):
            raise ValueError(
                f"{image.path}: expected patch numbers from 0 to {len(places) - 1}, "
                f"received {wanted.min()} to {wanted.max()}"
            )
        places = places[wanted]
    return np.concatenate(
        [np.insert(places, 0, [[file], [page]], axis=1) for page in range(pages)]
    )


def _scan(image):
    """Check every value of an image; return a sample of them, and the extremes."""
    low, high, sample = np.inf, -np.inf, []
    step = max(1, np.prod(image.shape) // _SAMPLE)
    for band in image.bands():
        low, high = min(low, band.min()), max(high, band.max())
        sample.append(band.ravel()[::step].astype(np.float64))
    if low == high:
        raise ValueError(f"{image.path}: expected an image, found {low} everywhere")
    return np.concatenate(sample), (low, high)


def _symmetry(number, square):
    """One of the eight symmetries of a square, or of the four of a rectangle."""

    def turn(patch):
        patch = patch[:, ::-1] if number % 2 else patch
        return np.rot90(patch, number // 2 if square else 2 * (number // 4))

    return turn
