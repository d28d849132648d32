"""Update steps of optimizers, in place.

Parameters that a docstring doesn't describe are those of the class in `cnet.optimizers`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._data import FloatArray, as_array, as_type

__all__ = [
    "adadelta_update",
    "adagrad_update",
    "lion_update",
    "rmsprop_centered_update",
    "rmsprop_momentum_update",
    "rmsprop_update",
    "sgd_momentum_update",
    "sgd_update",
]


def sgd_update(param: FloatArray, grad: npt.ArrayLike, learning_rate: float) -> None:
    """Subtract ``learning_rate * grad`` from `param`, in place.

    Examples
    --------
    >>> from cnet import ops
    >>> param = np.array([1.0, 2.0])
    >>> ops.sgd_update(param, grad=[2.0, -2.0], learning_rate=0.25)
    >>> param
    array([0.5, 2.5])
    """
    _core.sgd_update(param, as_dtype_of(param, grad, "sgd_update: grad"), learning_rate)


def sgd_momentum_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    nesterov: bool = False,
) -> None:
    """Update `param` and `velocity` (first zeros) in place by gradient descent with momentum.

    Examples
    --------
    >>> from cnet import ops
    >>> param, velocity = np.array([1.0]), np.array([0.5])
    >>> ops.sgd_momentum_update(param, [2.0], velocity, learning_rate=0.25, momentum=0.5)
    >>> param, velocity
    (array([0.75]), array([-0.25]))
    """
    grad = as_dtype_of(param, grad, "sgd_momentum_update: grad")
    _core.sgd_momentum_update(param, grad, velocity, learning_rate, momentum, nesterov)


def rmsprop_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    learning_rate: float,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Update `param` and `mean_square` (first zeros) in place by RMSprop.

    Examples
    --------
    >>> from cnet import ops
    >>> param, mean_square = np.array([1.0]), np.array([0.0])
    >>> ops.rmsprop_update(param, [2.0], mean_square, learning_rate=0.5, rho=0.75, epsilon=0.0)
    >>> param, mean_square
    (array([0.]), array([1.]))
    """
    grad = as_dtype_of(param, grad, "rmsprop_update: grad")
    _core.rmsprop_update(param, grad, mean_square, learning_rate, rho, epsilon)


def rmsprop_momentum_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Update `param`, `mean_square` and `velocity` (first zeros) in place by RMSprop with momentum.

    Examples
    --------
    >>> from cnet import ops
    >>> param, mean_square, velocity = np.array([1.0]), np.array([0.0]), np.array([1.0])
    >>> ops.rmsprop_momentum_update(param, [2.0], mean_square, velocity, 0.5, 0.5, 0.75, epsilon=0.0)
    >>> param, mean_square, velocity
    (array([-0.5]), array([1.]), array([1.5]))
    """
    grad = as_dtype_of(param, grad, "rmsprop_momentum_update: grad")
    _core.rmsprop_momentum_update(
        param, grad, mean_square, velocity, learning_rate, momentum, rho, epsilon
    )


def rmsprop_centered_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    mean: FloatArray,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float = 0.0,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Update `param` and its three state arrays (first zeros) in place by centered RMSprop.

    Examples
    --------
    >>> from cnet import ops
    >>> param, square, mean, velocity = np.array([1.0]), np.zeros(1), np.zeros(1), np.zeros(1)
    >>> ops.rmsprop_centered_update(param, [2.0], square, mean, velocity, 0.5, rho=0.5, epsilon=0.0)
    >>> param, square, mean, velocity
    (array([0.]), array([2.]), array([1.]), array([1.]))
    """
    grad = as_dtype_of(param, grad, "rmsprop_centered_update: grad")
    _core.rmsprop_centered_update(
        param, grad, mean_square, mean, velocity, learning_rate, momentum, rho, epsilon
    )


def adagrad_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    sum_of_squares: FloatArray,
    learning_rate: float,
    epsilon: float = 1e-7,
) -> None:
    """Update `param` and `sum_of_squares` (in Keras first 0.1) in place by Adagrad.

    Examples
    --------
    >>> from cnet import ops
    >>> param, sum_of_squares = np.array([1.0]), np.array([5.0])
    >>> ops.adagrad_update(param, [2.0], sum_of_squares, learning_rate=0.75, epsilon=0.0)
    >>> param, sum_of_squares
    (array([0.5]), array([9.]))
    """
    grad = as_dtype_of(param, grad, "adagrad_update: grad")
    _core.adagrad_update(param, grad, sum_of_squares, learning_rate, epsilon)


def adadelta_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    mean_square_change: FloatArray,
    learning_rate: float,
    rho: float = 0.95,
    epsilon: float = 1e-7,
) -> None:
    """Update `param` and both mean squares (first zeros) in place by Adadelta.

    Examples
    --------
    >>> from cnet import ops
    >>> param, square, square_change = np.array([1.0]), np.array([0.0]), np.array([1.0])
    >>> ops.adadelta_update(param, [2.0], square, square_change, 0.5, rho=0.75, epsilon=0.0)
    >>> param, square, square_change
    (array([0.]), array([1.]), array([1.75]))
    """
    grad = as_dtype_of(param, grad, "adadelta_update: grad")
    _core.adadelta_update(param, grad, mean_square, mean_square_change, learning_rate, rho, epsilon)


def lion_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    first_moment: FloatArray,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
) -> None:
    """Update `param` and `first_moment` (first zeros) in place by Lion.

    Examples
    --------
    >>> from cnet import ops
    >>> param, first_moment = np.array([1.0]), np.array([-8.0])
    >>> ops.lion_update(param, [2.0], first_moment, learning_rate=0.25, beta_1=0.5, beta_2=0.75)
    >>> param, first_moment
    (array([1.25]), array([-5.5]))
    """
    grad = as_dtype_of(param, grad, "lion_update: grad")
    _core.lion_update(param, grad, first_moment, learning_rate, beta_1, beta_2)


def as_dtype_of(param: Any, grad: npt.ArrayLike, argument: str) -> FloatArray:
    """Return `grad` in the dtype of `param`, or as float32 if the core will refuse `param`."""
    dtype = getattr(param, "dtype", None)
    if dtype not in (np.float32, np.float64):
        dtype = np.dtype(np.float32)
    return as_type(as_array(grad, argument), dtype)
