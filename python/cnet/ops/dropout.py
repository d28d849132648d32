"""Dropout and Gaussian noise."""

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
    """Return `x` with elements dropped at random, and the mask.

    Parameters
    ----------
    x : array_like, (batch, features)
    rate : float in [0, 1]
        The probability that an element becomes 0, even if it is infinite or NaN.
    seed : int in [0, 2**64)
    step : int in [0, 2**63), default 0
        Seed, step, row and column determine whether an element is dropped, on any machine and for
        any dtype. A layer with this seed uses step n for its n-th training batch, from 0.
    out : tuple of two arrays, optional

    Returns
    -------
    y : array, (batch, features)
    mask : array, (batch, features)
        0 where dropped, else 1 / (1 - rate).

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
    return _core.dropout_forward(x, rate, *_seed_and_step(call, seed, step), out)


def dropout_backward(
    grad: npt.ArrayLike, mask: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * mask``, (batch, features), and 0 wherever `mask` is 0.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.dropout_backward([[5.0, float("inf")]], mask=[[2.0, 0.0]])
    array([[10.,  0.]], dtype=float32)
    """
    grad, mask = as_floats("dropout_backward", grad=grad, mask=mask)
    return _core.dropout_backward(grad, mask, out)


def gaussian_noise(
    x: npt.ArrayLike, stddev: float, seed: int, step: int = 0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return `x` plus normally distributed noise of mean 0; the gradient passes unchanged.

    Parameters
    ----------
    x : array_like, (batch, features)
    stddev : float of at least 0
        The standard deviation of the noise.
    seed : int in [0, 2**64)
    step : int in [0, 2**63), default 0
        As for `dropout_forward`.
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)
        Noise is generated from 24 random bits and stays within 5.4 standard deviations.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.gaussian_noise([[1.0, 2.0, 3.0, 4.0]], stddev=0.5, seed=1).round(2)
    array([[1.61, 2.02, 3.64, 4.68]], dtype=float32)
    """
    call = "gaussian_noise"
    (x,) = as_floats(call, x=x)
    stddev = as_number(f"{call}: stddev", stddev, least=0)
    return _core.gaussian_noise(x, stddev, *_seed_and_step(call, seed, step), out)


def _seed_and_step(call: str, seed: Any, step: Any) -> tuple[int, int]:
    return check_seed(seed, f"{call}: seed"), as_count(f"{call}: step", step)
