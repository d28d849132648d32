"""Random disturbances: what is dropped, and noise."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .. import _core
from .._data import FloatArray, as_count, as_floats, as_fraction, as_number
from ..random import check_seed

__all__ = ["dropout_backward", "dropout_forward", "gaussian_noise"]


def dropout_forward(
    x: npt.ArrayLike,
    rate: float,
    seed: int,
    step: int = 0,
    *,
    out: tuple[FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return `x` with numbers dropped at random, and the mask that it was multiplied by.

    Parameters
    ----------
    x : array_like, (batch, features)
    rate : float in [0, 1]
        The probability that a number becomes 0, whatever it was.
    seed : int in [0, 2**64)
    step : int in [0, 2**63), default 0
        The same seed, step, row and column drop the same, on any machine and for any dtype. A layer
        of that seed takes step n in the n-th batch that it trains on, from 0.
    out : tuple of two arrays, optional

    Returns
    -------
    y : array, (batch, features)
    mask : array, (batch, features)
        0 where dropped, else 1 / (1 - rate).

    Raises
    ------
    TypeError, ValueError
        Beside what all ops raise, if `rate`, `seed` or `step` is no such number.

    Examples
    --------
    >>> from cnet import ops
    >>> y, mask = ops.dropout_forward([[1.0, 2.0, 3.0, 4.0]], rate=0.5, seed=4)
    >>> y, mask
    (array([[0., 4., 0., 8.]], dtype=float32), array([[0., 2., 0., 2.]], dtype=float32))
    """
    call = "dropout_forward"
    (x,) = as_floats(call, x=x)
    rate = as_fraction(f"{call}: rate", rate)
    return _core.dropout_forward(x, rate, *_random(call, seed, step), out)


def dropout_backward(
    grad: npt.ArrayLike, mask: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * mask``, (batch, features), and 0 where that was dropped."""
    grad, mask = as_floats("dropout_backward", grad=grad, mask=mask)
    return _core.dropout_backward(grad, mask, out)


def gaussian_noise(
    x: npt.ArrayLike, stddev: float, seed: int, step: int = 0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return `x` with normal numbers of mean 0 added; the gradient goes through unchanged.

    Parameters
    ----------
    x : array_like, (batch, features)
    stddev : float of at least 0
        The noise's standard deviation.
    seed : int in [0, 2**64)
    step : int in [0, 2**63), default 0
        As for `dropout_forward`.
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)
        A number of the noise comes from 24 random bits: none is beyond 5.4 deviations.

    Raises
    ------
    TypeError, ValueError
        Beside what all ops raise, if `stddev`, `seed` or `step` is no such number.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.gaussian_noise([[1.0, 2.0, 3.0, 4.0]], stddev=0.5, seed=1).round(2)
    array([[1.61, 2.02, 3.64, 4.68]], dtype=float32)
    """
    call = "gaussian_noise"
    (x,) = as_floats(call, x=x)
    stddev = as_number(f"{call}: stddev", stddev, least=0)
    return _core.gaussian_noise(x, stddev, *_random(call, seed, step), out)


def _random(call: str, seed: Any, step: Any) -> tuple[int, int]:
    return check_seed(seed, f"{call}: seed"), as_count(f"{call}: step", step)
