import numpy as np
import pytest

from srtools import xrdct
from srtools.tomography import ParallelBeam
from srtools.xrdct import ParticleBed, air, measure, move, two_theta

ANGLES = two_theta()[::8]  # of scattering


@pytest.fixture(scope="module")
def layer():
    return ParticleBed(3).layer(0.4, 81).downsample()


@pytest.fixture(scope="module")
def beam():
    angles = np.linspace(0, 180, 50, endpoint=False)
    return ParallelBeam(41, angles, 49)  # wide enough for a sample out of place


@pytest.fixture(scope="module")
def clean(layer, beam):
    return measure(layer, beam, ANGLES).sinograms


def rng():
    return np.random.default_rng(0)


def error(sinograms, clean):
    return np.abs(sinograms - clean).mean() / clean.mean()


def test_projecting_parts_is_projecting_channels(layer, beam, clean):
    images = np.moveaxis(layer.images(ANGLES), -1, 0)[..., None]
    channels = np.moveaxis(beam.project(images)[..., 0], 0, -1)
    np.testing.assert_allclose(clean, channels, rtol=1e-3, atol=1e-4 * clean.max())


def test_projection_conserves_the_intensity_of_every_channel(layer, clean):
    total = layer.images(ANGLES).sum((0, 1), dtype=np.float64)
    np.testing.assert_allclose(
        clean.sum(0, dtype=np.float64), np.tile(total, (50, 1)), rtol=1e-4
    )


def test_all_switches_off_is_the_clean_data(layer, beam, clean):
    off = dict(attenuation=0, decay=0, jitter=0, shift=0, air_scatter=0, gain=0)
    scan = measure(layer, beam, ANGLES, **off, hot_spots=0, counts=None, rng=rng())
    np.testing.assert_array_equal(scan.sinograms, clean)
    assert (
        not scan.offset.any() and not scan.attenuation.any() and (scan.beam == 1).all()
    )


def test_attenuation_follows_beer_and_lambert(layer, beam, clean):
    scan = measure(layer, beam, ANGLES, attenuation=1.5)
    assert scan.attenuation.max() == pytest.approx(1.5)
    ratio = scan.sinograms.sum(2)[clean.sum(2) > 0] / clean.sum(2)[clean.sum(2) > 0]
    expected = np.exp(-scan.attenuation[clean.sum(2) > 0])
    np.testing.assert_allclose(ratio, expected, rtol=1e-4)


def test_the_beam_decays_and_is_topped_up(layer, beam, clean):
    scan = measure(layer, beam, ANGLES, decay=0.4, top_ups=5)
    seen = scan.sinograms.sum((0, 2)) / clean.sum((0, 2))
    assert seen[0] == seen.max() == pytest.approx(1)
    assert seen.min() == pytest.approx(0.6**0.9)  # the last angle of ten
    np.testing.assert_allclose(seen[:10], seen[10:20], rtol=1e-5)
    assert (np.diff(seen) > 0.1).sum() == 4
    assert error(xrdct.scale(scan.sinograms), clean) < 1e-5


def test_jitter_and_shift_are_found_and_undone(layer, beam, clean):
    scan = measure(layer, beam, ANGLES, jitter=0.5, shift=1.7, rng=rng())
    assert scan.offset.mean() == pytest.approx(1.7, abs=0.2)
    assert scan.offset.std() == pytest.approx(0.5, abs=0.15)
    found = xrdct.find_offset(scan.sinograms, beam.angles)
    theta = np.deg2rad(beam.angles)
    unseen = np.stack([np.ones_like(theta), np.cos(theta), np.sin(theta)], 1)
    wrong = found - scan.offset
    fit = np.linalg.lstsq(unseen, wrong)[0]
    assert np.abs(wrong - unseen @ fit).max() < 0.05
    spread = 0.5 * np.sqrt(np.diag(np.linalg.inv(unseen.T @ unseen)))
    assert (np.abs(fit) < 3 * spread).all()
    shifted = measure(layer, beam, ANGLES, shift=1.7).sinograms
    for sinograms, factor in ((scan.sinograms, 2), (shifted, 10)):
        corrected = xrdct.centre(sinograms, beam.angles)
        assert error(corrected, clean) < error(sinograms, clean) / factor


def test_air_is_the_same_in_every_ray(layer, beam, clean):
    scan = measure(layer, beam, ANGLES, air_scatter=0.5)
    added = scan.sinograms - clean
    np.testing.assert_allclose(added.std((0, 1)), 0, atol=1e-3 * clean.max())
    haze = added.mean((0, 1))
    np.testing.assert_allclose(haze / haze[0], air(ANGLES), atol=1e-3)
    assert haze.sum() == pytest.approx(0.5 * clean.mean((0, 1)).sum(), rel=1e-3)
    assert error(xrdct.remove_air(scan.sinograms, edge=1), clean) < 0.01


def test_gain_is_a_factor_of_the_translation_and_can_be_divided_out(layer, beam, clean):
    scan = measure(layer, beam, ANGLES, gain=0.1, rng=rng())
    lit = clean.min(1).sum(1) > 0
    factor = scan.sinograms[lit].sum(2) / clean[lit].sum(2)
    assert factor.std(1).max() < 1e-4 < 0.05 < factor.mean(1).std()
    corrected = xrdct.remove_rings(scan.sinograms)
    assert error(corrected, clean) < error(scan.sinograms, clean) / 1.5
    corrected = xrdct.remove_rings(scan.sinograms, weight=1e-3)
    assert error(corrected, clean) < error(scan.sinograms, clean) / 4


def test_hot_spots_shine_in_one_ray_and_one_reflection(layer, beam, clean):
    scan = measure(layer, beam, ANGLES, hot_spots=20, rng=rng())
    added = scan.sinograms - clean
    assert added.min() >= -1e-3 and 1 <= (added.max(2) > 1e-3 * clean.max()).sum() <= 20
    assert ((added > 0.5 * added.max(2, keepdims=True)) & (added > 1)).sum(2).max() <= 3
    corrected = xrdct.remove_hot_spots(scan.sinograms)
    assert error(corrected, clean) < error(scan.sinograms, clean) / 2


def test_counts_have_the_mean_and_the_variance_of_poisson(layer, beam, clean):
    scan = measure(layer, beam, ANGLES, counts=200, rng=rng())
    unit = clean.max() / 200
    counted, expected = scan.sinograms / unit, clean / unit
    np.testing.assert_allclose(counted, np.round(counted), atol=1e-3)
    for low, high in ((1, 2), (5, 8), (20, 200)):  # as bright, as many, as spread
        here = (expected > low) & (expected < high)
        surprise = (counted - expected)[here] / np.sqrt(expected[here])
        few = 5 / np.sqrt(here.sum())
        assert surprise.mean() == pytest.approx(0, abs=few)
        assert surprise.var() == pytest.approx(1, abs=2 * few)


def test_amounts_are_checked(layer, beam):
    with pytest.raises(ValueError, match=r"amounts of at least 0.*\'gain\': -1"):
        measure(layer, beam, ANGLES, gain=-1, rng=rng())
    with pytest.raises(ValueError, match="decay below 1"):
        measure(layer, beam, ANGLES, decay=1)
    with pytest.raises(ValueError, match="expected rng"):
        measure(layer, beam, ANGLES, counts=100)
    small = ParallelBeam(17, [0, 90])
    with pytest.raises(ValueError, match="expected"):
        measure(layer, small, ANGLES)


def test_move_shifts_and_comes_back():
    place = np.arange(41.0)
    bump = np.exp(-(((place - 20) / 3) ** 2))[None, :, None] * np.ones((1, 1, 2))
    moved = move(bump, [2.0, -0.5])
    assert moved[0, :, 0].argmax() == 22
    np.testing.assert_allclose(moved.sum((0, 1)), bump.sum((0, 1)), rtol=1e-4)
    np.testing.assert_allclose(move(moved, [-2.0, 0.5]), bump, atol=2e-3)


def test_corrections_refuse_what_they_can_not_do(clean):
    with pytest.raises(ValueError, match=r"n_channels\), received shape \(49, 50\)"):
        xrdct.scale(clean[..., 0])
    with pytest.raises(ValueError, match="edge of 1 to 24 rays, received 25"):
        xrdct.remove_air(clean, edge=25)
    with pytest.raises(ValueError, match="expected a positive weight, received 0"):
        xrdct.remove_rings(clean, weight=0)


def test_unmix_finds_the_amounts_before_or_after_reconstruction(beam):
    references = np.array([[1.0, 2, 0, 1], [0, 1, 1, 0]])
    amounts = np.random.default_rng(0).random((49, 50, 2))
    spectra = (amounts @ references).astype(np.float32)
    found = xrdct.unmix(spectra, references)
    np.testing.assert_allclose(found, amounts, atol=1e-5)
    first = beam.fbp(np.moveaxis(found, -1, 0)[..., None])[..., 0]
    images = beam.fbp(np.moveaxis(spectra, -1, 0)[..., None])[..., 0]
    after = xrdct.unmix(np.moveaxis(images, 0, -1), references)
    np.testing.assert_allclose(np.moveaxis(after, -1, 0), first, atol=1e-4)
    with pytest.raises(ValueError, match="spectra of 4 channels, received 3"):
        xrdct.unmix(spectra[..., :3], references)
    with pytest.raises(ValueError, match="references that differ"):
        xrdct.unmix(spectra, references[[0, 0]])
