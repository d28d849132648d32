"""Losses that compare predictions with targets number by number."""

from __future__ import annotations

import numpy.typing as npt

from .. import _core
from .._data import FloatArray, as_floats

__all__ = [
    "pointwise_loss_backward",
    "pointwise_loss_forward",
]


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
    """Return each row's loss, (batch,); `cnet.reference` has the formulas.

    Parameters
    ----------
    loss : str
        "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error", "huber", "log_cosh", "poisson", "kl_divergence", "hinge",
        "squared_hinge", "binary_crossentropy", "binary_focal_crossentropy" or
        "categorical_focal_crossentropy"; the last three with "_from_logits", too.
    predictions, targets : array_like, (batch, outputs)
    delta : float, default 1
        Where Huber's square ends and its line begins; of no effect elsewhere.
    gamma : float of at least 0, default 2
        The focal losses' power; of no effect elsewhere.
    positive_weight, negative_weight : float, default 1
        What targets 1 and 0 weigh in the focal losses; the categorical one has no use for the second.

    Raises
    ------
    ValueError
        If there is no such loss, or the shapes differ.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.pointwise_loss_forward("mean_squared_error", [[1.0, 2.0]], [[0.0, 4.0]])
    array([2.5], dtype=float32)
    """
    p, t = as_floats("pointwise_loss_forward", predictions=predictions, targets=targets)
    return _core.pointwise_loss_forward(loss, p, t, delta, gamma, positive_weight, negative_weight)


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
    """Return the gradient of the mean of `pointwise_loss_forward` over the rows, (batch, outputs).

    With a `divisor` it is that of their sum, divided by this number.
    """
    p, t = as_floats("pointwise_loss_backward", predictions=predictions, targets=targets)
    return _core.pointwise_loss_backward(
        loss, p, t, delta, gamma, positive_weight, negative_weight, out, divisor
    )
