"""Metrics from true and false positives and negatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._data import Array, as_number, as_numbers, as_optional_count
from .._errors import short_repr
from .._tracebacks import brief_traceback
from .metric import Float64Array, Metric, as_pair, as_weights

__all__ = [
    "F1Score",
    "FalseNegatives",
    "FalsePositives",
    "Precision",
    "Recall",
    "TrueNegatives",
    "TruePositives",
]

EPSILON = 1e-7  # Keras's, for quotients of F1Score and the outer thresholds of AUC


def weight_between(
    thresholds: Float64Array, predictions: Array, weights: Float64Array
) -> npt.NDArray[np.float64]:
    """Return the total weight of predictions between ascending thresholds.

    Predictions and weights are (samples, columns), the result is (1 + thresholds, columns). Row 0 is
    for predictions above no threshold, including NaN; row n for those above the first n only.
    """
    dtype = predictions.dtype if predictions.dtype.kind == "f" else np.dtype(np.float64)
    row = np.searchsorted(thresholds.astype(dtype), predictions)
    row[np.isnan(predictions)] = 0
    columns = predictions.shape[1]
    bins = row * columns + np.arange(columns)
    size = (len(thresholds) + 1) * columns
    return np.bincount(bins.ravel(), weights.ravel(), size).reshape(-1, columns).astype(np.float64)


def weight_above(bins: Float64Array) -> Float64Array:
    """Return the weight above each threshold, (thresholds, columns), from `weight_between`."""
    sums: Float64Array = np.cumsum(bins[:0:-1], axis=0)[::-1]
    return sums


def weight_not_above(bins: Float64Array) -> Float64Array:
    """Return the weight not above each threshold."""
    sums: Float64Array = np.cumsum(bins[:-1], axis=0)
    return sums


def divide_no_nan(a: Any, b: Any) -> Any:
    """Return a / b, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.shape(b)), where=np.not_equal(b, 0))


class _AtThresholds(Metric):
    """The weight of true and false positives and negatives at each threshold."""

    direction: str | None = "up"

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        call = type(self).__name__
        if thresholds is None:
            values = [0.5 if top_k is None else -np.inf]
        else:
            several = isinstance(thresholds, (list, tuple, np.ndarray))
            given = thresholds if several else [thresholds]
            values = as_numbers(f"{call}: thresholds", given, least=0, most=1)
            if not values:
                raise ValueError(f"{call}: thresholds: expected numbers in [0, 1], got none")
        self.thresholds = thresholds
        self._order = np.argsort(values, kind="stable")
        self._ascending = np.asarray(values, np.float64)[self._order]
        self.top_k = as_optional_count(f"{call}: top_k", top_k)
        self.class_id = as_optional_count(f"{call}: class_id", class_id, least=0)
        super().__init__(name=name, dtype=dtype)

    def reset_state(self) -> None:
        # (negative and positive, thresholds + 1, 1): the weight between thresholds.
        self._bins = np.zeros((2, len(self._ascending) + 1, 1))

    @brief_traceback
    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        call = type(self).__name__
        one_row = np.ndim(y_pred) == 1 == np.ndim(y_true) and self.top_k is not None
        if one_row:  # as in Keras, the k largest of all predictions
            y_true, y_pred = np.asarray(y_true)[np.newaxis], np.asarray(y_pred)[np.newaxis]
            if sample_weight is not None and np.ndim(sample_weight) == 1:
                sample_weight = np.asarray(sample_weight)[np.newaxis]
        labels, predictions = as_pair(call, y_true, y_pred, self.dtype)
        weights = as_weights(call, sample_weight, labels.shape)
        if self.top_k is not None:
            if self.top_k > predictions.shape[1]:
                raise ValueError(
                    f"{call}: y_pred: expected at least top_k={self.top_k} predictions per sample, "
                    f"got {predictions.shape[1]}"
                )
            # Of equal predictions the first are kept, as in Keras.
            last = np.argsort(-predictions, axis=1, kind="stable")[:, self.top_k :]
            predictions = predictions.astype(np.result_type(predictions, np.float32))
            np.put_along_axis(predictions, last, -np.inf, axis=1)
        if self.class_id is not None:
            if self.class_id >= labels.shape[1]:
                raise ValueError(
                    f"{call}: y_pred: expected more than class_id={self.class_id} predictions per "
                    f"sample, got {labels.shape[1]}"
                )
            own = slice(self.class_id, self.class_id + 1)
            labels, predictions, weights = labels[:, own], predictions[:, own], weights[:, own]
        is_true = (labels != 0).reshape(-1, 1)
        column, weight = predictions.reshape(-1, 1), weights.reshape(-1, 1)
        parts = (weight * ~is_true, weight * is_true)
        self._bins += [weight_between(self._ascending, column, part) for part in parts]

    def _weight(self, *, actual: bool, predicted: bool) -> Float64Array:
        """Return the weight of one kind of predictions at ascending thresholds."""
        bins = self._bins[int(actual)]
        return (weight_above if predicted else weight_not_above)(bins)[:, 0]

    def _in_order(self, values: Float64Array) -> Any:
        """Return the result for each threshold in the user's order."""
        if len(values) == 1:
            return float(values[0])
        result = np.empty_like(values)
        result[self._order] = values
        return result


class Precision(_AtThresholds):
    """The fraction of positive predictions that are correct: TP / (TP + FP).

    Parameters
    ----------
    thresholds : float or list of float in [0, 1], default 0.5
        Predictions above it are positive; use 0 for logits. For a list `result` returns an array.
    top_k : int, optional
        Only the k largest predictions of a sample can be positive; without `thresholds`, all of them
        are.
    class_id : int, optional
        Use only the predictions of this class.
    name, dtype : str, optional
        See `Metric`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    Labels have the predictions' shape; nonzero labels are positive. Without positive predictions the
    result is 0.

    Examples
    --------
    >>> from cnet import metrics
    >>> round(metrics.Precision()([0, 1, 1, 1], [1, 0, 1, 1]), 4)
    0.6667
    """

    name = "precision"

    def result(self) -> Any:
        """Return the precision, an array for a list of thresholds."""
        true_positives = self._weight(actual=True, predicted=True)
        false_positives = self._weight(actual=False, predicted=True)
        return self._in_order(divide_no_nan(true_positives, true_positives + false_positives))


class Recall(_AtThresholds):
    """The fraction of positive labels that are predicted: TP / (TP + FN).

    See `Precision` for the parameters. Without positive labels the result is 0.

    Examples
    --------
    >>> from cnet import metrics
    >>> round(metrics.Recall()([0, 1, 1, 1], [1, 0, 1, 1]), 4)
    0.6667
    """

    name = "recall"

    def result(self) -> Any:
        """Return the recall, an array for a list of thresholds."""
        true_positives = self._weight(actual=True, predicted=True)
        false_negatives = self._weight(actual=True, predicted=False)
        return self._in_order(divide_no_nan(true_positives, true_positives + false_negatives))


class _Count(_AtThresholds):
    """The weight of one kind of predictions."""

    direction = None
    actual: ClassVar[bool]
    predicted: ClassVar[bool]

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(thresholds, name=name, dtype=dtype)

    def result(self) -> Any:
        """Return the count, or the sum of the weights; an array for a list of thresholds."""
        return self._in_order(self._weight(actual=self.actual, predicted=self.predicted))


class TruePositives(_Count):
    """The number of positive predictions of positive labels.

    Parameters
    ----------
    thresholds : float or list of float in [0, 1], default 0.5
        Predictions above it are positive; use 0 for logits. For a list `result` returns an array.
    name, dtype : str, optional
        See `Metric`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    Labels have the predictions' shape; nonzero labels are positive. With sample weights the result
    is the sum of their weights.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.TruePositives()([0, 1, 1, 1], [1, 0, 1, 1])
    2.0
    >>> metrics.TruePositives([0.5, 0.8])([0, 1, 1, 1], [0.9, 0.1, 0.7, 0.9])
    array([2., 1.])
    """

    name = "true_positives"
    actual = predicted = True


class TrueNegatives(_Count):
    """The number of negative predictions of negative labels; see `TruePositives`.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0])
    2.0
    """

    name = "true_negatives"
    actual = predicted = False


class FalsePositives(_Count):
    """The number of positive predictions of negative labels; see `TruePositives`.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1])
    2.0
    """

    name = "false_positives"
    actual, predicted = False, True


class FalseNegatives(_Count):
    """The number of negative predictions of positive labels; see `TruePositives`.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0])
    2.0
    """

    name = "false_negatives"
    actual, predicted = True, False


class F1Score(Metric):
    """The harmonic mean of precision and recall for each class.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}, default None
        None: an array with the score of each class; "micro": the score of the pooled counts; "macro":
        the mean over the classes; "weighted": the mean weighted by the positive labels of each class.
    threshold : float in (0, 1], optional
        Predictions above it are positive. Default: the largest prediction of a sample is positive.
    name, dtype : str, optional
        See `Metric`.

    Raises
    ------
    ValueError
        If an argument is invalid.

    Notes
    -----
    Labels have the predictions' shape, (samples, classes). As in Keras, 1e-7 is added to each
    denominator, so that an absent class scores 0, and the best score is about 1 − 1e-7.

    Examples
    --------
    >>> from cnet import metrics
    >>> f1 = metrics.F1Score(threshold=0.5)
    >>> f1([[1, 1, 1], [1, 0, 0], [1, 1, 0]],
    ...    [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4)
    array([0.5   , 0.8   , 0.6667])
    """

    name = "f1_score"
    direction = "up"

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                f"F1Score: average: expected None, 'micro', 'macro' or 'weighted', got {short_repr(average)}"
            )
        self.average = average
        self.threshold = None if threshold is None else as_number("F1Score: threshold", threshold)
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise ValueError(
                f"F1Score: threshold: expected a number in (0, 1], got {short_repr(threshold)}"
            )
        super().__init__(name=name, dtype=dtype)

    def reset_state(self) -> None:
        # True positives, false positives and positive labels of each class.
        self._sums: Float64Array | None = None

    @brief_traceback
    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        labels, predictions = as_pair("F1Score", y_true, y_pred, self.dtype)
        if self.threshold is None:
            greatest = predictions.astype(np.float64).max(axis=1, keepdims=True, initial=-np.inf)
            positive = (predictions >= greatest) & (np.abs(predictions) > 1e-9)
        else:
            positive = predictions > self.threshold
        weights = as_weights("F1Score", sample_weight, labels.shape)
        y = labels.astype(np.float64)
        terms = (weights * positive * y, weights * positive * (1 - y), weights * y)
        with np.errstate(invalid="ignore"):  # labels may be infinite
            sums = np.stack([term.sum(axis=0) for term in terms])
        if self._sums is not None and self._sums.shape != sums.shape:
            raise ValueError(
                f"F1Score: y_pred: expected {self._sums.shape[1]} classes as before, "
                f"got {sums.shape[1]}"
            )
        self._sums = sums if self._sums is None else self._sums + sums

    def result(self) -> Any:
        """Return the score, an array (classes,) if `average` is None; 0 before the first sample."""
        if self._sums is None:
            return 0.0
        sums = self._sums.sum(axis=1, keepdims=True) if self.average == "micro" else self._sums
        true_positives, false_positives, positives = sums
        precision = true_positives / (true_positives + false_positives + EPSILON)
        recall = true_positives / (positives + EPSILON)
        score = 2 * precision * recall / (precision + recall + EPSILON)
        if self.average == "weighted":
            return float((score * positives / (positives.sum() + EPSILON)).sum())
        return score if self.average is None else float(score.mean())
