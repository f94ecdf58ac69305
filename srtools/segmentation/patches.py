"""Patches of large images and of their masks, to train on."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from srtools.files import build_list_images
from srtools.segmentation.pairs import UNLABELLED, Pairs
from srtools.segmentation.symmetries import symmetry_numbers, turn
from srtools.segmentation.tiles import check_scaling, tile_starts


def mask_patch_from_file(
    datapath: str | Path,
    img_dir: str,
    mask_dir: str,
    patch_shape: tuple[int, int],
    image_shape: tuple[int, int] | None = None,
    *,
    types: Sequence[str] = (".tiff", ".tif"),
    **settings,
) -> "PatchDataset":
    """Make a data set of patches of large images, out of two folders.

    Parameters
    ----------
    datapath : str or Path
        The folder that holds the two others.
    img_dir, mask_dir : str
        Folders, below `datapath`, of images and of masks of the same names.
    patch_shape, image_shape
        As in `PatchDataset`.
    types : sequence of str
        Endings of the files to use.
    **settings
        Further arguments of `PatchDataset`.

    Returns
    -------
    PatchDataset

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a folder holds no file of these types, or as `PatchDataset`.
    """
    folder = Path(datapath)
    return PatchDataset(
        build_list_images(folder / img_dir, types),
        build_list_images(folder / mask_dir, types),
        patch_shape,
        image_shape,
        **settings,
    )


class PatchDataset(keras.utils.PyDataset):
    """Patches of images and of their masks, batch by batch, for ``model.fit``.

    All files are gone through once, in bands, to check them and to find the scaling;
    after that a batch reads the tiles it needs, and nothing else.

    A batch is images (n, height, width, 1) and masks (n, height, width, 1), both
    float32. Patches do not overlap; where an image does not divide into whole patches,
    the last column or row of them is moved in, not padded.

    Parameters
    ----------
    images, masks : sequence of Path
        Files of the same names, each as in `srtools.segmentation.TiledImage`.
    patch_shape : (int, int)
        Height and width of a patch [pixels].
    image_shape : (int, int), optional
        Height and width that every image must have; by default they may differ.
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
    ignore : int, optional
        The value in the masks of pixels that nobody labelled. They get class -1, which
        the losses of `srtools.segmentation` leave out, as does Keras'
        ``SparseCategoricalCrossentropy(ignore_class=-1)``. Patches without a labelled
        pixel are not used.
    shuffle : bool
        Whether to change the order with every epoch.
    seed : int
        Seed of order, augmentation and sampling.
    augment : bool
        Whether to flip and rotate patches at random (by half turns if not square).
    jitter : float
        Standard deviation of a random offset of the grey values of each patch, and of
        a random change of their contrast, after scaling.
    favour : int, optional
        A class: every epoch draws as many patches as there are, with replacement, half
        of them from those that hold this class.

    Attributes
    ----------
    scaling : (float, float)
        Grey values that became 0 and 1, for the validation set and for inference.
    patches : int array, shape (n_patches, 4)
        File, page, row and column where each patch starts.
    recipe : dict
        What determines the batches, in values that JSON can hold, for the key of a
        training: the settings, and a checksum of the files that does not see the last
        digits of floating point numbers, which differ from machine to machine.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If an image and its mask do not pair by name or size; a file is truncated, not
        grey, constant, or holds NaN; a mask has a value that is no class; a patch is
        larger than an image; a number of `patch_range` is beyond an image's patches; no
        patch holds `favour`, or a label at all; `ignore` is a class; the grey values
        for 0 and 1 are equal or not finite; the jitter is negative.
    """

    def __init__(
        self,
        images: Sequence[Path],
        masks: Sequence[Path],
        patch_shape: tuple[int, int],
        image_shape: tuple[int, int] | None = None,
        *,
        patch_range: Sequence[int] = (),
        batch_size: int = 16,
        normalise_images: bool | tuple[float, float] = True,
        classes: Sequence[int] | None = None,
        ignore: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        augment: bool = False,
        jitter: float = 0.0,
        favour: int | None = None,
    ):
        super().__init__()
        if batch_size < 1:
            raise ValueError(
                f"expected a batch size of 1 or more, received {batch_size}"
            )
        if not jitter >= 0:
            raise ValueError(f"expected a jitter of 0 or more, received {jitter}")
        self._shape = tuple(patch_shape)
        self._batch_size, self._shuffle = batch_size, shuffle
        self._augment, self._jitter = augment, jitter
        self._rng = np.random.default_rng(seed)
        self._pairs = Pairs(
            images, masks, image_shape=image_shape, classes=classes, ignore=ignore
        )
        self.patches = np.concatenate(
            [
                _number(k, image, self._shape, patch_range)
                for k, (image, _) in enumerate(self._pairs.files)
            ]
        )
        if isinstance(normalise_images, bool):
            scaling = self._pairs.grey_values if normalise_images else (0, 1)
        else:
            scaling = normalise_images
            normalise_images = [float(f"{value:.4g}") for value in normalise_images]
        self.scaling = check_scaling(scaling)
        if ignore is not None:
            self.patches = self.patches[self._which(lambda mask: mask != UNLABELLED)]
            if not len(self.patches):
                raise ValueError(f"expected labels in the masks, found {ignore} alone")
        self._chances = None if favour is None else self._favour(favour)
        self.recipe = {
            "by": f"{__name__}:PatchDataset",
            "files": self._pairs.checksum,
            "patch_shape": [int(side) for side in patch_shape],
            "patch_range": [int(number) for number in patch_range],
            "batch_size": int(batch_size),
            "normalise_images": normalise_images,
            "classes": [[*pair] for pair in self._pairs.classes.items()],
            "shuffle": bool(shuffle),
            "seed": int(seed),
            "augment": bool(augment),
            "jitter": float(jitter),
            "favour": None if favour is None else int(favour),
        }
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
            numbers = symmetry_numbers(self._shape)
            for k, number in enumerate(self._rng.choice(numbers, len(images))):
                images[k], masks[k] = turn(images[k], number), turn(masks[k], number)
        if self._jitter:
            size = (2, len(images), 1, 1, 1)
            factor, offset = self._jitter * self._rng.standard_normal(size, np.float32)
            images = images * (1 + factor) + offset
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
        return self._pairs.read(file, page, rows, columns)

    def _which(self, holds):
        """Find out which patches have a pixel in their mask for which this holds."""
        return np.array([holds(self._read(patch)[1]).any() for patch in self.patches])

    def _favour(self, favour):
        holds = self._which(lambda mask: mask == favour)
        if not holds.any():
            raise ValueError(f"expected patches with class {favour}, found none")
        if holds.all():
            return np.full(len(holds), 1 / len(holds))
        return np.where(holds, 0.5 / holds.sum(), 0.5 / (~holds).sum())


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
