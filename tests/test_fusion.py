import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from srtools.datasets import load, simulate
from srtools.metrics import psnr
from srtools.superresolution import (
    FusionPairs,
    consistent,
    directional_tv,
    draw_disc,
    guided_filter,
    invented,
    joint_bilateral,
    misfit,
    per_phase,
    project_again,
    read_layers,
    register_guide,
    resample_guide,
    scan_maps,
    shift,
    simulate_layers,
    upsample,
)
from srtools.tomography import ParallelBeam, tv
from srtools.xrdct import (
    ATTENUATION,
    PHASES,
    amorphous,
    channel_angles,
    mean_patterns,
    unmix,
)


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    """Three layers of 61 pixels, scanned in 16 steps of 4 pixels."""
    path = tmp_path_factory.mktemp("fusion") / "layers.h5"
    simulate_layers(path, 3, size=61, n_angles=24, seed=1)
    return read_layers(path)


@pytest.fixture(scope="module")
def enlarged(layers):
    coarse = per_phase(layers.coarse_beam.fbp, layers.sinograms / 4)
    return upsample(coarse, 4, "corners")


def score(layers, maps):
    return per_phase(psnr, layers.maps, maps).mean()


def test_layers_are_measured_on_a_grid_finer_than_the_truth(layers, tmp_path):
    assert layers.maps.shape == (3, 61, 61, 6)
    assert layers.sinograms.shape == (3, 16, 24, 6)
    assert layers.guides.shape == (3, 61, 61, 1)
    again = read_layers(simulate_layers(tmp_path / "a.h5", 1, size=61, n_angles=24))
    assert again.maps.shape == (1, 61, 61, 6)
    # The truth explains its scan, but for the noise and the finer grid.
    left = misfit(layers.beam, layers.maps, layers.sinograms, layers.noise)
    assert ((left > 0.9) & (left < 1.3)).all()
    with pytest.raises(ValueError, match="expected size 57, found size 61"):
        simulate_layers(tmp_path / "a.h5", 1, size=57, n_angles=24)


def test_both_grids_have_their_corners_in_common(layers, enlarged):
    away = register_guide(layers.guides, enlarged)[1]
    assert np.abs(away).max() < 0.7  # a grid that is half a step off has 2


def test_a_side_that_does_not_fit_is_answered_with_two_that_do(tmp_path):
    with pytest.raises(ValueError, match=r"such as 57 or 61, received 60"):
        simulate_layers(tmp_path / "a.h5", 1, size=60)
    with pytest.raises(ValueError, match=r"n=0"):
        simulate_layers(tmp_path / "a.h5", 0)
    with pytest.raises(ValueError, match=r"0 or more, received nan"):
        simulate_layers(tmp_path / "a.h5", 1, guide_noise=np.nan)
    assert not list(tmp_path.iterdir())


def test_maps_of_ones_own_are_scanned_and_the_guide_brought_to_their_grid(layers):
    rng = np.random.default_rng(0)
    finer = np.repeat(np.linspace(1, 3, 151), 151).reshape(1, 151, 151, 1)
    own = scan_maps(layers.maps[:1], finer, n_angles=24, rng=rng)
    assert own.sinograms.shape == (1, 16, 24, 6) and own.noise.shape == (1, 6)
    wanted = np.linspace(1, 3, 61)[:, None] / 3
    assert_allclose(own.guides[0, 2:-2, :, 0], np.tile(wanted, 61)[2:-2], atol=2e-3)
    assert_allclose(misfit(own.beam, own.maps, own.sinograms, own.noise), 1, atol=0.1)
    with pytest.raises(ValueError, match=r"such as 57 or 61, received 58"):
        scan_maps(layers.maps[:1, :58, :58], finer, rng=rng)
    with pytest.raises(ValueError, match="only zeros"):
        scan_maps(layers.maps[:1], finer * 0, rng=rng)
    with pytest.raises(ValueError, match="one for each layer"):
        scan_maps(layers.maps, finer, rng=rng)


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Stand-ins of a bed in the benchmark's layout: 81 px, 16 px and 31 px."""
    folder = tmp_path_factory.mktemp("copies")
    names = ("microct_369", "xrdct_75", "xrdct_149")
    how = {"scale": 0.22, "n": 1, "n_jobs": 1}
    return {n: simulate(n, folder / f"{n}.h5", **how) for n in names}


def unmixed(name, path):
    """The maps of the first layer of a copy, (1, side, side, 6)."""
    two_theta = channel_angles()
    patterns = mean_patterns(PHASES, two_theta, crystallite=12.0)
    patterns = np.stack([*patterns, amorphous(two_theta)])
    spectra = np.moveaxis(load(name, path)[..., 0], -1, 0)
    return np.maximum(np.moveaxis(unmix(spectra, patterns), 0, -1), 0)[None]


def test_the_benchmarks_files_are_fused_as_simulated_layers_are(copies):
    maps = unmixed("xrdct_75", copies["xrdct_75"])
    guide = load("microct_369", copies["microct_369"])[..., 0][None, ..., None]
    own = project_again(maps, guide, n_angles=24, noise_percent=0.5)
    assert own.maps is None and own.part([0]).maps is None
    assert own.guides.shape == (1, 31, 31, 1) and own.guides.max() == 1
    assert own.sinograms.shape == (1, 16, 24, 6)
    # The coarse maps explain their own projections on their own grid ...
    coarse = per_phase(own.coarse_beam.project, maps)
    assert_allclose(own.sinograms, 2 * coarse, rtol=1e-5)
    # ... and finer ones have the same amount in all, and are nearer to the truth.
    fused = directional_tv(
        own.beam, own.sinograms, own.guides, weight=0.35, noise=own.noise
    )
    amount = fused.sum((1, 2)) / 4, maps.sum((1, 2))
    assert_allclose(*amount, rtol=0.05, atol=1)
    truth = load("xrdct_149", copies["xrdct_149"], key="Phases")[..., 0][None]
    better = per_phase(psnr, truth, fused) - per_phase(
        psnr, truth, upsample(maps, 2, "corners")
    )
    assert better.mean() > 0
    # The guide lies on the grid of the finer maps: a pixel off, they are less alike.
    grey = (truth @ np.float32(ATTENUATION)).ravel()
    alike = {
        off: np.corrcoef(np.roll(own.guides[0, ..., 0], off, (0, 1)).ravel(), grey)[
            0, 1
        ]
        for off in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    }
    assert max(alike, key=alike.get) == (0, 0) and alike[0, 0] > 0.8


def test_the_finer_maps_of_the_benchmark_are_scanned_coarsely(copies):
    maps = unmixed("xrdct_149", copies["xrdct_149"])
    guide = load("microct_369", copies["microct_369"])[..., 0][None, ..., None]
    own = scan_maps(maps, guide, factor=3, rng=np.random.default_rng(0))
    assert own.sinograms.shape == (1, 11, 60, 6)
    assert_array_equal(own.maps, maps)
    assert_allclose(misfit(own.beam, maps, own.sinograms, own.noise), 1, atol=0.1)


def test_a_phase_that_is_not_in_a_layer_can_be_fused(layers):
    maps = layers.maps[:1] * np.float32([1, 0, 1, 1, 1, 1])
    rng = np.random.default_rng(0)
    for own in (
        scan_maps(maps, layers.guides[:1], n_angles=8, rng=rng),
        project_again(maps[:, ::4, ::4], layers.guides[:1], factor=4, n_angles=8),
    ):
        assert (own.noise > 0).all()
        how = {"weight": 0.3, "noise": own.noise, "iterations": 5}
        found = directional_tv(own.beam, own.sinograms, own.guides, **how)
        assert not found[..., 1].any()


def test_guides_reach_from_corner_to_corner():
    ramp = np.add.outer(np.arange(369.0), np.arange(369.0))[None, ..., None]
    found = resample_guide(ramp, 149)
    step = 368 / 148
    wanted = step * np.add.outer(np.arange(149), np.arange(149))
    assert found.shape == (1, 149, 149, 1) and found.dtype == np.float32
    assert_allclose(found[0, 4:-4, 4:-4, 0], wanted[4:-4, 4:-4], rtol=1e-4)
    assert_allclose(found[0, -1, -1, 0], 736, rtol=5e-3)
    assert_allclose(resample_guide(ramp, 369), ramp, atol=1e-3)


def test_without_a_guide_or_with_a_flat_one_it_is_tv():
    beam = ParallelBeam(25, np.linspace(0, 180, 16, endpoint=False), 25)
    rng = np.random.default_rng(0)
    image = np.zeros((1, 25, 25, 1), np.float32)
    image[:, 8:16, 6:14] = 1
    sinograms = beam.project(image)
    sinograms += 0.2 * rng.standard_normal(sinograms.shape).astype(np.float32)
    expected = tv(beam, sinograms, weight=0.5, iterations=600)
    how = {"weight": 0.5, "iterations": 600}
    found = directional_tv(beam, sinograms, **how)
    assert_allclose(found, expected, atol=5e-3)
    flat = directional_tv(beam, sinograms, np.full_like(image, 0.7), **how)
    assert_array_equal(flat, found)
    assert np.abs(directional_tv(beam, sinograms, image, **how) - found).max() > 0.02


def test_each_layer_and_phase_is_a_problem_of_its_own(layers):
    how = {"weight": 0.2, "iterations": 5}
    beam, y, guides = layers.beam, layers.sinograms, layers.guides
    together = directional_tv(beam, y, guides, **how)
    alone = directional_tv(beam, y[1:2, ..., 3:4], guides[1:2], **how)
    assert_allclose(together[1:2, ..., 3:4], alone, atol=1e-5)


def test_a_guide_helps_where_it_is_right_and_harms_where_it_is_not(layers, enlarged):
    beam, y = layers.beam, layers.sinograms
    how = {"weight": 0.3, "noise": layers.noise}
    right = score(layers, directional_tv(beam, y, layers.guides, **how))
    without = score(layers, directional_tv(beam, y, **how))
    wrong = score(layers, directional_tv(beam, y, layers.guides[[1, 2, 0]], **how))
    assert right > without + 1
    assert without > score(layers, enlarged) + 0.5
    assert wrong < right - 1.5


def test_filters_take_their_edges_from_the_guide():
    guide = np.zeros((1, 20, 24, 1), np.float32)
    guide[:, :, 12:] = 1
    maps = np.repeat(guide, 2, -1) * np.float32([0.2, 0.8])
    blurred = gaussian_filter(maps, (0, 2, 2, 0))
    for method, how in (
        (guided_filter, {"radius": 3, "eps": 1e-3}),
        (joint_bilateral, {"distance": 3, "difference": 0.1}),
    ):
        found = method(blurred, guide, **how)
        assert found.shape == maps.shape and found.dtype == np.float32
        jump = (found[:, :, 12] - found[:, :, 11]) / (maps[:, :, 12] - maps[:, :, 11])
        assert (jump > 0.5).all()  # it is 0.2 in the blurred maps
        flat = method(maps * 0 + 0.3, guide, **how)
        assert_allclose(flat, 0.3, atol=1e-4)  # at the borders, too


def test_an_offset_of_the_guide_changes_nothing():
    rng = np.random.default_rng(0)
    maps = rng.random((2, 20, 24, 2), np.float32)
    guide = np.round(rng.random((2, 20, 24, 1)) * 256) / 256  # exact beside 4 096
    expected = guided_filter(maps, guide, radius=2, eps=1e-3)
    found = guided_filter(maps, guide + 4096, radius=2, eps=1e-3)
    assert_allclose(found, expected, atol=1e-4)


def test_misfit_is_in_units_of_the_noise(layers):
    beam, y = layers.beam, layers.sinograms
    clean = per_phase(beam.project, layers.maps)
    assert_allclose(misfit(beam, layers.maps, clean, layers.noise), 0, atol=1e-4)
    off = clean + 3 * layers.noise[:, None, None]
    assert_allclose(misfit(beam, layers.maps, off, layers.noise), 3, rtol=1e-4)
    one = misfit(beam, layers.maps, clean + 0.5, 0.25)
    assert_allclose(one, 2, rtol=1e-3)
    # What is made consistent explains its scan, whether it is right or not.
    lie = layers.maps[[1, 2, 0]]
    assert (misfit(beam, lie, y, layers.noise) > 2).all()

    def project(maps, sinograms, noise):
        return consistent(beam, maps, sinograms, noise, at_most=30)

    mended = per_phase(project, lie, y, layers.noise)
    assert (misfit(beam, mended, y, layers.noise) < 1.05).all()


def test_invented_is_a_share_of_the_region():
    region = np.zeros((2, 9, 9, 1), bool)
    region[:, 3:6, 3:6] = True
    without = np.zeros((2, 9, 9, 3), np.float32)
    without[1, ..., 0] = 0.8
    maps = without.copy()
    maps[0, 3:6, 3:6, 2] = 1  # fills a void
    maps[1, 3:6, 3:6] = [0.2, 0.6, 0]  # takes one phase for another
    assert_allclose(invented(maps, without, region), [1, 0.6], atol=1e-6)
    assert_array_equal(invented(without, without, region), 0)
    maps[:, :3] = 1  # elsewhere does not count
    assert_allclose(invented(maps, without, region), [1, 0.6], atol=1e-6)


def test_a_shifted_guide_is_found_and_put_back(layers, enlarged):
    off = shift(layers.guides, (2, -3))
    back, found = register_guide(off, enlarged)
    assert_allclose(found, [[-2, 3]] * 3, atol=0.7)
    inside = np.s_[:, 8:-8, 8:-8]

    def error(guide):
        return np.abs(guide - layers.guides)[inside].mean()

    assert error(back) < error(off) / 2


def test_a_drawn_disc_is_where_it_says():
    guide = np.full((3, 61, 61, 1), 0.4, np.float32)
    lie, region = draw_disc(guide, rng=np.random.default_rng(0))
    assert_allclose(lie[~region], 0.4)
    assert_allclose(lie[region], 0.9)
    assert (region.sum(axis=(1, 2, 3)) > 80).all()


def test_per_phase_goes_there_and_back():
    maps = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    assert_array_equal(per_phase(lambda x: x, maps), maps)
    numbers = np.arange(10.0).reshape(2, 5)
    got = per_phase(lambda x, k: x[:, 0, 0, 0] * k, maps, numbers)
    assert_array_equal(got, maps[:, 0, 0] * numbers)
    with pytest.raises(ValueError, match="same layers and phases"):
        per_phase(np.add, maps, maps[..., :4])


def test_pairs_are_turned_together_and_start_when_they_are_asked_for():
    guides = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
    calls = []

    def starts():
        calls.append(1)
        return np.concatenate([guides, guides + 1], -1)

    pairs = FusionPairs(starts, guides, guides, recipe="test", batch_size=2)
    assert len(pairs) == 3 and not calls
    (maps, guide), truth = pairs[0]
    assert_array_equal(maps[..., :1], guide)
    assert_array_equal(guide, truth)
    pairs.on_epoch_end()
    assert not np.array_equal(pairs[0][1], truth)
    assert pairs[2][1].shape == (1, 8, 8, 1) and len(calls) == 1

    plain = FusionPairs(starts, guides, guides, recipe="test", augment=False)
    assert_array_equal(plain[0][1], guides[:4])
    alone = FusionPairs(starts, guides, guides, recipe="test", guided=False)
    assert alone[0][0].shape == (4, 8, 8, 2)


def test_a_share_of_the_guides_is_wrong():
    guides = np.random.default_rng(0).random((40, 24, 24, 1), np.float32)
    pairs = FusionPairs(
        guides, guides, guides, recipe=0, wrong=0.3, augment=False, batch_size=40
    )
    shares = []
    for _ in range(10):
        (maps, guide), truth = pairs[0]
        assert_array_equal(maps, truth)
        shares.append((guide != truth).any(axis=(1, 2, 3)).mean())
        pairs.on_epoch_end()
    assert 0.2 < np.mean(shares) < 0.4


def test_bad_input_is_refused(layers):
    beam, y, guides = layers.beam, layers.sinograms, layers.guides
    maps, noise = layers.maps, layers.noise
    nan = np.full_like(guides, np.nan)
    for refused, message in (
        (lambda: directional_tv(beam, y, guides, weight=0), "positive weight, .* 0"),
        (lambda: directional_tv(beam, y, guides, weight=1, edge=0), "positive edge"),
        (lambda: directional_tv(beam, y, weight=1, iterations=0), "one iteration"),
        (lambda: directional_tv(beam, y, weight=1, noise=-1), "positive number"),
        (lambda: directional_tv(beam, y[:, 1:], weight=1), r"\(n, 16, 24, n_phases\)"),
        (lambda: directional_tv(beam, y, guides[:, 1:], weight=1), r"\(n, 61, 61, n"),
        (
            lambda: directional_tv(beam, y, guides[:, 1:, 1:], weight=1),
            r"\(n, 61, 61, n.*\(3, 60, 60, 1\); `resample_guide`",
        ),
        (lambda: directional_tv(beam, y, guides[1:], weight=1), r"one for each layer"),
        (lambda: directional_tv(beam, y, maps, weight=1), r"\(3, 61, 61, 1\)"),
        (lambda: directional_tv(beam, y, nan, weight=1), "finite guide"),
        (lambda: directional_tv(beam, y, guides * 0, weight=1), "only zeros"),
        (lambda: guided_filter(maps[:, 1:], guides, radius=1, eps=1), "maps on the gr"),
        (lambda: guided_filter(maps, guides, radius=1, eps=0), "positive eps"),
        (lambda: shift(guides[0, ..., 0], (1, 1)), r"height, width, n.*\(61, 61\)"),
        (lambda: draw_disc(guides[0], rng=np.random.default_rng(0)), "guide of shape"),
        (
            lambda: joint_bilateral(maps, guides, distance=1, difference=-1),
            "positive difference",
        ),
        (lambda: misfit(beam, maps, y, 0), "noise of the sinograms as a positive"),
        (lambda: misfit(beam, maps, y, noise[:2]), "3 layers and 6 phases"),
        (lambda: misfit(beam, maps, y[..., :1], noise), "sinograms of 3 layers and 6"),
        (lambda: misfit(beam, maps[..., :1], y, noise), "3 layers and 1 phases"),
        (lambda: invented(maps, maps[1:], guides), "one shape"),
        (lambda: invented(maps, maps, guides * 0), "only zeros"),
        (lambda: register_guide(guides[0], maps), "expected maps"),
        (lambda: resample_guide(guides, 1), "2 pixels or more, received 61 and 1"),
        (lambda: resample_guide(guides * 0, 31), "only zeros"),
        (lambda: resample_guide(nan, 31), "finite guide"),
        (lambda: project_again(maps, guides[1:]), "one for each layer"),
        (lambda: project_again(maps, -guides - 1), "positive values"),
        (
            lambda: project_again(maps, guides, factor=1),
            "factor of 2 or more.* factor=1",
        ),
        (lambda: project_again(maps, guides, factor=2.5), "whole factor"),
        (lambda: project_again(maps, guides, n_angles=0), "n_angles=0"),
        (
            lambda: project_again(maps, guides, noise_percent=0),
            "positive noise_percent",
        ),
        (lambda: project_again(maps[..., 0], guides), r"\(n, size, size, n_phases\)"),
        (lambda: scan_maps(maps, guides, factor=0, rng=None), "factor=0"),
        (lambda: FusionPairs(y, guides, maps, recipe=0, wrong=2), "share from 0 to 1"),
        (lambda: FusionPairs(y, guides[1:], maps, recipe=0), "received 2 for 3"),
        (lambda: FusionPairs(y[1:], guides, maps, recipe=0)[0], "received 2 for 3"),
        (lambda: FusionPairs(y, nan, maps, recipe=0), "finite guides"),
        (lambda: FusionPairs(y * np.nan, guides, maps, recipe=0), "finite maps to be"),
        (
            lambda: FusionPairs(lambda: y * np.nan, guides, maps, recipe=0).starts,
            "finite maps to begin with",
        ),
        (lambda: FusionPairs(y, guides, maps * np.nan, recipe=0), "finite maps, rec"),
    ):
        with pytest.raises(ValueError, match=message):
            refused()


def test_another_kind_of_library_is_not_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_layers(tmp_path / "none.h5")
