"""Elementary functions beyond arithmetic, by NumPy: logarithms, trigonometry and rounding."""

from __future__ import annotations

import math

import numpy as np

from .arithmetic import exp, sqrt, square, where
from .comparisons import isfinite
from .dtypes import both_floating, floating, matched
from .operation import Value, operation
from .shapes import unbroadcast

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "ceil",
    "cos",
    "cosh",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "mod",
    "nan_to_num",
    "round",
    "rsqrt",
    "sin",
    "sinh",
    "tan",
    "trunc",
]


@operation(lambda grad, y, _: grad * (y + 1))
def expm1(x: Value) -> Value:
    """Return eˣ − 1, precise near 0."""
    return np.expm1(floating(x))


@operation(lambda grad, y, _: grad * y * math.log(2))
def exp2(x: Value) -> Value:
    """Return 2ˣ."""
    return np.exp2(floating(x))


@operation(lambda grad, _, x: grad / (x + 1))
def log1p(x: Value) -> Value:
    """Return log(1 + x), precise near 0."""
    return np.log1p(floating(x))


@operation(lambda grad, _, x: grad / (x * math.log(2)))
def log2(x: Value) -> Value:
    """Return the logarithm of x to base 2."""
    return np.log2(floating(x))


@operation(lambda grad, _, x: grad / (x * math.log(10)))
def log10(x: Value) -> Value:
    """Return the logarithm of x to base 10."""
    return np.log10(floating(x))


@operation(
    lambda grad, result, x, __: unbroadcast(grad * exp(x - result), x),
    lambda grad, result, _, y: unbroadcast(grad * exp(y - result), y),
)
def logaddexp(x: Value, y: Value) -> Value:
    """Return log(eˣ + eʸ), without overflow."""
    return np.logaddexp(*both_floating(x, y))


@operation(lambda grad, y, x: grad * y / x * -0.5)
def rsqrt(x: Value) -> Value:
    """Return 1 / √x."""
    return 1 / np.sqrt(floating(x))


@operation(lambda grad, _, x: grad * cos(x))
def sin(x: Value) -> Value:
    """Return the sine."""
    return np.sin(floating(x))


@operation(lambda grad, _, x: -grad * sin(x))
def cos(x: Value) -> Value:
    """Return the cosine."""
    return np.cos(floating(x))


@operation(lambda grad, y, _: grad * (square(y) + 1))
def tan(x: Value) -> Value:
    """Return the tangent."""
    return np.tan(floating(x))


@operation(lambda grad, _, x: grad * rsqrt(1 - square(x)))
def arcsin(x: Value) -> Value:
    """Return the inverse of the sine, from −π/2 to π/2."""
    return np.arcsin(floating(x))


@operation(lambda grad, _, x: -grad * rsqrt(1 - square(x)))
def arccos(x: Value) -> Value:
    """Return the inverse of the cosine, from 0 to π."""
    return np.arccos(floating(x))


@operation(lambda grad, _, x: grad / (square(x) + 1))
def arctan(x: Value) -> Value:
    """Return the inverse of the tangent, from −π/2 to π/2."""
    return np.arctan(floating(x))


@operation(
    lambda grad, _, y, x: unbroadcast(grad * x / (x * x + y * y), y),
    lambda grad, _, y, x: unbroadcast(-grad * y / (x * x + y * y), x),
)
def arctan2(y: Value, x: Value) -> Value:
    """Return the angle of the point (x, y), from −π to π."""
    return np.arctan2(*both_floating(y, x))


@operation(lambda grad, _, x: grad * cosh(x))
def sinh(x: Value) -> Value:
    """Return the hyperbolic sine."""
    return np.sinh(floating(x))


@operation(lambda grad, _, x: grad * sinh(x))
def cosh(x: Value) -> Value:
    """Return the hyperbolic cosine."""
    return np.cosh(floating(x))


@operation(lambda grad, _, x: grad * rsqrt(square(x) + 1))
def arcsinh(x: Value) -> Value:
    """Return the inverse of the hyperbolic sine."""
    return np.arcsinh(floating(x))


@operation(lambda grad, _, x: grad / (sqrt(x - 1) * sqrt(x + 1)))
def arccosh(x: Value) -> Value:
    """Return the inverse of the hyperbolic cosine, at least 0."""
    return np.arccosh(floating(x))


@operation(lambda grad, _, x: grad / (1 - square(x)))
def arctanh(x: Value) -> Value:
    """Return the inverse of the hyperbolic tangent."""
    return np.arctanh(floating(x))


@operation(
    lambda grad, _, x, __: unbroadcast(grad, x),
    lambda grad, _, x, y: unbroadcast(-grad * floor_divide(x, y), y),
)
def mod(x: Value, y: Value) -> Value:
    """Return the remainder of x / y, with the sign of y."""
    return np.mod(*matched(x, y))


@operation(None, None)
def floor_divide(x: Value, y: Value) -> Value:
    """Return the largest integer of at most x / y; it has no gradient."""
    return np.floor_divide(*matched(x, y))


@operation(None)
def floor(x: Value) -> Value:
    """Return the largest integer of at most x, as a float; it has no gradient."""
    return np.floor(floating(x))


@operation(None)
def ceil(x: Value) -> Value:
    """Return the smallest integer of at least x, as a float; it has no gradient."""
    return np.ceil(floating(x))


@operation(None)
def trunc(x: Value) -> Value:
    """Return x without its fraction; it has no gradient."""
    return np.trunc(x)


@operation(None)
def round(x: Value, decimals: int = 0) -> Value:
    """Return x rounded to a number of decimals, halves to even; it has no gradient."""
    return np.round(x, decimals)


@operation(lambda grad, _, x, **__: where(isfinite(x), grad, 0))
def nan_to_num(
    x: Value, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Value:
    """Return x with NaN and infinities replaced, by default by 0 and the largest finite numbers."""
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
