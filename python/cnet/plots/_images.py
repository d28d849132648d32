"""Images with their classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from .._data import as_array, as_count
from ._figure import GREY, RED, class_ids, names_of_classes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["images"]


def images(
    x: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    predictions: npt.ArrayLike | None = None,
    *,
    class_names: Sequence[str] | None = None,
    columns: int = 10,
    cmap: str = "gray_r",
    title: str | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw images in rows, titled with their class, or "predicted (true)" if the prediction is wrong.

    Wrong predictions have a frame and a coloured title.

    Parameters
    ----------
    x : array_like, (images, height, width) or (images, height, width, 1, 3 or 4)
        All images are drawn; use ``x[:30]`` for the first thirty.
    labels, predictions : array_like, (images,) or (images, classes), optional
        Class ids, or rows such as one-hot labels or probabilities, whose largest element is used.
    class_names : list of str, optional
        Default: the ids.
    columns : int, default 10
    cmap : str, default "gray_r"
        A colormap of matplotlib for images without channels; "gray_r" is dark on white.
    title : str, optional
    figure : Figure or SubFigure, optional
        An empty figure to draw into.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError, ValueError
        If an argument is invalid, or the lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import plots
    >>> figure = plots.images(np.zeros((3, 28, 28)), labels=[7, 2, 1], predictions=[7, 2, 4])
    >>> [axes.get_title() for axes in figure.axes]
    ['7', '2', '4 (1)']
    """
    pixels = as_array(x, "images: x")
    if pixels.ndim not in (3, 4) or (pixels.ndim == 4 and pixels.shape[3] not in (1, 3, 4)):
        raise ValueError(
            "images: x: expected shape (images, height, width), optionally with 1, 3 or 4 channels, "
            f"got {pixels.shape}"
        )
    count = len(pixels)
    if count == 0:
        raise ValueError("images: x: expected at least one image, got none")
    true = None if labels is None else class_ids("images: labels", labels, count)
    predicted = (
        None if predictions is None else class_ids("images: predictions", predictions, count)
    )
    given = [ids for ids in (predicted, true) if ids is not None]
    names = names_of_classes("images", class_names, given)
    across = min(as_count("images: columns", columns, least=1), count)
    down = -(-count // across)

    # A long name is on its own line.
    space = " " if max(map(len, names), default=0) <= 2 else "\n"
    lines = 2 if space == "\n" and predicted is not None else 1 if given else 0
    if figure is None:
        width = max(0.8 * across, 0.1 * len(title or ""))
        height = down * (0.8 + 0.15 * lines) + (0.35 if title else 0)
        figure = new_figure("images", (width, height))
    if title is not None:
        figure.suptitle(title, fontsize=10, fontweight="bold", x=0.01, ha="left")
    gray = {"cmap": cmap, "vmin": pixels.min(), "vmax": pixels.max()}
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat[count:]:
        axes.remove()
    for n, axes in enumerate(grid.flat[:count]):
        axes.imshow(pixels[n], **gray)
        axes.set(xticks=[], yticks=[])
        wrong = true is not None and predicted is not None and true[n] != predicted[n]
        axes.spines[:].set(visible=wrong, color=RED, linewidth=1.2)
        parts = [names[ids[n]] for ids in given]
        if parts:
            text = f"{parts[0]}{space}({parts[1]})" if wrong else parts[0]
            axes.set_title(text, fontsize=8, pad=2.5, color=RED if wrong else GREY)
    return figure.figure
