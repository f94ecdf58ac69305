import numpy as np
import pytest
from scipy.special import voigt_profile

from srtools.xrdct import (
    CAGLIOTI,
    PHASES,
    WAVELENGTH,
    air,
    amorphous,
    channel_angles,
    form_factor,
    mean_patterns,
    patterns,
    reflections,
)

COPPER = 1.540593  # K alpha 1, of which the tables of powder diffraction are made


def line(name, hkl, wavelength=COPPER, largest=100.0):
    lines = reflections(PHASES[name], wavelength, largest)
    return lines[(lines["hkl"] == hkl).all(1)][0]


@pytest.mark.parametrize(
    ("name", "hkl", "expected"),  # certificates of SRM 676a and 674b; PDF cards
    [
        ("Al2O3", (0, 1, 2), 25.576),
        ("Al2O3", (1, 0, 4), 35.151),
        ("Al2O3", (1, 1, 3), 43.354),
        ("Al2O3", (1, 1, 6), 57.500),
        ("CeO2", (1, 1, 1), 28.545),
        ("CeO2", (2, 2, 0), 47.480),
        ("CeO2", (3, 1, 1), 56.337),
        ("ZrO2", (1, 0, 1), 30.18),
        ("NiO", (2, 0, 0), 43.28),
        ("PdO", (1, 0, 1), 33.88),
    ],
)
def test_positions_are_those_of_the_tables(name, hkl, expected):
    assert line(name, hkl)["two_theta"] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("name", "hkl", "strongest", "expected"),  # relative to the strongest [percent]
    [
        ("Al2O3", (0, 1, 2), (1, 1, 3), 60),
        ("Al2O3", (3, 0, 0), (1, 1, 3), 58),
        ("CeO2", (2, 0, 0), (1, 1, 1), 28),
        ("CeO2", (2, 2, 0), (1, 1, 1), 51),
        ("NiO", (2, 2, 0), (2, 0, 0), 55),
        ("PdO", (1, 1, 2), (1, 0, 1), 28),
    ],
)
def test_intensities_are_near_those_of_the_tables(name, hkl, strongest, expected):
    ratio = line(name, hkl)["intensity"] / line(name, strongest)["intensity"]
    assert 100 * ratio == pytest.approx(expected, abs=5)


def test_every_position_obeys_braggs_law():
    for phase in PHASES.values():
        lines = reflections(phase)
        theta = np.deg2rad(lines["two_theta"] / 2)
        np.testing.assert_allclose(2 * lines["d"] * np.sin(theta), WAVELENGTH)
    assert pytest.approx(WAVELENGTH, abs=2e-5) == 12.39842 / 70  # hc / E [angstrom]


def test_extinctions_follow_from_the_cells():
    ceria = reflections(PHASES["CeO2"])["hkl"] % 2
    assert np.isin(ceria.sum(1), (0, 3)).all()  # F: all even or all odd
    h, k, l = reflections(PHASES["Al2O3"])["hkl"].T  # noqa: E741
    assert np.all((-h + k + l) % 3 == 0)  # R
    assert not np.any((h == 0) & (k == 0) & (l == 3))  # c: 00l needs l = 6n
    assert line("CeO2", (1, 1, 1))["multiplicity"] == 8


def test_form_factor_starts_at_the_number_of_electrons():
    for element, electrons in dict(O=8, Al=13, Ni=28, Zr=40, Pd=46, Ce=58).items():
        assert form_factor(element, 0.0) == pytest.approx(electrons, abs=0.05)
        assert form_factor(element, 0.5) < electrons


def test_reflections_refuse_nonsense():
    with pytest.raises(ValueError, match="expected a positive wavelength"):
        reflections(PHASES["NiO"], 0.0)
    with pytest.raises(ValueError, match=r"received 0\.17712 and 180"):
        reflections(PHASES["NiO"], WAVELENGTH, 180)


def peak(pattern, two_theta, low, high):
    inside = (two_theta > low) & (two_theta < high)
    return two_theta[inside], pattern[inside]


def test_pattern_peaks_stand_where_bragg_puts_them_and_move_with_the_lattice():
    two_theta = channel_angles()
    cold, hot = patterns(PHASES["CeO2"], two_theta, lattice=[1.0, 1.01])
    for pattern, factor in ((cold, 1.0), (hot, 1.01)):
        expected = 2 * np.rad2deg(
            np.arcsin(WAVELENGTH / (2 * 5.4116 * factor / 3**0.5))
        )
        place, height = peak(pattern, two_theta, 3.0, 3.5)
        assert place[height.argmax()] == pytest.approx(expected, abs=0.005)


def test_peak_area_is_the_intensity_and_smaller_crystallites_broaden():
    two_theta = np.linspace(3.0, 3.5, 4000)
    wide = np.linspace(0.5, 6.0, 40000)
    narrow, broad = patterns(PHASES["CeO2"], two_theta, crystallite=[200.0, 10.0])

    def fwhm(pattern):
        return np.ptp(two_theta[pattern > pattern.max() / 2])

    scherrer = np.rad2deg(0.9 * WAVELENGTH / 100)
    assert fwhm(broad) == pytest.approx(scherrer, rel=0.15)
    assert fwhm(narrow) < fwhm(broad) / 2
    lines = reflections(PHASES["CeO2"])
    area = np.trapezoid(patterns(PHASES["CeO2"], wide, crystallite=100.0)[0], wide)
    inside = lines["two_theta"] < 6
    assert area == pytest.approx(lines["intensity"][inside].sum(), rel=0.02)


def test_peaks_are_near_the_convolution_of_instrument_and_crystallite():
    two_theta = np.linspace(2.8, 3.6, 4000)
    (line,) = [r for r in reflections(PHASES["CeO2"]) if 3 < r["two_theta"] < 3.5]
    theta = np.deg2rad(line["two_theta"] / 2)
    u, v, w = CAGLIOTI
    fwhm = np.sqrt(u * np.tan(theta) ** 2 + v * np.tan(theta) + w)
    for size in (6.0, 25.0, 500.0):
        scherrer = np.rad2deg(0.9 * WAVELENGTH / (10 * size * np.cos(theta)))
        away = two_theta - line["two_theta"]
        voigt = voigt_profile(away, fwhm / np.sqrt(8 * np.log(2)), scherrer / 2)
        (found,) = patterns(PHASES["CeO2"], two_theta, crystallite=size)
        expected = line["intensity"] * voigt
        near = np.abs(away) < 0.1  # further out the next reflections add their wings
        error = np.abs(found - expected)[near].max() / expected.max()
        assert error < 0.03


def test_where_there_is_no_reflection_there_is_no_pattern():
    assert not len(reflections(PHASES["NiO"], largest=1.0))
    assert not patterns(PHASES["NiO"], [0.5, 0.6]).any()


def test_patterns_refuse_nonsense():
    with pytest.raises(ValueError, match=r"received 1\.0 and 0 as"):
        patterns(PHASES["NiO"], channel_angles(), crystallite=[0, 1])


def test_smooth_parts_are_smooth_and_positive():
    two_theta = channel_angles()
    for smooth in (amorphous(two_theta), air(two_theta)):
        assert (smooth > 0).all()
        assert np.abs(np.diff(smooth, 2)).max() < 1e-4
    assert mean_patterns(["NiO", "PdO"], two_theta).shape == (2, 2038)


def test_reflections_are_read_only_since_they_are_kept():
    with pytest.raises(ValueError, match="read-only"):
        reflections(PHASES["NiO"])["intensity"] /= 2
