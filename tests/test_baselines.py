import numpy as np
import pytest

from srtools.metrics import psnr
from srtools.phantoms import random_shapes
from srtools.tomography import (
    ParallelBeam,
    gaussian_noise,
    sirt,
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


def test_tv_lowers_its_own_objective_and_stays_positive(scan):
    beam, images, _, noisy = scan
    weight = 0.01

    def objective(x):
        norm = np.linalg.norm(beam.matrix.toarray(), 2) ** 2
        misfit = ((beam.project(x) - noisy) ** 2).sum() / 2 / norm
        down = np.diff(x, axis=1, append=x[:, -1:])
        right = np.diff(x, axis=2, append=x[:, :, -1:])
        return misfit + weight * np.hypot(down, right).sum()

    found = tv(beam, noisy, weight=weight)
    assert found.min() >= 0 and found.shape == images.shape
    assert objective(found) < objective(images)
    assert objective(found) < objective(tv(beam, noisy, weight=weight, iterations=5))
    assert objective(found) < objective(tv(beam, noisy, weight=3 * weight))


def test_tuned_baselines_rank_as_the_literature_has_them(scan):
    beam, images, _, noisy = scan
    check, test = slice(12), slice(12, None)
    best_fbp = tune_fbp(beam, noisy[check], images[check])
    best_sirt = tune_sirt(beam, noisy[check], images[check])
    best_tv = tune_tv(beam, noisy[check], images[check], iterations=30)
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


def test_bad_settings_are_refused(scan):
    beam, _, _, noisy = scan
    with pytest.raises(ValueError, match="at least one iteration, received 0"):
        sirt(beam, noisy, iterations=0)
    with pytest.raises(ValueError, match="positive weight, received 0"):
        tv(beam, noisy, weight=0)
    with pytest.raises(ValueError, match=r"expected sinograms of shape"):
        tv(beam, noisy[..., 0], weight=1)
    with pytest.raises(ValueError, match=r"expected sinograms of shape"):
        sirt(beam, noisy[:, :-1], iterations=1)
