"""What a network needs, from its architecture alone, before anything is allocated."""

import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import keras

_BYTES = 4  # of a float32
_planning = False


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


def needs(build: Callable[..., keras.Model], *args, batch_size: int = 32, **kwargs):
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

    Examples
    --------
    >>> from srtools.models.reconstruction import automap
    >>> needs(automap, 128, 128).parameters > 5e8
    True
    """
    # In this scope Keras notes the shapes of weights and creates none of them.
    with keras.StatelessScope(initialize_variables=False), _only_planning():
        model = build(*args, **kwargs)
    outputs = [layer.output for layer in model._flatten_layers(include_self=False)]
    values = batch_size * sum(prod(output.shape[1:]) for output in outputs)
    parameters = model.count_params()
    return Needs(parameters, _BYTES * (4 * parameters + 2 * values))


def check_fits(name: str, parameters: int) -> None:
    """Raise if this machine has too little memory to train so many weights.

    Parameters
    ----------
    name : str
        Of the network, for the message.
    parameters : int
        Number of its weights.

    Raises
    ------
    MemoryError
        If weights, gradients and Adam's two moments exceed the machine's memory.
    """
    if _planning or not hasattr(os, "sysconf"):  # not on Windows
        return
    present = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = 4 * _BYTES * parameters
    if needed > present:
        raise MemoryError(
            f"{name} of this size has {parameters / 1e6:,.0f} million weights and "
            f"needs {needed / 1e9:,.0f} GB to train; this machine has "
            f"{present / 1e9:,.0f} GB. "
            "Make the image smaller, or use srtools.models.fbp_unet, "
            "whose size does not grow with that of the image"
        )


@contextmanager
def _only_planning():
    global _planning
    _planning = True
    try:
        yield
    finally:
        _planning = False
