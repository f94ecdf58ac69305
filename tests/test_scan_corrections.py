"""Corrections bring back the sinogram that a fault had spoilt, and touch no other."""

import sys

import numpy as np
import pytest
from scipy import fft

from srtools.phantoms import random_shapes
from srtools.scan import (
    axis_by_mass,
    axis_by_row,
    flat_field,
    fold,
    pad,
    paganin,
    remove_air,
    remove_rings,
)
from srtools.tomography import ParallelBeam

ANGLES = np.arange(0, 180, 2.0)
SIZE = 64


@pytest.fixture(scope="module")
def shapes():
    images = random_shapes(2, SIZE, rng=np.random.default_rng(1))
    return images / 40  # line integrals of about 1


@pytest.fixture(scope="module")
def sinograms(shapes):
    return ParallelBeam(SIZE, ANGLES, 80).project(shapes)


@pytest.fixture
def counted(sinograms):
    """Counts, flats and darks of detector pixels that all differ."""
    rng = np.random.default_rng(2)
    dark = rng.uniform(90, 110, sinograms.shape[:2]).astype("float32")
    flat = dark + rng.uniform(8e3, 12e3, sinograms.shape[:2]).astype("float32")
    counts = dark[..., None, None] + (flat - dark)[..., None, None] * np.exp(-sinograms)
    return counts, flat[None], dark[None]


def error(found, truth):
    return np.linalg.norm(found - truth) / np.linalg.norm(truth)


def test_flat_and_dark_cancel(counted, sinograms):
    found, replaced = flat_field(*counted)
    assert found.dtype == np.float32 and found.shape == sinograms.shape
    assert np.allclose(found, sinograms, atol=1e-4)
    assert not replaced.any()
    counts, flats, darks = counted
    found, _ = flat_field(counts - darks[0][..., None, None], flats - darks)
    assert np.allclose(found, sinograms, atol=1e-4)


def test_several_flats_are_averaged(counted, sinograms):
    counts, flats, darks = counted
    both = np.concatenate([flats * 0.98, flats * 1.02])
    assert np.allclose(flat_field(counts, both, darks)[0], sinograms, atol=1e-4)


@pytest.mark.parametrize(
    ("fault", "value"),
    [("dead", 0), ("hot", 4e4), ("saturated", 65535), ("NaN", np.nan)],
)
@pytest.mark.parametrize("column", [0, 39])
def test_faulty_pixels_are_bridged_and_counted(
    counted, sinograms, fault, value, column
):
    counts, flats, darks = (a.copy() for a in counted)
    flats[0, 1, column] = value
    if fault != "hot":
        counts[1, column] = value
    found, replaced = flat_field(counts, flats, darks)
    assert np.argwhere(replaced).tolist() == [[1, column]]
    assert np.isfinite(found).all()
    near = sinograms[1, [1] if column == 0 else [38, 40]].mean(axis=0)
    assert np.allclose(found[1, column], near, atol=1e-4)
    keep = np.ones(sinograms.shape[1], bool)
    keep[column] = False
    assert np.allclose(found[:, keep], sinograms[:, keep], atol=1e-4)


def test_a_column_that_is_stuck_is_told_from_air(counted, sinograms):
    counts, flats, darks = (a.copy() for a in counted)
    counts[0, 30:33] = 9e3  # the same in all views; the flats look as always
    _, replaced = flat_field(counts, flats, darks)
    assert np.argwhere(replaced).tolist() == [[0, 30], [0, 31], [0, 32]]


def test_a_ray_without_light_is_bridged_and_gives_no_nan(counted, sinograms):
    counts, flats, darks = counted
    counts[0, 40, 5] = 0
    found, replaced = flat_field(counts, flats, darks)
    assert not replaced.any()
    assert found[0, 40, 5, 0] == pytest.approx(
        sinograms[0, [39, 41], 5].mean(), abs=1e-4
    )


def test_a_lost_view_is_named_and_not_taken_for_air(counted):
    counts, flats, darks = counted
    counts[0, :, [5, 17]] = 0
    with pytest.raises(ValueError, match=r"in views \[5, 17\].*Scan\.views"):
        flat_field(counts, flats, darks)


def test_infinite_counts_are_bridged(counted, sinograms):
    counts, flats, darks = counted
    counts[0, 40, 5] = np.inf
    counts[1, 20] = np.inf
    found, replaced = flat_field(counts, flats, darks)
    assert np.argwhere(replaced).tolist() == [[1, 20]]
    assert np.isfinite(found).all()
    assert found[0, 40, 5] == pytest.approx(sinograms[0, [39, 41], 5].mean(), abs=1e-4)


def test_bad_counts_are_refused(counted):
    counts, flats, darks = counted
    with pytest.raises(ValueError, match=r"expected counts \(n_rows.*\(2, 80, 90\)"):
        flat_field(counts[..., 0], flats, darks)
    with pytest.raises(ValueError, match=r"flats \(n, 2, 80\).*received \(1, 2, 79\)"):
        flat_field(counts, flats[..., :79], darks)
    with pytest.raises(ValueError, match="found 100% of those of row 1 without"):
        flat_field(counts * [[[[1]]], [[[0]]]], flats, darks)


def test_air_becomes_zero_in_every_row_and_view(sinograms):
    rng = np.random.default_rng(3)
    place = np.linspace(-1, 1, 80)[:, None, None]
    shape = (2, 1, len(ANGLES), 1)
    drift = rng.normal(0.4, 0.1, shape) + rng.normal(0, 0.1, shape) * place
    spoilt = sinograms + drift
    found = remove_air(spoilt, 6)
    assert found.dtype == np.float32
    assert np.allclose(found, sinograms, atol=1e-5)
    curved = 0.1 * np.cos(np.arange(80) / 20)
    assert error(remove_air(spoilt + curved[:, None, None], 6), sinograms) > 0.1
    found = remove_air(spoilt + curved[:, None, None], 6, profile=curved)
    assert np.allclose(found, sinograms, atol=1e-5)
    with pytest.raises(ValueError, match=r"of 80 columns, received \(79,\)"):
        remove_air(spoilt, 6, profile=curved[1:])
    for width in (0, 41):
        with pytest.raises(ValueError, match=f"expected 1 to 40 columns.*{width}"):
            remove_air(spoilt, width)
    with pytest.raises(ValueError, match="expected sinograms"):
        remove_air(spoilt[..., 0], 6)


def test_rings_go_and_the_sample_stays(shapes, sinograms):
    rng = np.random.default_rng(4)
    gains = np.zeros((2, 80, 1, 1))
    columns = rng.choice(np.arange(12, 68), 8, replace=False)
    gains[:, columns] = rng.choice([-0.05, 0.05], (2, 8, 1, 1))
    spoilt = (sinograms + gains).astype("float32")
    beam = ParallelBeam(SIZE, ANGLES, 80)
    clean = beam.fbp(sinograms)
    with_rings, without = beam.fbp(spoilt), beam.fbp(remove_rings(spoilt, 5))
    assert error(without, clean) < error(with_rings, clean) / 1.8
    # what it takes from sinograms without rings is little, and more where it is wider
    narrow, wide = (error(remove_rings(sinograms, w), sinograms) for w in (5, 15))
    assert narrow < 0.05 < wide
    assert remove_rings(sinograms).dtype == np.float32
    with pytest.raises(ValueError, match="at least one column, received 0"):
        remove_rings(spoilt, 0)


@pytest.mark.parametrize("axis", [35.5, 39.5, 43.0])
@pytest.mark.parametrize("order", ["rising", "falling", "mixed"])
def test_the_axis_is_found_to_half_a_column(shapes, axis, order):
    angles = {
        "rising": ANGLES,
        "falling": ANGLES[::-1],
        "mixed": np.random.default_rng(0).permutation(ANGLES),
    }[order]
    sinograms = ParallelBeam(SIZE, angles, 80, axis=axis).project(shapes)
    assert np.abs(axis_by_row(sinograms, angles) - axis).max() <= 0.5


@pytest.mark.parametrize("axis", (28.0, 31.5, 36.25))
def test_the_centre_of_mass_gives_the_axis_of_a_few_noisy_views(shapes, axis):
    angles = np.random.default_rng(0).permutation(np.arange(0, 180, 20.0))
    sinograms = ParallelBeam(64, angles, axis=axis).project(0.7 * shapes)
    rng = np.random.default_rng(1)
    noisy = sinograms + rng.normal(0, 0.02 * sinograms.max(), sinograms.shape)
    assert np.abs(axis_by_mass(noisy, angles) - axis).max() < 0.3
    turned = np.random.default_rng(2).permutation(len(angles))  # the views, not these
    assert np.abs(axis_by_mass(noisy[:, :, turned], angles) - axis).max() > 0.3


def test_the_centre_of_mass_needs_an_angle_a_view(sinograms):
    with pytest.raises(ValueError, match=r"at least 3 angles.*received 5 angles"):
        axis_by_mass(sinograms, ANGLES[:5])


def test_the_centre_of_mass_of_a_sinogram_is_its_own(shapes):
    sinograms = ParallelBeam(SIZE, ANGLES, 80, axis=36.25).project(shapes)
    sinograms = np.concatenate([sinograms, 1e-9 * sinograms, 0 * sinograms[:1]])
    sinograms[1] *= 100
    found = axis_by_mass(sinograms, ANGLES)
    assert np.abs(found[:4] - 36.25).max() < 0.3
    assert np.isnan(found[4])
    sinograms[0, :, 3] = 0  # the object is not in this view
    assert np.isnan(axis_by_mass(sinograms, ANGLES)[0])


def test_no_axis_is_nan_and_a_wedge_is_refused(sinograms):
    assert np.isnan(axis_by_row(np.zeros_like(sinograms), ANGLES)).all()
    empty = np.zeros((1, 80, 180, 1))
    assert np.isnan(axis_by_row(empty, np.arange(0, 360, 2.0))).all()
    with pytest.raises(ValueError, match="found 60 degrees without a view"):
        axis_by_row(sinograms[:, :, :60], ANGLES[:60])


def test_without_algotom_the_message_says_what_to_install(sinograms, monkeypatch):
    monkeypatch.setitem(sys.modules, "algotom.prep.removal", None)
    with pytest.raises(ImportError, match="pip install algotom"):
        remove_rings(sinograms)


@pytest.mark.parametrize("axis", [6.0, 6.5, 52.0, 30.0])
def test_the_axis_of_a_full_turn_may_be_anywhere(shapes, axis):
    angles = np.arange(0, 360, 2.0)
    half = ParallelBeam(SIZE, angles, 60, axis=axis).project(shapes)
    assert axis_by_row(half, angles) == pytest.approx([axis, axis])
    folded, front, new_axis = fold(half, angles, axis)
    assert np.array_equal(front, ANGLES)
    whole = ParallelBeam(SIZE, front, folded.shape[1], axis=new_axis).project(shapes)
    assert folded.dtype == np.float32
    assert np.allclose(folded, whole, atol=1e-5)


def test_folding_between_columns_costs_little(shapes):
    angles = np.arange(0, 360, 2.0)[::-1]
    half = ParallelBeam(SIZE, angles, 60, axis=6.3).project(shapes)
    folded, front, axis = fold(half, angles, 6.3)
    assert sorted(front) == list(ANGLES)
    whole = ParallelBeam(SIZE, front, folded.shape[1], axis=axis).project(shapes)
    assert error(folded, whole) < 0.03


def test_folding_refuses_what_it_cannot(sinograms):
    with pytest.raises(ValueError, match="nearest opposite is 180 degrees off"):
        fold(sinograms, ANGLES, 39.5)
    with pytest.raises(ValueError, match="on the detector, from 0 to 79, received 80"):
        fold(sinograms, 2 * ANGLES, 80)


def test_padding_takes_the_bright_rim_off_a_region_of_interest():
    size = 96
    row, column = np.mgrid[:size, :size] - (size - 1) / 2
    disc = 0.01 * (np.hypot(row, column) < 46)[None, ..., None]
    narrow = ParallelBeam(size, ANGLES, 48).project(disc)
    inner = np.hypot(row, column) < 22

    def rim(columns):
        """Spread of the reconstruction where the sample is uniform."""
        wide = pad(narrow, columns)
        beam = ParallelBeam(size, ANGLES, 48 + 2 * columns)
        return beam.fbp(wide)[0, ..., 0][inner].std()

    assert rim(60) < rim(0) / 3
    assert np.array_equal(pad(narrow, 5)[:, 5:-5], narrow)
    with pytest.raises(ValueError, match="columns to add, received -1"):
        pad(narrow, -1)


def test_paganin_undoes_the_fringes_of_propagation():
    """The transport of intensity forward, in Fourier space, then back."""
    how = {
        "pixel_size": 1.0,
        "distance": 50.0,
        "energy": 20.0,
        "delta_over_beta": 20.0,
    }
    shape = (40, 64)
    row, column = np.mgrid[: shape[0], : shape[1]]
    bump = 0.5 * np.exp(-((row - 20) ** 2 + (column - 30) ** 2) / 18)
    wavelength = 12.3984 / 20 * 1e-4  # 12.4 angstrom at 1 keV, in micrometres
    f = np.hypot(fft.fftfreq(shape[0])[:, None], fft.fftfreq(shape[1]))
    fringes = 1 + np.pi * wavelength * 50e3 * 20 * f**2
    light = fft.ifft2(fft.fft2(np.exp(-bump)) * fringes).real
    measured = -np.log(light)[..., None, None]
    found = paganin(np.repeat(measured, 3, axis=2), **how)
    assert found.shape == (*shape, 3, 1) and found.dtype == np.float32
    assert error(measured[..., 0, 0], bump) > 1  # the fringes are strong
    assert error(found[..., 0, 0], bump) < 0.01
    with pytest.raises(ValueError, match="expected positive pixel_size"):
        paganin(measured, **how | {"energy": 0})
