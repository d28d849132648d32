"""Losses that compare predictions with targets elementwise."""

from __future__ import annotations

import numpy.typing as npt

from .. import _core
from .._data import FloatArray, as_floats

__all__ = ["pointwise_loss_backward", "pointwise_loss_forward"]


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
    """Return the loss of each row.

    Parameters
    ----------
    loss : str
        "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error", "huber", "log_cosh", "poisson", "kl_divergence", "hinge",
        "squared_hinge", "binary_crossentropy", "binary_focal_crossentropy" or
        "categorical_focal_crossentropy"; the last three also with the suffix "_from_logits".
    predictions, targets : array_like, (batch, outputs)
    delta : float, default 1
        The error at which the Huber loss changes from quadratic to linear.
    gamma : float of at least 0, default 2
        The exponent of the focal losses.
    positive_weight, negative_weight : float, default 1
        The weights of targets 1 and 0 in the focal losses; the categorical one has only the first.

    Returns
    -------
    array, (batch,)

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
    """Return the gradient of the predictions (batch, outputs) under the rows' mean loss.

    A `divisor` divides the sum of the rows' losses instead of their number. The other parameters are
    those of `pointwise_loss_forward`.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.pointwise_loss_backward("mean_squared_error", [[1.0, 2.0]], [[0.0, 4.0]])
    array([[ 1., -2.]], dtype=float32)
    """
    p, t = as_floats("pointwise_loss_backward", predictions=predictions, targets=targets)
    return _core.pointwise_loss_backward(
        loss, p, t, delta, gamma, positive_weight, negative_weight, out, divisor
    )
