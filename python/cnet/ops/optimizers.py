"""Optimizers' steps, in place."""

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

    Parameters
    ----------
    param : array of float32 or float64, C-contiguous and writable, any shape
        Never converted: `TypeError` or `ValueError` otherwise.
    grad : array_like of the same shape
    learning_rate : float
    """
    _core.sgd_update(param, like(param, grad, "sgd_update: grad"), learning_rate)


def sgd_momentum_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    nesterov: bool = False,
) -> None:
    """Update `param` and `velocity` in place by gradient descent with (Nesterov's) momentum.

    Parameters
    ----------
    param, velocity : arrays of float32 or float64, C-contiguous and writable, of one shape
        Never converted: `TypeError` or `ValueError` otherwise.
    grad : array_like of the same shape
    learning_rate, momentum : float
    nesterov : bool, default False
    """
    grad = like(param, grad, "sgd_momentum_update: grad")
    _core.sgd_momentum_update(param, grad, velocity, learning_rate, momentum, nesterov)


def rmsprop_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    learning_rate: float,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Update `param` and `mean_square` in place by RMSprop; parameters as `cnet.optimizers.RMSprop`."""
    grad = like(param, grad, "rmsprop_update: grad")
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
    """Update `param`, `mean_square` and `velocity` in place by RMSprop with momentum.

    The other parameters are those of `cnet.optimizers.RMSprop`.
    """
    grad = like(param, grad, "rmsprop_momentum_update: grad")
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
    """Update `param`, `mean_square`, `mean` and `velocity` in place by centered RMSprop.

    The other parameters are those of `cnet.optimizers.RMSprop`.
    """
    grad = like(param, grad, "rmsprop_centered_update: grad")
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
    """Update `param` and `sum_of_squares` in place by Adagrad; see `cnet.optimizers.Adagrad`."""
    grad = like(param, grad, "adagrad_update: grad")
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
    """Update `param`, `mean_square` and `mean_square_change` in place by Adadelta.

    The other parameters are those of `cnet.optimizers.Adadelta`.
    """
    grad = like(param, grad, "adadelta_update: grad")
    _core.adadelta_update(param, grad, mean_square, mean_square_change, learning_rate, rho, epsilon)


def lion_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    first_moment: FloatArray,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
) -> None:
    """Update `param` and `first_moment` in place by Lion; parameters as `cnet.optimizers.Lion`."""
    grad = like(param, grad, "lion_update: grad")
    _core.lion_update(param, grad, first_moment, learning_rate, beta_1, beta_2)


def like(param: Any, grad: npt.ArrayLike, argument: str) -> FloatArray:
    """Return `grad` in the type of `param`, whose own fitness is for the core to judge."""
    dtype = getattr(param, "dtype", None)
    if dtype not in (np.float32, np.float64):
        dtype = np.dtype(np.float32)
    return as_type(as_array(grad, argument), dtype)
