"""Dropout and Gaussian noise, with the random numbers of `random.batch_bits`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, floats, into
from .random import batch_bits, batch_normal

__all__ = ["dropout_backward", "dropout_forward", "gaussian_noise"]


def dropout_forward(
    x: npt.ArrayLike,
    rate: float,
    seed: int,
    step: int = 0,
    *,
    out: tuple[FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return ``x * mask`` and the mask: 0 with probability `rate`, else 1 / (1 - rate).

    An element of x (batch, features) is dropped if its 32 random bits are less than ``rate * 2**32``.
    It becomes 0 even if it is infinite or NaN.

    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent
    neural networks from overfitting", JMLR 15, 2014; scaled in training, as in their section 10.
    """
    (x,) = floats(x)
    keep = batch_bits(seed, step, *x.shape) >= min(round(rate * 2**32), 2**32 - 1)
    mask = np.where(keep, x.dtype.type(1 / (1 - rate) if rate < 1 else 0), x.dtype.type(0))
    out_y, out_mask = out or (None, None)
    return into(out_y, _masked(x, mask)), into(out_mask, mask)


def dropout_backward(
    grad: npt.ArrayLike, mask: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * mask``, (batch, features), and 0 wherever `mask` is 0."""
    grad, mask = floats(grad, mask)
    return into(out, _masked(grad, mask))


def gaussian_noise(
    x: npt.ArrayLike, stddev: float, seed: int, step: int = 0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return x (batch, features) plus normal numbers of mean 0 and standard deviation `stddev`.

    The derivative is 1: the gradient passes unchanged.
    """
    (x,) = floats(x)
    noisy = x + stddev * batch_normal(seed, step, *x.shape)
    return into(out, noisy.astype(x.dtype))


def _masked(x: FloatArray, mask: FloatArray) -> FloatArray:
    return np.where(mask > 0, x, x.dtype.type(0)) * mask
