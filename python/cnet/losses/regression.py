"""Losses for regression, margins and distributions."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .._data import FloatArray, as_number
from .loss import PointwiseLoss, Reduction

__all__ = [
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SquaredHinge",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "squared_hinge",
]


class MeanSquaredError(PointwiseLoss):
    """Mean over the outputs of (y_pred − y_true)². See `Loss`.

    Examples
    --------
    >>> from cnet import losses
    >>> losses.MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]])
    2.5
    """

    name = rule = "mean_squared_error"


class MeanAbsoluteError(PointwiseLoss):
    """Mean over the outputs of |y_pred − y_true|. See `Loss`."""

    name = rule = "mean_absolute_error"


class MeanAbsolutePercentageError(PointwiseLoss):
    """Mean over the outputs of 100 |y_pred − y_true| / max(|y_true|, 1e-7). See `Loss`."""

    name = rule = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(PointwiseLoss):
    """Mean over the outputs of (log(1 + y_pred) − log(1 + y_true))², both at least 1e-7. See `Loss`."""

    name = rule = "mean_squared_logarithmic_error"


class Huber(PointwiseLoss):
    """Mean over the outputs of ½ d² for d = |y_pred − y_true| ≤ delta, else delta (d − ½ delta).

    Parameters
    ----------
    delta : float above 0, default 1
    reduction, name, dtype
        See `Loss`.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35(1), 1964.

    Examples
    --------
    >>> from cnet import losses
    >>> losses.Huber(delta=1.0)([[0.0, 0.0]], [[1.0, 3.0]])
    1.5
    """

    name = "huber_loss"
    rule = "huber"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.delta = as_number("Huber: delta", delta, above=0)

    def engine_options(self) -> dict[str, Any]:
        return {"delta": self.delta}


class LogCosh(PointwiseLoss):
    """Mean over the outputs of log cosh d, d = y_pred − y_true. See `Loss`.

    Computed as |d| + log(1 + exp(−2 |d|)) − log 2, with an error of up to one rounding of log 2, as in
    Keras. About ½ d² for small d, |d| − log 2 for large.

    Examples
    --------
    >>> from cnet import losses
    >>> round(losses.LogCosh()([[0.0, 0.0]], [[1.0, 3.0]]), 4)
    1.3716
    """

    name = rule = "log_cosh"


class Poisson(PointwiseLoss):
    """Mean over the outputs of y_pred − y_true log(y_pred + 1e-7). See `Loss`."""

    name = rule = "poisson"


class KLDivergence(PointwiseLoss):
    """Sum over the outputs of y_true log(y_true / y_pred), both clipped to [1e-7, 1]. See `Loss`."""

    name = rule = "kl_divergence"


class Hinge(PointwiseLoss):
    """Mean over the outputs of max(1 − y_true y_pred, 0), for labels −1 and 1, or 0 and 1. See `Loss`.

    Each label 0 becomes −1; Keras converts them only if all labels are 0 or 1.
    """

    name = rule = "hinge"


class SquaredHinge(PointwiseLoss):
    """Mean over the outputs of max(1 − y_true y_pred, 0)², for labels as in `Hinge`. See `Loss`."""

    name = rule = "squared_hinge"


def mean_squared_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `MeanSquaredError`.

    Examples
    --------
    >>> from cnet import losses
    >>> losses.mean_squared_error([[0.0, 1.0], [2.0, 2.0]], [[1.0, 3.0], [2.0, 2.0]])
    array([2.5, 0. ], dtype=float32)
    """
    return MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `MeanAbsoluteError`."""
    return MeanAbsoluteError().call(y_true, y_pred)


def mean_absolute_percentage_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return the loss of each sample; see `MeanAbsolutePercentageError`."""
    return MeanAbsolutePercentageError().call(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return the loss of each sample; see `MeanSquaredLogarithmicError`."""
    return MeanSquaredLogarithmicError().call(y_true, y_pred)


def huber(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, delta: float = 1.0) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `Huber`."""
    return Huber(delta).call(y_true, y_pred)


def log_cosh(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `LogCosh`."""
    return LogCosh().call(y_true, y_pred)


def poisson(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `Poisson`."""
    return Poisson().call(y_true, y_pred)


def kl_divergence(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `KLDivergence`."""
    return KLDivergence().call(y_true, y_pred)


def hinge(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `Hinge`."""
    return Hinge().call(y_true, y_pred)


def squared_hinge(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `SquaredHinge`."""
    return SquaredHinge().call(y_true, y_pred)
