"""Elementwise operations, on arrays of any shape: activations and rescaling."""

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
    """Return the activation f(x) of this name in `cnet.reference.activations`; NaN stays NaN."""
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
    """Return ``grad * f'(x)``, where y = f(x); each derivative uses the simpler of x and y."""
    grad, x, y = floats(grad, x, y)
    _, slope = ACTIVATIONS[activation]
    return into(out, np.asarray(grad * slope(x, y, **parameters), grad.dtype))


def relu_forward(x: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return ``max(x, 0)``; NaN stays NaN, and -0.0 becomes 0.0.

    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """
    (x,) = floats(x)
    return into(out, np.where(x <= 0, 0, x))


def relu_backward(
    grad: npt.ArrayLike, x: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return `grad` where ``x > 0``, else 0: the derivative at the kink is taken to be 0.

    Instead of x the result of the forward pass will do: both are positive at the same places.

    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 6.3.1.
    """
    grad, x = floats(grad, x)
    return into(out, np.where(x > 0, grad, 0))


def rescaling_forward(
    x: npt.ArrayLike, scale: float, offset: float = 0.0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``x * scale + offset``."""
    (x,) = floats(x)
    return into(out, x * float(scale) + float(offset))


def rescaling_backward(
    grad: npt.ArrayLike, scale: float, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * scale``."""
    (grad,) = floats(grad)
    return into(out, grad * float(scale))
