import keras
import numpy as np
import pytest
from learning import holds, learn, seeded

from srtools.models import CVAE, vae_inference, vae_train

pytestmark = pytest.mark.any_backend

SHAPE = (12, 16, 1)  # not square, on purpose


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    clean = np.zeros((48, *SHAPE), np.float32)
    for image in clean:
        row, column = rng.integers(0, 8, 2)
        image[row : row + 4, column : column + 6] = 1
    noisy = clean + 0.3 * rng.standard_normal(clean.shape, dtype=np.float32)
    return noisy, clean


@pytest.fixture(scope="module", params=[False, True], ids=["vector", "spatial"])
def trained(request, pairs):
    seeded()
    model = CVAE(4, SHAPE, spatial=request.param)
    before = model.get_weights()
    adam = keras.optimizers.Adam(3e-3)
    few = [part[:8] for part in pairs]
    history = vae_train(model, *pairs, *few, 16, adam, verbose=0)
    return model, before, history.history


@pytest.mark.training
def test_training_moves_every_weight_and_lowers_the_loss(trained):
    model, before, history = trained
    moved = [
        not np.array_equal(old, new)
        for old, new in zip(before, model.get_weights(), strict=True)
    ]
    names = [w.path for w in model.weights]
    assert all(m for m, n in zip(moved, names, strict=True) if "seed" not in n)
    for loss in ("loss", "val_loss"):
        holds(f"fall of its {loss}", history[loss][0] - history[loss][-1], at_least=0.5)


@pytest.mark.training
def test_it_denoises(trained, pairs):
    noisy, clean = pairs
    out = vae_inference(trained[0], noisy)
    left = np.mean((out - clean) ** 2) / np.mean((noisy - clean) ** 2)
    holds("what is left of the noise", left, at_most=0.5)


def test_inference_is_deterministic_and_draws_are_not(trained, pairs):
    model, noisy = trained[0], pairs[0][:5]
    assert np.array_equal(vae_inference(model, noisy), vae_inference(model, noisy))
    draws = vae_inference(model, noisy, n_samples=3, rng=np.random.default_rng(0))
    again = vae_inference(model, noisy, n_samples=3, rng=np.random.default_rng(0))
    assert draws.shape == (3, 5, *SHAPE)
    assert draws.std(axis=0).max() > 1e-3
    assert np.array_equal(draws, again)


def test_batches_do_not_mix_images(trained, pairs):
    model, noisy = trained[0], pairs[0][:5]
    np.testing.assert_allclose(
        vae_inference(model, noisy),
        np.concatenate([vae_inference(model, n[None]) for n in noisy]),
        atol=1e-5,
    )


def test_a_saved_network_predicts_the_same(trained, pairs, tmp_path):
    model, noisy = trained[0], pairs[0][:5]
    model.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_allclose(
        vae_inference(loaded, noisy), vae_inference(model, noisy), atol=1e-6
    )
    np.testing.assert_allclose(loaded.log_noise, model.log_noise)


def test_the_loss_is_the_bound_on_the_evidence():
    model = CVAE(3, SHAPE, noise=0.2, beta=0.5)
    rng = np.random.default_rng(1)
    x, y = rng.random((2, 7, *SHAPE), dtype=np.float32)
    model.compile("adam")
    found = float(model.test_on_batch(x, y))
    mean, log_variance = model.encoder.predict_on_batch(x)
    out = vae_inference(model, x)
    density = (y - out) ** 2 / (2 * 0.2**2) + np.log(0.2 * np.sqrt(2 * np.pi))
    kl = (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(1).mean() / 2
    assert found == pytest.approx(density.mean() + 0.5 * kl / (12 * 16), rel=1e-4)


@pytest.mark.training
def test_the_learned_noise_finds_that_of_the_data():
    rng = np.random.default_rng(seeded())
    x = np.zeros((64, 8, 8, 1), np.float32)
    y = 0.25 * rng.standard_normal(x.shape, dtype=np.float32)
    model = CVAE(1, (8, 8, 1))
    model.compile(keras.optimizers.Adam(0.03))
    learn(model, x, y, steps=200)
    noise = float(np.exp(model.log_noise))
    holds("the noise beside that of the data", noise / 0.25, at_least=0.9, at_most=1.1)


def test_bernoulli_is_the_one_place_of_the_sigmoid():
    x = np.full((2, 8, 8, 3), 10, np.float32)
    free, bounded = CVAE(2, (8, 8, 3)), CVAE(2, (8, 8, 3), likelihood="bernoulli")
    assert free.decoder.layers[-1].activation is keras.activations.linear
    assert bounded.decoder.layers[-1].activation is keras.activations.sigmoid
    out = vae_inference(bounded, x)
    assert out.shape == x.shape and 0 < out.min() and out.max() < 1
    bounded.compile("adam")
    target = np.full_like(x, 0.3)
    found = float(bounded.test_on_batch(x, target))
    mean, log_variance = bounded.encoder.predict_on_batch(x)
    kl = (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(1).mean() / 2 / 64
    entropy = -(0.3 * np.log(out) + 0.7 * np.log(1 - out)).sum(-1).mean()
    assert found == pytest.approx(entropy + kl, rel=1e-3)


def test_sample_weights_weigh_images(pairs):
    noisy, clean = pairs[0][:2], pairs[1][:2]
    model = CVAE(2, SHAPE, noise=0.5, beta=0)
    model.compile("adam")
    first, second = (
        model.evaluate(noisy[i : i + 1], clean[i : i + 1], verbose=0) for i in (0, 1)
    )
    weights = np.array([2.0, 0.0])
    found = model.evaluate(noisy, clean, sample_weight=weights, verbose=0)
    assert first != second
    assert found == pytest.approx(first, rel=1e-4)


def test_a_latent_map_takes_images_of_any_size(pairs, tmp_path):
    keras.utils.set_random_seed(0)
    fixed, free = (
        CVAE(3, (*sides, 1), spatial=True) for sides in (SHAPE[:2], (None, None))
    )
    free.set_weights(fixed.get_weights())
    noisy, clean = pairs[0][:6], pairs[1][:6]
    expected = fixed.predict_on_batch(noisy)
    np.testing.assert_allclose(vae_inference(free, noisy), expected, atol=1e-5)
    free.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    for shape in ((2, 8, 20, 1), (1, 32, 4, 1)):
        image = np.random.default_rng(0).random(shape, np.float32)
        out = vae_inference(free, image)
        assert out.shape == shape
        np.testing.assert_allclose(loaded.predict_on_batch(image), out, atol=1e-6)
    draws = vae_inference(free, noisy, n_samples=2, rng=np.random.default_rng(0))
    assert draws.shape == (2, *noisy.shape)
    losses = []
    for model in (fixed, free):
        model.compile("adam")
        losses.append(float(model.test_on_batch(noisy, clean)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    with pytest.raises(ValueError, match=r"\(n, multiple of 4, .* received \(2, 6, 8"):
        vae_inference(free, np.zeros((2, 6, 8, 1)))


def test_the_divergence_counts_per_pixel_of_the_image():
    x = np.random.default_rng(1).random((5, 8, 12, 1), np.float32)
    found = []
    for beta in (0, 2):
        keras.utils.set_random_seed(0)  # the same weights
        model = CVAE(3, (None, None, 1), spatial=True, noise=0.5, beta=beta)
        model.compile("adam")
        found.append(float(model.test_on_batch(x, x)))
    mean, log_variance = model.encoder.predict_on_batch(x)
    kl = (np.exp(log_variance) + mean**2 - 1 - log_variance).sum((1, 2, 3)).mean() / 2
    assert found[1] - found[0] == pytest.approx(2 * kl / (8 * 12), rel=1e-3)


def test_two_networks_in_one_process_do_not_share_anything():
    first, second = CVAE(2, SHAPE), CVAE(2, SHAPE, spatial=True)
    shared = {id(w) for w in first.weights} & {id(w) for w in second.weights}
    assert not shared


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim of 1 or more, received 0"),
        ({"input_shape": (30, 30, 1)}, "multiples of 4, received"),
        ({"input_shape": (32, 32)}, r"\(height, width, channels\)"),
        ({"input_shape": (None, 32, 1)}, r"two sides .* received \(None, 32, 1\)"),
        ({"likelihood": "poisson"}, "gaussian or bernoulli, received 'poisson'"),
        ({"noise": 0.0}, "positive noise, received 0.0"),
        ({"beta": -1}, "beta of 0 or more, received -1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CVAE(**{"latent_dim": 2, "input_shape": SHAPE} | arguments)


def test_bad_images(pairs):
    noisy, clean = pairs
    model = CVAE(2, SHAPE)
    with pytest.raises(ValueError, match=r"shape \(n, 12, 16, 1\), received"):
        vae_inference(model, noisy[:, :8])
    with pytest.raises(ValueError, match="finite images"):
        vae_inference(model, np.full((1, *SHAPE), np.nan))
    with pytest.raises(ValueError, match="n_samples of 1 or more and an rng"):
        vae_inference(model, noisy, n_samples=2)
    with pytest.raises(ValueError, match="as many labels as images, received 3 and 48"):
        vae_train(model, noisy, clean[:3], noisy, clean, 1)


def test_the_likelihood_of_a_pixel_is_that_of_all_its_channels():
    losses = []
    for channels in (1, 3):
        model = CVAE(2, (8, 8, channels), likelihood="bernoulli", beta=0)
        target, guess = (np.full((2, 8, 8, channels), v, "float32") for v in (0.3, 0.6))
        losses.append(float(model.compute_loss(y=target, y_pred=guess)))
    assert losses[1] == pytest.approx(3 * losses[0], rel=1e-5)
