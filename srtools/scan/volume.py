"""A whole volume, by blocks of rows: bounded memory, all cores, resumable."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

from srtools.files import write_once
from srtools.scan.angles import missing_wedge
from srtools.scan.judging import misfit
from srtools.scan.measured import Scan
from srtools.scan.writing import kind_of_volume

_WEDGE = 10  # degrees without a view that FBP may lack


def reconstruct(
    scan: Scan,
    method: Callable,
    *,
    output: str | Path,
    rows: slice | None = None,
    beam=None,
    block: int = 8,
    n_jobs: int = -1,
) -> Path:
    """Reconstruct rows of a scan into a volume on disk.

    Blocks of rows are read, corrected, reconstructed and written, so that memory grows
    with the block and not with the volume. Each slice is projected again and compared
    with what was measured: the misfit, slice by slice, is kept beside the volume. A
    call after an interruption goes on where the last one stopped.

    Parameters
    ----------
    scan : Scan
        With its axis and corrections.
    method : callable
        From a block of sinograms (n, n_translations, n_angles, 1) to images
        (n, size, size, 1): ``scan.beam().fbp``, a `functools.partial`, or a function
        that calls a network.
    output : str or Path
        ``volume.h5`` becomes an HDF5 file with the dataset ``volume`` (n_rows, size,
        size), with ``volume.csv`` beside it; ``volume.zarr`` an OME-Zarr image, for
        which the library `zarr` is needed; a name without an ending a folder of TIFFs
        ``00000.tif``, named by their row. In these two ``misfit.csv`` has the misfits.
        None is there under its name before it is whole.
    rows : slice, optional
        Detector rows; by default all.
    beam : ParallelBeam, optional
        Geometry for the misfit, or anything with its `project`; by default the one
        that the method carries, or else that of the scan.
    block : int
        Rows that are worked on together.
    n_jobs : int
        Blocks that are worked on at the same time, as for `joblib.Parallel`; -1 for
        one a core. They are threads, unless `joblib.parallel_config` says otherwise:
        with ``backend="dask"`` they go to the workers of a Dask cluster.

    Returns
    -------
    Path
        The output.

    Raises
    ------
    FileExistsError
        If the output exists: it is never overwritten.
    ValueError
        If the axis is unknown; `method` is a filtered back-projection and the views
        leave a wedge without one; the images are not finite, or not those of the rows;
        or an unfinished volume of other settings stands at the output.
    OSError
        If the disk has not enough space: said after the first block.
    ImportError
        If `zarr` is needed and not installed.
    """
    rows = scan.rows(rows)
    if block < 1:
        raise ValueError(f"expected blocks of at least one row, received {block}")
    _refuse_wedge(scan, method)
    output = Path(output)
    if output.exists():
        raise FileExistsError(f"{output}: exists, and is never overwritten")
    output.parent.mkdir(parents=True, exist_ok=True)
    settings = _settings(scan, method, rows, beam)
    with write_once(output) as partial:
        if partial is None:  # another process has just written it
            return output
        volume = kind_of_volume(output)(partial, settings, scan.pixel_size)
        _fill(volume, output.name, scan, method, beam, rows, block, n_jobs)
        volume.finish(output)
    return output


def _fill(volume, name, scan, method, beam, rows, block, n_jobs):
    """Write the slices that are missing."""
    left = [row for row in range(rows.start, rows.stop) if row not in volume.done]
    first, *others = _runs(left, block) or [None]
    n_jobs = joblib.effective_n_jobs(n_jobs)
    bar = tqdm(
        total=rows.stop - rows.start,
        initial=rows.stop - rows.start - len(left),
        desc=f"writing {name}",
        unit="slice",
    )
    with bar, joblib.Parallel(n_jobs, prefer="threads") as parallel:
        if first is not None:
            # Alone, before the work begins: it may fail, or not fit on the disk; and
            # what the geometry keeps must not be computed by all threads at once.
            images = method(scan.sinograms(first))
            beam = beam or _geometry(method) or scan.beam(np.shape(images)[1])
            _keep(volume, bar, first, _slices(scan, method, beam, first, images))
        for i in range(0, len(others), n_jobs):
            group = others[i : i + n_jobs]
            work = (joblib.delayed(_slices)(scan, method, beam, p) for p in group)
            for part, slices in zip(group, parallel(work), strict=True):
                _keep(volume, bar, part, slices)


def _slices(scan, method, beam, rows, images=None):
    """Images of some rows, and what part of the measurement each leaves open."""
    sinograms = scan.sinograms(rows)
    images = np.asarray(method(sinograms) if images is None else images, np.float32)
    if images.ndim != 4 or len(images) != len(sinograms) or images.shape[-1] != 1:
        raise ValueError(
            f"expected images ({len(sinograms)}, size, size, 1) from {_name(method)}, "
            f"received {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError(
            f"rows {rows.start} to {rows.stop - 1}: expected finite images from "
            f"{_name(method)}, received others"
        )
    return images, misfit(beam, images, sinograms)


def _keep(volume, bar, rows, slices):
    volume.write(rows, *slices)
    bar.update(rows.stop - rows.start)


def _runs(rows, block):
    """Slices of at most `block` neighbouring rows."""
    breaks = [i for i in range(1, len(rows)) if rows[i] != rows[i - 1] + 1]
    runs = []
    for start, stop in pairwise([0, *breaks, len(rows)]):
        for i in range(start, stop, block):
            runs.append(slice(rows[i], rows[min(i + block, stop) - 1] + 1))
    return runs


def _settings(scan, method, rows, beam):
    """What a volume is made of; an interrupted one goes on with nothing else."""
    return {
        "scan": scan.path.name,
        "rows": [rows.start, rows.stop],
        "axis": scan.known_axis,
        "angles": np.asarray(scan.angles).tolist(),
        "steps": [_name(step) for step in scan.steps],
        "method": _name(method),
        "geometry": getattr(beam or _geometry(method), "settings", None),
    }


def _name(function):
    """Name and settings of a function, for people."""
    if isinstance(function, partial):
        given = [repr(a) for a in function.args if isinstance(a, (int, float, str))]
        given += [f"{k}={v!r}" for k, v in function.keywords.items()]
        return f"{_name(function.func)}({', '.join(given)})"
    return getattr(function, "__qualname__", None) or repr(function)


def _geometry(method):
    """The geometry that a method carries: of `beam.fbp`, or of `partial(tv, beam)`."""
    carried = []
    while isinstance(method, partial):
        carried += method.args
        method = method.func
    carried.append(getattr(method, "__self__", None))
    return next((c for c in carried if hasattr(c, "project")), None)


def _refuse_wedge(scan, method):
    missing = missing_wedge(scan.angles)
    while isinstance(method, partial):
        method = method.func
    if getattr(method, "__name__", "") == "fbp" and missing > _WEDGE:
        raise ValueError(
            f"{scan.path}: expected views over 180 degrees for filtered "
            f"back-projection, found {missing:.0f} degrees without a view; use an "
            "iterative method: srtools.tomography.tv"
        )
