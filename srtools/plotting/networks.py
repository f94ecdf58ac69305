"""What a network is made of, drawn from the model itself."""

import itertools
import textwrap
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure


def draw_model(model) -> Figure:
    """Draw what a network is made of: a box for each stay on one grid.

    From left to right in the order of computing; a row for each grid of pixels, in the
    order in which they appear, and one for vectors. A box lists its layers and, below
    them, the shape of what they give: height, width, channels. Dark arrows lead from
    box to box, red ones hand something on past other boxes; "/ 2" is a stride of two
    pixels. Activations, normalisation, dropout, scaling, reshaping and slices are left
    out.

    Parameters
    ----------
    model : keras.Model
        Functional, with known sides. Models inside it are drawn open.

    Returns
    -------
    matplotlib.figure.Figure
        At most 7.5 inches wide.

    Raises
    ------
    ValueError
        If the model is not functional, or a side of its input may vary.
    """
    if not hasattr(model, "operations"):
        kind = type(model).__name__
        raise ValueError(f"expected a functional model, received a {kind}")
    shapes = [tuple(image.shape[1:]) for image in model.inputs]
    if None in itertools.chain(*shapes):
        raise ValueError(f"expected an input of known sides, received {shapes}")
    boxes = _boxes(_steps(model))
    _place(boxes)
    n_columns, n_rows = (1 + max(box.place[i] for box in boxes) for i in (0, 1))
    pitch = min(1.35, 7.5 / n_columns)  # everything here is in inches
    half = 0.44 * pitch
    texts = [box.text(int(2 * half / 0.062)) for box in boxes]
    tall = np.zeros(n_rows)  # half the height of a row's boxes
    for box, text in zip(boxes, texts, strict=True):
        row = box.place[1]
        tall[row] = max(tall[row], 0.12 + 0.07 * text.count("\n"))
    middle = 0.2 + np.cumsum(2 * tall + 0.25) - tall - 0.25
    size = pitch * n_columns, middle[-1] + tall[-1] + 0.05
    figure = plt.figure(figsize=size)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, size[0]), ylim=(size[1], 0))
    axis.axis("off")

    def arrow(start, end):
        (left, row), (right, last) = start, end
        colour = "0.2" if left + 1 == right else "tab:red"
        style = {"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0}
        x, y = pitch * (np.array((left, right)) + 0.5), middle[[row, last]]
        between = [left < c < right and r == row for c, r in (b.place for b in boxes)]
        if row == last and any(between):
            top = y[0] - tall[row]
            axis.plot(x[[0, 0, 1]], top - [0, 0.12, 0.12], color=colour, lw=1)
            ends = (x[1], top), (x[1], top - 0.12)
        else:
            ends = (x[1] - half, y[1]), (x[0] + half, y[0])
        axis.annotate("", *ends, arrowprops=style)

    for box, text in zip(boxes, texts, strict=True):
        (column, row), colour = box.place, box.colour()
        x, y = pitch * (column + 0.5), middle[row]
        corner, sides = (x - half, y - tall[row]), (2 * half, 2 * tall[row])
        axis.add_patch(plt.Rectangle(corner, *sides, fc=colour, ec="0.3", lw=0.8))
        axis.text(x, y, text, ha="center", va="center", fontsize=7.5)
        for start in box.sources:
            arrow(start, box.place)
    return figure


# What changes neither where something stands nor how much of it there is.
_UNSEEN = """Activation BatchNormalization Dropout Flatten GetItem LeakyReLU
LocalResponseNormalization PReLU ReLU Rescaling Reshape""".split()
_WORDS = {"InputLayer": "{0.name}", "Concatenate": "join", "Add": "add"}
_WORDS |= {"Dense": "dense", "MaxPooling2D": "pool {0.pool_size[0]}×{0.pool_size[1]}"}
_WORDS |= {"FilteredBackProjection": "FBP", "Projection": "project"}
_WORDS |= {
    "BackProjection": "back-project",
    "MixedScaleDense": "{0.depth} × conv 3×3, of all maps so far",
}
_SIZED = ("conv", "dense", "up")  # their channels are told where they change


@dataclass(eq=False)
class _Step:
    """A layer at work: its words, the shape that it gives, and what it works on."""

    words: str
    shape: tuple
    before: list
    n_users: int = 0
    box: "_Box | None" = None


@dataclass(eq=False)
class _Box:
    """Steps one after the other on one grid."""

    steps: list
    place: tuple = ()

    @property
    def sources(self):
        """Places of the boxes that this one takes from."""
        boxes = {before.box for step in self.steps for before in step.before}
        return {box.place for box in boxes - {self}}

    def colour(self):
        is_input, is_vector = not self.steps[0].before, len(self.steps[0].shape) == 1
        return "#dddddd" if is_input else "#fde0b6" if is_vector else "#cfe3f5"

    def text(self, fits):
        """Words of the layers, equal neighbours counted, and the shape."""
        words, last = [], self.steps[-1].shape[-1]
        for step in self.steps:
            is_sized = step.words.startswith(_SIZED) and step.shape[-1] != last
            words.append(f"{step.words}, {step.shape[-1]}" if is_sized else step.words)
        counted = [(word, len(list(run))) for word, run in itertools.groupby(words)]
        lines = [f"{n} × {word}" if n > 1 else word for word, n in counted]
        lines = [part for line in lines for part in textwrap.wrap(line, fits)]
        return "\n".join([*lines, "×".join(map(str, self.steps[-1].shape))])


def _steps(model):
    """All steps of a model in the order of computing."""
    found, known = [], {}

    def follow(tensor):
        if id(tensor) not in known:
            known[id(tensor)] = _follow(tensor)
        return known[id(tensor)]

    def _follow(tensor):
        history = tensor._keras_history
        layer = history.operation
        node = layer._inbound_nodes[history.node_index]
        before = [follow(one) for one in node.input_tensors]
        if hasattr(layer, "operations"):  # a model: go in
            known.update(zip(map(id, layer.inputs), before, strict=True))
            return follow(layer.outputs[history.tensor_index])
        kind = type(layer).__name__
        if kind in _UNSEEN or (kind == "Concatenate" and len({*map(id, before)}) == 1):
            return before[0]
        step = _Step(_words(layer, kind), tuple(tensor.shape[1:]), before)
        for one in {id(one): one for one in before}.values():
            one.n_users += 1
        found.append(step)
        return step

    for tensor in model.outputs:
        follow(tensor).shape = tuple(tensor.shape[1:])
    return found


def _words(layer, kind):
    """What a reader calls a layer."""
    if kind.startswith("Conv"):
        sides, strides = "×".join(map(str, layer.kernel_size)), max(layer.strides)
        is_up = "Transpose" in kind and strides > 1
        stride = f" / {strides}" if strides > 1 and not is_up else ""
        return f"up {sides}" if is_up else f"conv {sides}{stride}"
    return _WORDS.get(kind, "{0.name}").format(layer)


def _boxes(steps):
    """Gather steps: one that follows another on its grid, alone, shares its box."""
    boxes = []
    for step in steps:
        alone = [
            one.box
            for one in step.before
            if one.before and one.n_users == 1 and one is one.box.steps[-1]
            if one.shape[:-1] == step.shape[:-1]
        ]
        if alone:
            step.box = max(alone, key=boxes.index)
            step.box.steps.append(step)
        else:
            step.box = _Box([step])
            boxes.append(step.box)
    return boxes


def _place(boxes):
    """Give each box a column, behind its sources, and the row of its grid."""
    grids, taken = [], set()
    for box in boxes:
        grid, k = box.steps[0].shape[:-1], 0
        column = 1 + max((column for column, _ in box.sources), default=-1)
        while (column, grid, k) in taken:  # side by side: one below the other
            k += 1
        taken.add((column, grid, k))
        grids += [(grid, k)] if (grid, k) not in grids else []
        box.place = column, (grid, k)
    order = [grid for grid, _ in grids]
    grids.sort(key=lambda row: (order.index(row[0]), row[1]))
    for box in boxes:
        box.place = box.place[0], grids.index(box.place[1])
