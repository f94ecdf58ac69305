"""Trained weights: where they are kept, and what their cards say of them.

A network is a pair of files: ``name.keras``, Keras' own format with weights in half
precision, and ``name.json``, its card. The networks of the book come with the package.
"""

import hashlib
import html
import io
import json
import tempfile
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py
import numpy as np

from srtools.files import atomic_write

_KERNEL = 1_000  # weights in one array from which on it is rounded to a grid
_MANY = 100_000  # and to a coarser one: only dense layers have as many

# Arguments that initializers and batch normalisation have got after Keras 3.13, with
# their defaults: at these they are not written, for older versions refuse them.
_NEW = {"input_axes": None, "output_axes": None}
_NEW |= {"renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99}

SHIPPED = Path(__file__).parent
"""The folder of the networks that come with the package."""


@dataclass(frozen=True)
class Card:
    """What is known of a trained network.

    Attributes
    ----------
    name, key : str
        The key tells whether a training is the same: `srtools.tutorial.trained`.
    architecture : dict
        Class, shapes of input and output, number of parameters.
    data : dict
        The recipe of the training data.
    seed : int
    fit : dict
        Epochs, batch size and the number of steps.
    history : dict
        Loss and metrics after each epoch.
    metrics : dict
        Loss and metrics of the final weights, on validation and test data.
    taught_in : dict
        Smallest and largest value of the training input and of its target.
    seconds : float
        That the training took: the processor's time over all cores.
    hardware, versions, date, commit, licence : str
        Where, with what and when it was trained, and how it may be used.
    sha256 : str
        Of the file of weights.
    """

    name: str
    key: str
    architecture: dict
    data: dict
    seed: int
    fit: dict
    history: dict
    metrics: dict
    taught_in: dict
    seconds: float
    hardware: str
    versions: str
    date: str
    commit: str
    licence: str = "MIT"
    sha256: str = field(default="")

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{html.escape(name.replace('_', ' '))}</th>"
            f"<td>{html.escape(_shown(value))}</td></tr>"
            for name, value in asdict(self).items()
            if name not in ("history", "key")
        )
        return f'<table class="card">{rows}</table>'


def _shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_shown(v)}" for k, v in value.items())
    if isinstance(value, list):
        return " to ".join(_shown(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def read_card(path: Path) -> Card:
    """Read the card beside a file of weights.

    Raises
    ------
    ValueError
        If there is none, or it is no card.
    """
    card = path.with_suffix(".json")
    try:
        return Card(**json.loads(card.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ValueError(f"{path}: expected a card {card.name} beside it") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{card}: expected the card of a network ({error})") from error


def check_file(path: Path, card: Card) -> None:
    """Raise ValueError if a file of weights is missing or not the one of its card."""
    if not path.exists():
        raise ValueError(
            f"{path}: expected the weights of {card.name} beside their card, found no "
            "file: install the package anew, or remove the card"
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != card.sha256:
        raise ValueError(
            f"{path}: expected SHA-256 {card.sha256}, found {found}: the file is "
            "damaged or of another network; remove it and its card"
        )


def load_weights(model, path: Path, card: Card) -> None:
    """Load weights into a network of the same architecture.

    Raises
    ------
    ValueError
        If the file is damaged, of another network or architecture, or this Keras
        cannot read it.
    """
    check_file(path, card)
    plain = type(model).from_config(model.get_config())  # without an optimizer
    try:
        # Keras reads within the archive, and unpacks it anew at each step back.
        with zipfile.ZipFile(path) as file, tempfile.TemporaryDirectory() as folder:
            plain.load_weights(file.extract("model.weights.h5", folder))
    except Exception as error:  # Keras raises many kinds
        raise unreadable(path, card, error) from error
    model.set_weights(plain.get_weights())


def unreadable(path: Path, card: Card, error: Exception) -> ValueError:
    """Return the error for weights that this Keras cannot read."""
    import keras

    return ValueError(
        f"{path}: expected {card.architecture.get('class')} with "
        f"{card.architecture.get('parameters')} parameters, saved by {card.versions}; "
        f"this is keras {keras.__version__} ({str(error).splitlines()[0]})"
    )


def halve(model) -> None:
    """Round the weights of a network as `save` does, in place."""
    model.set_weights([_half(w).astype(w.dtype) for w in model.get_weights()])


def save(model, path: Path, card: dict) -> Card:
    """Write a network and its card; the card comes last and says that both are whole.

    Parameters
    ----------
    model : keras.Model
    path : Path
        Ends in ``.keras``.
    card : dict
        Fields of `Card`, but for ``sha256``.

    Returns
    -------
    Card
    """
    plain = type(model).from_config(model.get_config())  # without loss and optimizer
    plain.set_weights(model.get_weights())
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        plain.save(partial)
        _shrink(partial)
        card = Card(**card, sha256=hashlib.sha256(partial.read_bytes()).hexdigest())
    with atomic_write(path.with_suffix(".json")) as partial:
        text = json.dumps(asdict(card), indent=1, default=float)
        partial.write_text(text + "\n", encoding="utf-8")
    return card


def _shrink(path):
    """Pack a ``.keras`` file, with weights in half precision, for any Keras 3."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    for name in [n for n in parts if n.endswith(".h5")]:
        small = io.BytesIO()
        with (
            h5py.File(io.BytesIO(parts[name]), "r") as full,
            h5py.File(small, "w") as f,
        ):
            full.visititems(lambda key, item, f=f: _copy(key, item, f))
            f.attrs.update(full.attrs)
        parts[name] = small.getvalue()
    config = json.loads(parts["config.json"], object_hook=_without_news)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, content in parts.items():  # at one time: the same bytes each time
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            new.writestr(entry, content, zipfile.ZIP_BZIP2)  # packs numbers best


def _without_news(part):
    """A part of a configuration without what only newer versions of Keras know."""
    return {k: v for k, v in part.items() if k not in _NEW or v != _NEW[k]}


def _copy(key, item, file):
    if isinstance(item, h5py.Group):
        group = file.require_group(key)
        group.attrs.update(item.attrs)
    else:
        file.create_dataset(key, data=_half(item[()])).attrs.update(item.attrs)


def _half(values):
    """Values with eight binary digits, as bfloat16 has them, in half precision.

    What float16 could hold beyond them is noise to a network, and does not pack.
    Kernels bear more: they are rounded to multiples of a fraction of their root mean
    square, a 32nd, or an eighth for the many weights of a dense layer. It costs the
    networks of the book that were measured 0.01 dB (CNN, dense, AUTOMAP, FBP + U-Net,
    learned primal-dual).
    """
    values = np.asarray(values)
    if values.dtype != np.float32:
        return values
    if values.ndim > 1 and values.size >= _KERNEL:
        parts = 8 if values.ndim == 2 and values.size >= _MANY else 32
        size = np.sqrt(np.mean(values**2)) / parts
        grid = 2.0 ** np.round(np.log2(size + 1e-30))
        values = (np.round(values / grid) * grid).astype(np.float32)
    bits = values.view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000  # to the nearest, ties even
    rounded = bits.astype(np.uint32).view(np.float32)
    with np.errstate(over="ignore"):
        half = rounded.astype(np.float16)
    return half if np.isfinite(half).all() else rounded
