import subprocess
import sys

import numpy as np
import pytest
from scipy.ndimage import shift
from skimage.transform import radon

from srtools.metrics import psnr
from srtools.phantoms import circle, ellipses, random_shapes
from srtools.tomography import (
    FILTERS,
    ParallelBeam,
    fbp_filter,
    gaussian_noise,
    poisson_noise,
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
def test_backprojection_is_the_adjoint(rng, size, n_translations, spacing):
    beam = ParallelBeam(size, ANGLES, n_translations, detector_spacing=spacing)
    x = rng.random((2, size, size, 1))
    y = rng.random((2, beam.n_translations, 24, 1))
    left = np.sum(beam.project(x) * y, dtype=np.float64)
    right = np.sum(x * beam.backproject(y), dtype=np.float64)
    assert left == pytest.approx(right, rel=1e-5)


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
    # For an even size its sinogram is moved by half a pixel, and we are not.
    even = disc(64, 20)
    theirs = radon(even[0, ..., 0], [0.0])[:, 0]
    ours = ParallelBeam(64, [0.0]).project(even)[0, :, 0, 0]
    assert np.allclose(ours, ours[::-1], atol=1e-4)
    centre = np.arange(64) - 31.5
    assert centre @ ours / ours.sum() == pytest.approx(0, abs=1e-4)
    assert centre @ theirs / theirs.sum() == pytest.approx(0, abs=0.51)


def test_agreement_with_astra(rng):
    astra = pytest.importorskip("astra", reason="astra-toolbox is not installed")
    image = random_shapes(1, 64, rng=rng)
    volume = astra.create_vol_geom(64, 64)
    scan = astra.create_proj_geom("parallel", 1.0, 64, np.deg2rad(ANGLES))
    projector = astra.create_projector("strip", scan, volume)
    _, sinogram = astra.create_sino(image[0, ..., 0], projector)
    ours = ParallelBeam(64, ANGLES).project(image)[0, ..., 0]
    assert np.abs(ours - sinogram.T).max() < 1e-3 * ours.max()


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
    images = ellipses(300, 128, rng=rng)
    angles = np.linspace(0, 180, 30, endpoint=False)
    fine = np.stack([_upscale(i[..., 0]) for i in images])[..., None]
    scan = ParallelBeam(400, angles, 183, detector_spacing=400 / 128)
    sinograms = scan.project(fine) * 128 / 400
    spread = 0.025 * np.abs(sinograms).mean(axis=(1, 2, 3), keepdims=True)
    sinograms += spread * rng.normal(size=sinograms.shape)
    found = ParallelBeam(128, angles, 183).fbp(sinograms, filter="hann", cutoff=0.641)
    assert psnr(images, found, data_range=None).mean() == pytest.approx(24.18, abs=0.3)


def _upscale(image):
    from skimage.transform import resize

    return resize(image, (400, 400), order=1)


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
