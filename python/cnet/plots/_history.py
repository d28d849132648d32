"""Curves of training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._data import as_count
from ._figure import BLUE, FAINT, GREY, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from ..callbacks import History

__all__ = ["history"]


def history(
    history: History | Mapping[str, Sequence[Any]],
    names: Sequence[str] | None = None,
    *,
    validation_freq: int = 1,
    columns: int | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw the loss and the metrics by epoch, of training and validation.

    Parameters
    ----------
    history : History or dict
        What `fit` returned, or its `history`.
    names : list of str, optional
        What to draw, "loss" or "accuracy", each with its "val_…"; by default all that there is.
    validation_freq : int, default 1
        As it was given to `fit`.
    columns : int, optional
        Panels in a row, by default all of them.
    figure : Figure or SubFigure, optional
        An empty one to draw into.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError, ValueError
        If an argument is not of its kind, or the history doesn't hold a name.

    Examples
    --------
    >>> from cnet import plots
    >>> figure = plots.history({"loss": [0.9, 0.5, 0.3], "val_loss": [1.0, 0.7, 0.6]})
    >>> figure.axes[0].get_ylabel()
    'loss'
    """
    record, epochs = _record(history)
    if names is None:
        names = list(dict.fromkeys(name.removeprefix("val_") for name in record))
    for name in names:
        if name not in record and f"val_{name}" not in record:
            raise ValueError(f"history: expected names among {', '.join(record)}, got {name!r}")
    if not names:
        raise ValueError("history: expected figures of at least one epoch, got none")
    freq = as_count("history: validation_freq", validation_freq, least=1)
    validated = [epoch for epoch in epochs if epoch % freq == 0]
    for name, series in record.items():
        expected = len(validated if name.startswith("val_") else epochs)
        if len(series) != expected:
            raise ValueError(
                f"history: {name}: expected {expected} figures (validation_freq={freq}), "
                f"got {len(series)}"
            )
    across = len(names) if columns is None else as_count("history: columns", columns, least=1)
    across = min(across, len(names))
    down = -(-len(names) // across)
    figure = new_figure("history", (3.4 * across, 2.6 * down)) if figure is None else figure
    for number, (name, axes) in enumerate(zip(names, _panels(figure, down, across), strict=False)):
        for prefix, at, color, label in (
            ("", epochs, GREY, "training"),
            ("val_", validated, BLUE, "validation"),
        ):
            if prefix + name in record:
                _line(axes, at, record[prefix + name], color, label)
        axes.set_ylabel(name.replace("_", " "))
        axes.set_xlabel("epoch" if number + across >= len(names) else "")
        if number == 0 and len(axes.lines) > 1:
            axes.legend(frameon=False, fontsize=9)
    figure.align_ylabels()
    return figure.figure


def _record(history: Any) -> tuple[dict[str, Sequence[Any]], list[int]]:
    """Return the figures by name, and the numbers of their epochs, from 1."""
    record = getattr(history, "history", history)
    if not isinstance(record, Mapping):
        raise TypeError(f"history: expected a History or a dict, got {type(history).__name__}")
    lengths = [len(series) for name, series in record.items() if not name.startswith("val_")]
    epochs = getattr(history, "epoch", None) or range(max(lengths, default=0))
    return dict(record), [epoch + 1 for epoch in epochs]


def _panels(figure: Figure | SubFigure, down: int, across: int) -> Iterator[Axes]:
    """Make axes for curves, row after row."""
    from matplotlib.ticker import MaxNLocator

    for axes in figure.subplots(down, across, squeeze=False).flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color("0.6")
        axes.grid(color=FAINT)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8, color="0.6", labelcolor=GREY)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        yield axes


def _line(axes: Axes, epochs: list[int], series: Sequence[Any], color: str, label: str) -> None:
    """Draw a figure by epoch; one with a number for each class as so many lines."""
    style = "o-" if len(epochs) <= 30 else "-"
    lines = axes.plot(epochs, np.asarray(series), style, color=color, markersize=3.5, linewidth=1.4)
    lines[0].set_label(label)
