"""Softmax and its logarithm."""

from __future__ import annotations

import numpy.typing as npt

from .. import _core
from .._data import FloatArray, as_floats

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def softmax(logits: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return the softmax of each row of logits (batch, classes), without overflow.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.softmax([[0.0, 0.0], [1e4, -1e4]])
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """
    (logits,) = as_floats("softmax", logits=logits)
    return _core.softmax(logits, out)


def softmax_backward(
    grad: npt.ArrayLike, probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return the gradient of the logits; `probabilities` (batch, classes) is the softmax.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.softmax_backward([[1.0, 0.0]], probabilities=[[0.5, 0.5]])
    array([[ 0.25, -0.25]], dtype=float32)
    """
    grad, probabilities = as_floats("softmax_backward", grad=grad, probabilities=probabilities)
    return _core.softmax_backward(grad, probabilities, out)


def log_softmax(logits: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return the logarithm of the softmax of each row of logits (batch, classes).

    Examples
    --------
    >>> from cnet import ops
    >>> ops.log_softmax([[0.0, 1e4]])
    array([[-10000.,      0.]], dtype=float32)
    """
    (logits,) = as_floats("log_softmax", logits=logits)
    return _core.log_softmax(logits, out)


def log_softmax_backward(
    grad: npt.ArrayLike, log_probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return the gradient of the logits; `log_probabilities` (batch, classes) is the log-softmax.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.log_softmax_backward([[1.0, 0.0]], [[-1.5, -0.25]]).round(2)
    array([[ 0.78, -0.78]], dtype=float32)
    """
    call = "log_softmax_backward"
    grad, log_probabilities = as_floats(call, grad=grad, log_probabilities=log_probabilities)
    return _core.log_softmax_backward(grad, log_probabilities, out)
