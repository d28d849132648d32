"""Softmax and its logarithm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, floats, into

__all__ = [
    "log_softmax",
    "log_softmax_backward",
    "softmax",
    "softmax_backward",
]


def softmax(logits: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return ``exp(logits) / sum(exp(logits))`` for each row.

    The maximum of the row is subtracted first: it cancels, and no exponential overflows.

    Parameters
    ----------
    logits : array_like, (batch, classes)
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)
        The probabilities; each row sums to 1.

    References
    ----------
    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions",
    IMA Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> softmax([[7.0, 7.0], [1e4, -1e4]])
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """
    (logits,) = floats(logits)
    exp = np.exp(minus_maximum(logits))
    return into(out, exp / exp.sum(axis=-1, keepdims=True))


def softmax_backward(
    grad: npt.ArrayLike, probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``p * (grad - sum(grad * p))`` for each row p of `probabilities`.

    For the Jacobian of softmax is dpᵢ/dzⱼ = pᵢ (δᵢⱼ - pⱼ).

    Parameters
    ----------
    grad : array_like, (batch, classes)
    probabilities : array_like, (batch, classes)
        The result of the forward pass.
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)

    References
    ----------
    Bridle, "Probabilistic interpretation of feedforward classification network outputs, with
    relationships to statistical pattern recognition", Neurocomputing, Springer 1990.

    Examples
    --------
    >>> softmax_backward([[1.0, 0.0]], probabilities=[[0.5, 0.5]])
    array([[ 0.25, -0.25]], dtype=float32)
    """
    grad, p = floats(grad, probabilities)
    return into(out, p * (grad - (grad * p).sum(axis=-1, keepdims=True)))


def log_softmax(logits: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return ``logits - log(sum(exp(logits)))`` for each row.

    The maximum of the row is subtracted first, as in `softmax`, of which this is the logarithm.

    Parameters
    ----------
    logits : array_like, (batch, classes)
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)

    References
    ----------
    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions",
    IMA Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> log_softmax([[0.0, 1e4]])
    array([[-10000.,      0.]], dtype=float32)
    """
    (logits,) = floats(logits)
    z = minus_maximum(logits)
    return into(out, z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))


def log_softmax_backward(
    grad: npt.ArrayLike, log_probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad - p * sum(grad)`` for each row, where p = exp(log_probabilities).

    For the Jacobian of log-softmax is δᵢⱼ - pⱼ.

    Parameters
    ----------
    grad : array_like, (batch, classes)
    log_probabilities : array_like, (batch, classes)
        The result of the forward pass.
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)

    Examples
    --------
    >>> log_softmax_backward([[1.0, 0.0]], log_probabilities=np.log([[0.25, 0.75]]))
    array([[ 0.75, -0.75]])
    """
    grad, log_p = floats(grad, log_probabilities)
    return into(out, grad - np.exp(log_p) * grad.sum(axis=-1, keepdims=True))


def minus_maximum(logits: FloatArray) -> FloatArray:
    """Subtract the maximum of each row; the initial value is for rows without any classes."""
    maximum: FloatArray = logits.max(axis=-1, keepdims=True, initial=-np.inf)
    return logits - maximum
