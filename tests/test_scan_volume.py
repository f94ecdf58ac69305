"""From a file of counts to a volume and a verdict."""

import logging
from collections import namedtuple
from functools import partial

import h5py
import joblib
import numpy as np
import pytest
import tifffile

from srtools.metrics import psnr
from srtools.phantoms import random_shapes
from srtools.scan import (
    find_axis,
    held_out,
    misfit,
    paganin,
    read_scan,
    reconstruct,
    remove_air,
    tune_by_views,
)
from srtools.tomography import ParallelBeam, tv

ANGLES = np.arange(0, 180, 3.0)
SIZE, ROWS, AXIS = 48, 7, 26.5


@pytest.fixture(scope="module")
def images():
    return random_shapes(ROWS, SIZE, rng=np.random.default_rng(0)) / 40


def write(folder, images, angles=ANGLES, axis=AXIS, counts=2e4):
    """A scan of 16 bits with its own flats, darks and photon noise."""
    rng = np.random.default_rng(1)
    sinograms = ParallelBeam(SIZE, angles, 56, axis=axis).project(images)
    light = rng.poisson(counts * np.exp(-sinograms[..., 0])).transpose(2, 0, 1)
    np.save(folder / "scan.npy", (light + 100).astype("uint16"))
    flats = np.full((2, len(images), 56), counts + 100)
    return read_scan(
        folder / "scan.npy",
        flats=flats,
        darks=np.full_like(flats, 100),
        angles=angles,
        pixel_size=2.0,
    )


@pytest.fixture
def scan(tmp_path, images):
    return write(tmp_path, images).corrected(axis=AXIS)


def read(path):
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["volume"][()]
    if path.suffix == ".zarr":
        return pytest.importorskip("zarr").open_group(path)["0"][:]
    return np.stack([tifffile.imread(f) for f in sorted(path.glob("*.tif"))])


def misfits(path):
    table = path.with_suffix(".csv") if path.suffix == ".h5" else path / "misfit.csv"
    return np.loadtxt(table, delimiter=",", skiprows=1, unpack=True)


def test_the_axis_is_found_and_needed(tmp_path, images):
    scan = write(tmp_path, images)
    assert abs(find_axis(scan) - AXIS) <= 0.5
    with pytest.raises(
        ValueError, match=r"scan\.npy: expected a scan whose axis is kn"
    ):
        scan.beam()
    with pytest.raises(
        ValueError, match="axis on the detector, from 0 to 55, received 5"
    ):
        scan.corrected(axis=56)


def test_rows_without_a_sample_do_not_move_the_axis(tmp_path, images):
    images = np.where(np.arange(ROWS)[:, None, None, None] < 4, 0, images)
    assert abs(find_axis(write(tmp_path, images)) - AXIS) <= 0.5


def test_steps_follow_each_other(scan):
    doubled = scan.corrected(lambda y: 2 * y, lambda y: y + 1)
    assert np.allclose(doubled.sinograms(3), 2 * scan.sinograms(3) + 1)
    assert scan.steps == ()
    assert doubled.beam().axis == AXIS


def test_replaced_pixels_are_reported(tmp_path, images, caplog):
    scan = write(tmp_path, images)
    counts = np.load(scan.path)
    counts[:, 2, 30] = 65535
    np.save(scan.path, counts)
    with caplog.at_level(logging.INFO):
        scan.sinograms(slice(1, 4))
    assert "1 dead or hot pixels replaced" in caplog.text


def test_too_many_dead_rays_name_file_and_row(tmp_path, images):
    scan = write(tmp_path, images)
    np.save(scan.path, np.zeros_like(np.load(scan.path)))
    with pytest.raises(ValueError, match=r"scan\.npy, rows from 2: .*100% of those"):
        scan.sinograms(2)


def test_a_lost_view_can_be_left_out(tmp_path, images):
    scan = write(tmp_path, images)
    whole = scan.sinograms(2)
    counts = np.load(scan.path)
    counts[7] = 0
    np.save(scan.path, counts)
    with pytest.raises(ValueError, match=r"scan\.npy, rows from 2: .*views \[7\]"):
        scan.sinograms(2)
    left = np.delete(np.arange(len(ANGLES)), 7)
    some = scan.views(left)
    assert np.array_equal(some.angles, ANGLES[left])
    assert np.allclose(some.sinograms(2), whole[:, :, left])
    assert np.array_equal(some.views([-1]).sinograms(2), some.sinograms(2)[:, :, -1:])


def test_rows_are_the_same_alone_and_in_a_block_with_a_margin(scan):
    how = {"pixel_size": 2.0, "distance": 9.0, "energy": 20.0, "delta_over_beta": 99.0}
    retrieved = scan.corrected(partial(paganin, **how), margin=3)
    whole = retrieved.sinograms(slice(0, ROWS))
    assert np.abs(whole - scan.sinograms(slice(0, ROWS))).max() > 0.1
    assert np.allclose(retrieved.sinograms(3), whole[3:4], atol=2e-3)


def test_a_folded_scan_is_one_over_180_degrees(tmp_path, images):
    angles, axis = np.arange(0, 360, 3.0), 4.5
    scan = write(tmp_path, images, angles, axis, counts=4e4).corrected(axis=axis)
    folded = scan.folded()
    assert np.array_equal(folded.angles, ANGLES)
    beam = folded.beam(SIZE)
    truth = ParallelBeam(SIZE, ANGLES, folded.width, axis=folded.axis).project(images)
    assert np.abs(folded.sinograms(2) - truth[2:3]).mean() < 0.01
    found = beam.fbp(folded.sinograms(slice(0, ROWS)), filter="hann")
    assert np.abs(found - images)[:, beam.field_of_view].mean() < 0.003


def test_a_padded_scan_keeps_its_axis(scan):
    padded = scan.padded(10)
    assert padded.width == 76 and padded.axis == AXIS + 10
    assert np.allclose(padded.sinograms(0)[:, 10:-10], scan.sinograms(0))
    left = padded.beam(SIZE).fbp(padded.sinograms(0))
    seen = scan.beam(SIZE).field_of_view
    inside = scan.beam(SIZE).fbp(scan.sinograms(0))
    assert np.allclose(left[0, seen], inside[0, seen], atol=3e-3)


NAMES = ["volume.h5", "volume.zarr", "slices"]


@pytest.fixture(params=NAMES)
def name(request):
    if request.param.endswith(".zarr"):
        pytest.importorskip("zarr")
    return request.param


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_volume_is_what_its_rows_give_one_by_one(tmp_path, scan, name, n_jobs):
    beam = scan.beam(SIZE)
    path = reconstruct(
        scan,
        beam.fbp,
        output=tmp_path / "deep" / name,
        rows=slice(1, 6),
        block=2,
        n_jobs=n_jobs,
    )
    sinograms = scan.sinograms(slice(1, 6))
    images = beam.fbp(sinograms)
    assert np.allclose(read(path), images[..., 0], atol=1e-6)
    rows, values = misfits(path)
    assert rows.tolist() == [1, 2, 3, 4, 5]
    assert np.allclose(values, misfit(beam, images, sinograms), rtol=1e-4)
    assert not list(path.parent.glob("*.partial"))
    if name == "slices":
        names = sorted(f.name for f in path.glob("*.tif"))
        assert names == [f"{row:05d}.tif" for row in range(1, 6)]
        with tifffile.TiffFile(path / names[0]) as tiff:
            assert tiff.pages[0].resolution == pytest.approx((5000, 5000))  # a cm
    elif name == "volume.h5":
        with h5py.File(path) as file:
            assert file["volume"].attrs["pixel_size_um"] == 2
    else:
        ome = pytest.importorskip("zarr").open_group(path).attrs["ome"]
        level = ome["multiscales"][0]["datasets"][0]
        assert level["coordinateTransformations"][0]["scale"] == [2, 2, 2]
    with pytest.raises(FileExistsError, match="is never overwritten"):
        reconstruct(scan, beam.fbp, output=path)


def test_an_interrupted_volume_goes_on_where_it_stopped(tmp_path, scan, name):
    beam, calls = scan.beam(SIZE), []

    def method(sinograms, fail_at=None):
        calls.append(len(sinograms))
        if len(calls) == fail_at:
            raise KeyboardInterrupt
        return beam.fbp(sinograms)

    output = tmp_path / name
    how = {"output": output, "block": 2, "n_jobs": 1}
    method.__qualname__ = "method"
    broken = partial(method, fail_at=3)
    with pytest.raises(KeyboardInterrupt):
        reconstruct(scan, broken, **how)
    assert not output.exists()
    with pytest.raises(ValueError, match=r"expected axis 27\.5, method"):
        reconstruct(scan.corrected(axis=AXIS + 1), method, **how)
    calls.clear()
    reconstruct(scan, partial(method, fail_at=3), **how | {"block": 3})
    assert calls == [3]  # four rows were written, three are left
    assert np.allclose(read(output), beam.fbp(scan.sinograms(slice(0, ROWS)))[..., 0])
    assert misfits(output)[0].tolist() == list(range(ROWS))


@pytest.mark.parametrize("known", [True, False])
def test_an_interrupted_volume_does_not_go_on_in_another_size(
    tmp_path, scan, name, known
):
    def method(sinograms):  # as a network, it carries no geometry
        calls.append(len(sinograms))
        if len(calls) == fail_at:
            raise KeyboardInterrupt
        return scan.beam(size).fbp(sinograms)

    how = {"output": tmp_path / name, "block": 2, "n_jobs": 1}
    calls, size, fail_at = [], SIZE, 2
    how |= {"beam": scan.beam(size)} if known else {}
    with pytest.raises(KeyboardInterrupt):
        reconstruct(scan, method, **how)
    calls, size, fail_at = [], SIZE + 4, 9
    how |= {"beam": scan.beam(size)} if known else {}
    what = "geometry .*" if known else r"size \[52, 52\], found size \[48, 48\]"
    with pytest.raises(ValueError, match=f"expected {what}"):
        reconstruct(scan, method, **how)
    assert len(calls) == (0 if known else 1)
    calls, size = [], SIZE
    how |= {"beam": scan.beam(size)} if known else {}
    assert read(reconstruct(scan, method, **how)).shape == (ROWS, SIZE, SIZE)


@pytest.mark.parametrize("left", ["", "row,mis", "row,misfit\n1,0.5\n0,0"])
def test_a_table_cut_short_is_not_taken_for_more_than_it_has(tmp_path, scan, left):
    beam, output = scan.beam(SIZE), tmp_path / "v.h5"

    def method(sinograms):
        if next(calls):
            raise KeyboardInterrupt
        return beam.fbp(sinograms)

    how = {"output": output, "block": 2, "n_jobs": 1}
    calls = iter([False, True])
    with pytest.raises(KeyboardInterrupt):
        reconstruct(scan, method, **how)
    table = tmp_path / "v.h5.partial" / "misfit.csv"
    assert len(table.read_text().splitlines()) == 3
    table.write_text(left)
    whole = reconstruct(scan, beam.fbp, output=tmp_path / "whole.h5", n_jobs=1)
    calls = iter([False] * ROWS)
    again = reconstruct(scan, method, **how)
    assert np.array_equal(read(again), read(whole))
    rows, values = misfits(again)
    assert rows.tolist() == list(range(ROWS)) and len(set(values)) == ROWS


def test_only_a_block_is_read_at_a_time(tmp_path, scan, monkeypatch):
    read_rows = []
    kind = type(scan.projections)
    reads = kind.read
    monkeypatch.setattr(
        kind, "read", lambda s, rows: read_rows.append(rows) or reads(s, rows)
    )
    beam = scan.beam(SIZE)
    reconstruct(scan, beam.fbp, output=tmp_path / "v.h5", block=2, n_jobs=2)
    assert max(rows.stop - rows.start for rows in read_rows) == 2


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_processes_and_a_dask_cluster_give_the_same(tmp_path, scan, backend):
    beam = scan.beam(SIZE)
    method = partial(beam.fbp, filter="hann")
    alone = read(reconstruct(scan, method, output=tmp_path / "a.h5", n_jobs=1))

    def spread():
        how = {"output": tmp_path / "b.h5", "block": 2, "n_jobs": 2}
        with joblib.parallel_config(backend=backend):
            return read(reconstruct(scan, method, **how))

    if backend == "loky":
        assert np.array_equal(spread(), alone)
        return
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        assert np.array_equal(spread(), alone)


def test_a_volume_that_cannot_be_is_refused_before_the_work(
    tmp_path, scan, monkeypatch
):
    beam = scan.beam(SIZE)
    narrow = scan.views(np.flatnonzero(scan.angles < 120))
    for method in (
        narrow.beam(SIZE).fbp,
        partial(narrow.beam(SIZE).fbp, filter="hann"),
    ):
        with pytest.raises(ValueError, match=r"found 60 degrees.*tomography\.tv"):
            reconstruct(narrow, method, output=tmp_path / "v.h5")
    method = partial(tv, narrow.beam(SIZE), weight=0.5, iterations=3)
    reconstruct(narrow, method, output=tmp_path / "tv.h5", rows=slice(0, 1))
    usage = namedtuple("usage", "total used free")(100, 99, 10)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match=r"expected 6.45e-05 GB of free.*found 1e-08"):
        reconstruct(scan, beam.fbp, output=tmp_path / "v.h5")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="blocks of at least one row, received 0"):
        reconstruct(scan, beam.fbp, output=tmp_path / "v.h5", block=0)
    assert {f.name for f in tmp_path.iterdir()} == {"scan.npy", "tv.h5", "tv.csv"}


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda y: np.full((len(y), SIZE, SIZE, 1), np.nan), "rows 0 to 6: .* finite"),
        (lambda y: np.zeros((len(y), SIZE, SIZE)), r"images \(7, size, size, 1\)"),
        (lambda y: np.zeros((1, SIZE, SIZE, 1)), r"received \(1, 48, 48, 1\)"),
    ],
)
def test_images_that_cannot_be_are_refused(tmp_path, scan, method, message):
    with pytest.raises(ValueError, match=message):
        reconstruct(scan, method, output=tmp_path / "v.h5", block=ROWS)
    assert not list(tmp_path.glob("v.*"))


def test_views_are_held_out_once_and_for_all(scan):
    used, held = held_out(scan, every=6)
    assert len(held.angles) == 10
    assert sorted([*used.angles, *held.angles]) == list(scan.angles)
    numbers = np.searchsorted(scan.angles, held.angles)
    assert np.array_equal(held.sinograms(2), scan.sinograms(2)[:, :, numbers])
    later = held.corrected(partial(remove_air, width=3))
    assert later.sinograms(2).shape == held.sinograms(2).shape
    for every in (1, len(scan.angles) + 1):
        with pytest.raises(ValueError, match=f"in 2 to 60, received every={every}"):
            held_out(scan, every)


def test_the_misfit_of_the_truth_is_the_noise(scan, images):
    beam = scan.beam(SIZE)
    clean = beam.project(images)
    assert misfit(beam, images, clean) == pytest.approx(0, abs=1e-6)
    assert misfit(beam, 0 * images, clean) == pytest.approx(1)
    assert misfit(beam, 2 * images, clean) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match=r"expected sinograms \(7, 56, 60, 1\)"):
        misfit(beam, images, clean[:3])


def test_held_out_views_choose_nearly_what_the_truth_would(tmp_path, images):
    scan = write(tmp_path, images, counts=500).corrected(axis=AXIS)
    grid = np.geomspace(0.03, 30, 7)
    method = partial(tv, iterations=100)
    row = 2
    best, left = tune_by_views(scan, method, row, weight=grid)
    assert best["weight"] == grid[np.argmin(left)]
    beam, noisy = scan.beam(), scan.sinograms(row)
    truth = np.pad(images[row : row + 1], ((0, 0), (4, 4), (4, 4), (0, 0)))
    scores = [
        psnr(truth, method(beam, noisy, weight=w), data_range=1 / 40)[0] for w in grid
    ]
    chosen = scores[np.argmin(left)]
    assert chosen > max(scores) - 0.5 > min(scores) + 2
    # views that the method has seen would choose the weight that fits their noise
    seen = [misfit(beam, method(beam, noisy, weight=w), noisy)[0] for w in grid]
    assert np.argmin(seen) < np.argmin(left)
