"""Decision boundaries in the plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._data import Array, as_array, as_count, as_number
from ._figure import COLORS, GREY, MARKERS, class_ids, names_of_classes, new_figure, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["decision_boundary"]


def decision_boundary(
    model: Any,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    grid_resolution: int = 300,
    margin: float = 0.08,
    threshold: float = 0.5,
    class_names: Sequence[str] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the class that a model predicts at each point of the plane, and points with their classes.

    Parameters
    ----------
    model : Sequential or function
        Maps points (batch, 2) to a score for each class, (batch, classes), or to one number, (batch, 1),
        which means class 1 if it exceeds `threshold`.
    x : array_like, (points, 2)
    y : array_like, (points,) or (points, classes)
        Class ids or one-hot rows.
    grid_resolution : int, default 300
        Number of grid points along each side.
    margin : float, default 0.08
        Margin around the points, as a fraction of their extent.
    threshold : float, default 0.5
        Threshold of a single output; use 0 for logits.
    class_names : list of str, optional
        Names for a legend.
    title : str, optional
    ax : Axes, optional
        Axes to draw into.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError, ValueError
        If an argument is invalid, or the model's output has another shape.

    Examples
    --------
    >>> from cnet import datasets, plots
    >>> x, y = datasets.spiral(classes=2)
    >>> figure = plots.decision_boundary(lambda points: points[:, :1], x, y, threshold=0)
    >>> figure.axes[0].get_legend() is None  # without class_names
    True
    """
    points = as_array(x, "decision_boundary: x")
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(f"decision_boundary: x: expected shape (points, 2), got {points.shape}")
    ids = class_ids("decision_boundary: y", y, len(points))
    number = as_count("decision_boundary: grid_resolution", grid_resolution, least=2)
    threshold = as_number("decision_boundary: threshold", threshold)
    sides = _sides(points, number, as_number("decision_boundary: margin", margin))
    plane = np.stack(np.meshgrid(*sides), axis=-1)
    regions = _decide(model, plane.reshape(-1, 2), threshold).reshape(number, number)
    names = names_of_classes("decision_boundary", class_names, [ids])
    classes = max(len(names), int(regions.max()) + 1)

    figure = new_figure("decision_boundary", (4.6, 4.4)) if ax is None else ax.figure
    axes = figure.subplots() if ax is None else ax
    from matplotlib.colors import to_rgb

    colors = np.array([to_rgb(COLORS[n % len(COLORS)]) for n in range(classes)])
    _draw_regions(axes, sides, regions, 1 - 0.3 * (1 - colors))
    for n in np.unique(ids):
        axes.scatter(
            points[ids == n, 0],
            points[ids == n, 1],
            s=18,
            color=colors[n],
            marker=MARKERS[(n + n // len(COLORS)) % len(MARKERS)],
            edgecolors="white",
            linewidths=0.5,
            label=names[n],
        )
    axes.tick_params(labelsize=8, color=GREY, labelcolor=GREY)
    axes.spines[:].set_visible(False)
    if class_names is not None:
        axes.legend(fontsize=8, framealpha=0.8, edgecolor="none")
    put_title(axes, title)
    return figure.figure


def _sides(points: Array, number: int, margin: float) -> list[Array]:
    """Return the coordinates of the grid's columns and rows."""
    low, high = points.min(axis=0), points.max(axis=0)
    around = margin * np.where(high > low, high - low, 1)
    low, high = low - around, high + around
    return [np.linspace(low[n], high[n], number) for n in range(2)]


def _draw_regions(axes: Axes, sides: list[Array], regions: Array, tints: Array) -> None:
    """Fill the plane with the tints of its classes, separated by lines."""
    x, y = sides
    # Each grid point is the centre of its pixel.
    dx, dy = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    extent = (x[0] - dx, x[-1] + dx, y[0] - dy, y[-1] + dy)
    axes.imshow(tints[regions], extent=extent, origin="lower", aspect="auto")
    for n in np.unique(regions)[1:]:
        axes.contour(x, y, regions >= n, levels=[0.5], colors="white", linewidths=1.2)


def _decide(model: Any, points: Array, threshold: float) -> npt.NDArray[np.int64]:
    """Return the class that a model predicts for each point."""
    predict: Callable[[Array], Any] = getattr(model, "predict_on_batch", model)
    outputs = np.asarray(predict(points))
    if outputs.ndim != 2 or len(outputs) != len(points):
        raise ValueError(
            f"decision_boundary: model: expected an output of shape ({len(points)}, classes), "
            f"got {outputs.shape}"
        )
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > threshold).astype(np.int64)
    classes: npt.NDArray[np.int64] = outputs.argmax(axis=1)
    return classes
