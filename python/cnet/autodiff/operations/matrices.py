"""The matrix product, as `np.matmul` has it, in the engine's arithmetic.

⟨gradient, x @ y⟩ is linear in each of the three. So its derivatives by `x` and by `y` are such
products themselves, and their derivatives are those of the first again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _core
from ..._data import Array
from .operation import Value, operation
from .shapes import unbroadcast

__all__ = ["matmul"]


@operation(
    lambda grad, _, x, y: _by_left(grad, y, x),
    lambda grad, _, x, y: _by_right(grad, x, y),
)
def matmul(x: Value, y: Value) -> Value:
    """Return ``x @ y``: of vectors, matrices or stacks of them, as `np.matmul`.

    Two matrices of one floating-point type are multiplied as `cnet.ops.dense_forward` does it, with
    the same bits on every CPU.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.matmul([[1.0, 2.0]], [[1.0], [10.0]])
    array([[21.]], dtype=float32)
    """
    return _product(x, y)


@operation(
    lambda grad, _, __, y, ___: matmul(grad, y),
    lambda grad, _, gradient, y, __: _by_right(gradient, grad, y),
    None,
)
def _by_left(gradient: Value, y: Value, like: Value) -> Value:
    """Return the gradient of x, which is `like`, from that of ``x @ y``."""
    gradient, matrix = _raise(gradient, np.ndim(like), np.ndim(y)), _column(y)
    result = _product(gradient, np.swapaxes(matrix, -1, -2))
    return unbroadcast(result, like if np.ndim(like) > 1 else like[np.newaxis]).reshape(
        np.shape(like)
    )


@operation(
    lambda grad, _, __, x, ___: matmul(x, grad),
    lambda grad, _, gradient, x, __: _by_left(gradient, grad, x),
    None,
)
def _by_right(gradient: Value, x: Value, like: Value) -> Value:
    """Return the gradient of y, which is `like`, from that of ``x @ y``."""
    gradient, matrix = _raise(gradient, np.ndim(x), np.ndim(like)), _row(x)
    result = _product(np.swapaxes(matrix, -1, -2), gradient)
    return unbroadcast(result, _column(like)).reshape(np.shape(like))


def _row(x: Array) -> Array:
    return x[np.newaxis] if x.ndim == 1 else x


def _column(y: Array) -> Array:
    return y[:, np.newaxis] if y.ndim == 1 else y


def _raise(gradient: Any, left: int, right: int) -> Array:
    """Give the gradient of a product the axes back that vectors have none of."""
    if right == 1:
        gradient = np.expand_dims(gradient, -1)
    return np.expand_dims(gradient, -2) if left == 1 else gradient


def _product(x: Any, y: Any) -> Array:
    if (
        np.ndim(x) == np.ndim(y) == 2
        and x.dtype == y.dtype
        and x.dtype in (np.float32, np.float64)
        and x.shape[1] == y.shape[0]
    ):
        return _core.dense_forward(np.ascontiguousarray(x), np.ascontiguousarray(y), None, None)
    return np.matmul(x, y)  # type: ignore[no-any-return] # an array
