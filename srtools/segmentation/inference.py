"""Segment images of any size tile by tile, without seams and without holding them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from tqdm import tqdm

from srtools.files import atomic_write, build_list_images, write_once, writing
from srtools.segmentation.kept_rows import digest, kept_rows
from srtools.segmentation.stitching import (
    TIFF_TILE,
    blended_rows,
    grid_of,
    mean_probabilities,
    pages_of_tiles,
)
from srtools.segmentation.symmetries import symmetry_numbers
from srtools.segmentation.tiles import TiledImage, check_scaling

_PICTURE = 2048  # largest side of a picture


def predict_image(
    model,
    source: str | Path,
    output: str | Path,
    *,
    patch_shape: tuple[int, int],
    overlap: int = 16,
    blend: str = "hann",
    scaling: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 16,
    probabilities: bool = False,
    symmetries: bool = False,
) -> Path:
    """Segment an image that need not fit into memory.

    The image is read, segmented and written by rows of tiles: memory grows with its
    width and not with its height. A call after an interruption goes on where the last
    one stopped, if source, network and arguments are the same; what is done is kept
    beside the output, in a folder whose name ends in ``.partial``.

    Parameters
    ----------
    model : keras.Model
        Maps (n, height, width, 1) to logits (n, height, width, n_classes); one class
        means a binary task.
    source : str or Path
        An image as in `srtools.segmentation.TiledImage`; of a stack, every page is
        segmented.
    output : str or Path
        A TIFF in tiles, BigTIFF where it needs to be. It appears under this name only
        when it is whole.
    patch_shape : (int, int)
        Height and width of a tile [pixels]; no larger than the image.
    overlap : int
        Pixels that neighbouring tiles share. The last tiles are moved in, never padded.
    blend : {"hann", "crop", "none"}
        In the overlap, fade from one tile to the next with Hann windows; or cut in its
        middle; or let the later tile win.
    scaling : (float, float)
        Grey values that become 0 and 1: ``scaling`` of the training set.
    batch_size : int
        Tiles that go through the network together.
    probabilities : bool
        Write float32 probabilities, of the foreground or of each class, rather than
        8-bit labels 0, 1, ...
    symmetries : bool
        Take the mean of the probabilities over the eight mirror images and turns of
        each tile, or over four if it is not square. It costs as many times the work.

    Returns
    -------
    Path
        The output.

    Raises
    ------
    FileExistsError
        If the output exists: it is never overwritten.
    OSError
        If it cannot be written.
    FileNotFoundError, ValueError
        As `srtools.segmentation.TiledImage` for the source; ValueError if a patch is
        larger than the image, an argument is out of its range, or the network's
        answer is not finite.
    """
    output = Path(output)
    _refuse(output)
    image = TiledImage(source)
    grid = grid_of(image, patch_shape, overlap, blend)
    if batch_size < 1:
        raise ValueError(f"expected a batch size of 1 or more, received {batch_size}")
    low, high = check_scaling(scaling)
    numbers = symmetry_numbers(patch_shape) if symmetries else (0,)
    n_classes = model.output_shape[-1]
    if n_classes > 256 and not probabilities:
        raise ValueError(f"expected at most 256 classes, received {n_classes}")
    depth = (n_classes,) if probabilities and n_classes > 1 else ()
    dtype = np.dtype("float32" if probabilities else "uint8")
    pages, height, width = image.shape
    tile = min(TIFF_TILE, -(-height // 16) * 16)

    def answer(patches):
        scaled = (patches - np.float32(low)) / np.float32(high - low)
        return mean_probabilities(model, scaled, numbers)

    starts = grid[0].starts
    heights = np.diff(starts, append=height).tolist() * pages

    def rows(first):
        """Segment the rows of tiles from this number on, through all pages."""
        bar = {"total": len(heights), "initial": first, "unit": "row"}
        with tqdm(desc=output.name, **bar) as bar:
            for page in range(first // len(starts), pages):
                begin = max(0, first - page * len(starts))
                how = (n_classes, image, page, grid, batch_size, begin)
                for row in blended_rows(answer, *how):
                    bar.update()
                    if not probabilities:
                        yield _label(row)
                    else:
                        yield row[..., 0] if n_classes == 1 else row

    nbytes = pages * height * width * int(np.prod(depth)) * dtype.itemsize
    settings = {
        "source": [str(image.path.resolve()), image.path.stat().st_mtime_ns],
        "network": digest(model),
        "tiles": [list(patch_shape), overlap, blend, batch_size, numbers],
        "scaling": [low, high],
        "result": [dtype.name, n_classes],
    }
    with write_once(output) as partial, writing(output):
        if partial is None:
            _refuse(output)
        row = (width, *depth)
        with kept_rows(partial.parent, settings, heights, row, dtype, rows) as kept:
            tifffile.imwrite(
                partial,
                pages_of_tiles(kept, len(starts), tile, width),
                shape=(*((pages,) if pages > 1 else ()), height, *row),
                dtype=dtype,
                tile=(tile, TIFF_TILE),
                photometric="minisblack",
                planarconfig="contig" if depth else None,
                metadata=None,
                bigtiff=nbytes > 2**32 - 2**25,
            )
    return output


def inference_binary_segmentation(
    datapath: str | Path,
    patch_shape: tuple[int, int],
    image_shape: tuple[int, int] | None,
    model,
    *,
    file_prefix: str = "binary_mask",
    savepath: str | Path = "./inferred_masks",
    types: Sequence[str] = (".tiff", ".tif"),
    resume: bool = False,
    **how,
) -> list[Path]:
    """Segment all images of a folder, into TIFFs of labels and pictures to look at.

    Parameters
    ----------
    datapath : str or Path
        Folder of the images.
    patch_shape : (int, int)
        Height and width of a tile [pixels].
    image_shape : (int, int) or None
        Height and width that every image must have; None lets them differ.
    model : keras.Model
        As for `predict_image`.
    file_prefix : str
        ``00000.tiff`` gives ``<file_prefix>_00000.tiff`` and ``.png``. The picture is
        that of the first page, and leaves out rows and columns of images of more than
        2048 pixels.
    savepath : str or Path
        Folder of the results; made where it is missing.
    types : sequence of str
        Endings of the files to use.
    resume : bool
        Go on with a run that was interrupted: labels that are there, which are whole,
        are taken to be of the same network and kept.
    **how
        Further arguments of `predict_image`.

    Returns
    -------
    list of Path
        The TIFFs of labels.

    Raises
    ------
    FileExistsError, OSError, FileNotFoundError, ValueError
        As `predict_image`, for all files before the first is segmented; with `resume`
        an output may exist.
    """
    files = build_list_images(datapath, types)
    stems = [file.stem for file in files]
    twice = [file.name for file in files if stems.count(file.stem) > 1]
    if twice:
        raise ValueError(
            f"{datapath}: expected names that differ in more than the type, found "
            f"{', '.join(sorted(twice))}"
        )
    if how.get("probabilities") and model.output_shape[-1] > 1:
        raise ValueError(
            "expected probabilities=True of one class only, whose pictures can be "
            f"drawn, received a model of {model.output_shape[-1]}: see predict_image"
        )
    images = [TiledImage(file) for file in files]
    for file, image in zip(files, images, strict=True):
        found = image.shape[1:]
        if image_shape is not None and found != tuple(image_shape):
            raise ValueError(
                f"{file}: expected an image of {tuple(image_shape)} pixels, "
                f"found {found}"
            )
    savepath = Path(savepath)
    try:
        savepath.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"{savepath}: expected a place that can be written to ({error})"
        ) from error
    outputs = [savepath / f"{file_prefix}_{file.stem}.tiff" for file in files]
    for output in () if resume else outputs:
        _refuse(output)
        _refuse(output.with_suffix(".png"))
    for image in images:
        grid_of(image, patch_shape, how.get("overlap", 16), how.get("blend", "hann"))
    for file, output in zip(files, outputs, strict=True):
        if not (resume and output.exists()):
            predict_image(model, file, output, patch_shape=patch_shape, **how)
        if not (resume and output.with_suffix(".png").exists()):
            _picture(output, max(1, model.output_shape[-1] - 1))
    return outputs


def with_scaling(model, scaling: tuple[float, float]):
    """Put the scaling of the data set into the model, so that both are saved as one.

    Parameters
    ----------
    model : keras.Model
        Trained on scaled patches.
    scaling : (float, float)
        ``scaling`` of its training set.

    Returns
    -------
    keras.Model
        Takes grey values as they are in the files. It is not compiled, so that it is
        loaded without the loss that it was trained with.
    """
    import keras

    low, high = check_scaling(scaling)
    image = keras.Input(model.input_shape[1:], name="grey_values")
    scale = keras.layers.Rescaling(
        1 / (high - low), -low / (high - low), name="scaling"
    )
    plain = type(model).from_config(model.get_config())  # uncompiled
    plain.set_weights(model.get_weights())
    return keras.Model(image, plain(scale(image)), name=model.name)


def _label(rows):
    if rows.shape[-1] == 1:
        return (rows[..., 0] > 0.5).astype(np.uint8)
    return rows.argmax(axis=-1).astype(np.uint8)


def _refuse(output):
    if output.exists():
        raise FileExistsError(f"{output}: exists, and is never overwritten")


def _picture(output, largest):
    """Draw labels beside their TIFF, of a stack the first page: 0 black to white."""
    from matplotlib.image import imsave

    labels = TiledImage(output)
    _, height, width = labels.shape
    step = -(-max(height, width) // _PICTURE)
    rows = [
        labels.read(0, slice(y, y + 1), slice(0, width))[:, ::step]
        for y in range(0, height, step)
    ]
    picture = output.with_suffix(".png")
    look = {"cmap": "gray", "vmin": 0, "vmax": largest}
    with atomic_write(picture) as partial:
        imsave(partial, np.concatenate(rows), **look)
