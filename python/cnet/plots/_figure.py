"""Common parts of the plots: figures, colours, and names of classes."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .._data import Array, as_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design", 2008; yellow last, as it is faint on white.
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#f0e442"]
MARKERS = "os^DvPX*"
BLUE, RED, GREY, FAINT = COLORS[0], COLORS[1], "0.35", "0.92"


def new_figure(call: str, size: tuple[float, float]) -> Figure:
    """Return an empty figure that isn't registered with pyplot, and that notebooks can show."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"{call}: {error}; pip install matplotlib", name=error.name) from None
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    # IPython calls this method. Otherwise only pyplot makes figures displayable.
    figure._repr_png_ = functools.partial(_png, figure)  # type: ignore[attr-defined] # added for IPython
    return figure


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def put_title(axes: Axes, title: str | None) -> None:
    if title is not None:
        axes.set_title(title, fontsize=10, fontweight="bold", loc="left")


def class_ids(
    argument: str, value: npt.ArrayLike, count: int | None = None
) -> npt.NDArray[np.int64]:
    """Return class ids from ids or from rows with a score for each class."""
    array = as_array(value, argument)
    if array.ndim == 2 and array.shape[1] > 1:
        array = array.argmax(axis=1)
    if array.ndim == 2:
        array = array[:, 0]
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(
            f"{argument}: expected shape (samples,) or (samples, classes), got {array.shape}"
        )
    if count is not None and len(array) != count:
        raise ValueError(f"{argument}: expected {count}, got {len(array)}")
    ids = array.astype(np.int64)
    if (ids != array).any() or ids.min() < 0:
        raise ValueError(f"{argument}: expected class ids, integers of at least 0")
    return ids


def names_of_classes(call: str, names: Sequence[str] | None, ids: Sequence[Array]) -> list[str]:
    """Return a name for each class."""
    classes = max((int(each.max()) + 1 for each in ids), default=0)
    if names is None:
        return [str(n) for n in range(classes)]
    if len(names) < classes:
        raise ValueError(f"{call}: class_names: expected {classes}, got {len(names)}")
    return list(names)
