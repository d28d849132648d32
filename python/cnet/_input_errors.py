"""Error texts for values that are passed as arrays of numbers but aren't."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

import numpy as np

from ._errors import short_repr

__all__ = ["describe_non_array", "is_map_style_dataset", "is_missing", "locate_non_number"]


def describe_non_array(value: Any) -> str | None:
    """Return a description and a hint for a value that can't become an array, None for others."""
    kind = type(value).__name__
    if value is None:
        return "None"
    if isinstance(value, (str, bytes)):
        return f"{kind} {short_repr(value)}"
    if isinstance(value, os.PathLike):
        return f"the path {short_repr(os.fspath(value))}; read the file first"
    if hasattr(value, "tocsr"):
        return f"a {kind}, which is sparse; pass its toarray()"
    if isinstance(value, Mapping):
        keys = ", ".join(map(short_repr, islice(value, 8)))
        return f"a {kind} with {keys}; pass one array (numpy.column_stack joins columns), or batches (x, y)"
    if isinstance(value, AbstractSet):
        return f"a {kind}, which has no order; pass a list"
    if getattr(value, "requires_grad", False) is True:
        return f"a {kind} that requires a gradient; pass its detach()"
    if inspect.isroutine(value) or isinstance(value, type):
        return f"the function {value.__name__}; call it, and pass its result"
    if is_map_style_dataset(value):
        return (
            f"a {kind}, whose items are single samples; batch them with torch.utils.data.DataLoader"
        )
    return None


def is_map_style_dataset(value: Any) -> bool:
    """Return True for a map-style data set of PyTorch: it returns single samples by index."""
    is_iterable = isinstance(value, Iterable)
    if is_iterable or hasattr(value, "__array__") or hasattr(value, "__dlpack__"):
        return False
    if not hasattr(value, "__getitem__") or not hasattr(value, "__len__"):
        return False
    try:
        return isinstance(value[0], (tuple, list, Mapping))
    except Exception:  # noqa: BLE001 # raised by a user's class
        return False


def is_missing(value: Any) -> bool:
    """Return True for the values that pandas, polars and NumPy use where a value is missing."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def locate_non_number(array: Any) -> str:
    """Return the row of the first non-number in an array of objects as text, "" if there is none."""
    size = array.size // max(len(array), 1)
    for index, value in enumerate(array.ravel()):
        if is_missing(value):
            return f": a value is missing at row {index // size}"
        if not isinstance(value, (bool, int, float, np.number, np.bool_)):
            return f", with {short_repr(value)} at row {index // size}"
    return ""
