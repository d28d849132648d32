"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ._figure import GREY, class_ids, names_of_classes, new_figure, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_matrix"]


def confusion_matrix(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    *,
    normalize: str | None = None,
    class_names: Sequence[str] | None = None,
    cmap: str = "Blues",
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the number of samples of each true class (row) and predicted class (column).

    Colours are scaled by the square root, so that rare mistakes are visible.

    Parameters
    ----------
    labels, predictions : array_like, (samples,) or (samples, classes)
        Class ids, or rows such as one-hot labels or probabilities, whose largest element is used.
    normalize : {"true", "pred", "all"}, optional
        Divide by the total of the row, of the column or of all samples.
    class_names : list of str, optional
        Default: the ids.
    cmap : str, default "Blues"
        A colormap of matplotlib.
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
        If an argument is invalid, or the lengths differ.

    Examples
    --------
    >>> from cnet import plots
    >>> figure = plots.confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], class_names=["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1', '1', '0', '2']
    """
    true = class_ids("confusion_matrix: labels", labels)
    predicted = class_ids("confusion_matrix: predictions", predictions, len(true))
    names = names_of_classes("confusion_matrix", class_names, [true, predicted])
    classes = len(names)
    counts = np.bincount(true * classes + predicted, minlength=classes**2)
    counts = counts.reshape(classes, classes)
    totals = {
        None: 1,
        "true": counts.sum(axis=1, keepdims=True),
        "pred": counts.sum(axis=0, keepdims=True),
        "all": counts.sum(),
    }
    if normalize not in totals:
        raise ValueError(
            "confusion_matrix: normalize: expected 'true', 'pred', 'all' or None, "
            f"got {normalize!r}"
        )
    # At least 1, so that classes without samples become 0.
    values = counts / np.maximum(totals[normalize], 1)

    side = 1.6 + 0.45 * classes
    figure = new_figure("confusion_matrix", (side, side)) if ax is None else ax.figure
    axes = figure.subplots() if ax is None else ax
    from matplotlib.colors import PowerNorm

    norm = PowerNorm(0.5, vmin=0, vmax=values.max() or 1)
    axes.imshow(values, cmap=cmap, norm=norm)
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        text = f"{counts[row, column]:,}" if normalize is None else f"{value:.2f}"
        shade = "0.6" if value == 0 else "white" if norm(value) > 0.55 else "0.15"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=shade)
    rotated = max(map(len, names)) > 3
    axes.set_xticks(
        range(classes), names, rotation=45 if rotated else 0, ha="right" if rotated else "center"
    )
    axes.set_yticks(range(classes), names)
    axes.set_xlabel("predicted", fontsize=9)
    axes.set_ylabel("true", fontsize=9)
    axes.tick_params(labelsize=8, length=0, labelcolor=GREY)
    axes.spines[:].set_visible(False)
    put_title(axes, title)
    return figure.figure
