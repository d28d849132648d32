"""Operations on each number by itself: activations and rescaling."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, floats, into
from .activations import ACTIVATIONS

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
    """Return an activation of `x`, element by element; NaN stays NaN.

    Parameters
    ----------
    x : array_like, any shape
    activation : str
        A name of `cnet.reference.activations.ACTIVATIONS`, where the formulas stand.
    out : array, the shape of `x`, optional
        May be `x` itself.
    **parameters
        Those of the activation.

    Returns
    -------
    array, the shape of `x`

    References
    ----------
    Each activation's is in `cnet.activations`.

    Examples
    --------
    >>> activation_forward([-2.0, 1.0], "leaky_relu", negative_slope=0.5)
    array([-1.,  1.], dtype=float32)
    """
    (x,) = floats(x)
    forward, _ = ACTIVATIONS[activation]
    return into(out, np.asarray(forward(x, **parameters), x.dtype))


def activation_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    activation: str,
    *,
    out: FloatArray | None = None,
    **parameters: Any,
) -> FloatArray:
    """Return `grad` times the derivative of an activation.

    Parameters
    ----------
    grad : array_like, any shape
    x, y : array_like, the shape of `grad`
        The input of the forward pass and its result, by which of the two the derivative is easier.
    activation : str
        As for `activation_forward`.
    out : array, the shape of `grad`, optional
        May be one of the inputs.
    **parameters
        Those of the activation.

    Returns
    -------
    array, the shape of `grad`

    Examples
    --------
    >>> activation_backward([3.0, 4.0], x=[-1.0, 3.0], y=[-0.5, 0.75], activation="softsign")
    array([0.75, 0.25], dtype=float32)
    """
    grad, x, y = floats(grad, x, y)
    _, slope = ACTIVATIONS[activation]
    return into(out, np.asarray(grad * slope(x, y, **parameters), grad.dtype))


def relu_forward(x: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return ``max(x, 0)``, element by element; NaN stays NaN, and -0.0 becomes 0.0.

    Parameters
    ----------
    x : array_like, any shape
    out : array, the shape of `x`, optional
        May be `x` itself.

    Returns
    -------
    array, the shape of `x`

    References
    ----------
    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    Examples
    --------
    >>> relu_forward([-1.0, 0.0, 2.0])
    array([0., 0., 2.], dtype=float32)
    """
    (x,) = floats(x)
    return into(out, np.where(x <= 0, 0, x))


def relu_backward(
    grad: npt.ArrayLike, x: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return `grad` where ``x > 0``, else 0: the derivative at the kink is taken to be 0.

    Parameters
    ----------
    grad : array_like, any shape
    x : array_like, the shape of `grad`
        The input of the forward pass, or its result: both are positive at the same places.
    out : array, the shape of `grad`, optional
        May be `grad` or `x` itself.

    Returns
    -------
    array, the shape of `grad`

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 6.3.1.

    Examples
    --------
    >>> relu_backward([5.0, 6.0, 7.0], x=[-1.0, 0.0, 2.0])
    array([0., 0., 7.], dtype=float32)
    """
    grad, x = floats(grad, x)
    return into(out, np.where(x > 0, grad, 0))


def rescaling_forward(
    x: npt.ArrayLike, scale: float, offset: float = 0.0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``x * scale + offset``, element by element.

    Parameters
    ----------
    x : array_like, any shape
    scale : float
    offset : float, default 0.0
    out : array, the shape of `x`, optional
        May be `x` itself.

    Returns
    -------
    array, the shape of `x`

    References
    ----------
    Keras 3, ``keras.layers.Rescaling``.

    Examples
    --------
    >>> rescaling_forward([0, 128, 256], scale=1 / 128, offset=-1)
    array([-1.,  0.,  1.], dtype=float32)
    """
    (x,) = floats(x)
    return into(out, x * float(scale) + float(offset))


def rescaling_backward(
    grad: npt.ArrayLike, scale: float, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * scale``.

    Parameters
    ----------
    grad : array_like, any shape
    scale : float
    out : array, the shape of `grad`, optional
        May be `grad` itself.

    Returns
    -------
    array, the shape of `grad`

    References
    ----------
    Keras 3, ``keras.layers.Rescaling``.

    Examples
    --------
    >>> rescaling_backward([1.0, 2.0], scale=0.5)
    array([0.5, 1. ], dtype=float32)
    """
    (grad,) = floats(grad)
    return into(out, grad * float(scale))
