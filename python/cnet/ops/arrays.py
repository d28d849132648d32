"""New arrays, conversions and properties of arrays, by Keras's names.

Where a docstring doesn't describe it, `dtype` is that of the result, by default `cnet.config.floatx()`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .._data import Array
from ..autodiff import operations
from ..autodiff.operations.operation import Value, as_value, number_type
from ..autodiff.operations.shapes import known_shape
from ..config import floatx
from ._arguments import checked, real

__all__ = [
    "arange",
    "array",
    "cast",
    "cond",
    "convert_to_numpy",
    "convert_to_tensor",
    "dtype",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "identity",
    "linspace",
    "ndim",
    "ones",
    "ones_like",
    "shape",
    "size",
    "stop_gradient",
    "tri",
    "zeros",
    "zeros_like",
]

cast = checked(operations.cast)
full_like = checked(operations.full_like)
zeros_like = checked(operations.zeros_like)

Shape: TypeAlias = "int | Sequence[int]"
DType: TypeAlias = "npt.DTypeLike | None"


def _type(call: str, dtype: DType) -> np.dtype[Any]:
    return number_type(call, floatx() if dtype is None else dtype)


@checked
def zeros(shape: Shape, dtype: DType = None) -> Array:
    """Return an array of zeros.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.zeros((1, 2))
    array([[0., 0.]], dtype=float32)
    """
    return np.zeros(shape, _type("zeros", dtype))


@checked
def ones(shape: Shape, dtype: DType = None) -> Array:
    """Return an array of ones."""
    return np.ones(shape, _type("ones", dtype))


@checked
def full(shape: Shape, fill_value: Value, dtype: DType = None) -> Value:
    """Return an array of one number, or of an array that is repeated to the shape."""
    if _is_recorded(fill_value):
        return operations.broadcast_to(cast(fill_value, _type("full", dtype)), shape)
    return np.full(shape, as_value(fill_value, "full: fill_value"), _type("full", dtype))


def _is_recorded(x: Any) -> bool:
    return hasattr(type(x), "__tensor__") or hasattr(type(x), "__apply__")


@checked
def empty(shape: Shape, dtype: DType = None) -> Array:
    """Return an array whose numbers aren't set."""
    return np.empty(shape, _type("empty", dtype))


@checked
def ones_like(x: Value, dtype: DType = None) -> Value:
    """Return ones of the shape of `x`, and of its dtype unless another is given."""
    return operations.full_like(x, 1, dtype)


@checked
def empty_like(x: Value, dtype: DType = None) -> Value:
    """Return an array of the shape of `x` to be filled, and of its dtype unless another is given."""
    return operations.zeros_like(x, dtype)


@checked
def eye(N: int, M: int | None = None, k: int = 0, dtype: DType = None) -> Array:
    """Return a matrix (N, M), by default (N, N), with ones on diagonal k.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.eye(2)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    return np.eye(N, M, k, _type("eye", dtype))


@checked
def identity(n: int, dtype: DType = None) -> Array:
    """Return the identity matrix (n, n)."""
    return np.eye(n, dtype=_type("identity", dtype))


@checked
def tri(N: int, M: int | None = None, k: int = 0, dtype: DType = None) -> Array:
    """Return a matrix (N, M), by default (N, N), with ones on and below diagonal k."""
    return np.tri(N, M, k, _type("tri", dtype))


@checked
def arange(
    start: float, stop: float | None = None, step: float | None = None, dtype: DType = None
) -> Array:
    """Return the numbers from start, below stop, in steps; from 0 if only one number is given.

    Parameters
    ----------
    start : float
    stop : float, optional
    step : float, default 1
    dtype : optional
        Default: integers for integers, otherwise `cnet.config.floatx()`.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.arange(3), ops.arange(0.0, 1.0, 0.25)
    (array([0, 1, 2]), array([0.  , 0.25, 0.5 , 0.75], dtype=float32))
    """
    first, end = (0, start) if stop is None else (start, stop)
    stride = real("arange: step", 1 if step is None else step)
    if stride == 0:
        raise ValueError("arange: step: expected another number than 0")
    bounds = real("arange: start", first), real("arange: stop", end)
    numbers = np.arange(*bounds, stride)
    if dtype is None and numbers.dtype.kind != "f":
        return numbers
    return numbers.astype(_type("arange", dtype))


@checked
def linspace(
    start: npt.ArrayLike,
    stop: npt.ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DType = None,
    axis: int = 0,
) -> Any:
    """Return numbers at equal distances.

    Parameters
    ----------
    start, stop : array_like
    num : int, default 50
    endpoint : bool, default True
        Whether the last number is `stop`.
    retstep : bool, default False
        Whether to return the distance, too.
    dtype : optional
        Default: `cnet.config.floatx()`.
    axis : int, default 0
        Of the numbers, if `start` or `stop` are arrays.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.linspace(0, 1, 3)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    if _is_recorded(start) or _is_recorded(stop):
        raise TypeError("linspace: start and stop: expected arrays; tensors are not supported")
    numbers, step = np.linspace(
        as_value(start, "linspace: start"),
        as_value(stop, "linspace: stop"),
        num,
        endpoint,
        retstep=True,
        dtype=_type("linspace", dtype),
        axis=axis,
    )
    return (numbers, step) if retstep else numbers


@checked
def convert_to_tensor(
    x: Value, dtype: DType = None, sparse: bool | None = None, ragged: bool | None = None
) -> Value:
    """Return numbers as an array, or the tensor of a variable or weight.

    Arrays stay arrays: `cnet.autodiff.constant` makes tensors of them, for a tape to watch.

    Parameters
    ----------
    x : array_like, tensor, variable or weight
    dtype : optional
        Default: float32 and float64 arrays and integers keep their type, other floats become
        `cnet.config.floatx()`.
    sparse, ragged : bool, optional
        True is not supported.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.convert_to_tensor([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    if sparse or ragged:
        raise ValueError("convert_to_tensor: cnet has no sparse or ragged arrays")
    if hasattr(type(x), "__tensor__"):
        x = x.__tensor__()
    if hasattr(type(x), "__apply__"):
        return x if dtype is None else cast(x, dtype)
    return as_value(x, "convert_to_tensor", dtype)


@checked
def array(x: Value, dtype: DType = None) -> Value:
    """Return numbers as an array, a variable as its tensor; see `convert_to_tensor`."""
    return convert_to_tensor(x, dtype)


def convert_to_numpy(x: Value) -> Array:
    """Return a copy of the numbers of an array, tensor, variable or weight.

    Examples
    --------
    >>> from cnet import autodiff, ops
    >>> ops.convert_to_numpy(autodiff.constant(3.0))
    array(3., dtype=float32)
    """
    return np.array(as_value(x, "convert_to_numpy"))


def shape(x: Value) -> tuple[int, ...]:
    """Return the size of each axis.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.shape([[1.0, 2.0]])
    (1, 2)
    """
    return known_shape("shape", x)


def ndim(x: Value) -> int:
    """Return the number of axes."""
    return len(known_shape("ndim", x))


def size(x: Value) -> int:
    """Return the number of elements."""
    sizes = known_shape("size", x)
    if None in sizes:
        raise TypeError("size: the size of the batch of a symbolic tensor is not known")
    return math.prod(sizes)


def dtype(x: Value) -> str:
    """Return the name of the type of the numbers.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.dtype([1.0])
    'float32'
    """
    known = getattr(x, "dtype", None)
    return str(np.dtype(as_value(x, "dtype").dtype if known is None else known))


def stop_gradient(variable: Value) -> Value:
    """Return the numbers as a constant, without a gradient.

    Examples
    --------
    >>> from cnet import autodiff, ops
    >>> x = autodiff.Variable(3.0)
    >>> with autodiff.GradientTape() as tape:
    ...     y = x * ops.stop_gradient(x)
    >>> tape.gradient(y, x)
    Tensor(3., dtype=float32)
    """
    return operations.stop_gradient(variable)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Return the result of one function if a condition holds, else of the other.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.cond(ops.any([False, True]), lambda: "some", lambda: "none")
    'some'
    """
    return true_fn() if pred else false_fn()
