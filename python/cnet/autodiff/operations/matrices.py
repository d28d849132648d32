"""The matrix product with the semantics of `np.matmul`, in the engine's arithmetic.

⟨gradient, x @ y⟩ is linear in all three arguments. Its derivatives by `x` and `y` are therefore matrix
products too, whose derivatives are products of the same kinds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import _core
from ..._data import Array
from .dtypes import matched
from .operation import Value, operation
from .shapes import unbroadcast

__all__ = ["matmul", "product"]


@operation(
    lambda grad, _, x, y: _left_gradient(grad, y, x),
    lambda grad, _, x, y: _right_gradient(grad, x, y),
)
def matmul(x: Value, y: Value) -> Value:
    """Return ``x @ y`` of vectors, matrices or stacks of matrices, as `np.matmul`.

    If both have the same floating-point type and `y` isn't a stack, the product is that of
    `cnet.ops.dense_forward`, with the same bits on every CPU.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.matmul([[1.0, 2.0]], [[1.0], [10.0]])
    array([[21.]], dtype=float32)
    """
    left, right = map(np.asarray, matched(x, y))
    if left.ndim == 0 or right.ndim == 0:
        raise ValueError("expected at least one dimension of both")
    result = product(_row(left), _column(right))
    if left.ndim == 1:
        result = result[..., 0, :]
    return result[..., 0] if right.ndim == 1 else result


@operation(
    lambda grad, _, __, y, ___: matmul(grad, y),
    lambda grad, _, gradient, y, __: _right_gradient(gradient, grad, y),
    None,
)
def _left_gradient(gradient: Value, y: Value, like: Value) -> Value:
    """Return the gradient of x from that of ``x @ y``; `like` is x."""
    gradient = _with_axes_of_vectors(gradient, like, y)
    result = product(gradient, _column(y).swapaxes(-1, -2))
    return unbroadcast(result, _row(like)).reshape(like.shape)


@operation(
    lambda grad, _, __, x, ___: matmul(x, grad),
    lambda grad, _, gradient, x, __: _left_gradient(gradient, grad, x),
    None,
)
def _right_gradient(gradient: Value, x: Value, like: Value) -> Value:
    """Return the gradient of y from that of ``x @ y``; `like` is y."""
    gradient = _with_axes_of_vectors(gradient, x, like)
    result = product(_row(x).swapaxes(-1, -2), gradient)
    return unbroadcast(result, _column(like)).reshape(like.shape)


def _row(x: Array) -> Array:
    return x[np.newaxis] if x.ndim == 1 else x


def _column(y: Array) -> Array:
    return y[:, np.newaxis] if y.ndim == 1 else y


def _with_axes_of_vectors(product: Any, x: Array, y: Array) -> Array:
    """Add the axes of size 1 that a product lacks if x or y is a vector."""
    if y.ndim == 1:
        product = np.expand_dims(product, -1)
    return np.expand_dims(product, -2) if x.ndim == 1 else product


def product(x: Array, y: Array) -> Array:
    """Return the product of matrices or stacks of matrices."""
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    floats = x.dtype == y.dtype and x.dtype.char in "fd"
    if floats and y.ndim == 2 and x.shape[-1] == len(y):
        if x.ndim == 2:
            return _core.dense_forward(x, y, None, None)
        rows = x.reshape(math.prod(x.shape[:-1]), len(y))
        return _core.dense_forward(rows, y, None, None).reshape(*x.shape[:-1], y.shape[1])
    return np.matmul(x, y)  # type: ignore[no-any-return] # an array
