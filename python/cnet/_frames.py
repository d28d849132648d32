"""Data frames, of pandas or polars: their columns as one array, and the columns' names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import short_repr

__all__ = ["as_array_of_columns", "column_names", "is_frame"]

# What to do with a column that is no numbers, by how its dtype's name begins.
_HINTS = {
    ("object", "str", "category", "String", "Categorical", "Enum", "large_string"): (
        "encode it as numbers (scikit-learn's OneHotEncoder, pandas.get_dummies)"
    ),
    ("datetime", "timedelta", "Datetime", "Date", "Duration", "Time", "period"): (
        "make it a number, as of days since a date"
    ),
    ("complex",): "give its real and imaginary parts as two columns",
}


def is_frame(value: Any) -> bool:
    """Whether `value` is a data frame, by what it has."""
    return hasattr(value, "columns") and hasattr(value, "dtypes") and hasattr(value, "__array__")


def column_names(value: Any) -> tuple[str, ...] | None:
    """Return the names of a data frame's columns, None if it has none or is no data frame."""
    if isinstance(value, np.ndarray) or not is_frame(value):
        return None
    names = tuple(value.columns)
    return names if names and all(isinstance(name, str) for name in names) else None


def as_array_of_columns(frame: Any, argument: str) -> npt.NDArray[Any]:
    """Return columns of numbers as an array (rows, columns), of a dtype that holds all; missing ones are NaN.

    Raises
    ------
    TypeError
        For a column that is no numbers; the error names it, its dtype and a way out.
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
        with suppress(TypeError, ValueError):  # of what holds no numbers, and not only lacks some
            array = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if array.dtype.kind in "biuf":
        return array
    advice = "leave it out, or encode it as numbers"
    for names, hint in _HINTS.items():
        if dtype.startswith(names):
            advice = f"leave it out, or {hint}"
    if dtype == "object" and all(isinstance(each, (bool, int, float)) for each in array):
        advice = "convert it: astype(float)"
    raise TypeError(
        f"{argument}: column {short_repr(name)}: expected numbers, got dtype {dtype}; {advice}"
    )
