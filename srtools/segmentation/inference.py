"""Segment images of any size tile by tile, without seams and without holding them."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from tqdm import tqdm

from srtools.files import build_list_images
from srtools.segmentation.tiles import TiledImage, check_scaling, tile_starts

_TIFF_TILE = 256  # side of the tiles of the TIFFs that are written
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
) -> Path:
    """Segment an image that need not fit into memory.

    The image is read, segmented and written by rows of tiles: memory grows with its
    width and not with its height.

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
    image = TiledImage(source)
    grid = _grid(image, patch_shape, overlap, blend)
    if batch_size < 1:
        raise ValueError(f"expected a batch size of 1 or more, received {batch_size}")
    low, high = check_scaling(scaling)
    n_classes = model.output_shape[-1]
    if n_classes > 256 and not probabilities:
        raise ValueError(f"expected at most 256 classes, received {n_classes}")
    depth = (n_classes,) if probabilities and n_classes > 1 else ()
    dtype = np.dtype("float32" if probabilities else "uint8")
    pages, height, width = image.shape
    tile = min(_TIFF_TILE, -(-height // 16) * 16)

    def tiles():
        bar = tqdm(total=pages * len(grid[0][0]), desc=output.name, unit="row")
        with bar:
            for page in range(pages):
                rows = _rows(
                    model, image, page, patch_shape, grid, (low, high), batch_size
                )
                if not probabilities:
                    rows = map(_label, rows)
                elif n_classes == 1:
                    rows = (row[..., 0] for row in rows)
                yield from _retile(_tick(rows, bar), tile, width)

    nbytes = pages * height * width * int(np.prod(depth)) * dtype.itemsize
    partial = _partial(output)
    try:
        tifffile.imwrite(
            partial,
            tiles(),
            shape=(*((pages,) if pages > 1 else ()), height, width, *depth),
            dtype=dtype,
            tile=(tile, _TIFF_TILE),
            photometric="minisblack",
            planarconfig="contig" if depth else None,
            metadata=None,
            bigtiff=nbytes > 2**32 - 2**25,
        )
        _refuse(output)  # someone may have written it in the meantime
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
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
    **how
        Further arguments of `predict_image`.

    Returns
    -------
    list of Path
        The TIFFs of labels.

    Raises
    ------
    FileExistsError, OSError, FileNotFoundError, ValueError
        As `predict_image`, for all files before the first is segmented.
    """
    files = build_list_images(datapath, types)
    stems = [file.stem for file in files]
    twice = [file.name for file in files if stems.count(file.stem) > 1]
    if twice:
        raise ValueError(
            f"{datapath}: expected names that differ in more than the type, found "
            f"{', '.join(sorted(twice))}"
        )
    for file in files:
        found = TiledImage(file).shape[1:]
        if image_shape is not None and found != tuple(image_shape):
            raise ValueError(
                f"{file}: expected an image of {tuple(image_shape)} pixels, "
                f"found {found}"
            )
    savepath = Path(savepath)
    try:
        savepath.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(savepath, error) from error
    outputs = [savepath / f"{file_prefix}_{file.stem}.tiff" for file in files]
    for output in outputs:
        _refuse(output)
        _refuse(output.with_suffix(".png"))
    for file, output in zip(files, outputs, strict=True):
        predict_image(model, file, output, patch_shape=patch_shape, **how)
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


def _weights(starts, tile, length, blend):
    """Weight of each tile along one axis, (n_tiles, tile): they add up to one."""
    place = np.arange(tile)
    if blend == "hann":
        window = np.sin(np.pi * (place + 0.5) / tile) ** 2
        weights = np.tile(window, (len(starts), 1))
        total = np.zeros(length)
        for start in starts:
            total[start : start + tile] += window
        places = starts[:, None] + place
        return (weights / total[places]).astype(np.float32)
    if blend == "crop":
        cuts = (starts[1:] + starts[:-1] + tile) // 2
    else:
        cuts = starts[1:]
    first = np.append(0, cuts)[:, None]
    last = np.append(cuts, length)[:, None]
    places = starts[:, None] + place
    return ((first <= places) & (places < last)).astype(np.float32)


def _grid(image, patch_shape, overlap, blend):
    """Starts and weights of the tiles along rows and columns."""
    if blend not in ("hann", "crop", "none"):
        raise ValueError(f"expected blend hann, crop or none, received {blend!r}")
    grid = []
    for length, tile in zip(image.shape[1:], patch_shape, strict=True):
        try:
            starts = tile_starts(length, tile, tile - overlap)
        except ValueError as error:
            raise ValueError(f"{image.path}: {error}") from error
        grid.append((starts, _weights(starts, tile, length, blend)))
    return grid


def _rows(model, image, page, patch_shape, grid, scaling, batch_size):
    """Blended probabilities, (rows, width, n_classes), from top to bottom."""
    (ys, y_weights), (xs, x_weights) = grid
    high, wide = patch_shape
    low, span = scaling[0], scaling[1] - scaling[0]
    height, width = image.shape[1:]
    blended = np.zeros((high, width, model.output_shape[-1]), np.float32)
    for k, y in enumerate(ys):
        band = image.read(page, slice(int(y), int(y) + high), slice(0, width))
        for i in range(0, len(xs), batch_size):
            some = xs[i : i + batch_size]
            patches = np.stack([band[:, x : x + wide] for x in some]).astype(np.float32)
            patches = (patches[..., None] - np.float32(low)) / np.float32(span)
            outcome = _probabilities(np.asarray(model.predict_on_batch(patches)))
            if not np.isfinite(outcome).all():
                raise ValueError(
                    f"{image.path}: expected finite logits, the network gave others"
                )
            for x, tile, weights in zip(
                some, outcome, x_weights[i : i + batch_size], strict=True
            ):
                tile *= (y_weights[k][:, None] * weights)[..., None]
                blended[:, x : x + wide] += tile
        done = int((ys[k + 1] if k + 1 < len(ys) else height) - y)
        yield blended[:done].copy()
        blended[: high - done] = blended[done:]
        blended[high - done :] = 0


def _probabilities(logits):
    """Sigmoid of one logit, softmax of several; in place."""
    if logits.shape[-1] == 1:
        return 0.5 * (1 + np.tanh(0.5 * logits))
    logits = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return logits / logits.sum(axis=-1, keepdims=True)


def _label(rows):
    if rows.shape[-1] == 1:
        return (rows[..., 0] > 0.5).astype(np.uint8)
    return rows.argmax(axis=-1).astype(np.uint8)


def _tick(rows, bar):
    for row in rows:
        bar.update()  # before: nobody comes back after the last
        yield row


def _retile(rows, tile, width):
    """Cut rows of any height into the TIFF's tiles, filled up with zeros."""
    kept, n_kept = [], 0
    for row in rows:
        while len(row):
            part, row = row[: tile - n_kept], row[tile - n_kept :]
            kept.append(part)
            n_kept += len(part)
            if n_kept == tile:
                yield from _cut(np.concatenate(kept), tile, width)
                kept, n_kept = [], 0
    if kept:
        yield from _cut(np.concatenate(kept), tile, width)


def _cut(strip, tile, width):
    for x in range(0, width, _TIFF_TILE):
        part = strip[:, x : x + _TIFF_TILE]
        whole = np.zeros((tile, _TIFF_TILE, *part.shape[2:]), part.dtype)
        whole[: part.shape[0], : part.shape[1]] = part
        yield whole


def _refuse(output):
    if output.exists():
        raise FileExistsError(f"{output}: exists, and is never overwritten")


def _partial(output):
    """A name beside the output that can be written to."""
    _refuse(output)
    partial = output.with_name(f"{output.name}.{os.getpid()}.partial")
    try:
        partial.touch(exist_ok=False)
    except OSError as error:
        raise _unwritable(output, error) from error
    return partial


def _unwritable(output, error):
    return OSError(f"{output}: expected a place that can be written to ({error})")


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
    partial = picture.with_name(picture.name + ".partial")
    look = {"cmap": "gray", "vmin": 0, "vmax": largest}
    imsave(partial, np.concatenate(rows), format="png", **look)
    partial.replace(picture)
