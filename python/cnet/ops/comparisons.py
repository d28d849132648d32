"""Comparisons, tests and logic by Keras's names. The results are bools, without gradients."""

from __future__ import annotations

from ..autodiff import operations
from ..autodiff.operations import isfinite, isinf, isnan
from ..autodiff.operations.operation import Value
from ._arguments import checked

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


def equal(x1: Value, x2: Value) -> Value:
    """Return whether x1 = x2.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.equal([1, 2, 3], [1, 0, 3])
    array([ True, False,  True])
    """
    return operations.equal(x1, x2)


def not_equal(x1: Value, x2: Value) -> Value:
    """Return whether x1 ≠ x2."""
    return operations.not_equal(x1, x2)


def less(x1: Value, x2: Value) -> Value:
    """Return whether x1 < x2."""
    return operations.less(x1, x2)


def less_equal(x1: Value, x2: Value) -> Value:
    """Return whether x1 ≤ x2."""
    return operations.less_equal(x1, x2)


def greater(x1: Value, x2: Value) -> Value:
    """Return whether x1 > x2."""
    return operations.greater(x1, x2)


def greater_equal(x1: Value, x2: Value) -> Value:
    """Return whether x1 ≥ x2."""
    return operations.greater_equal(x1, x2)


def logical_and(x1: Value, x2: Value) -> Value:
    """Return whether x1 and x2; numbers other than 0 are true."""
    return operations.logical_and(x1, x2)


def logical_or(x1: Value, x2: Value) -> Value:
    """Return whether x1 or x2; numbers other than 0 are true."""
    return operations.logical_or(x1, x2)


def logical_xor(x1: Value, x2: Value) -> Value:
    """Return whether either x1 or x2; numbers other than 0 are true."""
    return operations.logical_xor(x1, x2)


def logical_not(x: Value) -> Value:
    """Return whether x is 0 or false."""
    return operations.logical_not(x)


@checked
def isclose(
    x1: Value, x2: Value, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Value:
    """Return whether |x1 − x2| ≤ atol + rtol |x2|."""
    return operations.isclose(x1, x2, rtol, atol, equal_nan)
