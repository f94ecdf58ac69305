"""Put the probabilities of overlapping tiles together, row of tiles by row."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from scipy.special import expit, softmax

from srtools.segmentation.symmetries import turn, turn_back
from srtools.segmentation.tiles import TiledImage, tile_starts

BLENDS = ("hann", "crop", "none")
TIFF_TILE = 256  # side of the tiles of the TIFFs that are written


class Tiles(NamedTuple):
    """Tiles along one axis: where they start, and the weight of each of their pixels.

    The weights, shape (n_tiles, tile), add up to one at every pixel of the axis.
    """

    starts: np.ndarray
    weights: np.ndarray


def tiles_along(length: int, tile: int, overlap: int, blend: str) -> Tiles:
    """Cover a length with overlapping tiles, and blend them.

    Parameters
    ----------
    length, tile, overlap : int
        Pixels to cover, of a tile, and that neighbours share.
    blend : {"hann", "crop", "none"}
        As in `srtools.segmentation.predict_image`.

    Raises
    ------
    ValueError
        If a tile is larger than the length, or the overlap than a tile.
    """
    starts = tile_starts(length, tile, tile - overlap)
    places = starts[:, None] + np.arange(tile)
    if blend == "hann":
        window = np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2
        total = np.zeros(length)
        for start in starts:
            total[start : start + tile] += window
        weights = window / total[places]
    else:
        cuts = starts[1:]
        if blend == "crop":
            cuts = (starts[1:] + starts[:-1] + tile) // 2
        first = np.append(0, cuts)[:, None]
        last = np.append(cuts, length)[:, None]
        weights = (first <= places) & (places < last)
    return Tiles(starts, weights.astype(np.float32))


def grid_of(
    image: TiledImage, patch_shape: tuple[int, int], overlap: int, blend: str
) -> tuple[Tiles, Tiles]:
    """Cover an image with tiles, along its rows and its columns: see `tiles_along`."""
    if blend not in BLENDS:
        raise ValueError(f"expected blend hann, crop or none, received {blend!r}")
    try:
        return tuple(
            tiles_along(length, tile, overlap, blend)
            for length, tile in zip(image.shape[1:], patch_shape, strict=True)
        )
    except ValueError as error:
        raise ValueError(f"{image.path}: {error}") from error


def mean_probabilities(
    model, patches: np.ndarray, numbers: Iterable[int]
) -> np.ndarray:
    """Mean of a network's probabilities over symmetries of the patches.

    Parameters
    ----------
    model : keras.Model
        Gives logits: one for the foreground, or one for each class.
    patches : array, shape (n, height, width, 1)
    numbers : iterable of int
        From `symmetry_numbers`; one of them may be enough.

    Returns
    -------
    float32 array, shape (n, height, width, n_classes)
    """
    found = []
    for number in numbers:
        logits = np.asarray(model.predict_on_batch(turn(patches, number)))
        one = expit(logits) if logits.shape[-1] == 1 else softmax(logits, axis=-1)
        found.append(turn_back(one, number))
    return np.mean(found, axis=0) if len(found) > 1 else found[0]


def blended_rows(
    answer: Callable[[np.ndarray], np.ndarray],
    n_classes: int,
    image: TiledImage,
    page: int,
    grid: tuple[Tiles, Tiles],
    batch_size: int,
    first: int = 0,
) -> Iterator[np.ndarray]:
    """Segment a page tile by tile, holding one row of tiles.

    Parameters
    ----------
    answer : callable
        From tiles (n, height, width, 1), in grey values of the file, to probabilities
        (n, height, width, n_classes).
    n_classes : int
    image : TiledImage
    page : int
    grid : (Tiles, Tiles)
        Along rows and columns.
    batch_size : int
        Tiles that are answered together.
    first : int
        Number of the row of tiles to begin with, as if those above had been there.

    Yields
    ------
    float32 array, shape (rows, width, n_classes)
        From top to bottom, without gaps.

    Raises
    ------
    ValueError
        If an answer is not finite.
    """
    (ys, y_weights), (xs, x_weights) = grid
    high, wide = y_weights.shape[1], x_weights.shape[1]
    height, width = image.shape[1:]
    blended = np.zeros((high, width, n_classes), np.float32)
    begin = int((ys + high > ys[first]).argmax())  # what reaches into that row
    for k, y in enumerate(ys[begin:], begin):
        band = image.read(page, slice(int(y), int(y) + high), slice(0, width))
        for i in range(0, len(xs), batch_size):
            some = xs[i : i + batch_size]
            patches = np.stack([band[:, x : x + wide] for x in some])
            outcome = answer(patches[..., None].astype(np.float32))
            if not np.isfinite(outcome).all():
                raise ValueError(
                    f"{image.path}: expected finite logits, the network gave others"
                )
            for j, (x, tile) in enumerate(zip(some, outcome, strict=True)):
                weights = y_weights[k][:, None] * x_weights[i + j]
                blended[:, x : x + wide] += tile * weights[..., None]
        done = int((ys[k + 1] if k + 1 < len(ys) else height) - y)
        if k >= first:
            yield blended[:done].copy()
        blended[: high - done] = blended[done:]
        blended[high - done :] = 0


def to_tiff_tiles(
    rows: Iterable[np.ndarray], tile: int, width: int
) -> Iterator[np.ndarray]:
    """Cut rows of any height into the tiles of a TIFF, filled up with zeros.

    Parameters
    ----------
    rows : iterable of arrays, shape (any, width, ...)
        From top to bottom.
    tile : int
        Height of the TIFF's tiles; their width is `TIFF_TILE`.
    width : int

    Yields
    ------
    array, shape (tile, TIFF_TILE, ...)
    """
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


def pages_of_tiles(
    rows: Iterator[np.ndarray], n: int, tile: int, width: int
) -> Iterator[np.ndarray]:
    """Cut blocks of rows, n a page, into the tiles of a TIFF: see `to_tiff_tiles`."""
    for first in rows:
        page = chain([first], islice(rows, n - 1))
        yield from to_tiff_tiles(page, tile, width)


def _cut(strip, tile, width):
    for x in range(0, width, TIFF_TILE):
        part = strip[:, x : x + TIFF_TILE]
        whole = np.zeros((tile, TIFF_TILE, *part.shape[2:]), part.dtype)
        whole[: part.shape[0], : part.shape[1]] = part
        yield whole
