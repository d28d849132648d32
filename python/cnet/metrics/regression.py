"""Metrics for regression."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .._data import as_count
from .._errors import short_repr
from .._tracebacks import brief_traceback, warn
from .metric import Float64Array, Mean, Metric, as_pair, as_weights

__all__ = ["MeanAbsoluteError", "MeanSquaredError", "R2Score", "RootMeanSquaredError"]


class _MeanOfErrors(Mean):
    """The mean of `error` of the differences."""

    direction = "down"

    def error(self, difference: Float64Array) -> Float64Array:
        """Return the error of each difference of prediction and label."""
        raise NotImplementedError

    @brief_traceback
    def update_state(  # type: ignore[override] # takes labels and predictions again
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of labels and predictions; see `Metric.update_state`."""
        labels, predictions = as_pair(type(self).__name__, y_true, y_pred, self.dtype)
        difference = predictions.astype(np.float64) - labels.astype(np.float64)
        self._add(self.error(difference), sample_weight)


class MeanSquaredError(_MeanOfErrors):
    """The mean of (y_pred − y_true)².

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.MeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [0, 0]])
    0.25
    """

    name = "mean_squared_error"

    def error(self, difference: Float64Array) -> Float64Array:
        return np.square(difference)


class MeanAbsoluteError(_MeanOfErrors):
    """The mean of |y_pred − y_true|.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.MeanAbsoluteError()([0, 0], [1, -2])
    1.5
    """

    name = "mean_absolute_error"

    def error(self, difference: Float64Array) -> Float64Array:
        return np.abs(difference)


class RootMeanSquaredError(MeanSquaredError):
    """The root of the mean of (y_pred − y_true)².

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.RootMeanSquaredError()([0, 0, 0, 0], [1, 1, 1, 1])
    1.0
    """

    name = "root_mean_squared_error"

    def result(self) -> float:
        """Return the root of the mean so far, 0 before the first sample."""
        return math.sqrt(super().result())


class R2Score(Metric):
    """The coefficient of determination, 1 − Σ (y − ŷ)² / Σ (y − ȳ)², for each output.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average", None}
        Result for several outputs: their mean (default), their mean weighted by the variance of the
        labels, or an array. scikit-learn calls it `multioutput`.
    num_regressors : int, default 0
        Number of regressors p of the adjusted score, 1 − (1 − R²)(n − 1) / (n − p − 1). As in Keras, n
        counts the labels of all outputs.
    name, dtype : str, optional
        See `Metric`.

    Notes
    -----
    As in Keras, an output whose labels are all equal scores 0, or NaN if the predictions are correct
    (scikit-learn: 1). Variances are computed from sums of squares, which loses digits if the mean of
    the labels is much larger than their spread.

    Examples
    --------
    >>> from cnet import metrics
    >>> round(metrics.R2Score()([[1], [4], [3]], [[2], [4], [4]]), 6)
    0.571429
    """

    name = "r2_score"
    direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ValueError(
                "R2Score: class_aggregation: expected 'uniform_average', "
                f"'variance_weighted_average' or None, got {short_repr(class_aggregation)}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = as_count("R2Score: num_regressors", num_regressors)
        super().__init__(name=name, dtype=dtype)

    def reset_state(self) -> None:
        self.num_samples = 0
        # Sums for each output: weights, labels, squared labels, squared errors.
        self._sums: Float64Array | None = None

    @brief_traceback
    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        labels, predictions = as_pair("R2Score", y_true, y_pred, self.dtype)
        y, p = labels.astype(np.float64), predictions.astype(np.float64)
        weights = as_weights("R2Score", sample_weight, y.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            terms = (weights, weights * y, weights * y * y, weights * np.square(y - p))
            sums = np.stack([term.sum(axis=0) for term in terms])
        if self._sums is not None and self._sums.shape != sums.shape:
            raise ValueError(
                f"R2Score: y_pred: expected {self._sums.shape[1]} outputs as before, "
                f"got {sums.shape[1]}"
            )
        self._sums = sums if self._sums is None else self._sums + sums
        self.num_samples += y.size

    def result(self) -> Any:
        """Return the score so far; NaN before the first sample."""
        if self._sums is None:
            return math.nan
        count, total, squares, residual = self._sums
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = squares - total * (total / count)
            scores = 1 - residual / spread
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            scores = (spread * scores).sum() / spread.sum()
        n, p = self.num_samples, self.num_regressors
        if p and p >= n - 1:
            warn(
                f"R2Score: num_regressors={p} is too large for {n} labels; the score is not adjusted"
            )
        elif p:
            scores = 1 - (1 - scores) * (n - 1) / (n - p - 1)
        return float(scores) if np.ndim(scores) == 0 else scores
