"""What the estimators minimize: losses of the outputs before the output activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import autodiff, losses
from .._data import FloatArray

__all__ = ["OUTPUT_ACTIVATIONS", "Objective", "objective_of"]

# scikit-learn's names of the output activations, and cnet's.
OUTPUT_ACTIVATIONS = {
    "identity": "linear",
    "logistic": "sigmoid",
    "softmax": "softmax",
    "exp": "exponential",
}


@dataclass(frozen=True)
class Objective:
    """A loss, and its factor in what is minimized.

    Attributes
    ----------
    loss : Loss
        Of the network's outputs before the output activation. The mean over the outputs, if it has several.
    factor : float
        Makes the sum of it, whose gradient is simple.
    reported_factor : float
        Of the loss in `loss_curve_`. scikit-learn reports the mean of the squared errors, though it
        minimizes their sum.
    """

    loss: losses.Loss
    factor: float
    reported_factor: float


def objective_of(
    loss: str, out_activation: str, outputs: int, delta: float = 1.0, quantile: float = 0.5
) -> Objective:
    """Return the objective for a value of the parameter `loss` and an output activation."""
    # The mean over a batch divides by the sum of its weights.
    mean: Any = {"reduction": "mean_with_sample_weight"}
    if out_activation == "softmax":
        return Objective(losses.SparseCategoricalCrossentropy(from_logits=True, **mean), 1.0, 1.0)
    if loss == "squared_error":
        return Objective(losses.MeanSquaredError(**mean), 0.5 * outputs, 0.5)
    if loss == "log_loss":
        chosen: losses.Loss = losses.BinaryCrossentropy(from_logits=True, **mean)
    elif loss == "absolute_error":
        chosen = losses.MeanAbsoluteError(**mean)
    elif loss == "huber":
        chosen = losses.Huber(delta, **mean)
    elif loss == "quantile":
        chosen = losses.LossFunctionWrapper(_pinball, quantile=quantile, **mean)
    else:
        chosen = losses.LossFunctionWrapper(_half_poisson_deviance, **mean)
    return Objective(chosen, float(outputs), float(outputs))


def _half_poisson_deviance(y_true: FloatArray, y_pred: Any) -> Any:
    """Return y log(y / p) − y + p, where y_pred is log p."""
    logs = np.log(y_true, out=np.zeros_like(y_true), where=y_true > 0)
    return autodiff.exp(y_pred) - y_true * y_pred + (y_true * logs - y_true)


def _pinball(y_true: FloatArray, y_pred: Any, quantile: float) -> Any:
    """Return the loss whose minimum is the quantile (Koenker and Bassett, 1978)."""
    error = y_true - y_pred
    return autodiff.maximum(quantile * error, (quantile - 1) * error)
