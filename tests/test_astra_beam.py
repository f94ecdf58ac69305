"""The same geometry by ASTRA: an independent projector, and one for large slices."""

import sys

import h5py
import numpy as np
import pytest

from srtools.metrics import psnr
from srtools.phantoms import random_shapes
from srtools.scan import SplitViews, measured, read_scan, reconstruct
from srtools.tomography import AstraBeam, ParallelBeam, sirt, tv

ANGLES = np.linspace(0, 360, 48, endpoint=False)


@pytest.fixture
def astra():
    return pytest.importorskip("astra", reason="astra-toolbox is not installed")


def hook(size):
    """No symmetry: a long bar and a short one, up and to the right of the centre."""
    image = np.zeros((1, size, size, 1), np.float32)
    image[0, size // 6 : size // 2, size // 2 : size // 2 + 4] = 1
    image[0, size // 6 : size // 6 + 4, size // 2 : size // 2 + size // 5] = 0.5
    return image


@pytest.mark.crosscheck
@pytest.mark.parametrize(
    "size, n, spacing, axis", [(64, 64, 1, 31.5), (64, 40, 2, 17.3), (65, 80, 1.5, 30)]
)
def test_two_projectors_of_one_geometry(astra, size, n, spacing, axis):
    geometry = {"n_translations": n, "detector_spacing": spacing, "axis": axis}
    ours, theirs = (k(size, ANGLES, **geometry) for k in (ParallelBeam, AstraBeam))
    image = hook(size)
    sinogram = ours.project(image)
    found = theirs.project(image)
    assert np.abs(found - sinogram).max() < 1e-4 * sinogram.max()
    # A hundredth of a pixel off already shows.
    off = AstraBeam(size, ANGLES, n, detector_spacing=spacing, axis=axis + 0.01)
    assert np.abs(off.project(image) - sinogram).max() > 1e-3 * sinogram.max()
    back, theirs_back = ours.backproject(sinogram), theirs.backproject(sinogram)
    assert np.abs(theirs_back - back).max() < 1e-4 * back.max()
    assert theirs.fbp(sinogram) == pytest.approx(ours.fbp(sinogram), abs=1e-3)
    assert theirs.norm == pytest.approx(ours.norm, rel=1e-4)


@pytest.mark.crosscheck
def test_lines_instead_of_strips_differ_little(astra):
    scan = astra.create_proj_geom("parallel", 1.0, 64, np.deg2rad(ANGLES))
    volume = astra.create_vol_geom(64, 64)
    image = hook(64)
    handle = astra.create_projector("linear", scan, volume)
    _, lines = astra.create_sino(image[0, ..., 0], handle)
    ours = ParallelBeam(64, ANGLES).project(image)[0, ..., 0]
    assert np.linalg.norm(ours - lines.T) < 0.05 * np.linalg.norm(ours)


@pytest.mark.crosscheck
def test_iterative_methods_give_the_same(astra):
    image = hook(32)
    beam, other = ParallelBeam(32, ANGLES), AstraBeam(32, ANGLES)
    sinograms = beam.project(image)
    for method in (
        lambda beam: sirt(beam, sinograms, iterations=20),
        lambda beam: tv(beam, sinograms, weight=0.5, iterations=100),
    ):
        assert np.abs(method(other) - method(beam)).max() < 0.01


@pytest.mark.crosscheck
def test_a_large_scan_goes_through_astra(astra, tmp_path, monkeypatch):
    angles = np.arange(0, 180, 3.0)
    images = random_shapes(3, 48, rng=np.random.default_rng(0)) / 40
    sinograms = ParallelBeam(48, angles, 56, axis=26.5).project(images)
    np.save(tmp_path / "scan.npy", np.exp(-sinograms[..., 0]).transpose(2, 0, 1))
    scan = read_scan(tmp_path / "scan.npy", flats=1, angles=angles).corrected(axis=26.5)
    monkeypatch.setattr(measured, "_STORED", 56 * 56 * 60 - 1)
    beam = scan.beam()
    assert isinstance(beam, AstraBeam) and not isinstance(scan.beam(40), AstraBeam)
    path = reconstruct(scan, beam.fbp, output=tmp_path / "v.h5", block=1, n_jobs=2)
    with h5py.File(path) as file:
        volume = file["volume"][:, 4:-4, 4:-4][..., None]
    assert (psnr(images * 40, volume * 40) > 22).all()


def test_without_astra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "astra", None)
    with pytest.raises(ImportError, match="pip install astra-toolbox"):
        AstraBeam(32, ANGLES)
    with pytest.raises(ValueError, match="positive size"):
        AstraBeam(0, ANGLES)


def test_views_of_another_kind_of_beam_are_split_into_that_kind(monkeypatch):
    monkeypatch.setattr(AstraBeam, "_operator", None)  # needs no ASTRA
    beam = AstraBeam(16, ANGLES, 20, detector_spacing=0.8, axis=7.0)
    for part, split in enumerate(SplitViews(beam, 2).beams):
        assert type(split) is AstraBeam
        assert split.settings == beam.settings | {"angles": ANGLES[part::2].tolist()}
