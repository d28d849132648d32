"""Conversion of the inputs of all operations, and their `out`."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]


def floats(*arrays: npt.ArrayLike) -> list[FloatArray]:
    """Convert to one dtype: float64 if one of the arrays is, else float32."""
    double = any(isinstance(a, np.ndarray) and a.dtype == np.float64 for a in arrays)
    return [np.asarray(a, np.float64 if double else np.float32) for a in arrays]


def into(out: FloatArray | None, result: FloatArray) -> FloatArray:
    """Write `result` to `out`, if given, and return it."""
    if out is None:
        return np.asarray(result)  # arithmetic on a 0-d array returns a scalar
    out[...] = result
    return out
