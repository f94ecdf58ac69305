import os

import keras
import pytest

from srtools.models import (
    CVAE,
    Needs,
    alexnet,
    automap,
    dense_reconstruct,
    fbp_unet,
    fits,
    learned_primal_dual,
    memory,
    msd,
    needs,
    reconstruct_cnn,
    unet,
)
from srtools.tomography import ParallelBeam

BEAM = ParallelBeam(16, [0, 45, 90], 18)
BUILDERS = {
    "reconstruct_cnn": (reconstruct_cnn, (18, 3), {"size": 16}),
    "dense_reconstruct": (dense_reconstruct, (18, 3), {"size": 16}),
    "automap": (automap, (18, 3), {"size": 16, "filters": 4}),
    "unet": (unet, ((16, 24, 1),), {"filters": (2, 3)}),
    "fbp_unet": (fbp_unet, (BEAM,), {"filters": (2, 3)}),
    "learned_primal_dual": (learned_primal_dual, (BEAM,), {"iterations": 2}),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_count_is_that_of_the_built_network(name):
    build, args, kwargs = BUILDERS[name]
    expected = build(*args, **kwargs).count_params()
    assert needs(build, *args, **kwargs).parameters == expected


def test_the_memory_of_a_small_network_by_hand():
    def build(units):
        x = keras.Input((3,))
        return keras.Model(x, keras.layers.Dense(units)(x))

    # 3 x 5 weights and 5 biases, each with gradient and two moments; for each of 7
    # samples 3 values in and 5 out, with their gradients. Four bytes a number.
    found = needs(build, 5, batch_size=7)
    assert found.parameters == 20
    assert found.training_bytes == 4 * (4 * 20 + 2 * 7 * (3 + 5))


def test_a_layer_that_is_many_counts_what_it_keeps():
    # 3 layers on stacks of 1, 2 and 3 maps, of each of which a rectified map is kept.
    found = needs(msd, (16, 24, 1), 3, batch_size=2)
    maps = 1 + 1 + (1 + 2 + 3) + 3  # with the image and the output
    assert found.training_bytes == 4 * (4 * found.parameters + 2 * 2 * 16 * 24 * maps)


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match=r"images of a given size.*None, None, 1"):
        needs(unet, (None, None, 1))
    with pytest.raises(ValueError, match=r"layers with known outputs.*has none"):
        needs(CVAE, 4, (16, 16, 1))


def test_a_network_that_no_machine_could_hold_is_counted_at_once():
    side = 1024  # the two dense layers alone would take 8 terabytes
    found = needs(automap, side, side)
    assert found.parameters > 2 * side**4
    assert found.training_bytes > 16 * found.parameters


def test_what_was_only_counted_is_never_allocated():
    needs(automap, 1024, 1024)
    with keras.StatelessScope():  # creates on leaving what waits to be created
        pass
    assert alexnet((33, 33, 1), 1, small=True).count_params() > 0


def test_an_error_of_the_builder_is_passed_on():
    with pytest.raises(ValueError, match=r"positive sizes.*0, 3"):
        needs(automap, 0, 3)


def test_more_samples_a_step_need_more_memory_and_no_more_parameters():
    few, many = (needs(automap, 32, 16, batch_size=n) for n in (1, 100))
    assert few.parameters == many.parameters
    assert few.training_bytes < many.training_bytes


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 4 GB, with or without a limit for the container."""

    def make(limit=None):
        sizes = {"SC_PHYS_PAGES": 1_000_000, "SC_PAGE_SIZE": 4_000}
        monkeypatch.setattr(os, "sysconf", sizes.__getitem__, raising=False)
        file = tmp_path / "memory.max"
        if limit is not None:
            file.write_text(f"{limit}\n")
        monkeypatch.setattr(memory, "_LIMITS", (str(file), str(tmp_path / "none")))

    return make


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, (True, True, False)),
        ("max", (True, True, False)),
        (2_000_000_000, (True, False, False)),
        (8_000_000_000, (True, True, False)),  # more than there is
    ],
)
def test_what_fits_depends_on_the_machine_and_on_the_container(
    machine, limit, expected
):
    machine(limit)
    found = [fits(Needs(1, gigabytes * 10**9)) for gigabytes in (1, 4, 5)]
    assert tuple(found) == expected


def test_a_network_is_built_whatever_the_machine(machine):
    machine(limit=1)
    assert not fits(needs(automap, 8, 4))
    assert automap(8, 4).count_params() > 0


def test_a_system_that_does_not_tell_its_memory(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    assert fits(Needs(1, 1)) is None
