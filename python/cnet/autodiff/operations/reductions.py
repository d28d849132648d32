"""Sums, means, extrema and products along axes; cumulative sums; positions of extrema."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from .arithmetic import exp
from .dtypes import floating
from .operation import Value, operation

__all__ = [
    "argmax",
    "argmin",
    "count_nonzero",
    "cumsum",
    "reduce_all",
    "reduce_any",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
]

Axis: TypeAlias = Any  # an integer, a tuple of them, or None


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
    x = floating(x)
    if x.size == 0:  # where NumPy warns
        return np.sum(x, axis=axis, keepdims=keepdims) + math.nan
    return np.mean(x, axis=axis, keepdims=keepdims)


@operation(
    lambda grad, largest, x, axis=None, keepdims=False, **__: _share_out(
        grad, largest, x, axis, keepdims
    )
)
def reduce_max(
    x: Value, axis: Axis = None, keepdims: bool = False, initial: float | None = None
) -> Value:
    """Return the maximum along axes, by default of all; ties share the gradient equally.

    See `reduce_sum`. `initial` is the least result, also that of an empty `x`.
    """
    return np.max(x, axis=axis, keepdims=keepdims, **_given(initial=initial))


@operation(
    lambda grad, least, x, axis=None, keepdims=False, **__: _share_out(
        grad, least, x, axis, keepdims
    )
)
def reduce_min(
    x: Value, axis: Axis = None, keepdims: bool = False, initial: float | None = None
) -> Value:
    """Return the minimum along axes, by default of all; ties share the gradient equally.

    See `reduce_sum`. `initial` is the largest result, also that of an empty `x`.
    """
    return np.min(x, axis=axis, keepdims=keepdims, **_given(initial=initial))


def _given(**parameters: Any) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


@operation(
    lambda grad, _, x, axis=None, keepdims=False: (
        _expand(grad, x, axis, keepdims) * _products_of_others(x, axis)
    )
)
def reduce_prod(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the product along axes, by default of all; see `reduce_sum`."""
    return np.prod(x, axis=axis, keepdims=keepdims)


@operation(
    lambda grad, result, x, axis=None, keepdims=False: (
        _expand(grad, x, axis, keepdims) * exp(x - _expand(result, x, axis, keepdims))
    )
)
def reduce_logsumexp(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the logarithm of the sum of eˣ along axes, by default of all, without overflow.

    See `reduce_sum`.
    """
    x = floating(x)
    most = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    most = np.where(np.isfinite(most), most, most.dtype.type(0))
    result = np.log(np.sum(np.exp(x - most), axis=axis, keepdims=True)) + most
    return result if keepdims else np.squeeze(result, axis)


@operation(nondifferentiable=1)
def reduce_all(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return whether all elements along axes are true; see `reduce_sum`."""
    return np.all(x, axis=axis, keepdims=keepdims)


@operation(nondifferentiable=1)
def reduce_any(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return whether any element along axes is true; see `reduce_sum`."""
    return np.any(x, axis=axis, keepdims=keepdims)


@operation(nondifferentiable=1)
def count_nonzero(x: Value, axis: Axis = None) -> Value:
    """Return the number of elements along axes that aren't 0."""
    return np.count_nonzero(x, axis=axis)


@operation(lambda grad, _, __, axis, reverse=False: cumsum(grad, axis, not reverse))
def cumsum(x: Value, axis: int, reverse: bool = False) -> Value:
    """Return the sums of the elements up to each, or with `reverse` from each, along an axis."""
    if not reverse:
        return np.cumsum(x, axis=axis)
    return np.flip(np.cumsum(np.flip(x, axis), axis=axis), axis)


@operation(nondifferentiable=1)
def argmax(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """Return the index of the maximum along an axis, by default in the flattened `x`."""
    return np.argmax(x, axis=axis, keepdims=keepdims)


@operation(nondifferentiable=1)
def argmin(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """Return the index of the minimum along an axis, by default in the flattened `x`."""
    return np.argmin(x, axis=axis, keepdims=keepdims)


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


def _share_out(grad: Value, extremum: Value, x: Value, axis: Axis, keepdims: bool) -> Value:
    """Return the gradient of x by that of its maximum or minimum along axes."""
    equal_parts = _shares(x, _expand(extremum, x, axis, keepdims), axis)
    return _expand(grad, x, axis, keepdims) * equal_parts


@operation(nondifferentiable=2)
def _shares(x: Value, extremum: Value, axis: Axis) -> Value:
    """Return the share of each element in the gradient of an extremum along axes."""
    equals = np.equal(x, extremum)
    return (equals / np.maximum(equals.sum(axis=axis, keepdims=True), 1)).astype(x.dtype)


# -- Products --------------------------------------------------------------------------------------
#
# The derivative of a product by one factor is the product of the others. Dividing the product by the
# factor would fail at 0, so they are multiplied from both ends. For the second derivative, one factor
# after the other is replaced by 1.


def _products_of_others(x: Value, axis: Axis) -> Value:
    """Return for each element the product of the others along axes."""
    return _unflatten(_others(_flatten(x, axis)), x, axis)


@operation(
    lambda grad, _, x: reduce_sum(
        _repeat_row(grad, fill=0.0) * _others(_repeat_row(x, fill=1.0)), -1
    )
)
def _others(x: Value) -> Value:
    """Return for each element the product of the others along the last axis."""
    ones = np.ones_like(x[..., :1])
    before = np.cumprod(np.concatenate([ones, x[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([ones, x[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return before[..., : x.shape[-1]] * after[..., : x.shape[-1]]


@operation(lambda grad, *_, **__: reduce_sum(_without_diagonal(grad), -2))
def _repeat_row(x: Value, fill: float) -> Value:
    """Return matrices of equal rows x (…, n), with `fill` on the diagonals (…, n, n)."""
    size = x.shape[-1]
    return np.where(np.eye(size, dtype=bool), x.dtype.type(fill), x[..., np.newaxis, :])


@operation(lambda grad, *_: _without_diagonal(grad))
def _without_diagonal(x: Value) -> Value:
    return x * (1 - np.eye(x.shape[-1], dtype=x.dtype))


@operation(lambda grad, _, x, axis: _unflatten(grad, x, axis))
def _flatten(x: Value, axis: Axis) -> Value:
    """Return `x` with the axes that are reduced as one, the last."""
    kept, reduced = _kept_and_reduced(x.ndim, axis)
    sizes = [x.shape[n] for n in kept]
    return x.transpose(kept + reduced).reshape(*sizes, math.prod(x.shape[n] for n in reduced))


@operation(lambda grad, _, __, ___, axis: _flatten(grad, axis), None)
def _unflatten(x: Value, like: Value, axis: Axis) -> Value:
    """Return a result of `_flatten` in the shape of its input `like`."""
    kept, reduced = _kept_and_reduced(like.ndim, axis)
    order = kept + reduced
    return x.reshape([like.shape[n] for n in order]).transpose(np.argsort(order))


def _kept_and_reduced(ndim: int, axis: Axis) -> tuple[list[int], list[int]]:
    axes = range(ndim) if axis is None else np.atleast_1d(axis).tolist()
    reduced = [n % ndim for n in axes]
    return [n for n in range(ndim) if n not in reduced], reduced
