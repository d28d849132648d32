"""Shapes, joining, splitting, selecting and repeating, by Keras's names."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, TypeAlias

from .._data import is_integer
from ..autodiff import operations
from ..autodiff.operations.operation import Value
from ..autodiff.operations.selections import part
from ..autodiff.operations.shapes import known_shape
from ._arguments import checked

__all__ = [
    "broadcast_to",
    "concatenate",
    "expand_dims",
    "flip",
    "get_item",
    "moveaxis",
    "pad",
    "ravel",
    "repeat",
    "reshape",
    "roll",
    "slice",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "take",
    "take_along_axis",
    "tile",
    "transpose",
    "tril",
    "triu",
    "unstack",
]

broadcast_to = checked(operations.broadcast_to)
flip = checked(operations.flip)
moveaxis = checked(operations.moveaxis)
repeat = checked(operations.repeat)
roll = checked(operations.roll)
swapaxes = checked(operations.swapaxes)
tile = checked(operations.tile)
transpose = checked(operations.transpose)
tril = checked(operations.tril)
triu = checked(operations.triu)

Axis: TypeAlias = "int | Sequence[int] | None"


@checked
def reshape(x: Value, newshape: int | Sequence[int]) -> Value:
    """Return `x` in another shape, in C order; one size may be −1, which is inferred.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    return operations.reshape(x, newshape)


@checked
def ravel(x: Value) -> Value:
    """Return `x` flattened to one axis, in C order."""
    return operations.reshape(x, (-1,))


@checked
def expand_dims(x: Value, axis: int | Sequence[int]) -> Value:
    """Return `x` with new axes of size 1, at these positions of the result.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.expand_dims([1.0, 2.0], -1)
    array([[1.],
           [2.]], dtype=float32)
    """
    return operations.expand_dims(x, axis)


@checked
def squeeze(x: Value, axis: Axis = None) -> Value:
    """Return `x` without axes of size 1, by default without all of them."""
    return operations.squeeze(x, axis)


@checked
def concatenate(xs: Sequence[Value], axis: int = 0) -> Value:
    """Return arrays joined along an existing axis.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.concatenate([[1.0], [2.0, 3.0]])
    array([1., 2., 3.], dtype=float32)
    """
    return operations.concatenate(xs, axis)


@checked
def stack(x: Sequence[Value], axis: int = 0) -> Value:
    """Return arrays of one shape joined along a new axis.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([[1., 3.],
           [2., 4.]], dtype=float32)
    """
    return operations.stack(x, axis)


@checked
def unstack(x: Value, num: int | None = None, axis: int = 0) -> list[Value]:
    """Return the parts of `x` along an axis, without that axis.

    Parameters
    ----------
    x : array_like or tensor
    num : int, optional
        Size of the axis; a graph's nodes need it.
    axis : int, default 0

    Examples
    --------
    >>> from cnet import ops
    >>> ops.unstack([[1.0, 2.0], [3.0, 4.0]])
    [array([1., 2.], dtype=float32), array([3., 4.], dtype=float32)]
    """
    if num is None:
        shape = known_shape("unstack", x)
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"unstack: axis: got {axis} for shape {shape}")
        num = shape[axis]
        if num is None:
            raise ValueError(f"unstack: num: expected the size of axis {axis}, which is not known")
    return operations.unstack(x, num, axis)


@checked
def split(x: Value, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Value]:
    """Return the parts of `x` along an axis.

    Parameters
    ----------
    x : array_like or tensor
    indices_or_sections : int or sequence of int
        The number of equal parts, or where each part but the first begins.
    axis : int, default 0

    Examples
    --------
    >>> from cnet import ops
    >>> ops.split([1.0, 2.0, 3.0], [1])
    [array([1.], dtype=float32), array([2., 3.], dtype=float32)]
    """
    sections: Any = indices_or_sections
    count = sections if is_integer(sections) else len(sections) + 1
    return [part(x, n, sections, axis) for n in range(count)]


@checked
def get_item(x: Value, key: Any) -> Value:
    """Return ``x[key]``; gradients of elements selected twice are summed."""
    return operations.getitem(x, key)


@checked
def slice(inputs: Value, start_indices: Sequence[int], shape: Sequence[int]) -> Value:
    """Return the part of `inputs` that begins at an index of each axis and has a shape.

    A size of −1 means up to the end.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.slice([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], (0, 1), (2, 2))
    array([[2., 3.],
           [5., 6.]], dtype=float32)
    """
    key = tuple(
        builtins.slice(start, None if size == -1 else start + size)
        for start, size in zip(start_indices, shape, strict=True)
    )
    return operations.getitem(inputs, key)


@checked
def take(x: Value, indices: Value, axis: int | None = None) -> Value:
    """Return the elements at integer indices along an axis, by default of the flattened `x`.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.take([10.0, 20.0, 30.0], [2, 0], axis=0)
    array([30., 10.], dtype=float32)
    """
    if axis is None:
        return operations.gather(ravel(x), indices, 0)
    return operations.gather(x, indices, axis)


@checked
def take_along_axis(x: Value, indices: Value, axis: int | None = None) -> Value:
    """Return the elements of `x` at indices along an axis, by default of the flattened `x`.

    The other axes of `indices` are those of `x`, as of the results of `argsort`.
    """
    return operations.take_along_axis(x, indices, axis)


@checked
def pad(
    x: Value, pad_width: Any, mode: str = "constant", constant_values: float | None = None
) -> Value:
    """Return `x` with elements added before and after those of each axis.

    Parameters
    ----------
    x : array_like or tensor
    pad_width : int, pair of int, or a pair for each axis
    mode : {"constant", "reflect", "symmetric"}, default "constant"
    constant_values : float, default 0
        Of the mode "constant".

    Examples
    --------
    >>> from cnet import ops
    >>> ops.pad([1.0, 2.0], (1, 2))
    array([0., 1., 2., 0., 0.], dtype=float32)
    """
    if constant_values is not None and mode != "constant":
        raise ValueError(f"pad: constant_values: expected None for mode {mode!r}")
    return operations.pad(x, pad_width, mode, 0 if constant_values is None else constant_values)
