"""Operations on each number by itself: activations and rescaling."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .. import _core
from .._data import FloatArray, as_floats
from .._elementwise import specification

__all__ = [
    "activation_backward",
    "activation_forward",
    "relu_backward",
    "relu_forward",
    "rescaling_backward",
    "rescaling_forward",
]


def activation_forward(
    x: npt.ArrayLike, activation: str, *, out: FloatArray | None = None, **parameters: Any
) -> FloatArray:
    """Return an activation of `x`, element by element and in any shape; NaN stays NaN.

    Parameters
    ----------
    x : array_like, any shape
    activation : str
        One of `cnet.activations` but for the softmaxes: "relu", "elu", "gelu", …
    out : array, the shape of `x`, optional
    **parameters
        What that function takes, with its defaults.

    Returns
    -------
    array, the shape of `x`

    Raises
    ------
    TypeError, ValueError
        Beside what all ops raise, for an unknown activation or parameter.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.activation_forward([-2.0, 1.0], "leaky_relu", negative_slope=0.5)
    array([-1.,  1.], dtype=float32)
    """
    function, values = specification("activation_forward", activation, parameters)
    (x,) = as_floats(f"activation_forward: {activation}", x=x)
    return _core.activation_forward(x, function, out, values)


def activation_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    activation: str,
    *,
    out: FloatArray | None = None,
    **parameters: Any,
) -> FloatArray:
    """Return `grad` times the derivative of an activation at `x`, where its result was `y`.

    Parameters
    ----------
    grad, x, y : array_like, of one shape
        The derivatives of "elu", "selu", "tanh", "sigmoid" and "exponential" are taken from `y`,
        of the others from `x`.
    activation : str
        As for `activation_forward`.
    out : array of that shape, optional
    **parameters
        As for `activation_forward`.

    Returns
    -------
    array of that shape
    """
    function, values = specification("activation_backward", activation, parameters)
    grad, x, y = as_floats(f"activation_backward: {activation}", grad=grad, x=x, y=y)
    return _core.activation_backward(grad, x, y, function, out, values)


def relu_forward(x: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return max(x, 0), element by element and in any shape; NaN stays NaN."""
    (x,) = as_floats("relu_forward", x=x)
    return _core.relu_forward(x, out)


def relu_backward(
    grad: npt.ArrayLike, x: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return `grad` where x > 0, else 0."""
    grad, x = as_floats("relu_backward", grad=grad, x=x)
    return _core.relu_backward(grad, x, out)


def rescaling_forward(
    x: npt.ArrayLike, scale: float, offset: float = 0.0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``x * scale + offset``, rounded once."""
    (x,) = as_floats("rescaling_forward", x=x)
    return _core.rescaling_forward(x, scale, offset, out)


def rescaling_backward(
    grad: npt.ArrayLike, scale: float, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * scale``."""
    (grad,) = as_floats("rescaling_backward", grad=grad)
    return _core.rescaling_backward(grad, scale, out)
