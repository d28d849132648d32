"""Conversion of pandas and polars data frames."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import short_repr

__all__ = ["as_array_of_columns", "column_names", "is_frame"]

# Hints for non-numeric columns, by the first letters of their dtype's name.
_HINTS = {
    ("object", "str", "category", "String", "Categorical", "Enum", "large_string"): (
        "encode it as numbers (layers.StringLookup, pandas.get_dummies)"
    ),
    ("datetime", "timedelta", "Datetime", "Date", "Duration", "Time", "period"): (
        "convert it to numbers, such as days since a date"
    ),
    ("complex",): "pass its real and imaginary parts as two columns",
}


def is_frame(value: Any) -> bool:
    """Return True if `value` has the attributes of a data frame."""
    return hasattr(value, "columns") and hasattr(value, "dtypes") and hasattr(value, "__array__")


def column_names(value: Any) -> tuple[str, ...] | None:
    """Return the column names of a data frame; None for other values and for unnamed columns."""
    if isinstance(value, np.ndarray) or not is_frame(value):
        return None
    names = tuple(value.columns)
    return names if names and all(isinstance(name, str) for name in names) else None


def as_array_of_columns(frame: Any, argument: str) -> npt.NDArray[Any]:
    """Return numeric columns as an array (rows, columns) of a common dtype; missing values are NaN.

    Raises
    ------
    TypeError
        For a non-numeric column. The error names it and its dtype, and gives a hint.
    """
    columns = [_as_numbers(name, column, argument) for name, column in _columns(frame)]
    if not columns:
        return np.empty(frame.shape)
    array = np.empty((len(columns[0]), len(columns)), np.result_type(*columns))
    for index, column in enumerate(columns):
        array[:, index] = column
    return array


def _columns(frame: Any) -> Iterable[tuple[Any, Any]]:
    if hasattr(frame, "iter_columns"):  # polars
        return zip(frame.columns, frame.iter_columns(), strict=True)
    return frame.items()  # type: ignore[no-any-return] # pandas


def _as_numbers(name: Any, column: Any, argument: str) -> npt.NDArray[Any]:
    array = np.asarray(column)
    dtype = str(column.dtype)
    if array.dtype.kind == "O" and not dtype.startswith(("object", "str", "category")):
        with suppress(TypeError, ValueError):  # a column of other objects, reported below
            array = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if array.dtype.kind in "biuf":
        return array
    advice = "leave it out, or encode it as numbers"
    for names, hint in _HINTS.items():
        if dtype.startswith(names):
            advice = f"leave it out, or {hint}"
    if dtype == "object" and all(isinstance(each, (bool, int, float)) for each in array):
        advice = "convert it with astype(float)"
    raise TypeError(
        f"{argument}: column {short_repr(name)}: expected numbers, got dtype {dtype}; {advice}"
    )
