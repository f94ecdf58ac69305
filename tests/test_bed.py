import pickle
import tracemalloc

import numpy as np
import pytest

from srtools.xrdct import (
    ATTENUATION,
    COMPONENTS,
    SPACING,
    TUBE,
    ParticleBed,
)


@pytest.fixture(scope="module")
def bed():
    return ParticleBed(3)


def test_the_bed_is_a_rule_so_that_resolutions_and_heights_fit_together(bed):
    z = np.arange(4) * 0.01
    volume = bed.micro_ct(z, 33)
    np.testing.assert_array_equal(volume[2:3], bed.micro_ct(z[2:3], 33))
    np.testing.assert_array_equal(volume, bed.micro_ct(z, 65)[:, ::2, ::2])
    np.testing.assert_array_equal(
        volume, pickle.loads(pickle.dumps(bed)).micro_ct(z, 33)
    )
    assert not np.array_equal(volume, ParticleBed(4).micro_ct(z, 33))


def test_the_bed_is_continuous_in_z_and_goes_on_for_ever(bed):
    step = 0.002
    here, near, far = bed.micro_ct([5.0, 5.0 + step, 5.0 + SPACING * 2], 65)
    assert (here != near).mean() < 0.05 < (here != far).mean()
    assert bed.micro_ct([-40.0, 400.0], 33).any(axis=(1, 2)).all()


def test_the_bed_fills_a_tube(bed):
    (image,) = bed.micro_ct([0.4], 129)
    axis = np.linspace(-1, 1, 129)
    radius = np.hypot(axis[:, None], axis)
    assert not image[radius > TUBE[1]].any()
    wall = (radius > TUBE[0]) & (radius < TUBE[1])
    np.testing.assert_allclose(image[wall], ATTENUATION[-1])
    inside = image[radius < TUBE[0]]
    assert 0.5 < (inside > 0).mean() < 0.9  # the rest is between the particles
    assert inside.max() <= 1
    assert len(np.unique(inside.round(3))) > 30  # varied brightness


def test_particles_are_convex_and_do_not_touch(bed):
    owner, fractions, _ = bed._fractions(0.4, 257)
    for i in np.unique(owner[owner >= 0]):
        row, column = np.nonzero(owner == i)
        if len(row) < 200:  # nothing but edge
            continue
        middle = (row[::7, None] + row[::5]) / 2, (column[::7, None] + column[::5]) / 2
        between = owner[tuple(np.round(m).astype(int) for m in middle)]
        assert (between == i).mean() > 0.97  # rounding, at the edges
    for a, b in ((owner[:, 1:], owner[:, :-1]), (owner[1:], owner[:-1])):
        assert not ((a != b) & (a >= 0) & (b >= 0)).any()
    assert fractions.sum(0).max() <= 1


def test_rims_and_specks_are_bright(bed):
    maps = bed.phase_maps(0.4, 129)
    alumina, nickel = maps[0], maps[COMPONENTS.index("NiO")]
    assert 0.02 < (nickel > 0).sum() / (alumina > 0).sum() < 0.9
    specks = maps[COMPONENTS.index("CeO2")] > 0.8
    assert 0 < specks.mean() < 0.02


def test_micro_ct_and_slice_show_the_same_bed(bed):
    sample = bed.slice(0.4, 59)
    (image,) = bed.micro_ct([0.4], 59)
    np.testing.assert_allclose(sample.attenuation(), image, atol=1e-6)


def test_phase_maps_are_those_of_the_slice_without_its_parts(bed):
    maps = bed.phase_maps(0.4, 61)
    assert maps.dtype == np.float32 and maps.shape == (len(COMPONENTS), 61, 61)
    np.testing.assert_array_equal(maps, bed.slice(0.4, 61).phase_maps())
    tracemalloc.start()
    bed.phase_maps(0.4, 61)
    _, lean = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lean < bed.slice(0.4, 61).maps.nbytes


def test_bad_slices_are_refused(bed):
    with pytest.raises(ValueError, match=r"expected at least 3 pixels .* received 2"):
        bed.micro_ct([0.0], 2)
    with pytest.raises(
        ValueError, match=r"finite heights, received 33 pixels and .nan"
    ):
        bed.slice(np.nan, 33)
    with pytest.raises(
        ValueError, match=r"finite heights, received 33 pixels and .inf"
    ):
        bed.phase_maps(np.inf, 33)
