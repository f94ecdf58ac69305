"""Look at a scan, and turn it into a volume."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from srtools import scan as room
from srtools.tomography import tv

_WEIGHTS = np.geomspace(0.1, 3, 6)  # of TV: the best is mostly 0.2 to 1


def preview(scan: str, output: Path, row: int | None = None, **how) -> None:
    """Draw counts, a sinogram, the axis row by row, and a slice.

    Parameters
    ----------
    scan : str
        As in `srtools.scan.read_scan`.
    output : Path
        The picture.
    row : int, optional
        Detector row of sinogram and slice; by default the middle one.
    **how
        The options of the command line.
    """
    measured = _open(scan, **how)
    row = measured.n_rows // 2 if row is None else row
    _tell(measured, row)
    measured = _with_axis(measured)  # what is drawn has the columns of the detector
    sinogram = measured.sinograms(row)
    wide = _widened(measured, how["pad"])
    image = wide.beam().fbp(wide.sinograms(row), filter="hann")
    counts = measured.projections.read(slice(0, measured.n_rows), slice(0, 1))[0]

    from matplotlib.figure import Figure  # without a window, and late: it is slow

    figure = Figure(figsize=(9, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    _draw(axes[0, 0], counts, "counts, first projection", "row")
    axes[0, 0].axhline(row, color="tab:orange", lw=0.8)
    _draw(axes[0, 1], sinogram[0, ..., 0].T, f"line integrals, row {row}", "view")
    axes[0, 1].axvline(measured.axis, color="tab:orange", lw=0.8)
    _draw_axis(axes[1, 0], measured)
    low, high = np.percentile(image, (0.5, 99.8))
    axes[1, 1].imshow(image[0, ..., 0], cmap="gray", vmin=low, vmax=high)
    axes[1, 1].set(title=f"slice {row}", xlabel="x [pixel]", ylabel="y [pixel]")
    _save(figure, output)


def reconstruct(
    scan: str,
    output: Path,
    method: str = "fbp",
    filter: str = "hann",
    weight: float | None = None,
    steps: int = 2000,
    rows: slice | None = None,
    jobs: int = -1,
    **how,
) -> None:
    """Reconstruct a volume, and draw its middle slice.

    Parameters
    ----------
    scan : str
        As in `srtools.scan.read_scan`.
    output : Path
        As in `srtools.scan.reconstruct`.
    method : {"fbp", "tv", "noise2inverse"}
    filter : str
        Of `ParallelBeam.fbp`; of its parts, for ``"noise2inverse"``.
    weight : float, optional
        Of `srtools.tomography.tv`; by default what explains held-out views best.
    steps : int
        Of the training, for ``"noise2inverse"``. The network is kept beside the
        output, and used again if it is there.
    rows : slice, optional
        Detector rows; by default all.
    jobs : int
        As `n_jobs` of `srtools.scan.reconstruct`.
    **how
        The options of the command line.
    """
    if output.exists():  # before the axis is searched
        raise FileExistsError(f"{output}: exists, and is never overwritten")
    measured = _open(scan, **how)
    rows = measured.rows(rows)
    measured = _widened(_with_axis(measured), how["pad"])
    middle = (rows.start + rows.stop) // 2
    beam = measured.beam()
    if method == "fbp":
        compute = partial(beam.fbp, filter=filter)
    elif method == "tv":
        weight = _best_weight(measured, middle) if weight is None else weight
        compute = partial(tv, beam, weight=weight)
    else:
        from srtools.command.self_taught import self_taught  # late: it loads Keras

        compute, jobs = self_taught(measured, rows, output, filter, steps), 1
    room.reconstruct(
        measured, compute, output=output, rows=rows, beam=beam, n_jobs=jobs
    )
    is_file = output.is_file()
    table = output.with_suffix(".csv") if is_file else output / "misfit.csv"
    misfits = np.loadtxt(table, delimiter=",", skiprows=1, ndmin=2)[:, 1]
    worst = rows.start + int(misfits.argmax())
    print(
        f"{output}: {len(misfits)} slices; they leave {misfits.mean():.1%} of the "
        f"measurement unexplained, slice {worst} most: {misfits.max():.1%}"
    )
    picture = output.with_suffix(".png") if is_file else output / "middle.png"
    draw_slice(_slice(output, middle, rows.start), f"slice {middle}", picture)


def draw_slice(image, title: str, path: Path) -> None:
    """Draw a slice (height, width) in grey into a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    axis = figure.subplots()
    low, high = np.percentile(image, (0.5, 99.8))
    drawn = axis.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-12))
    axis.set(title=title, xlabel="x [pixel]", ylabel="y [pixel]")
    figure.colorbar(drawn, ax=axis)
    _save(figure, path)


def _open(
    scan, projections, flats, darks, angles, pixel_size, air, empty, rings, axis, pad
):
    """Read a scan, say what is in it, and give it its corrections."""
    measured = room.read_scan(
        scan,
        projections=projections,
        flats=1 if flats == "1" else flats,
        darks=darks,
        angles=angles,
        pixel_size=pixel_size,
    )
    n, n_rows, n_columns = measured.projections.shape
    n_flats, n_darks = (
        0 if stack is None else stack.shape[0]
        for stack in (measured.flats, measured.darks)
    )
    print(
        f"{scan}: {n} projections of {n_rows} rows by {n_columns} columns, "
        f"{n_flats} flats, {n_darks} darks, angles from {measured.angles.min():g} to "
        f"{measured.angles.max():g} degrees"
    )
    steps = []
    if empty is not None:
        rows = measured.sinograms(empty)
        profile = rows.mean(axis=(0, 2, 3))
        steps = [partial(room.remove_air, width=air or 1, profile=profile)]
    elif air:
        steps = [partial(room.remove_air, width=air)]
    steps += [partial(room.remove_rings, width=rings)] if rings else []
    return measured.corrected(*steps, axis=axis)


def _tell(measured, row):
    """Say what is wrong with a row before the corrections, as far as it shows."""
    sinogram = replace(measured, steps=()).sinograms(row)
    raw = slice(row, row + 1)
    darks = None if measured.darks is None else measured.darks.read(raw)
    _, bad = room.flat_field(measured.counts(row), measured.flats.read(raw), darks)
    edge = max(sinogram.shape[1] // 16, 1)
    left, right = sinogram[:, :edge].mean(), sinogram[:, -edge:].mean()
    print(
        f"row {row}: {bad.sum()} dead or hot pixels, replaced; line integrals of "
        f"{left:.3f} at the left edge and {right:.3f} at the right, where air should "
        f"be 0 (--air {edge})"
    )


def _with_axis(measured):
    """Search the axis unless it is given."""
    if measured.axis is None:
        measured = measured.corrected(axis=room.find_axis(measured))
        print(f"rotation axis at column {measured.axis:g}")
    return measured


def _widened(measured, pad):
    """Fold about the axis where each view has an opposite; pad."""
    if np.ptp(measured.angles) > 270:
        try:
            measured = measured.folded()
            print(f"folded to 180 degrees and {measured.width} columns")
        except ValueError as error:  # more than half a turn, less than a whole one
            print(f"not folded: {error}")
    return measured.padded(pad) if pad else measured


def _best_weight(measured, row):
    best, _ = room.tune_by_views(measured, tv, row, weight=_WEIGHTS)
    print(f"weight {best['weight']:.2g}, which explains held-out views best")
    return best["weight"]


def _draw(axis, picture, title, what):
    axis.imshow(picture, cmap="gray", aspect="auto")
    axis.set(title=title, xlabel="column", ylabel=what)


def _draw_axis(axis, measured):
    """The axis as each of some rows has it."""
    rows = np.unique(np.linspace(0, measured.n_rows - 1, 12).astype(int))
    axis.axvline(measured.axis, color="tab:orange", lw=0.8)
    try:
        found = [
            room.axis_by_row(measured.sinograms(int(row)), measured.angles)[0]
            for row in rows
        ]
    except ImportError:
        found = [np.nan] * len(rows)
    axis.plot(found, rows, "o")
    axis.set(title=f"axis: column {measured.axis:g}", xlabel="column", ylabel="row")
    axis.set_ylim(measured.n_rows, -1)


def _slice(output, row, first):
    if output.is_file():
        import h5py

        with h5py.File(output) as file:
            return file["volume"][row - first]
    if output.suffix.lower() == ".zarr":
        import zarr

        return zarr.open_group(output, mode="r")["0"][row - first]
    import tifffile

    return tifffile.imread(output / f"{row:05d}.tif")


def _save(figure, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(path)
