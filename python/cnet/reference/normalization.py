"""Batch and layer normalization: y = gamma · z + beta, where z = (x - mean) / √(variance + epsilon).

Gamma defaults to ones, beta to zeros.

References
----------
Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
covariate shift", ICML 2015. Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450, 2016.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, floats, into

__all__ = [
    "batch_normalization_backward",
    "batch_normalization_forward",
    "layer_normalization_backward",
    "layer_normalization_forward",
    "standardize",
]


def standardize(
    x: npt.ArrayLike,
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return y of x (batch, features), given mean, variance, gamma and beta (features,).

    Batch normalization predicts by this: Ioffe and Szegedy, algorithm 2.
    """
    x, mean, variance, gamma, beta = floats(x, mean, variance, *_affine(gamma, beta))
    return into(out, gamma * ((x - mean) * _inverse_deviation(variance, epsilon)) + beta)


def batch_normalization_forward(
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return y of x (batch, features), and the mean and the variance (features,) of its columns.

    The variance is the mean of (x - mean)², without Bessel's correction. Both are NaN for an empty
    batch.

    Ioffe and Szegedy, algorithm 1.
    """
    x, gamma, beta = floats(x, *_affine(gamma, beta))
    mean = _mean(x, axis=0)
    variance = _mean((x - mean) ** 2, axis=0)
    out_y, out_mean, out_variance = out or (None, None, None)
    return (
        standardize(x, mean, variance, gamma, beta, epsilon, out=out_y),
        into(out_mean, mean[0]),
        into(out_variance, variance[0]),
    )


def batch_normalization_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of x (batch, features), gamma and beta (features,).

    With d = gamma · dL/dy and means over the batch,
    dL/dx = (d - mean(d) - z · mean(d · z)) / √(variance + epsilon),
    since mean and variance depend on x; dL/dgamma = Σ z · dL/dy, and dL/dbeta = Σ dL/dy.

    Ioffe and Szegedy, section 3.
    """
    grad, x, mean, variance, gamma, _ = floats(grad, x, mean, variance, *_affine(gamma, None))
    return _backward(grad, x, mean, variance, gamma, epsilon, 0, out)


def layer_normalization_forward(
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return y of x (batch, features), each row by its own mean and variance.

    Ba, Kiros and Hinton, section 3.
    """
    x, gamma, beta = floats(x, *_affine(gamma, beta))
    return standardize(x, *_row_moments(x), gamma, beta, epsilon, out=out)


def layer_normalization_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of x (batch, features), gamma and beta (features,).

    The formula is that of `batch_normalization_backward`, with means over a row, which are computed
    again: that takes less time than the gradient itself.
    """
    grad, x, gamma, _ = floats(grad, x, *_affine(gamma, None))
    return _backward(grad, x, *_row_moments(x), gamma, epsilon, 1, out)


def _affine(
    gamma: npt.ArrayLike | None, beta: npt.ArrayLike | None
) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    return 1.0 if gamma is None else gamma, 0.0 if beta is None else beta


def _mean(x: FloatArray, axis: int) -> FloatArray:
    """Return the mean along an axis, which is kept; NaN if it is empty."""
    with np.errstate(invalid="ignore"):
        mean: FloatArray = x.sum(axis=axis, keepdims=True) / x.dtype.type(x.shape[axis])
    return mean


def _row_moments(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = _mean(x, axis=1)
    return mean, _mean((x - mean) ** 2, axis=1)


def _inverse_deviation(variance: FloatArray, epsilon: float) -> FloatArray:
    inverse: FloatArray = 1 / np.sqrt(variance + variance.dtype.type(epsilon))
    return inverse


def _backward(
    grad: FloatArray,
    x: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    gamma: FloatArray,
    epsilon: float,
    axis: int,
    out: tuple[FloatArray, FloatArray, FloatArray] | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of x, gamma and beta; `axis` is that of the mean and variance."""
    inverse = _inverse_deviation(variance, epsilon)
    z = (x - mean) * inverse
    d = grad * gamma
    out_x, out_gamma, out_beta = out or (None, None, None)
    return (
        into(out_x, inverse * (d - _mean(d, axis) - z * _mean(d * z, axis))),
        into(out_gamma, (grad * z).sum(axis=0)),
        into(out_beta, grad.sum(axis=0)),
    )
