import numpy as np
import pytest
from numpy.testing import assert_allclose

from srtools.files import read_reconstruct_library
from srtools.phantoms import circle, random_shapes
from srtools.superresolution import (
    beds,
    coarse_scan,
    consistent,
    fourier_correlation,
    new_detail,
    simulate_scans,
    upsample,
)
from srtools.tomography import ParallelBeam, bicubic

ANGLES = np.linspace(0, 180, 24, endpoint=False)


@pytest.fixture(scope="module")
def beam():
    """Images of 32 pixels, seen by 16 detector pixels that are twice as wide."""
    return ParallelBeam(32, ANGLES, 16, detector_spacing=2)


@pytest.fixture(scope="module")
def scan(beam):
    rng = np.random.default_rng(0)
    objects = random_shapes(4, 64, rng=rng)
    return coarse_scan(beam, objects, noise_percent=1, rng=rng)


def ramp(positions):
    return positions[:, None] + 2 * positions[None, :] ** 2


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_pixels_share_edges(factor):
    n = 12
    coarse = np.arange(n) + 0.5
    fine = (np.arange(factor * n) + 0.5) / factor  # both from the common edge
    found = upsample(ramp(coarse)[None, ..., None], factor)[0, ..., 0]
    inner = slice(2 * factor, -2 * factor)  # Keys' cubic is exact for parabolas
    assert_allclose(found[inner, inner], ramp(fine)[inner, inner], rtol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_corners_share_the_outermost_centres(factor):
    n = 12
    fine = np.arange(factor * (n - 1) + 1) / factor
    found = upsample(ramp(np.arange(n))[None, ..., None], factor, "corners")
    assert found.shape == (1, len(fine), len(fine), 1)
    inner = slice(2 * factor, -2 * factor)
    assert_allclose(found[0, inner, inner, 0], ramp(fine)[inner, inner], rtol=1e-5)
    assert_allclose(found[0, ::factor, ::factor, 0], ramp(np.arange(n)), atol=1e-5)


@pytest.mark.parametrize("grid", ["pixels", "corners"])
def test_a_constant_stays_one_on_any_side_and_channel(grid):
    images = np.ones((2, 5, 9, 3)) * [1, 2, 3]
    found = upsample(images, 2, grid)
    shape = (2, 10, 18, 3) if grid == "pixels" else (2, 9, 17, 3)
    assert found.shape == shape and found.dtype == np.float32
    assert_allclose(found, np.broadcast_to([1, 2, 3], shape), rtol=1e-6)


def test_pixels_keep_the_centre_of_mass_and_the_wrong_grid_does_not():
    blob = np.exp(-((np.arange(16) - 7.5) ** 2) / 8)
    image = (blob[:, None] * blob)[None, ..., None]
    fine = upsample(image, 2)[0, :, :, 0].sum(0)
    assert np.arange(32) @ fine / fine.sum() == pytest.approx(15.5, abs=1e-4)
    wrong = upsample(image, 2, "corners")[0, :, :, 0].sum(0)
    assert np.arange(31) @ wrong / wrong.sum() == pytest.approx(15, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((8, 8)), 2), r"expected images \(n, height, width, channels\)"),
        ((np.ones((1, 2, 8, 1)), 2), "at least 3 pixels a side"),
        ((np.full((1, 8, 8, 1), np.nan), 2), "received NaN"),
        ((np.ones((1, 8, 8, 1)), 1), "expected a factor of 2, 3 or more, received 1"),
        ((np.ones((1, 8, 8, 1)), 2.5), "received 2.5"),
        ((np.ones((1, 8, 8, 1)), 2, "edges"), "'pixels' or 'corners', received 'edges"),
    ],
)
def test_bad_images_to_enlarge_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        upsample(*arguments)


def test_filters_add_up_to_one():
    for grid in ("pixels", "corners"):
        assert_allclose(bicubic(5, grid).weights.sum(1), 1)


def test_a_coarse_scan_is_the_fine_objects_own(beam):
    objects = random_shapes(2, 128, rng=np.random.default_rng(1))
    truth, sinograms = coarse_scan(
        beam, objects, noise_percent=0, rng=np.random.default_rng(0)
    )
    assert truth.shape == (2, 32, 32, 1) and sinograms.shape == (2, 16, 24, 1)
    assert_allclose(truth[:, 3, 5, 0], objects[:, 12:16, 20:24].mean((1, 2, 3)))
    direct = ParallelBeam(128, ANGLES, 16, detector_spacing=8).project(objects) / 4
    assert_allclose(sinograms, direct, atol=1e-5)
    # The truth's own sinogram is nearly that, but not quite: a grid is no object.
    away = np.abs(beam.project(truth) - sinograms).max() / sinograms.max()
    assert 1e-4 < away < 0.1


def test_noise_is_percent_of_the_largest(beam):
    objects = random_shapes(4, 64, rng=np.random.default_rng(1))
    clean, noisy = (
        coarse_scan(beam, objects, noise_percent=p, rng=np.random.default_rng(0))[1]
        for p in (0, 2)
    )
    assert (noisy - clean).std() == pytest.approx(0.02 * clean.max(), rel=0.05)


@pytest.mark.parametrize("side", [32, 65])
def test_objects_on_another_grid_are_refused(beam, side):
    with pytest.raises(ValueError, match=r"k \* 32, 1\) with a whole number k from 2"):
        coarse_scan(
            beam,
            np.zeros((1, side, side, 1)),
            noise_percent=1,
            rng=np.random.default_rng(0),
        )


def test_scans_are_written_once_and_again_alike(beam, tmp_path):
    paths = [
        simulate_scans(tmp_path / name, random_shapes, beam, 20, seed=3)
        for name in ("a.h5", "b.h5", "a.h5")
    ]
    (images, sinograms, n), again = map(read_reconstruct_library, paths[:2])
    assert n == 20 and images.shape == (20, 32, 32, 1)
    np.testing.assert_array_equal(sinograms, again[1])
    assert np.abs(images[0] - images[16]).max() > 0.1  # each block its own objects
    with pytest.raises(ValueError, match="seed"):
        simulate_scans(paths[0], random_shapes, beam, 20, seed=4)
    with pytest.raises(ValueError, match="at least one pair, received 0"):
        simulate_scans(paths[0], random_shapes, beam, 0)


def test_every_bed_is_another():
    layers = beds(3, 48, rng=np.random.default_rng(0))
    assert layers.shape == (3, 48, 48, 1) and 0 <= layers.min() < layers.max() <= 1
    assert all(np.abs(layers[i] - layers[i - 1]).mean() > 0.05 for i in range(3))


def test_a_consistent_image_explains_its_sinogram_to_within_the_noise(beam):
    rng = np.random.default_rng(0)
    truth = random_shapes(3, 32, rng=rng)
    sigma = 0.1
    sinograms = beam.project(truth)
    sinograms = sinograms + sigma * rng.standard_normal(sinograms.shape)
    wrong = np.float32(0.8) * truth
    found = consistent(beam, wrong, sinograms, sigma, at_most=50)

    def misfit(images):
        residual = beam.project(images) - sinograms
        return np.sqrt((residual**2).mean((1, 2, 3))) / sigma

    assert (misfit(wrong) > 2).all()
    assert (misfit(found) <= 1).all() and (misfit(found) > 0.6).all()
    assert ((found - truth) ** 2).sum() < ((wrong - truth) ** 2).sum() / 4
    assert not found[:, ~beam.field_of_view].any()


def test_what_explains_its_sinogram_is_left_alone(beam, scan):
    truth, sinograms = scan
    found = consistent(beam, truth, sinograms, 10 * sinograms.std())
    np.testing.assert_array_equal(found, truth)


def test_each_image_stops_by_itself(beam, scan):
    truth, sinograms = scan
    start = np.zeros_like(truth)
    noise = np.array([0.2, 0.1, 1e3, 0.3])
    together = consistent(beam, start, sinograms, noise)
    np.testing.assert_array_equal(together[2], start[2])
    for i in (0, 1, 3):
        part = slice(i, i + 1)
        alone = consistent(beam, start[part], sinograms[part], noise[i])
        assert_allclose(together[part], alone, atol=1e-4)


def test_fewer_steps_explain_less(beam, scan):
    truth, sinograms = scan
    left = [
        np.square(
            beam.project(consistent(beam, 0 * truth, sinograms, 1e-9, at_most=k))
            - sinograms
        ).sum()
        for k in (1, 3, 9)
    ]
    assert left[0] > left[1] > left[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((4, 16, 16, 1))}, r"images of shape \(n, 32, 32, 1\)"),
        ({"images": np.zeros((3, 32, 32, 1))}, "received 4 for 3"),
        ({"images": np.full((4, 32, 32, 1), np.nan)}, "finite images"),
        ({"sinograms": np.zeros((4, 32, 24, 1))}, r"sinograms of shape \(n, 16, 24"),
        ({"noise": 0}, "positive number, or one for each, received 0"),
        ({"noise": None}, "positive number"),
        ({"noise": [1, 1]}, r"received \[1. 1.\]"),
        ({"at_most": 0}, "at least one step, received 0"),
    ],
)
def test_bad_input_of_consistent_is_refused(beam, scan, change, message):
    arguments = {"images": scan[0], "sinograms": scan[1], "noise": 1.0} | change
    with pytest.raises(ValueError, match=message):
        consistent(beam, **arguments)


def test_ring_correlation_of_noisy_images_falls_where_the_noise_takes_over():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((3, 64, 64))
    radius = np.hypot(*np.meshgrid(*[np.fft.fftfreq(64)] * 2))
    spectrum = np.fft.fft2(noise[0]) * (radius < 0.2)
    signal = np.fft.ifft2(spectrum).real
    found = fourier_correlation(signal + 0.1 * noise[1], signal + 0.1 * noise[2])
    assert len(found.frequency) == 33 and found.frequency[-1] == 0.5
    inside, outside = found.frequency < 0.18, found.frequency > 0.22
    assert found.correlation[inside].min() > 0.9
    assert np.abs(found.correlation[outside]).max() < 0.4
    assert found.resolved == pytest.approx(0.2, abs=0.03)
    same = fourier_correlation(signal, 3 * signal + 1e-9)
    assert_allclose(same.correlation[same.frequency < 0.19], 1)


def test_shells_of_a_volume_and_the_half_bit_line():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 24, 24, 24))
    found = fourier_correlation(first, second)
    assert np.abs(found.correlation[4:]).max() < 0.2  # unrelated
    assert fourier_correlation(first, first).correlation == pytest.approx(1)
    assert (np.diff(found.half_bit) < 0).all()
    assert found.half_bit[-1] == pytest.approx(0.2071 / 1.2071, abs=0.05)
    assert found.half_bit[0] == pytest.approx((0.2071 + 1.9102) / (1.2071 + 0.9102))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.ones((8, 8)), np.ones((9, 9)), r"received shapes \(8, 8\) and \(9, 9\)"),
        (np.ones((8, 9)), np.ones((8, 9)), r"\(size, size\)"),
        (np.full((8, 8), np.inf), np.ones((8, 8)), "finite images"),
    ],
)
def test_bad_pairs_are_not_correlated(first, second, message):
    with pytest.raises(ValueError, match=message):
        fourier_correlation(first, second)


def test_enlarging_adds_no_detail_and_blurring_takes_none():
    rng = np.random.default_rng(0)
    truth = random_shapes(4, 64, rng=rng) * circle(64)[:, :, None]
    coarse = truth.reshape(4, 32, 2, 32, 2, 1).mean((2, 4))
    band = np.hypot(*np.meshgrid(*[np.fft.fftfreq(64)] * 2)) <= 0.25
    spectrum = np.fft.fft2(truth[..., 0])
    cut = np.fft.ifft2(spectrum * band).real[..., None]
    assert new_detail(truth, truth) == pytest.approx(1)
    assert np.abs(new_detail(truth, cut)).max() < 1e-6
    assert new_detail(truth, 2 * cut - truth) == pytest.approx(-1)
    assert (new_detail(truth, upsample(coarse, 2)) < 0.7).all()
    other = truth[[1, 2, 3, 0]]
    assert np.abs(new_detail(truth, other)).max() < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((1, 8, 8, 1)), np.ones((1, 8, 9, 1))), "two batches of the same"),
        ((np.ones((1, 8, 8, 1)), np.full((1, 8, 8, 1), np.nan)), "finite images"),
        ((np.ones((1, 8, 8, 1)), np.ones((1, 8, 8, 1)), 1), "factor above 1"),
    ],
)
def test_bad_input_of_new_detail_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        new_detail(*arguments)
