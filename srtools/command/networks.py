"""Send images through a network that was saved by Keras."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from srtools.command.scans import draw_slice
from srtools.files import build_list_images, reading, write_image
from srtools.models import check_range, pretrained, rescaled
from srtools.segmentation import TiledImage, predict_image

_MULTIPLE = 32  # sides that any U-Net of the package can halve
_TILE = 256


def denoise(volume: Path, output: Path, model: str, scale: float = 1.0) -> None:
    """Write what a network makes of each slice of a volume.

    Parameters
    ----------
    volume : Path
        A file as in `srtools.segmentation.TiledImage`, or a folder of TIFFs.
    output : Path
        A folder that does not exist; it is there only when it is whole.
    model : str
        A ``.keras`` file, or the name of a network that comes with the package: from
        images (n, height, width, 1) to images of that shape.
    scale : float
        From the values of the volume to those that the network was taught in.

    Raises
    ------
    FileExistsError
        If the output exists.
    ValueError
        If the network does not fit the slices, or gives values that are not finite; or
        the middle slice is not on the scale of a network of the package.
    """
    network, taught_in = _load(model)
    if scale != 1:
        network = rescaled(network, scale)
    pages = _pages(volume)
    if taught_in is not None:
        _check_scale(_read(*pages[len(pages) // 2]) * scale, taught_in, volume)
    bar = {"desc": "denoising", "unit": "slice"}
    with _begin(output) as partial:
        for number, (image, page) in enumerate(tqdm(pages, **bar)):
            found = _apply(network, _read(image, page), image.path)
            write_image(partial / f"{number:05d}.tif", found)
            if number == len(pages) // 2:
                middle = found
        draw_slice(middle, f"slice {len(pages) // 2}, denoised", partial / "middle.png")


def segment(images: Path, output: Path, model: str) -> None:
    """Write the labels of each image, 8 bits, and a picture of the middle one.

    Parameters
    ----------
    images : Path
        A folder of TIFFs, or a file as in `srtools.segmentation.TiledImage`.
    output : Path
        A folder that does not exist; it is there only when it is whole.
    model : str
        A ``.keras`` file, or the name of a network that comes with the package: from
        images (n, height, width, 1) to logits.

    Raises
    ------
    FileExistsError
        If the output exists.
    ValueError
        As `srtools.segmentation.predict_image`; or if a side of an image is below 32
        pixels.
    """
    network, _ = _load(model)
    files = build_list_images(images) if images.is_dir() else [images]
    patches = [_patch(network, file) for file in files]  # all, before the work begins
    with _begin(output) as partial:
        for file, patch in zip(files, patches, strict=True):
            labels = partial / f"{file.stem}.tif"
            predict_image(network, file, labels, patch_shape=patch)
        middle = files[len(files) // 2].stem
        labels = TiledImage(partial / f"{middle}.tif")
        picture = _read(labels, labels.shape[0] // 2)
        draw_slice(picture, f"labels of {middle}", partial / "middle.png")


def _load(model):
    """A network, and the range it was taught in where that is known."""
    path = Path(model)
    if path.is_file():
        with reading(path, "a network that Keras saved"):
            return keras.saving.load_model(path, compile=False, safe_mode=True), None
    if path.suffix or len(path.parts) > 1:
        raise FileNotFoundError(f"{model}: no such file")
    try:
        network, card = pretrained(model)
    except KeyError as error:
        raise ValueError(f"--model: {error.args[0]}") from error
    if not hasattr(network, "input_shape"):
        raise ValueError(f"--model: expected a network of one input, not {model}")
    return network, card.taught_in["input"]


def _check_scale(picture, taught_in, path):
    """Say by which factor a network of the package knows such values, or raise."""
    try:
        check_range(picture, taught_in)
    except ValueError as error:
        ratio = np.abs(taught_in).max() / np.abs(picture).max()
        raise ValueError(f"{path}: {error}; here: --scale {ratio:.2g}") from error


@contextmanager
def _begin(output) -> Iterator[Path]:
    """A folder to work in, beside the output: it becomes that, or is removed."""
    if output.exists():
        raise FileExistsError(f"{output}: exists, and is never overwritten")
    partial = output.with_name(output.name + ".partial")
    if partial.exists():
        raise FileExistsError(f"{partial}: left by an interrupted run; remove it")
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:  # no later run goes on with it
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.replace(output)


def _patch(network, file):
    """Height and width of the tiles of an image."""
    shape = TiledImage(file).shape[1:]
    wanted = network.input_shape[1:3]
    sides = list(zip(wanted, shape, strict=True))
    if any(side is None and length < _MULTIPLE for side, length in sides):
        raise ValueError(
            f"{file}: expected sides of at least {_MULTIPLE} pixels, the smallest "
            f"tile, received {shape[0]} x {shape[1]}"
        )
    return [side or min(_TILE, n // _MULTIPLE * _MULTIPLE) for side, n in sides]


def _pages(volume):
    """Every page of every file, in order."""
    files = build_list_images(volume) if volume.is_dir() else [volume]
    images = [TiledImage(file) for file in files]
    return [(image, page) for image in images for page in range(image.shape[0])]


def _read(image, page):
    height, width = image.shape[1:]
    picture = image.read(page, slice(0, height), slice(0, width))
    return np.asarray(picture, np.float32)


def _apply(network, picture, path):
    """What the network makes of a picture (height, width) of any size."""
    wanted = network.input_shape[1:3]
    extra = [
        (0, -length % _MULTIPLE if side is None else side - length)
        for side, length in zip(wanted, picture.shape, strict=True)
    ]
    if min(after for _, after in extra) < 0 or any(
        side and side != length
        for side, length in zip(wanted, picture.shape, strict=True)
    ):
        raise ValueError(
            f"{path}: expected slices of {wanted[0]} x {wanted[1]} pixels, for which "
            f"the network was built, found {picture.shape[0]} x {picture.shape[1]}"
        )
    padded = np.pad(picture, extra, mode="reflect")[None, ..., None]
    found = np.asarray(network.predict_on_batch(padded))[0, ..., 0]
    if not np.isfinite(found).all():
        raise ValueError(f"{path}: expected finite values from the network")
    return found[: picture.shape[0], : picture.shape[1]]
