"""The types that operations compute in.

Floats are promoted as in NumPy. Integers and bools take the type of the floats that they meet, and
`cnet.config.floatx()` where a result is a float: as in Keras, while NumPy would compute in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...config import floatx

__all__ = ["all_matched", "both_floating", "floating", "matched"]


def floating(x: Any) -> Any:
    """Return numbers as floats: other types and Python's numbers become `floatx()`."""
    dtype = getattr(x, "dtype", None)
    if dtype is not None and dtype.kind == "f":
        return x
    return np.asarray(x if dtype is None else _number(x), floatx())


def _number(x: Any) -> Any:
    """Return an array of numbers; raise `TypeError` for complex numbers, text and so on."""
    if x.dtype.kind not in "biuf":
        raise TypeError(f"expected numbers, got an array of dtype {x.dtype}")
    return x


def matched(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two inputs of an operation: integers take the type of floats.

    Python's numbers take the type of arrays; two of them, or a float and an array of integers, become
    `floatx()` if one is a float.
    """
    first, second = getattr(x, "dtype", None), getattr(y, "dtype", None)
    if first is second and first is not None:
        return x, y
    if first is None:
        return _with_number(x, y, second)
    if second is None:
        return _with_number(y, x, first)[::-1]
    kinds = first.kind, second.kind
    if "f" in kinds and kinds != ("f", "f"):
        return (x, _number(y).astype(first)) if kinds[0] == "f" else (_number(x).astype(second), y)
    return x, y


def _with_number(number: Any, other: Any, dtype: Any) -> tuple[Any, Any]:
    """Return a number of Python and the other input, of a dtype, or None if that is a number too."""
    if dtype is None:
        if isinstance(number, float) or isinstance(other, float):
            return np.asarray(number, floatx()), np.asarray(other, floatx())
    elif isinstance(number, float) and dtype.kind != "f":
        return number, other.astype(floatx())
    return number, other


def all_matched(arrays: Sequence[Any]) -> Sequence[Any]:
    """Return arrays of which integers take the type of floats."""
    floats = [array.dtype for array in arrays if array.dtype.kind == "f"]
    if len(floats) in (0, len(arrays)):
        return arrays
    wide = np.result_type(*floats)
    return [array if array.dtype.kind == "f" else array.astype(wide) for array in arrays]


def both_floating(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two inputs as floats; see `matched`."""
    x, y = matched(x, y)
    if hasattr(x, "dtype") == hasattr(y, "dtype"):
        return floating(x), floating(y)
    return (floating(x), y) if hasattr(x, "dtype") else (x, floating(y))
