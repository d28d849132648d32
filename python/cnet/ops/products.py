"""Products of vectors, matrices and arrays, by Keras's names, as matrix products of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import Any, TypeAlias

from .._data import is_integer
from ..autodiff import operations
from ..autodiff.operations import einsum
from ..autodiff.operations.contractions import contract
from ..autodiff.operations.operation import Value
from ..autodiff.operations.shapes import known_shape
from ._arguments import checked

__all__ = ["dot", "einsum", "inner", "matmul", "outer", "tensordot", "vdot"]

Axes: TypeAlias = "int | Sequence[int | Sequence[int]]"


def matmul(x1: Value, x2: Value) -> Value:
    """Return ``x1 @ x2`` of vectors, matrices or stacks of matrices, as `numpy.matmul`.

    If both have the same floating-point type and `x2` isn't a stack, the product is that of
    `dense_forward`, with the same bits on every CPU.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.matmul([[1.0, 2.0]], [[1.0], [10.0]])
    array([[21.]], dtype=float32)
    """
    return operations.matmul(x1, x2)


@checked
def dot(x1: Value, x2: Value) -> Value:
    """Return the sum of products over the last axis of `x1` and the last but one of `x2`.

    Over the only axis of `x2` if that is a vector. With a number it is the product, as in NumPy.
    """
    first, second = len(known_shape("dot", x1)), len(known_shape("dot", x2))
    if not first or not second:
        return operations.multiply(x1, x2)
    if first <= 2 and second <= 2:
        return operations.matmul(x1, x2)
    return tensordot(x1, x2, (-1, -2 if second > 1 else -1))


@checked
def inner(x1: Value, x2: Value) -> Value:
    """Return the sum of products over the last axes; with a number it is the product."""
    if not known_shape("inner", x1) or not known_shape("inner", x2):
        return operations.multiply(x1, x2)
    return tensordot(x1, x2, (-1, -1))


@checked
def vdot(x1: Value, x2: Value) -> Value:
    """Return the sum of products of the elements in order."""
    return operations.matmul(operations.reshape(x1, (-1,)), operations.reshape(x2, (-1,)))


@checked
def outer(x1: Value, x2: Value) -> Value:
    """Return the matrix of products of each element of `x1` with each of `x2`.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.outer([1.0, 2.0], [3.0, 4.0])
    array([[3., 4.],
           [6., 8.]], dtype=float32)
    """
    return operations.multiply(operations.reshape(x1, (-1, 1)), operations.reshape(x2, (1, -1)))


@checked
def tensordot(x1: Value, x2: Value, axes: Axes = 2) -> Value:
    """Return the sum of products over axes of both arrays; their other axes follow each other.

    Parameters
    ----------
    x1, x2 : array_like or tensor
    axes : int or pair of int or sequences of int, default 2
        Axes of `x1` and of `x2`; a number means the last axes of `x1` and the first of `x2`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import ops
    >>> ops.tensordot(np.ones((2, 3, 4)), np.ones((4, 5, 3)), axes=([1, 2], [2, 0])).shape
    (2, 5)
    """
    first, second = len(known_shape("tensordot", x1)), len(known_shape("tensordot", x2))
    given: Any = axes
    if is_integer(axes):
        given = range(first - given, first), range(given)
    left, right = ([each] if is_integer(each) else list(each) for each in given)
    if len(left) != len(right):
        raise ValueError(f"tensordot: axes: expected as many axes of x1 as of x2, got {axes!r}")
    if not _in_range(left, first) or not _in_range(right, second):
        raise ValueError(f"tensordot: axes: got {axes!r} for arrays of {first} and {second} axes")
    labels = list(ascii_letters[first : first + second])
    for n, m in zip(left, right, strict=True):
        labels[m] = ascii_letters[n % first]
    theirs, ours = "".join(labels), ascii_letters[:first]
    result = "".join(x for x in ours + theirs if (x in ours) != (x in theirs))
    return contract(x1, x2, (ours, theirs, result))


def _in_range(axes: list[int], count: int) -> Any:
    return all(-count <= axis < count for axis in axes)
