"""Losses that compare predictions with targets number by number, and their derivatives.

Each is a formula of a prediction p and a target t; a row's loss is the mean over its columns (for
``kl_divergence`` their sum, for it is one of distributions).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .ops import FloatArray, _floats, _into

__all__ = ["pointwise_loss_backward", "pointwise_loss_forward"]

Formula = Callable[[FloatArray, FloatArray, float], FloatArray]

EPSILON = 1e-7


def _log_difference(p: FloatArray, t: FloatArray) -> FloatArray:
    difference: FloatArray = np.log(1 + np.maximum(p, EPSILON)) - np.log(1 + np.maximum(t, EPSILON))
    return difference


def _huber(p: FloatArray, t: FloatArray, delta: float) -> FloatArray:
    d = np.abs(p - t)
    return np.where(d <= delta, d * d / 2, delta * (d - delta / 2))


def _signs(t: FloatArray) -> FloatArray:
    """Labels 0 and 1 become −1 and 1."""
    return np.where(t == 0, -1, t)


def _inside(p: FloatArray, high: float, slope: FloatArray) -> FloatArray:
    """Return the slope where p was not clipped to [ε, high]."""
    return np.where((p < EPSILON) | (p > high), 0, slope)


def _binary_crossentropy(p: FloatArray, t: FloatArray, _: float) -> FloatArray:
    q = np.clip(p, EPSILON, 1 - EPSILON)
    losses: FloatArray = -t * np.log(q) - (1 - t) * np.log(1 - q)
    return losses


def _sigmoid(z: FloatArray) -> FloatArray:
    e = np.exp(-np.abs(z))
    sigmoid: FloatArray = np.where(z < 0, e, 1) / (1 + e)
    return sigmoid


# The loss and its derivative by p, by Keras's names.
FORMULAS: dict[str, tuple[Formula, Formula]] = {
    "mean_squared_error": (lambda p, t, _: (p - t) ** 2, lambda p, t, _: 2 * (p - t)),
    "mean_absolute_error": (lambda p, t, _: np.abs(p - t), lambda p, t, _: np.sign(p - t)),
    "mean_absolute_percentage_error": (
        lambda p, t, _: 100 * np.abs(p - t) / np.maximum(np.abs(t), EPSILON),
        lambda p, t, _: 100 * np.sign(p - t) / np.maximum(np.abs(t), EPSILON),
    ),
    "mean_squared_logarithmic_error": (
        lambda p, t, _: _log_difference(p, t) ** 2,
        lambda p, t, _: np.where(p < EPSILON, 0, 2 * _log_difference(p, t) / (1 + p)),
    ),
    "huber": (_huber, lambda p, t, delta: np.clip(p - t, -delta, delta)),
    "poisson": (
        lambda p, t, _: p - t * np.log(p + EPSILON),
        lambda p, t, _: 1 - t / (p + EPSILON),
    ),
    "kl_divergence": (
        lambda p, t, _: (
            np.clip(t, EPSILON, 1) * np.log(np.clip(t, EPSILON, 1) / np.clip(p, EPSILON, 1))
        ),
        lambda p, t, _: _inside(p, 1, -np.clip(t, EPSILON, 1) / p),
    ),
    "hinge": (
        lambda p, t, _: np.maximum(1 - _signs(t) * p, 0),
        lambda p, t, _: np.where(_signs(t) * p < 1, -_signs(t), 0),
    ),
    "squared_hinge": (
        lambda p, t, _: np.maximum(1 - _signs(t) * p, 0) ** 2,
        lambda p, t, _: -2 * _signs(t) * np.maximum(1 - _signs(t) * p, 0),
    ),
    "binary_crossentropy": (
        _binary_crossentropy,
        lambda p, t, _: _inside(p, 1 - EPSILON, (p - t) / (p * (1 - p))),
    ),
    "binary_crossentropy_from_logits": (
        lambda z, t, _: np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))),
        lambda z, t, _: _sigmoid(z) - t,
    ),
}


def pointwise_loss_forward(
    loss: str, predictions: npt.ArrayLike, targets: npt.ArrayLike, delta: float = 1.0
) -> FloatArray:
    """Return each row's loss.

    Parameters
    ----------
    loss : str
        "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error", "huber", "poisson", "kl_divergence", "hinge",
        "squared_hinge", "binary_crossentropy" or "binary_crossentropy_from_logits".
    predictions, targets : array_like, (batch, outputs)
    delta : float, default 1
        Where Huber's square ends and its line begins; of no effect elsewhere.

    Returns
    -------
    array, (batch,)

    References
    ----------
    Keras 3, ``keras.losses``.

    Examples
    --------
    >>> pointwise_loss_forward("mean_squared_error", [[1.0, 2.0]], [[0.0, 4.0]])
    array([2.5], dtype=float32)
    """
    p, t = _floats(predictions, targets)
    with np.errstate(divide="ignore", invalid="ignore"):  # where a loss is not defined it is NaN
        each = FORMULAS[loss][0](p, t, delta)
    return np.asarray(each.sum(axis=1) / _terms(loss, p), p.dtype)


def pointwise_loss_backward(
    loss: str,
    predictions: npt.ArrayLike,
    targets: npt.ArrayLike,
    delta: float = 1.0,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return the gradient of the rows' mean loss with respect to the predictions.

    Parameters
    ----------
    loss, predictions, targets, delta
        As in `pointwise_loss_forward`.
    out : array, (batch, outputs), optional

    Returns
    -------
    array, (batch, outputs)

    Examples
    --------
    >>> pointwise_loss_backward("mean_squared_error", [[1.0, 2.0]], [[0.0, 4.0]])
    array([[ 1., -2.]], dtype=float32)
    """
    p, t = _floats(predictions, targets)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = FORMULAS[loss][1](p, t, delta)
    grad = np.asarray(slopes / (_terms(loss, p) * max(len(p), 1)), p.dtype)
    return _into(out, grad)


def _terms(loss: str, predictions: FloatArray) -> int:
    return 1 if loss == "kl_divergence" else max(predictions.shape[1], 1)
