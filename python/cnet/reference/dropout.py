"""Random disturbances: what is dropped, and noise. `random.batch_bits` says which numbers they draw."""

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

    A number is dropped, whatever it was, if its 32 random bits are less than ``rate * 2**32``.

    Parameters
    ----------
    x : array_like, (batch, features)
    rate : float in [0, 1]
    seed, step : int
        As in `random.batch_bits`.
    out : tuple of two arrays, optional
        Of the shapes returned.

    Returns
    -------
    y, mask : array, (batch, features)

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent
    neural networks from overfitting", JMLR 15, 2014; scaled in training, as their section 10 has it.

    Examples
    --------
    >>> y, mask = dropout_forward([[1.0, 2.0, 3.0, 4.0]], rate=0.5, seed=4)
    >>> y.tolist(), mask.tolist()
    ([[0.0, 4.0, 0.0, 8.0]], [[0.0, 2.0, 0.0, 2.0]])
    """
    (x,) = floats(x)
    kept = batch_bits(seed, step, *x.shape) >= min(round(rate * 2**32), 2**32 - 1)
    mask = np.where(kept, x.dtype.type(1 / (1 - rate) if rate < 1 else 0), x.dtype.type(0))
    out_y, out_mask = out or (None, None)
    return into(out_y, _masked(x, mask)), into(out_mask, mask)


def dropout_backward(
    grad: npt.ArrayLike, mask: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * mask``, and 0 where that was dropped.

    Parameters
    ----------
    grad : array_like, (batch, features)
    mask : array_like, (batch, features)
        The second result of the forward pass.
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)

    Examples
    --------
    >>> dropout_backward([[5.0, np.inf]], mask=[[2.0, 0.0]])
    array([[10.,  0.]], dtype=float32)
    """
    grad, mask = floats(grad, mask)
    return into(out, _masked(grad, mask))


def gaussian_noise(
    x: npt.ArrayLike, stddev: float, seed: int, step: int = 0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return `x` plus normal numbers of mean 0 and standard deviation `stddev`.

    Its derivative is 1: the gradient goes through unchanged.

    Parameters
    ----------
    x : array_like, (batch, features)
    stddev : float
    seed, step : int
        As in `random.batch_bits`; the numbers are those of `random.batch_normal`.
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)

    Examples
    --------
    >>> gaussian_noise([[1.0, 2.0, 3.0, 4.0]], stddev=0.5, seed=1).round(2)
    array([[1.61, 2.02, 3.64, 4.68]], dtype=float32)
    """
    (x,) = floats(x)
    noisy = x + stddev * batch_normal(seed, step, *x.shape)
    return into(out, noisy.astype(x.dtype))


def _masked(x: FloatArray, mask: FloatArray) -> FloatArray:
    return np.where(mask > 0, x, x.dtype.type(0)) * mask
