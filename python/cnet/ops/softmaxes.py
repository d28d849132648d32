"""Softmax and its logarithm.

`softmax` and `log_softmax` are Keras's functions of arrays and tensors, and the engine's of matrices.
"""

from __future__ import annotations

import numpy.typing as npt

from .. import _core
from .._data import FloatArray, as_floats
from ..autodiff import operations
from ._arguments import checked

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


@checked
def softmax(
    x: npt.ArrayLike, axis: int | tuple[int, ...] = -1, *, out: FloatArray | None = None
) -> FloatArray:
    """Return exp(x) divided by its sum along an axis, without overflow.

    Parameters
    ----------
    x : array_like or tensor
        At least one dimension.
    axis : int or tuple of int, default -1
    out : array, (batch, classes), optional
        For arrays (batch, classes) and their last axis only.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.softmax([[0.0, 0.0], [1e4, -1e4]])
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """
    if out is not None:
        return _core.softmax(_rows("softmax", x, axis), out)
    if isinstance(axis, tuple):
        return operations.exp(log_softmax(x, axis))  # type: ignore[no-any-return] # or a Tensor
    return operations.softmax(x, axis)  # type: ignore[no-any-return] # or a Tensor


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


@checked
def log_softmax(
    x: npt.ArrayLike, axis: int | tuple[int, ...] = -1, *, out: FloatArray | None = None
) -> FloatArray:
    """Return the logarithm of `softmax`, even where that underflows to 0; see there.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.log_softmax([[0.0, 1e4]])
    array([[-10000.,      0.]], dtype=float32)
    """
    if out is not None:
        return _core.log_softmax(_rows("log_softmax", x, axis), out)
    if isinstance(axis, tuple):
        log_sum = operations.reduce_logsumexp(x, axis, keepdims=True)
        return operations.subtract(x, log_sum)  # type: ignore[no-any-return] # or a Tensor
    return operations.log_softmax(x, axis)  # type: ignore[no-any-return] # or a Tensor


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


def _rows(call: str, x: npt.ArrayLike, axis: int | tuple[int, ...]) -> FloatArray:
    """Return logits for which the engine writes to `out`."""
    (logits,) = as_floats(call, x=x)
    if logits.ndim != 2 or axis not in (-1, 1):
        raise ValueError(
            f"{call}: out: expected (batch, classes) and axis=-1, got shape {logits.shape} and "
            f"axis={axis!r}"
        )
    return logits
