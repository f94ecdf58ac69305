"""Images side by side, and the curves of a training."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure


def show(
    images,
    titles=None,
    *,
    truth=None,
    vmin: float | None = None,
    vmax: float | None = None,
    columns: int | None = None,
    label: str = "",
) -> Figure:
    """Draw images side by side on one grey scale.

    Parameters
    ----------
    images : sequence of arrays, each (height, width) or (height, width, 1)
        What to draw, first to last from left to right.
    titles : sequence of str, optional
        One a picture.
    truth : array, shape (height, width) or (height, width, 1), optional
        Adds a second row: each image minus the truth, in colours centred on zero. The
        colour bar calls it by its title where it is among the images.
    vmin, vmax : float, optional
        Ends of the grey scale; by default those of the truth, or of all images.
    columns : int, optional
        Wrap after so many pictures; not together with `truth`.
    label : str
        Text beside the grey bar, with the unit.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no picture, one is not two-dimensional, titles and pictures differ
        in number, or a row of differences shall be wrapped.
    """
    images = [_picture(image) for image in images]
    if not images:
        raise ValueError("expected at least one picture, received none")
    if truth is not None and columns not in (None, len(images)):
        raise ValueError(
            f"expected all {len(images)} pictures in one row beside a truth, "
            f"received {columns} columns"
        )
    titles = [""] * len(images) if titles is None else list(titles)
    if len(titles) != len(images):
        raise ValueError(f"expected {len(images)} titles, received {len(titles)}")
    reference = images if truth is None else [_picture(truth)]
    vmin = min(np.nanmin(image) for image in reference) if vmin is None else vmin
    vmax = max(np.nanmax(image) for image in reference) if vmax is None else vmax

    columns = columns or len(images)
    n_rows = 2 if truth is not None else -(-len(images) // columns)
    width = min(2.2 * columns + 1, 10)  # an inch for the grey bar
    ratio = images[0].shape[0] / images[0].shape[1]
    height = n_rows * ((width - 1) / columns * min(ratio, 1.6) + 0.3)
    figure, axes = plt.subplots(
        n_rows, columns, figsize=(width, height), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    grid = axes[0] if truth is not None else axes.flat
    for axis, image, title in zip(grid, images, titles, strict=False):
        drawn = axis.imshow(image, cmap="gray", vmin=vmin, vmax=vmax)
        axis.set_title(title, fontsize=10)
    bar_axes = axes[0] if truth is not None else axes
    figure.colorbar(drawn, ax=bar_axes, label=label, pad=0.01)

    if truth is not None:
        differences = [image - reference[0] for image in images]
        limit = max(np.nanmax(np.abs(d)) for d in differences) or 1.0
        for axis, difference in zip(axes[1], differences, strict=True):
            if difference.any():  # the truth itself needs no picture of zeros
                drawn = axis.imshow(difference, cmap="RdBu_r", vmin=-limit, vmax=limit)
        same = [not d.any() for d in differences]
        name = titles[same.index(True)] if True in same else ""
        figure.colorbar(drawn, ax=axes[1], label=f"minus {name or 'truth'}", pad=0.01)
    return figure


def show_history(history: dict[str, list[float]], metric: str = "loss") -> Figure:
    """Plot a metric of training and of validation against the epoch.

    The axis is logarithmic where all values are above zero, and linear otherwise.

    Parameters
    ----------
    history : dict
        As in ``model.fit(...).history``.
    metric : str
        A key of the history; ``val_<metric>`` is drawn when it is there.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    KeyError
        If the history has no such metric.
    """
    if metric not in history:
        raise KeyError(f"expected one of {sorted(history)}, received {metric!r}")
    curves = {"training": history[metric]}
    if f"val_{metric}" in history:
        curves["validation"] = history[f"val_{metric}"]
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    for (label, values), marker in zip(curves.items(), "os", strict=False):
        epochs = np.arange(1, len(values) + 1)
        axis.plot(epochs, values, f"{marker}-", ms=3, label=label)
    lowest = min(np.min(values) for values in curves.values())
    scale = "linear" if lowest <= 0 else "log"  # a logarithm would hide values
    axis.set(xlabel="epoch", ylabel=metric, yscale=scale)
    axis.legend(frameon=False)
    return figure


def _picture(image):
    image = np.asarray(image, dtype=np.float32)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if image.ndim != 2:
        raise ValueError(
            f"expected a picture (height, width) or (height, width, 1), "
            f"received shape {image.shape}"
        )
    return image
