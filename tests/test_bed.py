import pickle

import numpy as np
import pytest

from srtools.xrdct import (
    ATTENUATION,
    COMPONENTS,
    PHASES,
    SPACING,
    TUBE,
    ParticleBed,
    downsample,
    two_theta,
)


@pytest.fixture(scope="module")
def bed():
    return ParticleBed(3)


@pytest.fixture(scope="module")
def layer(bed):
    return bed.layer(0.4, 59)


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
    assert fractions.sum(-1).max() <= 1


def test_rims_and_specks_are_bright(bed):
    maps = bed.layer(0.4, 129).phase_maps()
    alumina, nickel = maps[0], maps[COMPONENTS.index("NiO")]
    assert 0.02 < (nickel > 0).sum() / (alumina > 0).sum() < 0.9
    specks = maps[COMPONENTS.index("CeO2")] > 0.8
    assert 0 < specks.mean() < 0.02


def test_micro_ct_and_layer_show_the_same_bed(bed, layer):
    (image,) = bed.micro_ct([0.4], 59)
    np.testing.assert_allclose(layer.attenuation(), image, atol=1e-6)
    np.testing.assert_array_equal(layer.maps.sum(0), layer.phase_maps().sum(0))


def test_downsampling_keeps_corners_and_the_sum(layer):
    fine = np.zeros((9, 9))
    fine[0, 0] = fine[4, 4] = 4
    coarse = downsample(fine)
    assert coarse.shape == (5, 5) and coarse[0, 0] == coarse[2, 2] == 1
    maps = layer.maps.astype(np.float64)
    np.testing.assert_allclose(
        downsample(maps).sum(axis=(1, 2)), maps.sum(axis=(1, 2)) / 4, rtol=1e-5
    )
    with pytest.raises(ValueError, match=r"expected an odd size, .* received 4"):
        downsample(np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"expected images .* received shape \(3, 5\)"):
        downsample(np.zeros((3, 5)))


def test_downsampled_parts_and_downsampled_images_agree(layer):
    angles = two_theta()[::100]
    fine = np.moveaxis(layer.images(angles), -1, 0)
    coarse = np.moveaxis(layer.downsample().images(angles), -1, 0)
    np.testing.assert_allclose(downsample(fine), coarse, rtol=1e-4, atol=1e-4)


def test_truth_maps_have_the_values_of_the_particles(layer):
    lattice, size = layer.lattice_maps(), layer.crystallite_maps()
    ceria = layer.phase == COMPONENTS.index("CeO2")
    part = np.flatnonzero(ceria)[0]
    inside = layer.maps[part] > 0
    i = COMPONENTS.index("CeO2")
    expected = PHASES["CeO2"].a * layer.lattice[part]
    np.testing.assert_allclose(lattice[i][inside], expected, rtol=1e-6)
    np.testing.assert_allclose(size[i][inside], layer.crystallite[part], rtol=1e-6)
    absent = layer.phase_maps()[i] == 0
    assert (
        np.isnan(lattice[i][absent]).all() and not np.isnan(lattice[i][~absent]).any()
    )
    # and after downsampling a mean stays between the values
    coarse = layer.downsample().lattice_maps()[i]
    assert np.nanmin(coarse) >= np.nanmin(lattice[i]) * (1 - 1e-6)


def test_bad_slices_are_refused(bed):
    with pytest.raises(ValueError, match=r"expected at least 3 pixels .* received 2"):
        bed.micro_ct([0.0], 2)
    with pytest.raises(ValueError, match="finite heights"):
        bed.layer(np.nan, 33)
