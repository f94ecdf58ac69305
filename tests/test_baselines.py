import numpy as np
import pytest
from scipy.optimize import minimize
from skimage.restoration import denoise_tv_chambolle

from srtools.metrics import psnr
from srtools.phantoms import random_shapes, template_objects
from srtools.tomography import (
    ParallelBeam,
    denoise_tv,
    gaussian_noise,
    noise_level,
    sirt,
    solver,
    tune,
    tune_fbp,
    tune_sirt,
    tune_tv,
    tv,
)


@pytest.fixture(scope="module")
def scan():
    rng = np.random.default_rng(0)
    beam = ParallelBeam(32, np.linspace(0, 180, 16, endpoint=False))
    images = random_shapes(24, 32, rng=rng)
    clean = beam.project(images)
    return beam, images, clean, gaussian_noise(clean, 5, rng=rng)


@pytest.fixture(scope="module")
def best_tv(scan):
    beam, images, _, noisy = scan
    return tune_tv(beam, noisy[:12], images[:12])


def test_sirt_approaches_the_measurement_and_stays_positive(scan):
    beam, images, clean, _ = scan
    residuals = [
        np.linalg.norm(beam.project(sirt(beam, clean, iterations=n)) - clean)
        for n in (1, 5, 50)
    ]
    assert residuals[0] > 2 * residuals[1] > 4 * residuals[2]
    image = sirt(beam, clean, iterations=5)
    assert image.shape == images.shape and image.dtype == np.float32
    assert image.min() >= 0 and not image[:, ~beam.field_of_view].any()


def tv_objective(beam, sinograms, weight, smoothing=0.0):
    """What `tv` minimises, by its formula: a function of images, one value each."""
    cost = weight * noise_level(sinograms) * np.sqrt(beam.n_angles)

    def objective(x):
        misfit = ((beam.project(x) - sinograms) ** 2).sum((1, 2, 3)) / 2
        down = np.diff(x, axis=1, append=x[:, -1:])
        right = np.diff(x, axis=2, append=x[:, :, -1:])
        edges = np.sqrt(down**2 + right**2 + smoothing**2)
        return misfit + cost * edges.sum((1, 2, 3))

    return objective


def test_tv_lowers_its_own_objective_and_stays_positive(scan):
    beam, images, noisy = scan[0], scan[1][:6], scan[3][:6]
    objective = tv_objective(beam, noisy, 1)
    found = tv(beam, noisy, weight=1)
    assert found.min() >= 0 and found.shape == images.shape
    assert not found[:, ~beam.field_of_view].any()
    assert (objective(found) < objective(images)).all()
    assert (objective(found) < objective(tv(beam, noisy, weight=3))).all()
    # It stands still: ten times the iterations change next to nothing.
    longer = tv(beam, noisy, weight=1, iterations=1_800)
    assert (objective(found) < objective(longer) * 1.001).all()
    assert np.abs(found - longer).mean() < 1e-3


@pytest.mark.parametrize("wedge", [180, 100])
def test_the_steps_of_the_solver_are_short_enough(wedge):
    beam = ParallelBeam(16, np.linspace(0, wedge, 10, endpoint=False))
    seen = beam.field_of_view.ravel()
    ramp = solver._ramp(beam)
    assert np.linalg.eigvalsh(ramp).min() > 0
    whole = np.kron(ramp, np.eye(10))  # rays count translations first
    matrix = beam.matrix.toarray()[:, seen]
    largest = np.linalg.eigvalsh(matrix.T @ whole @ matrix).max()
    mask = beam.field_of_view[None, :, :, None].astype(np.float32)
    assert largest < solver._largest(beam, ramp, mask) < 1.3 * largest


def test_tv_finds_the_minimum_that_another_solver_finds():
    rng = np.random.default_rng(1)
    beam = ParallelBeam(16, np.arange(9) * 20.0)
    image = random_shapes(1, 16, rng=rng)
    noisy = gaussian_noise(beam.project(image), 5, rng=rng)
    seen = np.flatnonzero(beam.field_of_view)
    matrix = beam.matrix.toarray().astype(np.float64)[:, seen]
    data = noisy.ravel().astype(np.float64)
    cost = 0.5 * noise_level(noisy)[0] * np.sqrt(beam.n_angles)
    # Forward differences as matrices, and a kink rounded off by 1e-4.
    step = np.eye(16, k=1) - np.eye(16)
    step[-1] = 0
    down = np.kron(step, np.eye(16))[:, seen]
    right = np.kron(np.eye(16), step)[:, seen]

    def smooth(x):
        misfit, a, b = matrix @ x - data, down @ x, right @ x
        length = np.sqrt(a**2 + b**2 + 1e-8)
        slope = matrix.T @ misfit + cost * (
            down.T @ (a / length) + right.T @ (b / length)
        )
        return misfit @ misfit / 2 + cost * length.sum(), slope

    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-13, "gtol": 1e-7}
    bounds = [(0, None)] * len(seen)
    other = minimize(
        smooth,
        np.zeros(len(seen)),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options=options,
    )
    found = tv(beam, noisy, weight=0.5, iterations=1_000)
    theirs = np.zeros(256)
    theirs[seen] = other.x
    theirs = theirs.reshape(1, 16, 16, 1)
    objective = tv_objective(beam, noisy, 0.5)
    assert objective(found)[0] == pytest.approx(objective(theirs)[0], rel=1e-3)
    assert np.abs(found - theirs).max() < 0.02
    assert np.abs(found - image).max() > 0.1  # neither is just the truth


def test_tv_rises_to_its_best_weight_and_falls_behind_it(scan, best_tv):
    beam, images, noisy = scan[0], scan[1][:12], scan[3][:12]
    weights = best_tv["weight"] * np.geomspace(1 / 8, 8, 7)
    scores = [psnr(images, tv(beam, noisy, weight=w)).mean() for w in weights]
    assert np.argmax(scores) == 3
    assert (np.diff(scores)[:3] > 0).all() and (np.diff(scores)[3:] < 0).all()


@pytest.mark.parametrize("scale", [1e-4, 255])
def test_the_unit_of_the_data_is_that_of_the_image_and_changes_nothing_else(
    scan, scale
):
    beam, images, _, noisy = scan
    few, truth = noisy[:3], images[:3]
    for method in (
        lambda y: beam.fbp(y, filter="hann"),
        lambda y: sirt(beam, y, iterations=20),
        lambda y: tv(beam, y, weight=0.7),
    ):
        one = method(few)
        np.testing.assert_allclose(method(scale * few) / scale, one, atol=2e-4)
    if scale < 1:  # PSNR grows with the range, but the best weight stays
        found = tune_tv(beam, few * 0.01, truth * 0.01)["weight"]
        assert found == pytest.approx(tune_tv(beam, few, truth)["weight"], rel=0.3)


def test_an_image_does_not_depend_on_what_else_is_in_the_batch(scan):
    beam, _, _, noisy = scan
    mixed = np.concatenate([noisy[:3], 50 * noisy[3:40], 0 * noisy[:20]])
    for method in (
        beam.fbp,
        lambda y: sirt(beam, y, iterations=10),
        lambda y: tv(beam, y, weight=0.7, iterations=50),
    ):
        alone = np.concatenate([method(noisy[i : i + 1]) for i in range(3)])
        np.testing.assert_allclose(method(mixed)[:3], alone, atol=1e-5)
        assert not method(mixed)[-1].any()  # an empty scan gives an empty image


def test_the_best_weight_is_found_wherever_it_is():
    rng = np.random.default_rng(0)
    beam = ParallelBeam(32, np.linspace(0, 180, 24, endpoint=False))
    images = random_shapes(2, 32, rng=rng)
    best = {
        noise: tune_tv(
            beam, gaussian_noise(beam.project(images), noise, rng=rng), images
        )
        for noise in (0.01, 40)
    }
    # Nearly clean data want a weight far below the start, at 0.5.
    assert best[0.01]["weight"] < 0.1 < 0.5 < best[40]["weight"]


def test_noise_is_estimated_from_the_sinogram_alone(scan):
    _, _, clean, noisy = scan
    truth = (noisy - clean).std()
    assert np.median(noise_level(noisy)) == pytest.approx(truth, rel=0.1)
    counts = np.round(1000 + 100 * noisy / truth)
    assert noise_level(counts.astype("uint16")) == pytest.approx(noise_level(counts))
    spoilt = noisy.copy()
    spoilt[:, 7] = 100  # a hot pixel, in four of 29 differences: a fifth more
    assert (noise_level(spoilt) < 1.4 * noise_level(noisy)).all()
    with pytest.raises(ValueError, match=r"four translations, received \(2, 3, 5, 1\)"):
        noise_level(np.zeros((2, 3, 5, 1)))


class Borrowed:
    """A geometry made of another library's operator: here, a plain dense matrix."""

    def __init__(self, beam):
        self.size, self.n_angles = beam.size, beam.n_angles
        self.n_translations = beam.n_translations
        self.field_of_view = beam.field_of_view
        self._matrix = beam.matrix.toarray()

    def project(self, images):
        flat = images.reshape(len(images), -1) @ self._matrix.T
        return flat.reshape(-1, self.n_translations, self.n_angles, 1)

    def backproject(self, sinograms):
        flat = sinograms.reshape(len(sinograms), -1) @ self._matrix
        return flat.reshape(-1, self.size, self.size, 1)


def test_any_geometry_with_an_adjoint_serves_the_iterative_methods(scan):
    beam, _, _, noisy = scan
    other, few = Borrowed(beam), noisy[:2]
    for method in (
        lambda beam: sirt(beam, few, iterations=10),
        lambda beam: tv(beam, few, weight=0.7, iterations=50),
    ):
        np.testing.assert_allclose(method(other), method(beam), atol=1e-4)


def test_denoising_agrees_with_scikit_image_run_to_the_end():
    rng = np.random.default_rng(0)
    clean = template_objects(2, 40, rng=rng, n_objects=8)
    noisy = clean + rng.normal(0, 0.3, clean.shape)
    theirs = [
        denoise_tv_chambolle(image[..., 0], 0.3, eps=0, max_num_iter=3_000)
        for image in noisy
    ]
    ours = denoise_tv(noisy, weight=0.3)
    np.testing.assert_allclose(ours[..., 0], theirs, atol=0.01)
    # With its default it stops early, and at another distance for each weight; ours
    # rises to its best weight and falls behind it.
    weights = np.linspace(0.1, 0.7, 13)
    scores = [psnr(clean, denoise_tv(noisy, weight=w)).mean() for w in weights]
    assert (np.diff(np.sign(np.diff(scores))) != 0).sum() == 1
    with pytest.raises(ValueError, match="positive weight, received -1"):
        denoise_tv(noisy, weight=-1)
    with pytest.raises(ValueError, match=r"images of shape \(n, height, width, 1\)"):
        denoise_tv(noisy[0], weight=1)


def test_tuned_baselines_rank_as_the_literature_has_them(scan, best_tv):
    beam, images, _, noisy = scan
    check, test = slice(12), slice(12, None)
    best_fbp = tune_fbp(beam, noisy[check], images[check])
    best_sirt = tune_sirt(beam, noisy[check], images[check])
    ramp, fbp, iterative, edges = (
        psnr(images[test], found).mean()
        for found in (
            beam.fbp(noisy[test]),
            beam.fbp(noisy[test], **best_fbp),
            sirt(beam, noisy[test], **best_sirt),
            tv(beam, noisy[test], **best_tv),
        )
    )
    assert ramp + 3 < fbp < iterative < edges - 1


def test_tune_tries_every_combination_and_takes_the_best(scan):
    _, images, _, noisy = scan
    tried = []

    def method(sinograms, gain, offset):
        tried.append((gain, offset))
        return images * gain + offset

    best, score = tune(method, noisy, images, gain=[0.5, 0.9], offset=[0.1, 0.01])
    assert best == {"gain": 0.9, "offset": 0.01}
    assert len(tried) == 4
    assert score == pytest.approx(psnr(images, images * 0.9 + 0.01).mean())


def test_a_choice_without_a_psnr_is_passed_over(scan):
    _, images, _, noisy = scan

    def method(sinograms, gain):
        return images * gain

    best, score = tune(method, noisy, images, gain=[np.nan, 0.5, 0.9, np.nan])
    assert best == {"gain": 0.9} and np.isfinite(score)
    with pytest.raises(ValueError, match="received NaN for all 2"):
        tune(method, noisy, images, gain=[np.nan, np.nan])
    with pytest.raises(ValueError, match="received NaN for all 0"):
        tune(method, noisy, images, gain=[])


def test_bad_settings_are_refused(scan):
    beam, _, _, noisy = scan
    with pytest.raises(ValueError, match="at least one iteration, received 0"):
        sirt(beam, noisy, iterations=0)
    with pytest.raises(ValueError, match="positive weight, received 0"):
        tv(beam, noisy, weight=0)
    with pytest.raises(ValueError, match="at least one iteration, received 0"):
        tv(beam, noisy, weight=1, iterations=0)
    with pytest.raises(ValueError, match="finite sinograms"):
        tv(beam, noisy * np.nan, weight=1)
    with pytest.raises(ValueError, match=r"expected sinograms of shape"):
        tv(beam, noisy[..., 0], weight=1)
    with pytest.raises(ValueError, match=r"expected sinograms of shape"):
        sirt(beam, noisy[:, :-1], iterations=1)
