import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import shift
from skimage.transform import iradon, radon, resize

from srtools.metrics import psnr
from srtools.phantoms import circle, ellipses, random_shapes
from srtools.tomography import (
    FILTERS,
    ParallelBeam,
    fbp_filter,
    gaussian_noise,
    poisson_noise,
    sirt,
    tv,
)

ANGLES = np.linspace(0, 180, 24, endpoint=False)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def disc(size, radius, row=0.0, column=0.0):
    """A disc with soft edges: 16 x 16 samples a pixel."""
    fine = (np.arange(16 * size) + 0.5) / 16 - size / 2
    inside = (fine[:, None] - row) ** 2 + (fine[None, :] - column) ** 2 <= radius**2
    return inside.reshape(size, 16, size, 16).mean((1, 3))[None, :, :, None]


@pytest.mark.parametrize("size, n_translations", [(32, None), (33, None), (20, 31)])
@pytest.mark.parametrize("spacing", [1.0, 2.3])
@pytest.mark.parametrize("axis", [None, 7.3])
def test_backprojection_is_the_adjoint(rng, size, n_translations, spacing, axis):
    beam = ParallelBeam(
        size, ANGLES, n_translations, detector_spacing=spacing, axis=axis
    )
    # Signed, so that errors cannot hide behind a large sum; measured against |Ax| |y|.
    x = rng.normal(size=(2, size, size, 1))
    y = rng.normal(size=(2, beam.n_translations, 24, 1))
    projected = beam.project(x)
    left = np.sum(projected * y, dtype=np.float64)
    right = np.sum(x * beam.backproject(y), dtype=np.float64)
    assert abs(left - right) < 1e-6 * np.linalg.norm(projected) * np.linalg.norm(y)
    assert beam.project(-x) == pytest.approx(-projected, abs=1e-5)


@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize("place", [(0, 0), (9.3, -6.2)])
def test_a_disc_has_its_analytic_sinogram(size, place):
    beam = ParallelBeam(size, ANGLES)
    row, column = place
    theta = np.deg2rad(ANGLES)
    middle = column * np.cos(theta) - row * np.sin(theta)  # rows count downwards
    # Average the chord over the width of each ray.
    s = (np.arange(size * 32) + 0.5)[:, None] / 32 - size / 2 - middle
    chord = 2 * np.sqrt(np.maximum(15**2 - s**2, 0))
    expected = chord.reshape(size, 32, -1).mean(1)
    found = beam.project(disc(size, 15, row, column))[0, ..., 0]
    # What remains is the disc's own pixels, a box as wide as a ray.
    assert np.linalg.norm(found - expected) < 0.015 * np.linalg.norm(expected)
    assert np.abs(found - expected).max() < 0.05 * expected.max()


@pytest.mark.parametrize("spacing, n", [(1.0, 91), (0.5, 182), (2.0, 46)])
def test_projection_keeps_the_mass_at_every_angle_and_spacing(rng, spacing, n):
    images = random_shapes(3, 64, rng=rng)
    sinograms = ParallelBeam(64, ANGLES, n, detector_spacing=spacing).project(images)
    mass = sinograms.sum(axis=1) * spacing
    assert np.allclose(mass, images.sum(axis=(1, 2))[:, None], rtol=1e-4)


def test_the_matrix_is_made_in_little_more_memory_than_it_takes():
    beam = ParallelBeam(128, np.linspace(0, 180, 60, endpoint=False))
    tracemalloc.start()
    matrix = beam.matrix
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    entries = 128**2 * 60 * 3  # room for them; a quarter of it is not used
    assert matrix.nnz < entries
    assert peak < 1.4 * 8 * entries
    assert matrix.has_canonical_format and matrix.data.min() >= 1e-6


@pytest.mark.parametrize("n", [1, 3, 4, 33])
def test_images_alone_in_few_and_in_many_give_the_same(rng, n):
    beam = ParallelBeam(20, ANGLES, 25)
    images = random_shapes(40, 20, rng=rng)
    sinograms = beam.project(images)
    assert np.allclose(beam.project(images[:n]), sinograms[:n], rtol=1e-5)
    back = beam.backproject(sinograms)
    assert np.allclose(beam.backproject(sinograms[:n]), back[:n], rtol=1e-5)


def test_a_pixel_on_the_axis_gives_a_straight_sinogram():
    image = np.zeros((1, 33, 33, 1))
    image[0, 16, 16] = 1
    sinogram = ParallelBeam(33, ANGLES).project(image)[0, ..., 0]
    assert (sinogram.argmax(axis=0) == 16).all()
    assert np.allclose(sinogram, sinogram[::-1], atol=1e-5)


def test_agreement_with_scikit_image_once_its_axis_is_respected(rng):
    # scikit-image turns about pixel size // 2; for an odd size that is our centre.
    images = random_shapes(3, 65, rng=rng) * circle(65, 30)[:, :, None]
    ours = ParallelBeam(65, ANGLES).project(images)[..., 0]
    theirs = np.stack([radon(i[..., 0], ANGLES) for i in images])
    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert error < 0.05


def test_the_axis_of_scikit_image_is_half_a_pixel_away_for_an_even_size():
    # It turns about pixel 32 of 64: at 0 degrees a centred disc stays where it was, at
    # 90 degrees it lands a whole pixel off. Ours is in the middle from both sides.
    even, place = disc(64, 20), np.arange(64) - 31.5
    theirs = radon(even[0, ..., 0], [0.0, 90.0])
    ours = ParallelBeam(64, [0, 90]).project(even)[0, ..., 0]
    assert np.allclose(ours, ours[::-1], atol=1e-4)
    assert place @ ours / ours.sum(axis=0) == pytest.approx(0, abs=1e-4)
    moved = place @ theirs / theirs.sum(axis=0)
    assert moved == pytest.approx([0, 1], abs=1e-3)


def hook(size):
    """No symmetry: a long bar and a short one, up and to the right of the centre."""
    image = np.zeros((1, size, size, 1), np.float32)
    image[0, size // 6 : size // 2, size // 2 : size // 2 + 4] = 1
    image[0, size // 6 : size // 6 + 4, size // 2 : size // 2 + size // 5] = 0.5
    return image


def test_an_object_turns_the_way_it_does_in_scikit_image():
    image = hook(65)
    theirs = radon(image[0, ..., 0], ANGLES)
    ours, turned, flipped = (
        ParallelBeam(65, angles).project(picture)[0, ..., 0]
        for angles, picture in (
            (ANGLES, image),
            (-ANGLES, image),
            (ANGLES, image[:, ::-1]),
        )
    )
    scale = np.linalg.norm(theirs)
    assert np.linalg.norm(ours - theirs) < 0.1 * scale
    assert np.linalg.norm(turned - theirs) > 0.5 * scale
    assert np.linalg.norm(flipped - theirs) > 0.5 * scale
    back = iradon(ours, ANGLES, filter_name="hann")[None, :, :, None]
    mine = ParallelBeam(65, ANGLES).fbp(ours[None, :, :, None], filter="hann")
    assert psnr(mine, back)[0] > 30 > psnr(mine, back[:, ::-1])[0] + 5


@pytest.mark.parametrize("size", [64, 65])
def test_a_centred_disc_comes_back_centred_and_at_its_value(size):
    beam = ParallelBeam(size, np.linspace(0, 180, 90, endpoint=False))
    truth = disc(size, 20)
    image = beam.fbp(beam.project(truth))
    assert np.allclose(image, image[:, ::-1, ::-1], atol=1e-4)
    inner = circle(size, 15)
    assert image[0, inner].mean() == pytest.approx(1, abs=0.01)
    assert psnr(truth, image)[0] > 24
    moved = shift(image[0, ..., 0], (0.5, 0.5))[None, :, :, None]
    assert psnr(truth, moved)[0] < psnr(truth, image)[0] - 1


SPREAD = np.linspace(0, 180, 180, endpoint=False)


@pytest.mark.parametrize(
    "angles, least",
    [
        (np.r_[0:90:1, 90:180:3], 29.5),  # 90 views and 30: alike, 21.4 dB
        (np.arange(0, 270, 1.5), 29.5),  # half of them twice: 24.2
        (np.linspace(0, 180, 16), 21.9),  # both end points: 19.5
        (np.linspace(0, 360, 180, endpoint=False), 29.5),
        (np.r_[SPREAD, SPREAD[:60], SPREAD[:60]], 29.5),
        (np.random.default_rng(1).uniform(0, 180, 180), 29.0),  # 27.1
        (np.r_[SPREAD[::3], SPREAD[::3] + 180.02], 29.0),  # not quite opposite
    ],
)
def test_fbp_weighs_each_angle_by_its_gap(rng, angles, least):
    images = random_shapes(30, 64, rng=rng)
    beam = ParallelBeam(64, angles)
    assert beam.angle_weights.sum() == pytest.approx(np.pi)
    assert psnr(images, beam.fbp(beam.project(images))).mean() > least


def test_even_angles_all_weigh_the_same_and_repeated_ones_share():
    for n in (1, 2, 16, 181):
        weights = ParallelBeam(8, np.arange(n) * 180 / n + 17).angle_weights
        assert weights == pytest.approx(np.full(n, np.pi / n), rel=1e-5)
    weights = ParallelBeam(8, [0, 45, 90, 135, 180, 360]).angle_weights
    assert weights == pytest.approx(np.pi / 4 / np.array([3, 1, 1, 1, 3, 3]))


@pytest.mark.parametrize("degrees, alike", [(150, 22.8), (120, 18.9), (90, 16.0)])
def test_the_views_beside_a_missing_wedge_do_not_stand_for_all_of_it(
    rng, degrees, alike
):
    beam = ParallelBeam(64, np.arange(degrees))
    inner = beam.angle_weights[1:-1]
    assert inner == pytest.approx(np.full(degrees - 2, np.pi / 180))
    assert beam.angle_weights.max() == pytest.approx(2 * np.pi / 180)
    images = random_shapes(30, 64, rng=rng)
    found = beam.fbp(beam.project(images))
    assert psnr(images, found).mean() > alike - 0.2
    # What the documentation says it costs: values too low by the missing share.
    assert found.sum() / images.sum() == pytest.approx(degrees / 180, abs=0.03)


@pytest.mark.parametrize("turn", [180, 360])
@pytest.mark.parametrize("axis", [35, 33.37, 26.2])
def test_an_object_comes_back_in_place_wherever_the_axis_is(rng, turn, axis):
    images = random_shapes(20, 64, rng=rng) * circle(64, 26)[:, :, None]
    images = images[images.any(axis=(1, 2, 3))]
    angles = np.linspace(0, turn, 90, endpoint=False)
    centred, moved = ParallelBeam(64, angles), ParallelBeam(64, angles, axis=axis)
    sinograms = moved.project(images)
    expected = psnr(images, centred.fbp(centred.project(images))).mean()
    assert psnr(images, moved.fbp(sinograms)).mean() > expected - 1
    assert psnr(images, centred.fbp(sinograms)).mean() < expected - 4
    few, views = images[:2], angles[::3]
    centred, moved = ParallelBeam(64, views), ParallelBeam(64, views, axis=axis)
    for method in (
        lambda beam, y: sirt(beam, y, iterations=30),
        lambda beam, y: tv(beam, y, weight=1, iterations=100),
    ):
        found = (
            method(beam, gaussian_noise(beam.project(few), 2, rng=rng))
            for beam in (centred, moved)
        )
        expected, score = (psnr(few, image).mean() for image in found)
        assert score == pytest.approx(expected, abs=1)


def test_a_moved_axis_moves_the_shadow_and_nothing_else():
    image = hook(64) * circle(64, 20)[:, :, None]
    shadow = ParallelBeam(64, ANGLES).project(image)
    moved = ParallelBeam(64, ANGLES, axis=31.5 + 5).project(image)
    assert np.allclose(moved[:, 5:], shadow[:, :-5], atol=1e-5)


@pytest.mark.parametrize(
    "axis, radius", [(None, 15), (9.5, 15), (4.5, 7.5), (17, 3.75)]
)
def test_the_field_of_view_ends_with_the_nearer_end_of_the_detector(axis, radius):
    beam = ParallelBeam(40, ANGLES, 20, detector_spacing=1.5, axis=axis)
    assert np.array_equal(beam.field_of_view, circle(40, radius))
    # Each pixel of it is in all projections.
    rays = beam.backproject(np.ones((1, 20, 24, 1))) * 1.5
    assert np.allclose(rays[0, circle(40, radius - 1)], 24, atol=1e-3)


def test_settings_make_the_same_geometry_again():
    beam = ParallelBeam(12, [3, 50], 17, detector_spacing=1.25, axis=7.5)
    again = ParallelBeam(**beam.settings)
    assert again.settings == beam.settings and again.axis == 7.5
    assert (again.matrix != beam.matrix).nnz == 0


def test_reconstructions_of_what_another_grid_measured(rng):
    # No inverse crime: the scan is made on four times the pixels, and judged by means.
    fine = random_shapes(12, 128, rng=rng)
    images = fine.reshape(12, 32, 4, 32, 4, 1).mean(axis=(2, 4))
    angles = np.linspace(0, 180, 24, endpoint=False)
    scan = ParallelBeam(128, angles, 32, detector_spacing=4)
    measured = scan.project(fine) / 4  # in pixels of the coarse grid
    beam = ParallelBeam(32, angles)
    own = beam.project(images)
    assert 0.002 < np.linalg.norm(measured - own) / np.linalg.norm(own) < 0.05
    zero, fbp, iterative, edges = (
        psnr(images, found).mean()
        for found in (
            0 * images,
            beam.fbp(measured, filter="hann"),
            sirt(beam, measured, iterations=50),
            tv(beam, measured, weight=0.3),
        )
    )
    assert zero + 5 < fbp < iterative < edges


@pytest.mark.parametrize("spacing, n", [(0.5, 128), (2.0, 32)])
def test_fbp_gives_the_right_values_at_any_detector_spacing(spacing, n):
    angles = np.linspace(0, 180, 90, endpoint=False)
    beam = ParallelBeam(64, angles, n, detector_spacing=spacing)
    image = beam.fbp(beam.project(disc(64, 20)))
    assert image[0, circle(64, 14)].mean() == pytest.approx(1, abs=0.02)


def test_softer_filters_and_lower_cutoffs_pass_less_noise(rng):
    noise = rng.normal(size=(4, 64, 24, 1))
    beam = ParallelBeam(64, ANGLES)
    spread = [beam.fbp(noise, filter=f).std() for f in FILTERS]
    assert spread == sorted(spread, reverse=True)
    assert beam.fbp(noise, cutoff=0.5).std() < 0.7 * spread[0]


def test_the_ramp_filter_keeps_the_mean():
    response = fbp_filter(64)
    assert 0 < response[0] < 0.01  # not zero: |f| sampled would lose the mean
    assert response[-1] == pytest.approx(0.5, rel=0.01)


def test_fbp_of_the_ellipses_benchmark_gives_the_published_figure(rng):
    # Hann with frequency scaling 0.641 gives 24.18 dB (doi:10.1088/1361-6420/aba415).
    images = ellipses(150, 128, rng=rng)
    angles = np.linspace(0, 180, 30, endpoint=False)
    enlarge = resize(np.eye(128, dtype="f4"), (400, 128), order=1)  # along one side
    fine = (enlarge @ images[..., 0] @ enlarge.T)[..., None]
    scan = ParallelBeam(400, angles, 183, detector_spacing=400 / 128)
    sinograms = scan.project(fine) * 128 / 400
    spread = 0.025 * np.abs(sinograms).mean(axis=(1, 2, 3), keepdims=True)
    sinograms += spread * rng.normal(size=sinograms.shape)
    found = ParallelBeam(128, angles, 183).fbp(sinograms, filter="hann", cutoff=0.641)
    assert psnr(images, found, data_range=None).mean() == pytest.approx(24.18, abs=0.3)


def test_gaussian_noise_is_in_percent_of_the_largest_value(rng):
    clean = np.zeros((10, 50, 50, 1))
    clean[0, 0, 0] = 20
    noise = gaussian_noise(clean, 5, rng=rng) - clean
    assert noise.std() == pytest.approx(1, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.03)
    noise = gaussian_noise(clean, 5, rng=rng, largest=40) - clean
    assert noise.std() == pytest.approx(2, rel=0.02)


def test_poisson_noise_has_the_spread_of_photon_counts(rng):
    clean = np.full((10, 50, 50, 1), 20.0)
    noisy = poisson_noise(clean, 1000, scale=0.05, rng=rng)
    photons = 1000 * np.exp(-0.05 * noisy)
    expected = 1000 * np.exp(-1)
    assert photons.mean() == pytest.approx(expected, rel=0.01)
    assert photons.var() == pytest.approx(expected, rel=0.05)
    assert np.isfinite(poisson_noise(clean * 100, 10, scale=1, rng=rng)).all()


def test_bad_geometry_is_refused():
    with pytest.raises(ValueError, match=r"positive size.* received 0"):
        ParallelBeam(0, ANGLES)
    with pytest.raises(ValueError, match="finite angles"):
        ParallelBeam(8, [0, np.nan])
    for axis in (-0.6, 7.6, np.nan):
        with pytest.raises(ValueError, match=r"axis on the detector, .* to 7.5 pixels"):
            ParallelBeam(8, ANGLES, axis=axis)
    with pytest.raises(ValueError, match=r"finite angles.*\(2, 2\)"):
        ParallelBeam(8, [[0, 1], [2, 3]])


def test_bad_data_are_refused():
    beam = ParallelBeam(32, ANGLES)
    with pytest.raises(ValueError, match=r"\(n, 32, 32, 1\), received \(2, 32, 30, 1"):
        beam.project(np.zeros((2, 32, 30, 1)))
    with pytest.raises(ValueError, match=r"received \(2, 32, 32\)"):
        beam.project(np.zeros((2, 32, 32)))
    with pytest.raises(ValueError, match=r"\(n, 32, 24, 1\), received \(2, 32, 23, 1"):
        beam.fbp(np.zeros((2, 32, 23, 1)))
    with pytest.raises(ValueError, match="finite images, received NaN"):
        beam.project(np.full((1, 32, 32, 1), np.nan))
    with pytest.raises(ValueError, match="finite sinograms"):
        beam.backproject(np.full((1, 32, 24, 1), np.inf))
    with pytest.raises(ValueError, match=r"a filter of .* received 'hamming'"):
        beam.fbp(np.zeros((1, 32, 24, 1)), filter="hamming")
    with pytest.raises(ValueError, match=r"cut-off in \(0, 1\], received 0"):
        beam.fbp(np.zeros((1, 32, 24, 1)), cutoff=0)


@pytest.mark.parametrize("counts, scale", [(0, 1), (-5, 1), (100, 0), (np.nan, 1)])
def test_counts_must_be_positive(rng, counts, scale):
    with pytest.raises(ValueError, match="positive counts and scale"):
        poisson_noise(np.ones((1, 4, 4, 1)), counts, scale=scale, rng=rng)


def test_noise_must_not_be_negative(rng):
    with pytest.raises(ValueError, match="0 percent or more, received -1"):
        gaussian_noise(np.ones((1, 4, 4, 1)), -1, rng=rng)


def test_tomography_needs_neither_keras_nor_matplotlib():
    code = (
        "import sys, srtools.datasets, srtools.tomography;"
        "from srtools.datasets import simulate, simulate_library;"
        "from srtools.tomography import ParallelBeam, tv;"
        "from srtools.tutorial import claim;"
        "assert not {'keras', 'tensorflow', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
