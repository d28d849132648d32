"""Operations that move, repeat or select elements.

All are linear, and the VJP of each is its transpose, another such operation. Operations with a `like`
take the shape of the result from it, so that graphs need no shapes before they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._data import Array, as_ids
from .dtypes import all_matched
from .operation import Value, as_value, number_type, operation

__all__ = [
    "broadcast_like",
    "broadcast_to",
    "cast",
    "concatenate",
    "expand_dims",
    "full_like",
    "gather",
    "getitem",
    "known_shape",
    "moveaxis",
    "positions",
    "reshape",
    "scatter_gather",
    "shape_of",
    "squeeze",
    "stack",
    "stop_gradient",
    "swapaxes",
    "transpose",
    "unbroadcast",
    "zeros_like",
]


@operation(lambda grad, _, x, __: broadcast_like(grad, x), None)
def unbroadcast(x: Value, like: Value) -> Value:
    """Return `x` summed over broadcast axes to the shape of `like`, in its dtype."""
    shape = getattr(like, "shape", ())
    if x.shape != shape:
        new = x.ndim - len(shape)
        axes = [n for n, size in enumerate(x.shape) if n < new or shape[n - new] != size]
        x = np.add.reduce(x, axis=tuple(axes)).reshape(shape)
    return _typed(x, like)


@operation(lambda grad, _, x, __: unbroadcast(grad, x), None)
def broadcast_like(x: Value, like: Value) -> Value:
    """Return `x` in the dtype of `like`, repeated to its shape."""
    return _typed(np.broadcast_to(x, np.shape(like)), like)


@operation(lambda grad, _, x, **__: unbroadcast(grad, x))
def broadcast_to(x: Value, shape: int | Sequence[int]) -> Value:
    """Return `x` repeated to a shape, by NumPy's broadcasting."""
    return np.broadcast_to(x, shape)


@operation(nondifferentiable=1)
def zeros_like(x: Value, dtype: npt.DTypeLike | None = None) -> Value:
    """Return zeros of the same shape, and of the same dtype unless another is given."""
    return np.zeros_like(x, None if dtype is None else number_type("zeros_like", dtype))


@operation(nondifferentiable=1)
def full_like(x: Value, fill_value: float, dtype: npt.DTypeLike | None = None) -> Value:
    """Return an array of one number, of the shape of `x`, and of its dtype unless another is given."""
    kind = None if dtype is None else number_type("full_like", dtype)
    return np.full_like(x, as_value(fill_value, "full_like: fill_value"), kind)


@operation(lambda grad, _, x, **__: _reshape_like(grad, x))
def reshape(x: Value, shape: int | Sequence[int]) -> Value:
    """Return `x` in another shape, in C order; one size may be −1, which is inferred.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    return np.reshape(x, shape)


@operation(lambda grad, _, x, __: _reshape_like(grad, x), None)
def _reshape_like(x: Value, like: Value) -> Value:
    return np.reshape(x, np.shape(like))


@operation(lambda grad, _, __, axes=None: transpose(grad, _inverse(axes)))
def transpose(x: Value, axes: Sequence[int] | None = None) -> Value:
    """Return `x` with its axes in the order of `axes`, by default in reverse."""
    return np.transpose(x, axes)


@operation(lambda grad, _, __, axis1, axis2: swapaxes(grad, axis1, axis2))
def swapaxes(x: Value, axis1: int, axis2: int) -> Value:
    """Return `x` with two axes interchanged."""
    return np.swapaxes(x, axis1, axis2)


@operation(lambda grad, _, __, source, destination: moveaxis(grad, destination, source))
def moveaxis(x: Value, source: int | Sequence[int], destination: int | Sequence[int]) -> Value:
    """Return `x` with axes moved to other positions; the others stay in their order."""
    return np.moveaxis(x, source, destination)


@operation(lambda grad, _, x, **__: _reshape_like(grad, x))
def expand_dims(x: Value, axis: int | Sequence[int]) -> Value:
    """Return `x` with new axes of size 1 at positions of the result."""
    return np.expand_dims(x, axis)


@operation(lambda grad, _, x, **__: _reshape_like(grad, x))
def squeeze(x: Value, axis: int | Sequence[int] | None = None) -> Value:
    """Return `x` without axes of size 1, by default without all of them."""
    return np.squeeze(x, axis)


def _inverse(axes: Sequence[int] | None) -> Sequence[int] | None:
    return None if axes is None else np.argsort([axis % len(axes) for axis in axes]).tolist()


@operation(lambda grad, _, x, key: _scatter_getitem(grad, x, key))
def getitem(x: Value, key: Any) -> Value:
    """Return ``x[key]`` for any key of NumPy; gradients of elements selected twice are summed."""
    return x[key]


@operation(lambda grad, _, __, ___, key: getitem(grad, key), None)
def _scatter_getitem(x: Value, like: Value, key: Any) -> Value:
    """Return zeros of the shape of `like` with `x` added at `key`."""
    result = np.zeros(np.shape(like), x.dtype)
    np.add.at(result, key, x)
    return result


@operation(lambda grad, _, x, indices, axis=0: scatter_gather(grad, indices, x, axis), None)
def gather(x: Value, indices: Value, axis: int = 0) -> Value:
    """Return the elements at integer `indices` along an axis of `x`.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.gather([10.0, 20.0, 30.0], [2, 0])
    array([30., 10.], dtype=float32)
    """
    return np.take(x, positions(indices), axis=axis)


@operation(lambda grad, _, __, indices, ___, axis: gather(grad, indices, axis), None, None)
def scatter_gather(x: Value, indices: Value, like: Value, axis: int) -> Value:
    """Return zeros of the shape of `like` with `x` added at `indices` along an axis."""
    result = np.zeros(np.shape(like), x.dtype)
    key: Any = (slice(None),) * (axis % result.ndim) + (positions(indices),)
    np.add.at(result, key, x)
    return result


def positions(indices: Any) -> Array:
    """Return indices as integers; floats, as which models have them, must be whole numbers."""
    return as_ids(np.asarray(indices), "indices")


def concatenate(values: Sequence[Value], axis: int = 0) -> Value:
    """Return arrays joined along an existing axis.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.concatenate([[1.0], [2.0, 3.0]])
    array([1., 2., 3.], dtype=float32)
    """
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"concatenate: values: expected a list, got {type(values).__name__}")
    return _concatenate(*values, axis=axis)


def stack(values: Sequence[Value], axis: int = 0) -> Value:
    """Return arrays of one shape joined along a new axis.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([[1., 3.],
           [2., 4.]], dtype=float32)
    """
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"stack: values: expected a list, got {type(values).__name__}")
    return _concatenate(*(expand_dims(value, axis) for value in values), axis=axis)


@operation(
    each=lambda index, grad, _, *values, axis: unbroadcast(
        _section(grad, _sizes(*values, axis=axis), index, axis), values[index]
    )
)
def _concatenate(*values: Value, axis: int) -> Value:
    return np.concatenate(all_matched(values), axis=axis)


@operation(nondifferentiable=0)
def _sizes(*values: Value, axis: int) -> Value:
    return np.array([np.shape(value)[axis] for value in values])


@operation(lambda grad, _, __, sizes, index, axis: _pad_section(grad, sizes, index, axis), None)
def _section(x: Value, sizes: Value, index: int, axis: int) -> Value:
    """Return the part of concatenated arrays `x` that comes from array `index`."""
    start = sizes[:index].sum()
    return x[(slice(None),) * (axis % x.ndim) + (slice(start, start + sizes[index]),)]


@operation(lambda grad, _, __, sizes, index, axis: _section(grad, sizes, index, axis), None)
def _pad_section(x: Value, sizes: Value, index: int, axis: int) -> Value:
    """Return `x` padded with zeros for the other concatenated arrays."""
    width = [(0, 0)] * x.ndim
    width[axis] = (sizes[:index].sum(), sizes[index + 1 :].sum())
    return np.pad(x, width)


def cast(x: Value, dtype: npt.DTypeLike) -> Value:
    """Return `x` in another dtype; casts to integers and bool have no gradient.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.cast([1.7, -1.7], "int64")
    array([ 1, -1])
    """
    floating = number_type("cast", dtype).kind == "f"
    return _cast(x, dtype) if floating else _cast_to_integers(x, dtype)


@operation(lambda grad, _, x, **__: unbroadcast(grad, x))
def _cast(x: Value, dtype: npt.DTypeLike) -> Value:
    return np.asarray(x).astype(dtype, copy=False)


@operation(None)
def _cast_to_integers(x: Value, dtype: npt.DTypeLike) -> Value:
    return np.asarray(x).astype(dtype, copy=False)


@operation(None)
def stop_gradient(x: Value) -> Value:
    """Return `x` as a constant, without a gradient.

    Examples
    --------
    >>> from cnet import autodiff
    >>> x = autodiff.Variable(3.0)
    >>> with autodiff.GradientTape() as tape:
    ...     y = x * autodiff.stop_gradient(x)
    >>> tape.gradient(y, x)
    Tensor(3., dtype=float32)
    """
    return x


def shape_of(x: Any) -> tuple[int, ...] | None:
    """Return the shape of an array, list or tensor, None for a node without one."""
    shape = getattr(getattr(x, "value", x), "shape", None)
    if shape is not None:
        return tuple(shape)
    return None if hasattr(type(x), "__apply__") else np.shape(x)


def known_shape(call: str, x: Any) -> tuple[int, ...]:
    """Return the shape of an array, list or tensor; raise `TypeError` for a node without one."""
    shape = shape_of(x)
    if shape is None:
        raise TypeError(f"{call}: the shape of a node is unknown before a Session runs it")
    return shape


def _typed(x: Any, like: Any) -> Array:
    dtype = getattr(like, "dtype", x.dtype)
    return x if x.dtype is dtype else x.astype(dtype, copy=False)  # type: ignore[no-any-return] # an array
