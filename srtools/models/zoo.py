"""Networks that come with the package, ready for data of one's own."""

import difflib

import keras

from srtools.models.passes import end_passes_in_time
from srtools.weights import SHIPPED, Card, check_file, read_card, unreadable


def pretrained(name: str) -> tuple[keras.Model, Card]:
    """Load a network that comes with the package.

    Parameters
    ----------
    name : str
        For example ``"fbp_unet"``; an unknown name is answered with those there are.

    Returns
    -------
    model : keras.Model
        Not compiled: ready to predict, or to be trained further.
    card : Card
        What it was trained on, how well it does, and the range it was taught in: data
        of another range, angle or pixel size are not what it knows. `check_range`
        compares the range, `rescaled` mends it.

    Raises
    ------
    KeyError
        If there is no such network.
    ValueError
        If its file is damaged, or this Keras cannot read it.
    """
    from srtools.models import (  # noqa: F401 (their layers)
        alex_net,
        fusion,
        mixed_scale,
        physics_aware,
        reconstruction,
        super_resolution,
        vae,
    )

    end_passes_in_time()
    path = SHIPPED / f"{name}.keras"
    if not path.exists():
        names = sorted(file.stem for file in SHIPPED.glob("*.keras"))
        near = difflib.get_close_matches(name, names, 1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"expected one of {', '.join(names)}, received {name!r}{hint}")
    card = read_card(path)
    check_file(path, card)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True), card
    except Exception as error:  # Keras raises many kinds
        raise unreadable(path, card, error) from error
