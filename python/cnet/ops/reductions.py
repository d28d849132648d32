"""Reductions along axes, norms and sorting, by Keras's names.

Where a docstring doesn't describe them, `axis` is an axis or several, by default all, and `keepdims`
keeps the reduced axes with size 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy.typing as npt

from ..autodiff import operations
from ..autodiff.operations.operation import Value
from ..autodiff.operations.selections import top_k_indices
from ..autodiff.operations.shapes import known_shape
from ._arguments import checked, real

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "count_nonzero",
    "cumsum",
    "logsumexp",
    "max",
    "mean",
    "min",
    "moments",
    "norm",
    "normalize",
    "prod",
    "sort",
    "std",
    "sum",
    "top_k",
    "var",
]

argmax = checked(operations.argmax)
argmin = checked(operations.argmin)
argsort = checked(operations.argsort)
sort = checked(operations.sort)

Axis: TypeAlias = "int | Sequence[int] | None"


@checked
def sum(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the sum along axes.

    Parameters
    ----------
    x : array_like or tensor
    axis : int or sequence of int, optional
        Default: all axes.
    keepdims : bool, default False
        Whether to keep the reduced axes with size 1.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.sum([[1.0, 2.0], [3.0, 4.0]], axis=-1, keepdims=True)
    array([[3.],
           [7.]], dtype=float32)
    """
    return operations.reduce_sum(x, axis, keepdims)


@checked
def mean(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the mean along axes, a float."""
    return operations.reduce_mean(x, axis, keepdims)


@checked
def prod(
    x: Value, axis: Axis = None, keepdims: bool = False, dtype: npt.DTypeLike | None = None
) -> Value:
    """Return the product along axes, by default in the type of `x`."""
    typed = x if dtype is None else operations.cast(x, dtype)
    return operations.reduce_prod(typed, axis, keepdims)


@checked
def max(x: Value, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Value:
    """Return the maximum along axes, at least `initial`; ties share the gradient equally."""
    return operations.reduce_max(x, axis, keepdims, initial)


@checked
def min(x: Value, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Value:
    """Return the minimum along axes, at most `initial`; ties share the gradient equally."""
    return operations.reduce_min(x, axis, keepdims, initial)


@checked
def amax(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the maximum along axes; see `max`."""
    return operations.reduce_max(x, axis, keepdims)


@checked
def amin(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the minimum along axes; see `min`."""
    return operations.reduce_min(x, axis, keepdims)


@checked
def var(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the mean squared distance from the mean along axes.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.var([[1.0, 3.0], [0.0, 4.0]], axis=1)
    array([1., 4.], dtype=float32)
    """
    axes = axis
    centered = operations.subtract(x, operations.reduce_mean(x, axes, keepdims=True))
    return operations.reduce_mean(operations.square(centered), axes, keepdims)


@checked
def std(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the square root of the variance along axes; see `var`."""
    return operations.sqrt(var(x, axis, keepdims))


@checked
def moments(
    x: Value, axes: Axis, keepdims: bool = False, synchronized: bool = False
) -> tuple[Value, Value]:
    """Return mean and variance along axes; see `var`.

    `synchronized` must be False, as there is one machine.
    """
    if synchronized:
        raise ValueError("moments: synchronized: expected False; cnet trains on one machine")
    return mean(x, axes, keepdims), var(x, axes, keepdims)


@checked
def all(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return whether all elements along axes are true."""
    return operations.reduce_all(x, axis, keepdims)


@checked
def any(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return whether any element along axes is true."""
    return operations.reduce_any(x, axis, keepdims)


@checked
def count_nonzero(x: Value, axis: Axis = None) -> Value:
    """Return the number of elements along axes that aren't 0."""
    return operations.count_nonzero(x, axis)


@checked
def logsumexp(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the logarithm of the sum of exp(x) along axes, without overflow."""
    return operations.reduce_logsumexp(x, axis, keepdims)


@checked
def cumsum(x: Value, axis: int | None = None, dtype: npt.DTypeLike | None = None) -> Value:
    """Return the sums of the elements up to each along an axis, by default of the flattened `x`.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.cumsum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([[1., 2.],
           [4., 6.]], dtype=float32)
    """
    typed = x if dtype is None else operations.cast(x, dtype)
    if axis is None:
        return operations.cumsum(operations.reshape(typed, (-1,)), 0)
    return operations.cumsum(typed, axis)


@checked
def norm(
    x: Value, ord: float | str | None = None, axis: Axis = None, keepdims: bool = False
) -> Value:
    """Return a norm of vectors or matrices.

    Parameters
    ----------
    x : array_like or tensor
    ord : float or "fro", optional
        Of vectors: the p-norm, for inf and -inf the extrema of the absolute values, for 0 the number
        of elements other than 0; default 2. Of matrices: 1, -1, inf and -inf, the extrema of the sums
        of absolute values of columns and rows; default "fro", the root of the sum of squares.
    axis : int or pair of int, optional
        One axis of vectors, two of matrices. Default: all axes.
    keepdims : bool, default False

    Examples
    --------
    >>> from cnet import ops
    >>> ops.norm([[3.0, 4.0], [0.0, 2.0]], axis=-1)
    array([5., 2.], dtype=float32)
    """
    axes: Any = axis
    if ord is not None and not isinstance(ord, str):
        ord = real("norm: ord", ord)
    if ord is None:
        return operations.sqrt(operations.reduce_sum(operations.square(x), axes, keepdims))
    if axes is None:
        axes = tuple(range(len(known_shape("norm", x))))
    elif isinstance(axes, int):
        axes = (axes,)
    if len(axes) == 2 and ord == "fro":
        return operations.sqrt(operations.reduce_sum(operations.square(x), axes, keepdims))
    sizes = operations.abs(x)
    if len(axes) == 1 and not isinstance(ord, str):
        return _vector_norm(sizes, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError(f"norm: ord: expected a norm of {len(axes)} axes, got {ord!r}")
    if isinstance(ord, str) or math.fabs(ord) not in (1, math.inf):
        raise ValueError(f"norm: ord: expected None, 'fro', ±1 or ±inf for matrices, got {ord!r}")
    summed, other = axes if math.fabs(ord) == 1 else axes[::-1]
    sums = operations.reduce_sum(sizes, summed, keepdims=True)
    result = (operations.reduce_max if ord > 0 else operations.reduce_min)(sums, other, True)
    return result if keepdims else operations.squeeze(result, axes)


def _vector_norm(sizes: Value, ord: float, axes: tuple[int], keepdims: bool) -> Value:
    if math.isinf(ord):
        extremum = operations.reduce_max if ord > 0 else operations.reduce_min
        return extremum(sizes, axes, keepdims)
    if ord == 0:
        nonzero = operations.add(operations.not_equal(sizes, 0), operations.zeros_like(sizes))
        return operations.reduce_sum(nonzero, axes, keepdims)
    if ord == 1:
        return operations.reduce_sum(sizes, axes, keepdims)
    if ord == 2:
        return operations.sqrt(operations.reduce_sum(operations.square(sizes), axes, keepdims))
    powers = operations.power(sizes, float(ord))
    return operations.power(operations.reduce_sum(powers, axes, keepdims), 1 / ord)


@checked
def normalize(x: Value, axis: Axis = -1, order: Any = 2, epsilon: float | None = None) -> Value:
    """Return `x` divided by its norm along an axis, which is at least epsilon.

    Parameters
    ----------
    x : array_like or tensor
    axis : int or pair of int, default -1
    order : int, default 2
        At least 1; see `norm`.
    epsilon : float, default 1e-7

    Examples
    --------
    >>> from cnet import ops
    >>> ops.normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"normalize: order: expected an integer of at least 1, got {order!r}")
    least = 1e-7 if epsilon is None else epsilon
    if order == 2:  # the root of the larger number has a gradient at 0, unlike the norm
        squares = operations.reduce_sum(operations.square(x), axis, keepdims=True)
        return operations.multiply(x, operations.rsqrt(operations.maximum(squares, least**2)))
    return operations.divide(x, operations.maximum(norm(x, order, axis, keepdims=True), least))


@checked
def top_k(x: Value, k: int, sorted: bool = True) -> tuple[Value, Value]:
    """Return the k largest elements along the last axis, the largest first, and their indices.

    With ``sorted=False`` Keras returns them in any order; here they are sorted, too.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.top_k([1.0, 5.0, 3.0], 2)
    (array([5., 3.], dtype=float32), array([1, 2]))
    """
    del sorted
    indices = top_k_indices(x, k)
    return operations.take_along_axis(x, indices, -1), indices
