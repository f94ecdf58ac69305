import keras
import numpy as np
import pytest
from keras import ops
from learning import learn

from srtools.segmentation import (
    balanced_cross_entropy,
    batch_dice_loss,
    cldice_loss,
    dice_loss,
    tversky_loss,
    weighted_cross_entropy,
)

pytestmark = pytest.mark.any_backend

OVERLAPS = [dice_loss, batch_dice_loss, tversky_loss, cldice_loss]


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    labels = (rng.random((6, 5, 6, 1)) < 0.3).astype("float32")  # as many as columns
    return labels, rng.normal(size=labels.shape).astype("float32")


def by_hand(labels, logits, positive, negative):
    p, found = labels[..., 0], 1 / (1 + np.exp(-logits[..., 0].astype("float64")))
    return -(positive * p * np.log(found) + negative * (1 - p) * np.log(1 - found))


def test_cross_entropies_follow_their_formulas_pixel_by_pixel(pair):
    weighted = ops.convert_to_numpy(weighted_cross_entropy(3).call(*pair))
    assert weighted.shape == (6, 5, 6)
    assert np.allclose(weighted, by_hand(*pair, 3, 1), atol=1e-5)
    balanced = ops.convert_to_numpy(balanced_cross_entropy(0.8).call(*pair))
    assert np.allclose(balanced, by_hand(*pair, 0.8, 0.2), atol=1e-5)


def test_beta_one_is_the_plain_cross_entropy(pair):
    plain = keras.losses.BinaryCrossentropy(from_logits=True)(*pair)
    assert float(weighted_cross_entropy(1)(*pair)) == pytest.approx(float(plain))
    assert float(balanced_cross_entropy(0.5)(*pair)) == pytest.approx(float(plain) / 2)


def test_dice_follows_its_formula_for_each_sample(pair):
    labels, logits = pair
    found = 1 / (1 + np.exp(-logits))
    both, each = (labels * found).sum((1, 2, 3)), (labels + found).sum((1, 2, 3))
    expected = 1 - (2 * both + 1) / (each + 1)
    assert np.allclose(ops.convert_to_numpy(dice_loss(*pair)), expected, atol=1e-6)
    right = ops.convert_to_numpy(dice_loss(labels, 40 * labels - 20))
    wrong = ops.convert_to_numpy(dice_loss(labels, 20 - 40 * labels))
    assert np.allclose(right, 0, atol=1e-5) and (wrong > 0.9).all()


def test_batch_dice_is_that_of_one_long_sample(pair):
    long = [part.reshape(1, 30, 6, 1) for part in pair]
    found = ops.convert_to_numpy(batch_dice_loss(*pair))
    assert found.shape == (6,) and np.ptp(found) == 0
    assert np.allclose(found, ops.convert_to_numpy(dice_loss(*long)), atol=1e-6)


def test_an_empty_sample_asks_for_silence_alone_and_not_within_its_batch():
    labels, logits = np.zeros((2, 8, 8, 1)), np.full((2, 8, 8, 1), -9.0)
    labels[1, 2:6] = 1
    logits[1] = 9 * (2 * labels[1] - 1)
    alarm = logits.copy()
    alarm[0, 4, 4] = 9  # one wrong pixel in the empty sample
    each, batch = (
        [ops.convert_to_numpy(loss(labels, z)).mean() for z in (logits, alarm)]
        for loss in (dice_loss, batch_dice_loss)
    )
    assert each[1] - each[0] > 0.2 and batch[1] - batch[0] < 0.05


def test_tversky_follows_its_formula_for_each_sample(pair):
    labels, logits = pair
    found = 1 / (1 + np.exp(-logits))
    both, false, missed = (
        part.sum((1, 2, 3))
        for part in (labels * found, (1 - labels) * found, labels * (1 - found))
    )
    expected = 1 - (both + 1) / (both + 0.2 * false + 0.8 * missed + 1)
    value = ops.convert_to_numpy(tversky_loss(*pair, alpha=0.2, beta=0.8))
    assert np.allclose(value, expected, atol=1e-6)


def test_cldice_minds_a_gap_in_a_thin_line_more_than_dice_does():
    labels = np.zeros((1, 32, 48, 1), "float32")
    labels[:, 4:13] = 1  # a thick line
    labels[:, 22] = 1  # a thin one
    cut = labels.copy()
    cut[:, 22, 16:32] = 0
    dice, cl = (
        float(loss(labels, 40 * cut - 20)[0]) for loss in (dice_loss, cldice_loss)
    )
    assert cl > 2 * dice > 0
    assert float(cldice_loss(labels, 40 * labels - 20)[0]) == pytest.approx(0, abs=1e-4)


def test_overlaps_leave_out_what_nobody_labelled(pair):
    labels, logits = pair
    partly = labels.copy()
    partly[:, 3:] = -1
    other = logits.copy()
    other[:, 3:] = 5  # whatever is said there
    for loss in OVERLAPS:
        same = [ops.convert_to_numpy(loss(partly, z)) for z in (logits, other)]
        assert np.allclose(*same, atol=1e-6)


@pytest.mark.parametrize("build", [weighted_cross_entropy, balanced_cross_entropy])
def test_weights_act_on_pixels_and_on_samples(pair, build):
    loss = build(0.7)
    values = ops.convert_to_numpy(loss.call(*pair))
    weights = np.random.default_rng(1).random((6, 5, 6)).astype("float32")
    expected = (values * weights).mean()
    assert float(loss(*pair, sample_weight=weights)) == pytest.approx(expected)
    each = weights[:, 0, 0]  # one a sample; the batch is as large as an image is wide
    expected = (values * each[:, None, None]).mean()
    assert float(loss(*pair, sample_weight=each)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "loss", [weighted_cross_entropy(2), balanced_cross_entropy(0.9), *OVERLAPS]
)
def test_losses_and_gradients_are_finite_at_the_extremes(loss):
    dense = keras.layers.Conv2D(
        1, 1, kernel_initializer="ones", bias_initializer="zeros"
    )
    image = keras.Input((2, 2, 1))
    model = keras.Model(image, dense(image))
    model.compile(keras.optimizers.SGD(1e-9), loss)
    labels = np.array([0, 1, 0, 1], "float32").reshape(1, 2, 2, 1)
    for logit in (-1e4, 0.0, 1e4):
        images = np.full((1, 2, 2, 1), logit, "float32")
        assert np.isfinite(learn(model, images, labels, steps=1)), logit
        assert all(np.isfinite(w).all() for w in model.get_weights()), logit


@pytest.mark.parametrize(
    "loss", [weighted_cross_entropy(2), balanced_cross_entropy(0.9), *OVERLAPS]
)
def test_a_saved_model_loads_with_its_loss(tmp_path, pair, loss):
    labels, images = pair
    image = keras.Input((5, 6, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(image))
    model.compile("sgd", loss, run_eagerly=True)
    expected = float(model.test_on_batch(images, labels))
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert loaded.test_on_batch(images, labels) == pytest.approx(expected)


def test_bad_input_is_refused(pair):
    labels, logits = pair
    with pytest.raises(ValueError, match="beta above 0, received 0"):
        weighted_cross_entropy(0)
    for beta in (0, 1, 2):
        with pytest.raises(ValueError, match=f"between 0 and 1, received {beta}"):
            balanced_cross_entropy(beta)
    with pytest.raises(ValueError, match="above 0, received 0 and 1"):
        tversky_loss(*pair, alpha=0, beta=1)
    with pytest.raises(ValueError, match="1 or more, received 0"):
        cldice_loss(*pair, iterations=0)
    for loss in (weighted_cross_entropy(2), *OVERLAPS):
        with pytest.raises(ValueError, match=r"of one shape.*received \(6, 5, 6\)"):
            getattr(loss, "call", loss)(labels[..., 0], logits)


@pytest.mark.parametrize(
    "loss", [weighted_cross_entropy(3), balanced_cross_entropy(0.8)]
)
def test_cross_entropies_are_the_mean_over_labelled_pixels(pair, loss):
    labels, logits = pair
    known = np.random.default_rng(2).random(labels.shape) < 0.2
    values = ops.convert_to_numpy(loss.call(*pair))
    found = float(loss(np.where(known, labels, -1), logits))
    assert found == pytest.approx(values[known[..., 0]].mean(), rel=1e-5)
    assert float(loss(np.full_like(labels, -1), logits)) == 0


def test_dice_loss_leaves_out_what_nobody_labelled(pair):
    labels, logits = pair
    partly = labels.copy()
    partly[:, 3:] = -1
    found = ops.convert_to_numpy(dice_loss(partly, logits))
    expected = ops.convert_to_numpy(dice_loss(labels[:, :3], logits[:, :3]))
    assert np.allclose(found, expected, atol=1e-6)
    assert np.allclose(ops.convert_to_numpy(dice_loss(0 * labels - 1, logits)), 0)


def test_beta_moves_the_decision_the_way_the_formula_says():
    # Constant prediction on labels of which 20 % are positive.
    labels = np.zeros((1, 10, 10, 1), "float32")
    labels[:, :2] = 1

    def best(loss):
        logits = np.linspace(-6, 6, 481, dtype="float32")
        images = np.broadcast_to(logits[:, None, None, None], (481, 10, 10, 1))
        values = loss.call(np.repeat(labels, 481, axis=0), images)
        best = ops.convert_to_numpy(values).mean((1, 2)).argmin()
        return 1 / (1 + np.exp(-logits[best]))

    low, plain, high = (best(weighted_cross_entropy(b)) for b in (0.25, 1, 4))
    assert low < plain < high  # fewer false positives; fewer false negatives
    assert plain == pytest.approx(0.2, abs=0.01)
    assert high == pytest.approx(0.5, abs=0.01)  # 4 * 0.2 against 0.8
    assert best(balanced_cross_entropy(0.8)) == pytest.approx(0.5, abs=0.01)


def test_cross_entropies_refuse_several_channels():
    several = np.zeros((1, 4, 4, 3), "float32")
    with pytest.raises(ValueError, match=r"shape \(n, height, width, 1\)"):
        weighted_cross_entropy(1)(several, several)
