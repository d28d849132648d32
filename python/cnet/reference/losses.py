"""Losses that compare predictions with targets elementwise, and their derivatives.

Each is a formula of predictions p and targets t. The loss of a row is the mean over its columns, or
their sum for ``kl_divergence`` and ``categorical_focal_crossentropy``, which compare distributions.
The formulas are those of ``keras.losses`` in Keras 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, floats, into
from .activations import sigmoid
from .cross_entropy import EPSILON
from .softmaxes import softmax

__all__ = ["pointwise_loss_backward", "pointwise_loss_forward"]


class Parameters(NamedTuple):
    """The parameters of some formulas besides p and t."""

    delta: float = 1.0
    gamma: float = 2.0
    positive_weight: float = 1.0
    negative_weight: float = 1.0


Formula = Callable[[FloatArray, FloatArray, Parameters], FloatArray]


def _log_difference(p: FloatArray, t: FloatArray) -> FloatArray:
    difference: FloatArray = np.log(1 + np.maximum(p, EPSILON)) - np.log(1 + np.maximum(t, EPSILON))
    return difference


def _huber(p: FloatArray, t: FloatArray, c: Parameters) -> FloatArray:
    d = np.abs(p - t)
    return np.where(d <= c.delta, d * d / 2, c.delta * (d - c.delta / 2))


def _log_cosh(p: FloatArray, t: FloatArray, _: Parameters) -> FloatArray:
    d = np.abs(p - t)
    losses: FloatArray = d + np.log1p(np.exp(-2 * d)) - math.log(2)
    return losses


def _signs(t: FloatArray) -> FloatArray:
    """Map labels 0 and 1 to −1 and 1."""
    return np.where(t == 0, -1, t)


def _unless_clipped(p: FloatArray, high: float, slope: FloatArray) -> FloatArray:
    """Return the slope where p is in [ε, high], and 0 where it was clipped."""
    return np.where((p < EPSILON) | (p > high), 0, slope)


def _binary_crossentropy(p: FloatArray, t: FloatArray, _: Parameters) -> FloatArray:
    q = np.clip(p, EPSILON, 1 - EPSILON)
    losses: FloatArray = -t * np.log(q) - (1 - t) * np.log(1 - q)
    return losses


def _power(x: FloatArray, gamma: float) -> FloatArray:
    """Return xᵞ for x ≥ 0; for other x NaN unless γ = 0."""
    return np.ones_like(x) if gamma == 0 else np.exp(gamma * np.log(x))


def _binary_focal(
    crossentropy: Formula,
    crossentropy_slope: Formula,
    probability: Callable[[FloatArray], FloatArray],
    complement: Callable[[FloatArray], FloatArray],
) -> tuple[Formula, Formula]:
    """Return a crossentropy times w mᵞ, and its slope; m = t (1 − p) + (1 − t) p."""

    def miss(x: FloatArray, t: FloatArray) -> FloatArray:
        distance: FloatArray = t * complement(x) + (1 - t) * probability(x)
        return distance

    def factor(x: FloatArray, t: FloatArray, c: Parameters) -> FloatArray:
        weight = t * c.positive_weight + (1 - t) * c.negative_weight
        return weight * _power(miss(x, t), c.gamma)

    def loss(x: FloatArray, t: FloatArray, c: Parameters) -> FloatArray:
        return factor(x, t, c) * crossentropy(x, t, c)

    def slope(x: FloatArray, t: FloatArray, c: Parameters) -> FloatArray:
        # p′ is p (1 − p) for logits and 1 for p itself.
        by_x = probability(x) * complement(x) if probability is sigmoid else 1
        m = miss(x, t)
        signed = (1 - 2 * t) * by_x
        growth = c.gamma * signed / m * crossentropy(x, t, c)
        growth = np.where((m == 0) | (signed == 0), 0, growth)
        return factor(x, t, c) * (growth + crossentropy_slope(x, t, c))

    return loss, slope


def _linear_part(z: FloatArray, t: FloatArray) -> FloatArray:
    """Return max(z, 0) − z t = z (H(z) − t), or its limit for infinite z."""
    nearest = (z > 0).astype(z.dtype)
    losses = np.where(np.isinf(z), z * (nearest - t), np.maximum(z, 0) - z * t)
    return np.where(t == nearest, 0, losses)


def _total(p: FloatArray) -> FloatArray:
    total: FloatArray = p.sum(axis=1, keepdims=True)
    return total


def _normalized(p: FloatArray) -> FloatArray:
    return p / _total(p)


def _focal(p: FloatArray, t: FloatArray, c: Parameters) -> FloatArray:
    q = np.clip(p, EPSILON, 1 - EPSILON)
    losses: FloatArray = -c.positive_weight * t * _power(1 - q, c.gamma) * np.log(q)
    return losses


def _focal_slope(q: FloatArray, t: FloatArray, c: Parameters) -> FloatArray:
    factor = c.positive_weight * t * _power(1 - q, c.gamma)
    return _unless_clipped(q, 1 - EPSILON, factor * (c.gamma * np.log(q) / (1 - q) - 1 / q))


def _slope_of_normalized(q: FloatArray, slope: FloatArray) -> FloatArray:
    """Return g − Σ g q: the slope through the normalization of q."""
    result: FloatArray = slope - (slope * q).sum(axis=1, keepdims=True)
    return result


# Each loss and its derivative with respect to p.
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
    "huber": (_huber, lambda p, t, c: np.clip(p - t, -c.delta, c.delta)),
    "log_cosh": (_log_cosh, lambda p, t, _: np.tanh(p - t)),
    "poisson": (
        lambda p, t, _: np.where(np.isposinf(p), p, p - t * np.log(p + EPSILON)),
        lambda p, t, _: 1 - t / (p + EPSILON),
    ),
    "kl_divergence": (
        lambda p, t, _: (
            np.clip(t, EPSILON, 1) * np.log(np.clip(t, EPSILON, 1) / np.clip(p, EPSILON, 1))
        ),
        lambda p, t, _: _unless_clipped(p, 1, -np.clip(t, EPSILON, 1) / p),
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
        lambda p, t, _: _unless_clipped(p, 1 - EPSILON, (p - t) / (p * (1 - p))),
    ),
    "binary_crossentropy_from_logits": (
        lambda z, t, _: _linear_part(z, t) + np.log1p(np.exp(-np.abs(z))),
        lambda z, t, _: sigmoid(z) - t,
    ),
    "categorical_focal_crossentropy": (
        lambda p, t, c: _focal(_normalized(p), t, c),
        lambda p, t, c: (
            _slope_of_normalized(_normalized(p), _focal_slope(_normalized(p), t, c)) / _total(p)
        ),
    ),
    "categorical_focal_crossentropy_from_logits": (
        lambda z, t, c: _focal(softmax(z), t, c),
        lambda z, t, c: (
            softmax(z) * _slope_of_normalized(softmax(z), _focal_slope(softmax(z), t, c))
        ),
    ),
}
FORMULAS["binary_focal_crossentropy"] = _binary_focal(
    *FORMULAS["binary_crossentropy"], lambda p: p, lambda p: 1 - p
)
FORMULAS["binary_focal_crossentropy_from_logits"] = _binary_focal(
    *FORMULAS["binary_crossentropy_from_logits"], sigmoid, lambda z: sigmoid(-z)
)


def pointwise_loss_forward(
    loss: str,
    predictions: npt.ArrayLike,
    targets: npt.ArrayLike,
    delta: float = 1.0,
    *,
    gamma: float = 2.0,
    positive_weight: float = 1.0,
    negative_weight: float = 1.0,
) -> FloatArray:
    """Return the loss of each row, (batch,), for predictions and targets (batch, outputs).

    `loss` is a name of `FORMULAS`; the other parameters are those of `Parameters`.
    """
    p, t = floats(predictions, targets)
    with np.errstate(divide="ignore", invalid="ignore"):  # undefined losses are NaN
        each = FORMULAS[loss][0](p, t, Parameters(delta, gamma, positive_weight, negative_weight))
    return np.asarray(each.sum(axis=1) / _terms(loss, p), p.dtype)


def pointwise_loss_backward(
    loss: str,
    predictions: npt.ArrayLike,
    targets: npt.ArrayLike,
    delta: float = 1.0,
    *,
    gamma: float = 2.0,
    positive_weight: float = 1.0,
    negative_weight: float = 1.0,
    out: FloatArray | None = None,
    divisor: float | None = None,
) -> FloatArray:
    """Return the gradient of the predictions (batch, outputs) under the mean of the rows' losses.

    A `divisor` replaces the number of rows.
    """
    p, t = floats(predictions, targets)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = FORMULAS[loss][1](p, t, Parameters(delta, gamma, positive_weight, negative_weight))
    rows = max(len(p), 1) if divisor is None else divisor
    grad = np.asarray(slopes / (_terms(loss, p) * rows), p.dtype)
    return into(out, grad)


def _terms(loss: str, predictions: FloatArray) -> int:
    is_sum = loss == "kl_divergence" or loss.startswith("categorical_")
    return 1 if is_sum else max(predictions.shape[1], 1)
