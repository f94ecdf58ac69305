import hashlib
import json
import shutil

import h5py
import joblib
import numpy as np
import pytest
import tifffile

from srtools.datasets import benchmarks, simulate, toy, verify
from srtools.files import read_reconstruct_library
from srtools.tomography import ParallelBeam
from srtools.xrdct import downsample

SMALL = dict(scale=0.25, n=3, n_jobs=1)
BED = dict(scale=0.22, n=2, n_jobs=1)


def data(path, key="Images"):
    with h5py.File(path) as file:
        return file[key][:]


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    """The four stand-ins of one bed."""
    folder = tmp_path_factory.mktemp("bed")
    names = ("microct_185", "microct_369", "xrdct_75", "xrdct_149")
    return {name: simulate(name, folder / f"{name}.h5", **BED) for name in names}


def test_pairs_are_a_library_in_the_seeds_layout(tmp_path):
    path = simulate("shapes", tmp_path / "a.h5", scale=0.25, n=200, n_jobs=1)
    images, sinograms, n = read_reconstruct_library(path)
    assert n == 200 and images.shape == sinograms.shape == (200, 32, 32, 1)
    beam = ParallelBeam(32, np.linspace(0, 180, 32, endpoint=False))
    np.testing.assert_allclose(sinograms, beam.project(images), atol=1e-4)
    assert not np.array_equal(images[:72], images[128:])  # chunks differ
    verify(path)


def test_photographs_come_from_a_folder_or_from_scikit_image(tmp_path):
    bundled = data(simulate("div2k", tmp_path / "a.h5", **SMALL))
    assert (
        bundled.shape == (16, 16, 3) and 0 <= bundled.min() < 0.5 < bundled.max() <= 1
    )
    assert not bundled[0, 0].any()  # outside the circle
    (tmp_path / "photos").mkdir()
    flat = np.full((40, 30), 0.5, np.float32)
    tifffile.imwrite(tmp_path / "photos" / "grey.tif", flat)
    path = tmp_path / "b.h5"
    own = data(simulate("div2k", path, photographs=tmp_path / "photos", **SMALL))
    np.testing.assert_allclose(np.unique(own), [0, 0.5], atol=1e-6)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        simulate("div2k", tmp_path / "c.h5", photographs=tmp_path / "none", **SMALL)


def test_the_low_resolution_is_the_high_one_downsampled(bed):
    for low, high in (("microct_185", "microct_369"), ("xrdct_75", "xrdct_149")):
        low, high = data(bed[low]), data(bed[high])
        assert high.shape[0] == 2 * low.shape[0] - 1
        fine = downsample(np.moveaxis(high, (0, 1), (-2, -1)))
        np.testing.assert_allclose(
            np.moveaxis(fine, (-2, -1), (0, 1)), low, rtol=1e-3, atol=1e-3
        )


def test_xrd_ct_comes_with_its_truth_at_slices_of_the_micro_ct(bed):
    with h5py.File(bed["xrdct_149"]) as file:
        shapes = {key: dataset.shape for key, dataset in file.items()}
        phases, slices = file["Phases"][:], file["Slice"][:]
        assert list(file.attrs["phases"])[:2] == ["Al2O3", "CeO2"]
    size = 2 * round(75 * 0.22) - 1
    assert shapes["Images"] == (size, size, 2038, 2)
    assert shapes["Phases"] == (size, size, 6, 2)
    assert shapes["Lattice"] == shapes["Crystallite"] == (size, size, 5, 2)
    assert slices.tolist() == [0, 26] and 0.2 < phases.sum(2).mean() < 0.8


def test_same_seed_same_bytes_on_any_number_of_workers(tmp_path, bed):
    for name, n in (("shapes", 300), ("microct_369", 17)):
        settings = dict(scale=0.13, n=n)
        one = simulate(name, tmp_path / f"{name}1.h5", n_jobs=1, **settings)
        two = simulate(name, tmp_path / f"{name}2.h5", n_jobs=2, **settings)
        assert one.read_bytes() == two.read_bytes()
    drawn = [
        simulate("shapes", tmp_path / f"{i}.h5", seed=5, **SMALL).read_bytes()
        for i in range(2)
    ]
    assert drawn[0] == drawn[1]
    other = simulate("shapes", tmp_path / "other.h5", seed=6, **SMALL)
    assert other.read_bytes() != drawn[0]


def test_a_dask_cluster_of_two_processes_writes_the_same_bytes(tmp_path):
    distributed = pytest.importorskip("distributed")
    settings = dict(scale=0.125, n=400)
    alone = simulate("shapes", tmp_path / "alone.h5", n_jobs=1, **settings)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        shared = simulate("shapes", tmp_path / "shared.h5", **settings)
    assert alone.read_bytes() == shared.read_bytes()


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    settings = dict(scale=0.1, n=40, n_jobs=1)
    whole = simulate("microct_185", tmp_path / "whole.h5", **settings)
    make, calls = benchmarks._make, []

    def interrupted(settings, start, stop):
        calls.append(start)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return make(settings, start, stop)

    monkeypatch.setattr(benchmarks, "_make", interrupted)
    path = tmp_path / "resumed.h5"
    with pytest.raises(KeyboardInterrupt):
        simulate("microct_185", path, **settings)
    assert not path.exists() and (tmp_path / "resumed.h5.partial").exists()
    simulate("microct_185", path, **settings)
    assert calls == [0, 8, 16, 16, 24, 32]
    assert path.read_bytes() == whole.read_bytes()
    simulate("microct_185", path, **settings)  # is there already
    assert len(calls) == 6


def test_an_unreadable_or_other_partial_file_is_started_again(tmp_path):
    path = tmp_path / "a.h5"
    for name in ("a.h5", "b.h5"):
        (tmp_path / f"{name}.partial").mkdir()
    (tmp_path / "a.h5.partial" / "a.h5").write_bytes(b"broken")
    verify(simulate("shapes", path, **SMALL))
    with h5py.File(tmp_path / "b.h5.partial" / "b.h5", "w") as file:
        file.attrs["settings"] = json.dumps({"name": "other"})
    verify(simulate("shapes", tmp_path / "b.h5", **SMALL))


def test_verify_finds_damage(tmp_path, bed):
    for path in bed.values():
        verify(path)
    path = simulate("shapes", tmp_path / "a.h5", **SMALL)
    with h5py.File(path, "r+") as file:
        file["Images"][16, 16, 1] += 1e-3
    with pytest.raises(ValueError, match="items 0 to 2 are damaged"):
        verify(path)
    with h5py.File(path, "r+") as file:
        file["Images"][16, 16, 1] = data(
            simulate("shapes", tmp_path / "b.h5", **SMALL)
        )[16, 16, 1]
        total = file.attrs["sha256"]
        file.attrs["sha256"] = "0"
    assert len(total) == 64
    with pytest.raises(ValueError, match="expected checksum 0, found"):
        verify(path)
    with h5py.File(path, "r+") as file:
        settings = json.loads(file.attrs["settings"]) | {"n": 4}
        file.attrs["settings"] = json.dumps(settings)
    with pytest.raises(ValueError, match="expected 4 items, found 3"):
        verify(path)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["Images"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"c\.h5: expected a file with its settings"):
        verify(tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5", "r+") as file:
        file.attrs["settings"] = "{}"
    message = r"c\.h5: expected a stand-in that `simulate` wrote.* found \['Images'\]"
    with pytest.raises(ValueError, match=message):
        verify(tmp_path / "c.h5")


def test_bad_requests_are_refused_before_anything_is_written(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with pytest.raises(KeyError, match="did you mean 'xrdct_75'"):
        simulate("xrdct75", path)
    with pytest.raises(ValueError, match=r"expected one of div2k, .* received 'tooth'"):
        simulate("tooth", path)
    with pytest.raises(ValueError, match="up to 1, received 2"):
        simulate("shapes", path, scale=2)
    with pytest.raises(ValueError, match="received 0 and 128"):
        simulate("shapes", path, n=0)
    with pytest.raises(ValueError, match="16 pixels, received 3 and 6"):
        simulate("div2k", path, scale=0.1, n=3)
    usage = shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"expected 5\.9 GB of free .* found 1 GB"):
        simulate("div2k", path)
    assert not list(tmp_path.iterdir())
    simulate("shapes", path, **SMALL)
    with pytest.raises(ValueError, match=r"a\.h5: expected seed 1, found seed 0"):
        simulate("shapes", path, seed=1, **SMALL)


def test_the_toy_set_is_small_and_always_the_same():
    images = toy()
    assert images.shape == (64, 64, 64, 1) and images.nbytes < 1e6
    digest = hashlib.sha256(images.tobytes()).hexdigest()
    assert digest == hashlib.sha256(toy().tobytes()).hexdigest()
    assert 0 <= images.min() and 0.5 < images.max() <= 1
    assert not np.array_equal(images, toy(1))
