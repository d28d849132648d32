"""Elementwise operations, on arrays of any shape: activations and rescaling."""

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
    """Return an activation of `x`; NaN stays NaN.

    Parameters
    ----------
    x : array_like, any shape
    activation : str
        The name of a function of `cnet.activations` other than a softmax: "relu", "elu", "gelu", …
    out : array, the shape of `x`, optional
    **parameters
        The parameters of that function, with its defaults.

    Returns
    -------
    array, the shape of `x`

    Raises
    ------
    TypeError, ValueError
        For an unknown parameter or activation.

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
        "elu", "selu", "tanh", "sigmoid" and "exponential" use `y`, all others `x`.
    activation : str
    out : array of that shape, optional
    **parameters
        As for `activation_forward`.

    Returns
    -------
    array of that shape

    Examples
    --------
    >>> from cnet import ops
    >>> ops.activation_backward([3.0, 4.0], x=[-1.0, 3.0], y=[-0.5, 0.75], activation="softsign")
    array([0.75, 0.25], dtype=float32)
    """
    function, values = specification("activation_backward", activation, parameters)
    grad, x, y = as_floats(f"activation_backward: {activation}", grad=grad, x=x, y=y)
    return _core.activation_backward(grad, x, y, function, out, values)


def relu_forward(x: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return max(x, 0); NaN stays NaN, and -0.0 becomes 0.0.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.relu_forward([-1.0, 0.0, 2.0])
    array([0., 0., 2.], dtype=float32)
    """
    (x,) = as_floats("relu_forward", x=x)
    return _core.relu_forward(x, out)


def relu_backward(
    grad: npt.ArrayLike, x: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return `grad` where x > 0, else 0; `x` is the input of the forward pass, or its result.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.relu_backward([5.0, 6.0, 7.0], x=[-1.0, 0.0, 2.0])
    array([0., 0., 7.], dtype=float32)
    """
    grad, x = as_floats("relu_backward", grad=grad, x=x)
    return _core.relu_backward(grad, x, out)


def rescaling_forward(
    x: npt.ArrayLike, scale: float, offset: float = 0.0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``x * scale + offset``, rounded once.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.rescaling_forward([0, 128, 256], scale=1 / 128, offset=-1)
    array([-1.,  0.,  1.], dtype=float32)
    """
    (x,) = as_floats("rescaling_forward", x=x)
    return _core.rescaling_forward(x, scale, offset, out)


def rescaling_backward(
    grad: npt.ArrayLike, scale: float, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * scale``.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.rescaling_backward([1.0, 2.0], scale=0.5)
    array([0.5, 1. ], dtype=float32)
    """
    (grad,) = as_floats("rescaling_backward", grad=grad)
    return _core.rescaling_backward(grad, scale, out)
