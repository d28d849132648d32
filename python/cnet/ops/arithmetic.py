"""Arithmetic and elementary functions by Keras's names, with NumPy's broadcasting."""

from __future__ import annotations

from ..autodiff import operations
from ..autodiff.operations import (
    abs,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    ceil,
    cos,
    cosh,
    exp,
    exp2,
    expm1,
    floor,
    log,
    log1p,
    log2,
    log10,
    negative,
    rsqrt,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    trunc,
)
from ..autodiff.operations.operation import Value
from ._arguments import checked

__all__ = [
    "abs",
    "absolute",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "divide",
    "divide_no_nan",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "nan_to_num",
    "negative",
    "power",
    "reciprocal",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "true_divide",
    "trunc",
    "where",
]

nan_to_num = checked(operations.nan_to_num)
round = checked(operations.round)


def add(x1: Value, x2: Value) -> Value:
    """Return x1 + x2.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.add([[1.0], [2.0]], [10.0, 20.0])
    array([[11., 21.],
           [12., 22.]], dtype=float32)
    """
    return operations.add(x1, x2)


def subtract(x1: Value, x2: Value) -> Value:
    """Return x1 − x2."""
    return operations.subtract(x1, x2)


def multiply(x1: Value, x2: Value) -> Value:
    """Return x1 times x2, elementwise."""
    return operations.multiply(x1, x2)


def divide(x1: Value, x2: Value) -> Value:
    """Return x1 / x2; integers become floats."""
    return operations.divide(x1, x2)


@checked
def true_divide(x1: Value, x2: Value) -> Value:
    """Return x1 / x2; the same as `divide`."""
    return operations.divide(x1, x2)


@checked
def divide_no_nan(x1: Value, x2: Value) -> Value:
    """Return x1 / x2, and 0 where x2 is 0.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.divide_no_nan([1.0, 2.0], [4.0, 0.0])
    array([0.25, 0.  ], dtype=float32)
    """
    zero = operations.equal(x2, 0)
    safe = operations.divide(x1, operations.where(zero, 1, x2))
    return operations.where(zero, 0, safe)


def floor_divide(x1: Value, x2: Value) -> Value:
    """Return the largest integer of at most x1 / x2; it has no gradient."""
    return operations.floor_divide(x1, x2)


def mod(x1: Value, x2: Value) -> Value:
    """Return the remainder of x1 / x2, with the sign of x2.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.mod([5, -5], 3)
    array([2, 1])
    """
    return operations.mod(x1, x2)


def power(x1: Value, x2: Value) -> Value:
    """Return x1 to the power of x2.

    At x1 = 0 the gradient of `x2` is 0; for x2 = 0 the gradient of `x1` is 0. For negative `x1` the
    gradient of `x2` is NaN.
    """
    return operations.power(x1, x2)


def maximum(x1: Value, x2: Value) -> Value:
    """Return the larger of x1 and x2, NaN if one is; ties share the gradient equally."""
    return operations.maximum(x1, x2)


def minimum(x1: Value, x2: Value) -> Value:
    """Return the smaller of x1 and x2, NaN if one is; ties share the gradient equally."""
    return operations.minimum(x1, x2)


def logaddexp(x1: Value, x2: Value) -> Value:
    """Return log(exp(x1) + exp(x2)), without overflow."""
    return operations.logaddexp(x1, x2)


def arctan2(x1: Value, x2: Value) -> Value:
    """Return the angle of the point with height x1 and abscissa x2, from −π to π."""
    return operations.arctan2(x1, x2)


@checked
def absolute(x: Value) -> Value:
    """Return |x|; the same as `abs`."""
    return operations.abs(x)


@checked
def reciprocal(x: Value) -> Value:
    """Return 1 / x."""
    return operations.divide(1, x)


def clip(x: Value, x_min: Value, x_max: Value) -> Value:
    """Return x limited to [x_min, x_max]; the gradient of x at both limits is 1.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.clip([-2.0, 0.5, 2.0], 0.0, 1.0)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return operations.clip(x, x_min, x_max)


def where(condition: Value, x1: Value = None, x2: Value = None) -> Value:
    """Return x1 where a condition holds, else x2.

    If the side that isn't selected was computed with an infinite derivative, its gradient is NaN (0
    times infinity). Replace the inputs of that computation by safe numbers to avoid this.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.where([True, False], [1.0, 2.0], 0.0)
    array([1., 0.], dtype=float32)
    """
    if x1 is None or x2 is None:
        raise TypeError(
            "where: expected x1 and x2; numpy.nonzero returns the indices where a condition holds"
        )
    return operations.where(condition, x1, x2)
