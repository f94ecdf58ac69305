import keras
import numpy as np
import pytest
from learning import assert_it_learns, seeded

from srtools.models import PhaseError, fusion_net, fusion_refine
from srtools.superresolution import FusionPairs
from srtools.tutorial import trained

pytestmark = pytest.mark.any_backend

SMALL = {"filters": (6, 8)}
NETWORKS = {
    "fusion_net": lambda: fusion_net((5, 7, 2), **SMALL),
    "without a guide": lambda: fusion_net((5, 7, 2), guide=False, **SMALL),
    "fusion_refine": lambda: fusion_refine((17, 25, 2), **SMALL),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    seeded()
    return NETWORKS[request.param]()


def data(network, n=8):
    """Maps that are blurred, a guide that shows their edges, and the sharp maps."""
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.random((n, 5, 7, 2)) > 0.5, 4, 1).repeat(4, 2)[:, :17, :25]
    truth = truth.astype(np.float32)
    guide = truth @ np.float32([[0.3], [0.9]])
    single = not isinstance(network.input, list)
    fine = network.name == "fusion_refine"
    maps = truth * 0.5 + 0.2 if fine else truth[:, ::4, ::4]
    return (maps if single else [maps, guide]), truth


def test_shapes(network):
    inputs, truth = data(network, 3)
    assert network(inputs).shape == truth.shape


def test_maps_and_guides_of_other_shapes_are_refused():
    maps, guide = np.zeros((2, 5, 7, 2)), np.zeros((2, 17, 25, 1))
    fine = np.zeros((2, 17, 25, 2))
    net, alone, refine = (build() for build in NETWORKS.values())
    for network, inputs, wrong in (
        (net, [maps[..., :1], guide], r"'maps'.*, 5, 7, 2\).*\(2, 5, 7, 1\)"),
        (net, [maps, guide[:, :9, :13]], r"'guide'.*, 17, 25, 1\).*\(2, 9, 13, 1\)"),
        (alone, maps[..., :1], r"'maps'.*, 5, 7, 2\).*\(2, 5, 7, 1\)"),
        (refine, [guide, fine], r"'maps'.*, 17, 25, 2\).*\(2, 17, 25, 1\)"),
    ):
        with pytest.raises(ValueError, match=wrong):
            network(inputs)
        if keras.backend.backend() == "jax":  # it names a layer inside, no input
            continue
        with pytest.raises(ValueError, match=wrong):
            network.predict(inputs, verbose=0)
    named = {"maps": maps, "guide": guide}
    assert net.predict_on_batch(named).shape == fine.shape


@pytest.mark.training
def test_training_moves_every_weight_and_lowers_the_loss(network):
    inputs, truth = data(network)
    network.compile(keras.optimizers.Adam(1e-2), PhaseError([1, 2]))
    assert_it_learns(network, inputs, truth, steps=100)


def test_a_saved_network_predicts_the_same(network, tmp_path):
    inputs, _ = data(network, 3)
    rng = np.random.default_rng(1)  # an untrained network only passes the maps on
    weights = [w + 0.1 * rng.normal(size=w.shape) for w in network.get_weights()]
    network.set_weights(weights)
    network.compile("sgd", PhaseError([1, 2]))
    expected = network.predict_on_batch(inputs)
    network.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    found = loaded.predict_on_batch(inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert loaded.loss.weights == [1, 2]


def test_the_error_of_a_phase_counts_as_its_weight_says():
    truth = np.zeros((2, 3, 4, 2), np.float32)
    wrong = truth + np.float32([1, 0])
    loss = PhaseError([3, 1])
    assert float(loss(truth, wrong)) == pytest.approx(3 / 2 / 2)
    assert float(loss(truth, truth + 1)) == pytest.approx(1)
    with pytest.raises(ValueError, match="2 phases, one for each weight, received 3"):
        loss(np.zeros((1, 3, 4, 3)), np.zeros((1, 3, 4, 3), np.float32))
    for weights in ([], [1, 0], [1, -1]):
        with pytest.raises(ValueError, match="positive weights"):
            PhaseError(weights)


def test_a_network_of_two_inputs_is_trained_once_and_then_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("SRTOOLS_CACHE", str(tmp_path))
    calls = []
    results = []
    for _ in range(2):
        network = NETWORKS["fusion_net"]()
        (maps, guide), truth = data(network)
        network.compile("adam", PhaseError([1, 2]))

        def starts(maps=maps):
            calls.append(1)
            return maps

        # Seven turns in eight would not fit: these maps are not square.
        pairs = FusionPairs(starts, guide, truth, recipe="bars", augment=False)
        how = trained("fusion", network, pairs, epochs=1)
        results.append(network.predict_on_batch([maps, guide]))
    assert how.loaded and len(calls) == 1
    np.testing.assert_allclose(*results, atol=1e-5)


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match=r"3 or more, and phases, received \(5, 2, 6"):
        fusion_net((5, 2, 6))
    with pytest.raises(ValueError, match="factor"):
        fusion_net((5, 5, 6), factor=1)
    with pytest.raises(ValueError, match=r"all positive, received \(9, 9\)"):
        fusion_refine((9, 9))
    network = fusion_net((5, 7, 2), **SMALL)
    with pytest.raises(ValueError, match="incompatible"):
        network.predict([np.zeros((1, 5, 7, 3)), np.zeros((1, 17, 25, 1))], verbose=0)
