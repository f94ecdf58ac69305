import numpy as np
import pytest
from scipy.special import erf

from srtools.tomography import ParallelBeam
from srtools.xrdct import BedSlice, ParticleBed, air, channel_angles, measure

TWO_THETA = channel_angles()[::8]
ALL = (1, 2, 3)  # the axes of a channel


@pytest.fixture(scope="module")
def sample():
    return ParticleBed(3).slice(0.4, 81).downsample()


@pytest.fixture(scope="module")
def beam():
    angles = np.linspace(0, 180, 50, endpoint=False)
    return ParallelBeam(41, angles, 49)  # wide enough for a sample out of place


@pytest.fixture(scope="module")
def clean(sample, beam):
    return measure(sample, beam, TWO_THETA).sinograms


def rng():
    return np.random.default_rng(0)


def test_projecting_parts_is_projecting_channels(sample, beam, clean):
    channels = beam.project(sample.images(TWO_THETA))
    np.testing.assert_allclose(clean, channels, rtol=1e-3, atol=1e-4 * clean.max())


def test_projection_conserves_the_intensity_of_every_channel(sample, clean):
    total = sample.images(TWO_THETA).sum(ALL, dtype=np.float64)
    np.testing.assert_allclose(
        clean.sum((1, 3), dtype=np.float64), np.tile(total[:, None], 50), rtol=1e-4
    )


def test_all_switches_off_is_the_clean_data(sample, beam, clean):
    off = dict(attenuation=0, decay=0, jitter=0, shift=0, air_scatter=0, gain=0)
    off |= dict(hot_spots=0, counts=None, diode_counts=None)
    scan = measure(sample, beam, TWO_THETA, **off, rng=rng())
    np.testing.assert_array_equal(scan.sinograms, clean)
    assert not scan.offset.any()
    assert (scan.transmission == 1).all() and (scan.beam_intensity == 1).all()


def test_attenuation_follows_beer_and_lambert(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, attenuation=1.5)
    grey = sample.attenuation()[None, ..., None]
    depth = beam.project(grey / beam.project(grey).max())[0]
    np.testing.assert_allclose(scan.transmission, np.exp(-1.5 * depth), rtol=1e-5)
    expected = clean * scan.transmission
    np.testing.assert_allclose(scan.sinograms, expected, rtol=1e-4)


def test_the_diode_has_noise_of_its_own(sample, beam):
    settings = dict(attenuation=1.5, decay=0.5)
    exact = measure(sample, beam, TWO_THETA[:2], **settings)
    scan = measure(sample, beam, TWO_THETA[:2], diode_counts=500, rng=rng(), **settings)
    np.testing.assert_array_equal(scan.sinograms, exact.sinograms)
    photons = 500 * exact.beam_intensity[:, None] * exact.transmission
    surprise = (scan.transmission / exact.transmission - 1) * np.sqrt(photons)
    assert surprise.mean() == pytest.approx(0, abs=0.05)
    assert surprise.var() == pytest.approx(1, abs=0.1)


def test_the_beam_decays_and_is_topped_up(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, decay=0.4, top_ups=5)
    seen = scan.sinograms.sum((0, 1, 3)) / clean.sum((0, 1, 3))
    np.testing.assert_allclose(seen, scan.beam_intensity, rtol=1e-5)
    assert seen[0] == seen.max() == pytest.approx(1)
    assert seen.min() == pytest.approx(0.6**0.9, rel=1e-4)  # the last angle of ten
    np.testing.assert_allclose(seen[:10], seen[10:20], rtol=1e-5)
    assert (np.diff(seen) > 0.1).sum() == 4


def test_whole_steps_of_the_stage_move_the_sinogram(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, shift=3.0, attenuation=1.0)
    still = measure(sample, beam, TWO_THETA, attenuation=1.0)
    np.testing.assert_allclose(scan.offset, 3)
    for moved, before in (
        (scan.sinograms, still.sinograms),
        (scan.transmission[None], still.transmission[None]),
    ):
        np.testing.assert_allclose(
            moved[:, 3:], before[:, :-3], rtol=1e-3, atol=1e-4 * before.max()
        )


def test_a_ray_between_the_places_sees_what_lies_there():
    size, width, offset = 41, 3.0, 0.37
    axis = np.arange(size) - (size - 1) / 2
    bump = np.exp(-(axis[:, None] ** 2 + axis**2) / 2 / width**2).astype(np.float32)
    sample = BedSlice(bump[None], np.array([0]), np.ones(1), np.full(1, 12.0))
    beam = ParallelBeam(size, [0.0, 30.0, 90.0], 47)
    two_theta = channel_angles()[::8]
    scan = measure(sample, beam, two_theta, shift=offset)
    channel = scan.sinograms[..., 0].sum((1, 2)).argmax()
    found = scan.sinograms[channel, ..., 0] / sample.patterns(two_theta)[0, channel]
    # The mean of a Gaussian over each ray; pixels add the variance of a box.
    edges = (np.arange(48) - 23.5 - offset) / np.sqrt(2 * (width**2 + 1 / 12))
    expected = np.pi * width**2 * np.diff(erf(edges))
    np.testing.assert_allclose(found, np.tile(expected[:, None], 3), atol=0.04)


def test_jitter_is_new_at_every_angle(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, jitter=0.5, shift=1.7, rng=rng())
    assert scan.offset.mean() == pytest.approx(1.7, abs=0.2)
    assert scan.offset.std() == pytest.approx(0.5, abs=0.15)
    place = np.arange(49)
    still, moved = (
        place @ y.sum((0, 3)) / y.sum((0, 1, 3)) for y in (clean, scan.sinograms)
    )
    np.testing.assert_allclose(moved - still, scan.offset, atol=0.01)


def test_air_is_the_same_in_every_ray(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, air_scatter=0.5)
    added = scan.sinograms - clean
    np.testing.assert_allclose(added.std(ALL), 0, atol=1e-3 * clean.max())
    haze = added.mean(ALL)
    np.testing.assert_allclose(haze / haze[0], air(TWO_THETA), atol=1e-3)
    assert haze.sum() == pytest.approx(0.5 * clean.mean(ALL).sum(), rel=1e-3)


def test_gain_is_a_factor_of_the_translation(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, gain=0.1, rng=rng())
    lit = clean.min(2).sum((0, 2)) > 0
    factor = scan.sinograms[:, lit].sum((0, 3)) / clean[:, lit].sum((0, 3))
    assert factor.std(1).max() < 1e-4 < 0.05 < factor.mean(1).std()
    assert (scan.transmission == 1).all()  # the monitor is exposed as long


def test_hot_spots_shine_in_one_ray_and_one_reflection(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, hot_spots=20, rng=rng())
    added = (scan.sinograms - clean)[..., 0]
    assert added.min() >= -1e-3
    assert 1 <= (added.max(0) > 1e-3 * clean.max()).sum() <= 20
    assert ((added > 0.5 * added.max(0)) & (added > 1)).sum(0).max() <= 3


def test_counts_have_the_mean_and_the_variance_of_poisson(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, counts=200, rng=rng())
    unit = clean.max() / 200
    counted, expected = scan.sinograms / unit, clean / unit
    np.testing.assert_allclose(counted, np.round(counted), atol=1e-3)
    for low, high in ((1, 2), (5, 8), (20, 200)):  # as bright, as many, as spread
        here = (expected > low) & (expected < high)
        surprise = (counted - expected)[here] / np.sqrt(expected[here])
        few = 5 / np.sqrt(here.sum())
        assert surprise.mean() == pytest.approx(0, abs=few)
        assert surprise.var() == pytest.approx(1, abs=2 * few)


def test_hot_spots_air_and_attenuation_leave_the_exposure_alone(sample, beam, clean):
    faults = dict(hot_spots=50, air_scatter=0.5, attenuation=1.0)
    exact = measure(sample, beam, TWO_THETA, **faults, rng=rng()).sinograms
    noisy = measure(sample, beam, TWO_THETA, **faults, counts=200, rng=rng()).sinograms
    unit = clean.max() / 200
    usual = (exact > 5 * unit) & (exact < clean.max())  # not in a hot spot
    variance = ((noisy - exact)[usual] ** 2 / (exact[usual] * unit)).mean()
    assert variance == pytest.approx(1, abs=0.05)


def test_amounts_are_checked(sample, beam):
    with pytest.raises(ValueError, match=r"amounts of at least 0.*\'gain\': -1"):
        measure(sample, beam, TWO_THETA, gain=-1, rng=rng())
    with pytest.raises(ValueError, match=r"amounts of at least 0.*\'jitter\': nan"):
        measure(sample, beam, TWO_THETA, jitter=np.nan, rng=rng())
    with pytest.raises(ValueError, match="decay below 1"):
        measure(sample, beam, TWO_THETA, decay=1)
    with pytest.raises(ValueError, match="expected rng, since jitter"):
        measure(sample, beam, TWO_THETA, counts=100)
    with pytest.raises(ValueError, match="expected rng, since jitter"):
        measure(sample, beam, TWO_THETA, diode_counts=100)
    small = ParallelBeam(17, [0, 90])
    with pytest.raises(ValueError, match=r"images of shape \(n, 17, 17, 1\), received"):
        measure(sample, small, TWO_THETA)


@pytest.mark.parametrize("shift", [np.nan, np.inf, -49.0])
def test_an_axis_out_of_sight_is_refused(sample, beam, shift):
    message = f"axis that stays within 49 translations, received shift {shift} and"
    with pytest.raises(ValueError, match=message):
        measure(sample, beam, TWO_THETA, shift=shift)


def test_rays_that_miss_their_places_turn_about_the_axis_of_the_scan(sample):
    angles = np.linspace(0, 180, 12, endpoint=False)
    for axis in (15.0, 13.5):
        beam = ParallelBeam(sample.maps.shape[1], angles, 31, axis=axis)
        sinograms = [
            measure(sample, beam, TWO_THETA, shift=shift).sinograms
            for shift in (0, 1e-6)
        ]
        assert np.allclose(*sinograms, atol=1e-3 * sinograms[0].max())


def test_hot_spots_need_channels_that_show_reflections(sample, beam):
    rng = np.random.default_rng(0)
    for two_theta in ([5.0], [5.0, 5.1]):
        with pytest.raises(ValueError, match="show a reflection of every crystalline"):
            measure(sample, beam, np.array(two_theta), hot_spots=3, rng=rng)
