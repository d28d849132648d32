"""Comparisons, tests and logic: the results are bools, without gradients."""

from __future__ import annotations

import numpy as np

from .operation import Value, operation

__all__ = [
    "equal",
    "greater",
    "greater_equal",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
]


@operation(nondifferentiable=2)
def equal(x: Value, y: Value) -> Value:
    """Return whether x = y."""
    return np.equal(x, y)


@operation(nondifferentiable=2)
def not_equal(x: Value, y: Value) -> Value:
    """Return whether x ≠ y."""
    return np.not_equal(x, y)


@operation(nondifferentiable=2)
def less(x: Value, y: Value) -> Value:
    """Return whether x < y."""
    return np.less(x, y)


@operation(nondifferentiable=2)
def less_equal(x: Value, y: Value) -> Value:
    """Return whether x ≤ y."""
    return np.less_equal(x, y)


@operation(nondifferentiable=2)
def greater(x: Value, y: Value) -> Value:
    """Return whether x > y."""
    return np.greater(x, y)


@operation(nondifferentiable=2)
def greater_equal(x: Value, y: Value) -> Value:
    """Return whether x ≥ y."""
    return np.greater_equal(x, y)


@operation(nondifferentiable=2)
def logical_and(x: Value, y: Value) -> Value:
    """Return whether x and y; numbers other than 0 are true."""
    return np.logical_and(x, y)


@operation(nondifferentiable=2)
def logical_or(x: Value, y: Value) -> Value:
    """Return whether x or y."""
    return np.logical_or(x, y)


@operation(nondifferentiable=2)
def logical_xor(x: Value, y: Value) -> Value:
    """Return whether either x or y."""
    return np.logical_xor(x, y)


@operation(nondifferentiable=1)
def logical_not(x: Value) -> Value:
    """Return whether x is 0 or false."""
    return np.logical_not(x)


@operation(nondifferentiable=1)
def isnan(x: Value) -> Value:
    """Return whether x is NaN."""
    return np.isnan(x)


@operation(nondifferentiable=1)
def isinf(x: Value) -> Value:
    """Return whether x is infinite."""
    return np.isinf(x)


@operation(nondifferentiable=1)
def isfinite(x: Value) -> Value:
    """Return whether x is neither NaN nor infinite."""
    return np.isfinite(x)


@operation(nondifferentiable=2)
def isclose(
    x: Value, y: Value, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Value:
    """Return whether |x − y| ≤ atol + rtol |y|."""
    return np.isclose(x, y, rtol, atol, equal_nan)
