"""Sums, means and maxima along axes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from .operation import Value, operation

__all__ = ["argmax", "reduce_max", "reduce_mean", "reduce_sum"]

Axis: TypeAlias = "int | tuple[int, ...] | None"


@operation(
    lambda grad, _, x, axis=None, keepdims=False: _expand(grad, x, axis, keepdims),
)
def reduce_sum(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the sum along axes, by default of all.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
    keepdims : bool, default False
        Whether to keep the reduced axes with size 1.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.reduce_sum([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([3., 7.], dtype=float32)
    """
    return np.sum(x, axis=axis, keepdims=keepdims)


@operation(
    lambda grad, _, x, axis=None, keepdims=False: _expand_mean(grad, x, axis, keepdims),
)
def reduce_mean(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the mean along axes, by default of all; see `reduce_sum`."""
    return np.mean(x, axis=axis, keepdims=keepdims)


@operation(
    lambda grad, largest, x, axis=None, keepdims=False: (
        _expand(grad, x, axis, keepdims) * _shares(x, _expand(largest, x, axis, keepdims), axis)
    )
)
def reduce_max(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the maximum along axes, by default of all; ties share the gradient equally.

    See `reduce_sum`.
    """
    return np.max(x, axis=axis, keepdims=keepdims)


@operation(nondifferentiable=1)
def argmax(x: Value, axis: int | None = None) -> Value:
    """Return the index of the maximum along an axis, by default in the flattened `x`."""
    return np.argmax(x, axis=axis)


@operation(
    lambda grad, _, __, ___, axis=None, keepdims=False: reduce_sum(grad, axis, keepdims), None
)
def _expand(x: Value, like: Value, axis: Axis, keepdims: bool) -> Value:
    """Return the result of a reduction along axes, repeated to the shape of the input `like`."""
    if axis is not None and not keepdims:
        x = np.expand_dims(x, axis)
    return np.broadcast_to(x, np.shape(like))


@operation(
    lambda grad, _, __, ___, axis=None, keepdims=False: reduce_mean(grad, axis, keepdims), None
)
def _expand_mean(x: Value, like: Value, axis: Axis, keepdims: bool) -> Value:
    """Return `_expand`, divided by the number of repetitions."""
    count = np.size(like) // max(np.size(x), 1)
    return _expand(x / np.asarray(x).dtype.type(count), like, axis, keepdims)


@operation(nondifferentiable=2)
def _shares(x: Value, largest: Value, axis: Axis) -> Value:
    """Return the share of each element in the gradient of the maximum along axes."""
    equals = np.equal(x, largest)
    return (equals / np.maximum(equals.sum(axis=axis, keepdims=True), 1)).astype(x.dtype)
