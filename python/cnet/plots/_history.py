"""Training curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .._data import as_count
from ._figure import BLUE, FAINT, GREY, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["history"]


class HasHistory(Protocol):
    """The part of `cnet.callbacks.History` that is drawn."""

    history: dict[str, list[Any]]
    epoch: list[int]


def history(
    history: HasHistory | Mapping[str, Sequence[Any]],
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
        The result of `fit`, or its attribute `history`.
    names : list of str, optional
        Values to draw, such as "loss" or "accuracy", each with its "val_…". Default: all.
    validation_freq : int, default 1
        The value passed to `fit`.
    columns : int, optional
        Number of panels per row. Default: all in one row.
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
        If an argument is invalid, or the history lacks a name.

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
        raise ValueError("history: expected at least one epoch, got none")
    freq = as_count("history: validation_freq", validation_freq, least=1)
    validated = [epoch for epoch in epochs if epoch % freq == 0]
    for name, series in record.items():
        expected = len(validated if name.startswith("val_") else epochs)
        if len(series) != expected:
            raise ValueError(
                f"history: {name}: expected {expected} values (validation_freq={freq}), "
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
    """Return the values by name, and the epoch numbers from 1."""
    record = getattr(history, "history", history)
    if not isinstance(record, Mapping):
        raise TypeError(f"history: expected a History or a dict, got {type(history).__name__}")
    lengths = [len(series) for name, series in record.items() if not name.startswith("val_")]
    epochs = getattr(history, "epoch", None) or range(max(lengths, default=0))
    return dict(record), [epoch + 1 for epoch in epochs]


def _panels(figure: Figure | SubFigure, down: int, across: int) -> Iterator[Axes]:
    """Yield axes for curves, row by row."""
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
    """Draw a value by epoch; a value with a number for each class becomes several lines."""
    style = "o-" if len(epochs) <= 30 else "-"
    lines = axes.plot(epochs, np.asarray(series), style, color=color, markersize=3.5, linewidth=1.4)
    lines[0].set_label(label)
