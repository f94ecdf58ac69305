import numpy as np
import pytest

from srtools.tomography import ParallelBeam
from srtools.xrdct import COMPONENTS, PHASES, ParticleBed, channel_angles, downsample


@pytest.fixture(scope="module")
def sample():
    return ParticleBed(3).slice(0.4, 59)


def test_the_parts_add_up_to_the_phases(sample):
    np.testing.assert_array_equal(sample.maps.sum(0), sample.phase_maps().sum(0))


def test_downsampling_keeps_corners_and_the_sum(sample):
    fine = np.zeros((9, 9))
    fine[0, 0] = fine[4, 4] = 4
    coarse = downsample(fine)
    assert coarse.shape == (5, 5) and coarse[0, 0] == coarse[2, 2] == 1
    maps = sample.maps.astype(np.float64)
    np.testing.assert_allclose(
        downsample(maps).sum(axis=(1, 2)), maps.sum(axis=(1, 2)) / 4, rtol=1e-5
    )
    with pytest.raises(ValueError, match=r"expected an odd size, .* received 4"):
        downsample(np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"expected images .* received shape \(3, 5\)"):
        downsample(np.zeros((3, 5)))


def test_downsampled_parts_and_downsampled_images_agree(sample):
    two_theta = channel_angles()[::100]
    fine, coarse = sample.images(two_theta), sample.downsample().images(two_theta)
    np.testing.assert_allclose(
        downsample(fine[..., 0]), coarse[..., 0], rtol=1e-4, atol=1e-4
    )


def test_images_are_a_batch_of_channels_that_the_projector_takes(sample):
    two_theta = channel_angles()[::200]
    images = sample.images(two_theta)
    assert images.shape == (len(two_theta), 59, 59, 1) and images.dtype == np.float32
    sinograms = ParallelBeam(59, [0, 90]).project(images)
    total = images.sum((1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(sinograms[:, :, 0].sum((1, 2)), total, rtol=1e-4)
    row, column = np.unravel_index(sample.maps[7].argmax(), (59, 59))
    pattern = sample.patterns(two_theta)  # every pixel: its parts' patterns
    expected = sample.maps[:, row, column] @ pattern
    np.testing.assert_allclose(images[:, row, column, 0], expected, rtol=1e-5)


def test_truth_maps_have_the_values_of_the_particles(sample):
    lattice, size = sample.lattice_maps(), sample.crystallite_maps()
    ceria = sample.phase == COMPONENTS.index("CeO2")
    part = np.flatnonzero(ceria)[0]
    inside = sample.maps[part] > 0
    i = COMPONENTS.index("CeO2")
    expected = PHASES["CeO2"].a * sample.lattice[part]
    np.testing.assert_allclose(lattice[i][inside], expected, rtol=1e-6)
    np.testing.assert_allclose(size[i][inside], sample.crystallite[part], rtol=1e-6)
    absent = sample.phase_maps()[i] == 0
    assert (
        np.isnan(lattice[i][absent]).all() and not np.isnan(lattice[i][~absent]).any()
    )
    # and after downsampling a mean stays between the values
    coarse = sample.downsample().lattice_maps()[i]
    assert np.nanmin(coarse) >= np.nanmin(lattice[i]) * (1 - 1e-6)
