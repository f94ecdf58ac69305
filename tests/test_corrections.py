import numpy as np
import pytest

from srtools import xrdct
from srtools.tomography import ParallelBeam
from srtools.xrdct import ParticleBed, channel_angles, measure

TWO_THETA = channel_angles()[::8]


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


def error(sinograms, clean):
    return np.abs(sinograms - clean).mean() / clean.mean()


def test_a_noisy_diode_corrects_attenuation(sample, beam, clean):
    settings = dict(attenuation=1.5, rng=rng())
    scan = measure(sample, beam, TWO_THETA, diode_counts=10_000, **settings)
    assert error(scan.sinograms, clean) > 0.3
    assert 0.002 < error(scan.sinograms / scan.transmission, clean) < 0.02


def test_normalise_total_undoes_the_decay_of_the_beam(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, decay=0.4, top_ups=5)
    assert error(xrdct.normalise_total(scan.sinograms), clean) < 1e-5


def test_jitter_and_shift_are_found_in_the_data(sample, beam):
    scan = measure(sample, beam, TWO_THETA, jitter=0.5, shift=1.7, rng=rng())
    found = xrdct.find_offset(scan.sinograms, beam.angles)
    theta = np.deg2rad(beam.angles)
    unseen = np.stack([np.ones_like(theta), np.cos(theta), np.sin(theta)], 1)
    wrong = found - scan.offset
    fit = np.linalg.lstsq(unseen, wrong)[0]
    assert np.abs(wrong - unseen @ fit).max() < 0.05
    spread = 0.5 * np.sqrt(np.diag(np.linalg.inv(unseen.T @ unseen)))
    assert (np.abs(fit) < 3 * spread).all()


def test_centre_undoes_jitter_and_shift(sample, beam, clean):
    for settings, factor in ((dict(jitter=0.5, shift=1.7), 2), (dict(shift=1.7), 10)):
        scan = measure(sample, beam, TWO_THETA, **settings, rng=rng())
        corrected = xrdct.centre(scan.sinograms, beam.angles)
        assert error(corrected, clean) < error(scan.sinograms, clean) / factor
        assert corrected.min() >= 0


def test_remove_air_leaves_the_sample(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, air_scatter=0.5)
    assert error(xrdct.remove_air(scan.sinograms, edge=1), clean) < 0.01


def test_remove_rings_finds_the_gain_of_each_translation(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, gain=0.1, rng=rng())
    corrected = xrdct.remove_rings(scan.sinograms)
    assert error(corrected, clean) < error(scan.sinograms, clean) / 2
    corrected = xrdct.remove_rings(scan.sinograms, weight=1e-3)
    assert error(corrected, clean) < error(scan.sinograms, clean) / 4


def test_remove_rings_bears_noise(sample, beam, clean):
    inside = slice(10, -10)
    usual = clean[:, inside].sum((0, 3)).mean(1)

    def raggedness(sinograms):
        """Spread of the factors that are left, from sums that noise hardly touches."""
        return (sinograms[:, inside].sum((0, 3)).mean(1) / usual).std()

    for gain, before, after in ((0.0, 0.0, 0.04), (0.1, 0.07, 0.05)):
        scan = measure(sample, beam, TWO_THETA, gain=gain, counts=100, rng=rng())
        assert raggedness(scan.sinograms) > before
        assert raggedness(xrdct.remove_rings(scan.sinograms)) < after


def test_remove_rings_leaves_a_scan_without_rings(clean):
    kept = xrdct.remove_rings(clean, weight=1e-3)
    assert kept.sum() == pytest.approx(clean.sum(), rel=1e-4)
    assert error(kept, clean) < 0.01


def test_remove_hot_spots_leaves_the_powder(sample, beam, clean):
    scan = measure(sample, beam, TWO_THETA, hot_spots=20, rng=rng())
    corrected = xrdct.remove_hot_spots(scan.sinograms)
    assert error(corrected, clean) < error(scan.sinograms, clean) / 2


def test_hot_spots_at_the_first_and_the_last_angle_are_found(clean):
    sinograms = clean.copy()
    channel, translation = np.unravel_index(clean[:, :, 0, 0].argmax(), (255, 49))
    for angle in (0, -1):
        sinograms[channel, translation, angle] *= 20
    corrected = xrdct.remove_hot_spots(sinograms)
    here = corrected[channel, translation, :, 0]
    assert here.max() < 1.5 * clean[channel, translation].max()


def test_corrections_refuse_what_they_cannot_do(clean):
    with pytest.raises(ValueError, match=r"n_angles, 1\), received shape \(255, 49, 5"):
        xrdct.normalise_total(clean[..., 0])
    with pytest.raises(ValueError, match="edge of 1 to 24 rays, received 25"):
        xrdct.remove_air(clean, edge=25)
    with pytest.raises(ValueError, match="expected a positive weight, received 0"):
        xrdct.remove_rings(clean, weight=0)
    with pytest.raises(ValueError, match="at least 9 translations, received 8"):
        xrdct.remove_rings(clean[:, :8])


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_dead_angle_is_named(clean, beam, value):
    sinograms = clean.copy()
    sinograms[:, :, [3, 20]] = value
    message = "positive and finite total at every angle.* the numbers 3, 20;"
    with pytest.raises(ValueError, match=message):
        xrdct.normalise_total(sinograms)
    for correct in (xrdct.find_offset, xrdct.centre):
        with pytest.raises(ValueError, match=message):
            correct(sinograms, beam.angles)
    with pytest.raises(ValueError, match=r"numbers 0, 1, 2, 3, 4, 5, 6, 7 and 42 more"):
        xrdct.normalise_total(np.zeros_like(clean))


def test_unmix_finds_the_amounts_before_or_after_reconstruction(beam):
    references = np.array([[1.0, 2, 0, 1], [0, 1, 1, 0]])
    amounts = np.random.default_rng(0).random((2, 49, 50, 1))
    spectra = np.tensordot(references.T, amounts, 1).astype(np.float32)
    found = xrdct.unmix(spectra, references)
    np.testing.assert_allclose(found, amounts, atol=1e-5)
    after = xrdct.unmix(beam.fbp(spectra), references)
    np.testing.assert_allclose(after, beam.fbp(found), atol=1e-4)
    with pytest.raises(ValueError, match="spectra of 4 channels, received 3"):
        xrdct.unmix(spectra[:3], references)
    with pytest.raises(ValueError, match="references that differ, received dependent"):
        xrdct.unmix(spectra, references[[0, 0]])
