"""Elementwise operations with NumPy's broadcasting.

At a kink the gradient is a subgradient: PyTorch's, where libraries differ.
"""

from __future__ import annotations

import numpy as np

from .comparisons import equal, greater_equal, less_equal
from .dtypes import both_floating, floating, matched
from .operation import Value, operation
from .shapes import broadcast_like, unbroadcast, zeros_like

__all__ = [
    "abs",
    "add",
    "clip",
    "divide",
    "exp",
    "log",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "power",
    "sign",
    "sqrt",
    "square",
    "subtract",
    "where",
]


@operation(
    lambda grad, _, x, __: unbroadcast(grad, x),
    lambda grad, _, __, y: unbroadcast(grad, y),
)
def add(x: Value, y: Value) -> Value:
    """Return x + y."""
    return np.add(*matched(x, y))


@operation(
    lambda grad, _, x, __: unbroadcast(grad, x),
    lambda grad, _, __, y: unbroadcast(-grad, y),
)
def subtract(x: Value, y: Value) -> Value:
    """Return x − y."""
    return np.subtract(*matched(x, y))


@operation(
    lambda grad, _, x, y: unbroadcast(grad * y, x),
    lambda grad, _, x, y: unbroadcast(grad * x, y),
)
def multiply(x: Value, y: Value) -> Value:
    """Return x times y, elementwise."""
    return np.multiply(*matched(x, y))


@operation(
    lambda grad, _, x, y: unbroadcast(grad / y, x),
    lambda grad, result, _, y: unbroadcast(-grad * result / y, y),
)
def divide(x: Value, y: Value) -> Value:
    """Return x / y."""
    return np.true_divide(*both_floating(x, y))


@operation(lambda grad, *_: -grad)
def negative(x: Value) -> Value:
    """Return −x."""
    return np.negative(x)


@operation(
    lambda grad, _, x, y: unbroadcast(grad * y * power(x, _minus_one(y)), x),
    lambda grad, result, x, y: unbroadcast(grad * result * _log_of_base(x, result), y),
)
def power(x: Value, y: Value) -> Value:
    """Return xʸ.

    At x = 0 the gradient of `y` is 0; for y = 0 the gradient of `x` is 0. For negative `x` the gradient
    of `y` is NaN.
    """
    return np.power(*matched(x, y))


def _minus_one(y: Value) -> Value:
    """Return y − 1, but 0 for y = 0: the derivative of x⁰ is 0 even at x = 0, where x⁻¹ is infinite."""
    return y - (y != 0) if isinstance(y, (int, float)) else _array_minus_one(y)


@operation(lambda grad, *_: grad)
def _array_minus_one(y: Value) -> Value:
    return np.where(y == 0, y, y - 1) if isinstance(y, np.ndarray) else y - (y != 0)


def _log_of_base(x: Value, result: Value) -> Value:
    """Return the logarithm of x, 0 for x = 0, in the type of the power."""
    return log(broadcast_like(where(equal(x, 0), 1, x), result))


@operation(lambda grad, _, x: grad * x * 2)
def square(x: Value) -> Value:
    """Return x²."""
    return np.square(x)


@operation(lambda grad, result, _: grad / result / 2)
def sqrt(x: Value) -> Value:
    """Return √x; the gradient at 0 is infinite."""
    return np.sqrt(floating(x))


@operation(lambda grad, result, _: grad * result)
def exp(x: Value) -> Value:
    """Return eˣ."""
    return np.exp(floating(x))


@operation(lambda grad, _, x: grad / x)
def log(x: Value) -> Value:
    """Return the natural logarithm of x."""
    return np.log(floating(x))


@operation(lambda grad, _, x: grad * sign(x))
def abs(x: Value) -> Value:
    """Return |x|; the gradient at 0 is 0."""
    return np.abs(x)


@operation(
    lambda grad, _, x, y: unbroadcast(grad * _share(x, y), x),
    lambda grad, _, x, y: unbroadcast(grad * _share(y, x), y),
)
def maximum(x: Value, y: Value) -> Value:
    """Return the larger of x and y, NaN if one is; ties share the gradient equally."""
    return np.maximum(*matched(x, y))


@operation(
    lambda grad, _, x, y: unbroadcast(grad * _share(y, x), x),
    lambda grad, _, x, y: unbroadcast(grad * _share(x, y), y),
)
def minimum(x: Value, y: Value) -> Value:
    """Return the smaller of x and y, NaN if one is; ties share the gradient equally."""
    return np.minimum(*matched(x, y))


@operation(nondifferentiable=2)
def _share(x: Value, y: Value) -> Value:
    """Return the share of x in the gradient of maximum(x, y): 1, ½ or 0."""
    share = np.where(np.equal(x, y), 0.5, np.where(np.less(x, y), 0.0, 1.0))
    return share.astype(np.result_type(x, y))


@operation(
    None,
    lambda grad, _, condition, x, __: unbroadcast(where(condition, grad, 0), x),
    lambda grad, _, condition, __, y: unbroadcast(where(condition, 0, grad), y),
)
def where(condition: Value, x: Value, y: Value) -> Value:
    """Return x where a condition holds, else y.

    If the side that isn't selected was computed with an infinite derivative, its gradient is NaN (0
    times infinity). Replace the inputs of that computation by safe numbers to avoid this.
    """
    return np.where(condition, *matched(x, y))


@operation(
    lambda grad, _, x, low, high: where(
        multiply(greater_equal(x, low), less_equal(x, high)), grad, zeros_like(grad)
    ),
    None,
    None,
)
def clip(x: Value, low: Value, high: Value) -> Value:
    """Return x limited to [low, high]; the gradient at both limits is 1.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.clip([-2.0, 0.5, 2.0], 0.0, 1.0)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    x, low = matched(x, low)
    x, high = matched(x, high)
    return np.clip(x, low, high)


@operation(nondifferentiable=1)
def sign(x: Value) -> Value:
    """Return the sign of x: −1, 0 or 1."""
    return np.sign(x)
