"""What a network needs, from its architecture alone, before anything is allocated."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path

import keras

_BYTES = 4  # of a float32
# Where Linux tells a container how much it may use: Binder has little on large hosts.
_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


@dataclass(frozen=True)
class Needs:
    """What a network needs.

    Attributes
    ----------
    parameters : int
        Number of trainable and other weights.
    training_bytes : int
        Memory while training with Adam [bytes]: weights, their gradients, two moments
        of each, and the output of each layer with its gradient. What the framework
        itself takes, about half a gigabyte, comes on top.
    """

    parameters: int
    training_bytes: int


def needs(
    build: Callable[..., keras.Model], *args, batch_size: int = 32, **kwargs
) -> Needs:
    """Tell what a network needs without allocating it.

    Parameters
    ----------
    build : callable
        A builder, such as `srtools.models.automap`.
    *args, **kwargs
        Its arguments.
    batch_size : int
        Samples a step of the training.

    Returns
    -------
    Needs

    Raises
    ------
    ValueError
        If a side of an image is left open, or the model does not know the outputs of
        its layers, as subclassed ones. Errors of the builder are passed on.

    Examples
    --------
    >>> from srtools.models import automap
    >>> needs(automap, 128, 128).parameters > 5e8
    True
    """

    def count():
        # In this scope Keras notes the shapes of weights and creates none of them.
        with keras.StatelessScope(initialize_variables=False):
            model = build(*args, **kwargs)
        layers = model._flatten_layers(include_self=False)
        values = batch_size * sum(map(_values, layers))
        parameters = model.count_params()
        return Needs(parameters, _BYTES * (4 * parameters + 2 * values))

    # It also lists them, to create them in the end. The list is the thread's own: in a
    # thread that ends here nobody finds it.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(count).result()


def _values(layer):
    """Values of a sample that a layer keeps: its output, and what it makes before."""
    try:
        shape = layer.output.shape[1:]
    except AttributeError:
        raise ValueError(
            "expected a network made of layers with known outputs, received one whose "
            f"{layer.name!r} has none"
        ) from None
    if None in shape:
        raise ValueError(
            f"expected images of a given size, received {shape} as the output of "
            f"{layer.name!r}"
        )
    inside = getattr(layer, "values_inside", lambda shape: 0)
    return prod(shape) + inside(shape)


def fits(need: Needs) -> bool | None:
    """Tell whether this machine has the memory to train a network.

    Parameters
    ----------
    need : Needs
        From `needs`.

    Returns
    -------
    bool or None
        None where the system does not tell how much memory it has, as Windows.

    Examples
    --------
    >>> from srtools.models import automap
    >>> fits(needs(automap, 1024, 1024))
    False
    """
    if not hasattr(os, "sysconf"):
        return None
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in map(Path, _LIMITS):
        if path.is_file() and (limit := path.read_text().strip()).isdigit():
            memory = min(memory, int(limit))
    return need.training_bytes <= memory
