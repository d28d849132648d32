"""Softmax and its logarithm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, floats, into

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def softmax(
    x: npt.ArrayLike, axis: int | tuple[int, ...] = -1, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``exp(x) / sum(exp(x))``, the sum along an axis.

    The maximum is subtracted first: it cancels, and no exponential overflows.

    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions",
    IMA Journal of Numerical Analysis 41(4), 2021.
    """
    (x,) = floats(x)
    exp = np.exp(minus_maximum(x, axis))
    return into(out, exp / exp.sum(axis, keepdims=True))


def softmax_backward(
    grad: npt.ArrayLike, probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``p * (grad - sum(grad * p))`` for each row p of probabilities (batch, classes).

    The Jacobian of softmax is dpᵢ/dzⱼ = pᵢ (δᵢⱼ - pⱼ).

    Bridle, "Probabilistic interpretation of feedforward classification network outputs, with
    relationships to statistical pattern recognition", Neurocomputing, Springer 1990.
    """
    grad, p = floats(grad, probabilities)
    return into(out, p * (grad - (grad * p).sum(axis=-1, keepdims=True)))


def log_softmax(
    x: npt.ArrayLike, axis: int | tuple[int, ...] = -1, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``x - log(sum(exp(x)))``, the sum along an axis.

    The maximum is subtracted first, as in `softmax`.
    """
    (x,) = floats(x)
    z = minus_maximum(x, axis)
    return into(out, z - np.log(np.exp(z).sum(axis, keepdims=True)))


def log_softmax_backward(
    grad: npt.ArrayLike, log_probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad - p * sum(grad)`` for each row, where p = exp(log_probabilities), (batch, classes).

    The Jacobian of log-softmax is δᵢⱼ - pⱼ.
    """
    grad, log_p = floats(grad, log_probabilities)
    return into(out, grad - np.exp(log_p) * grad.sum(axis=-1, keepdims=True))


def minus_maximum(x: FloatArray, axis: int | tuple[int, ...] = -1) -> FloatArray:
    """Subtract the maximum along an axis; the initial value is for rows without classes."""
    maximum: FloatArray = x.max(axis, keepdims=True, initial=-np.inf)
    return x - maximum
