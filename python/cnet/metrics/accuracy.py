"""Metrics that count right predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._data import Array, FloatArray, as_count, as_labels, as_number, as_samples
from .._tracebacks import brief_traceback
from ..config import floatx
from .metric import Mean, Metric, as_pair, rounded

__all__ = [
    "Accuracy",
    "AccuracyByShape",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


class _MeanOfMatches(Mean):
    """The mean of what `matches` says of each prediction."""

    direction = "up"

    def matches(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
        """Return whether each prediction is right."""
        raise NotImplementedError

    @brief_traceback
    def update_state(  # type: ignore[override] # of labels and predictions again
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of labels and predictions; see `Metric.update_state`."""
        self._add(self.matches(y_true, y_pred), sample_weight)


class Accuracy(_MeanOfMatches):
    """The part of predictions that equal their labels exactly.

    In `compile` the name "accuracy" does not mean this one: there it is resolved by shapes.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.Accuracy()([1, 2, 3, 4], [0, 2, 3, 4])
    0.75
    """

    name = "accuracy"

    def matches(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
        labels, predictions = as_pair("Accuracy", y_true, y_pred, self.dtype)
        return np.equal(labels, predictions)


class BinaryAccuracy(_MeanOfMatches):
    """The part of labels, 0 or 1, that a prediction above the threshold gets right.

    Parameters
    ----------
    name, dtype : str, optional
        See `Metric`.
    threshold : float, default 0.5
        A prediction above it is a 1.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.BinaryAccuracy()([1, 1, 0, 0], [0.98, 1, 0, 0.6])
    0.75
    """

    name = "binary_accuracy"

    def __init__(
        self, name: str | None = None, dtype: str | None = None, threshold: float = 0.5
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.threshold = as_number("BinaryAccuracy: threshold", threshold)

    def matches(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
        labels, predictions = as_pair("BinaryAccuracy", y_true, y_pred, self.dtype)
        with np.errstate(over="ignore"):  # a threshold beyond the dtype is none that is reached
            return np.equal(labels, predictions > self.threshold)


class _OfClasses(_MeanOfMatches):
    """A metric of predictions (samples, classes)."""

    def matches(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
        call = type(self).__name__
        predictions = rounded(as_samples(y_pred, f"{call}: y_pred"), self.dtype)
        if predictions.ndim != 2:
            raise ValueError(
                f"{call}: y_pred: expected shape (batch, classes), got {predictions.shape}"
            )
        sparse = bool(self.sparse)
        labels = as_labels(y_true, f"{call}: y_true", predictions.shape[1], sparse=sparse)
        if len(labels) != len(predictions):
            raise ValueError(
                f"{call}: y_true: expected {len(predictions)} samples as y_pred, got {len(labels)}"
            )
        ids = labels[:, 0] if sparse else labels.argmax(axis=1)
        return self.matches_of_ids(ids, predictions)

    def matches_of_ids(self, ids: Array, predictions: Array) -> Array:
        """Return whether each row's prediction is right."""
        right: Array = np.equal(predictions.argmax(axis=1), ids)
        return right


class SparseCategoricalAccuracy(_OfClasses):
    """The part of samples whose likeliest class is the true one, given as an integer id.

    Of equally likely classes the first is the prediction.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.SparseCategoricalAccuracy()([1, 0], [[0.2, 0.8], [0.4, 0.6]])
    0.5
    """

    name = "sparse_categorical_accuracy"
    sparse = True


class CategoricalAccuracy(_OfClasses):
    """The part of samples whose likeliest class is the true one, given as one-hot rows.

    Of equally likely classes the first is the prediction; so it is of soft labels.
    """

    name = "categorical_accuracy"
    sparse = False


class _OfTopK(_OfClasses):
    """A metric that asks for the true class among the k likeliest."""

    def __init__(self, k: int = 5, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.k = as_count(f"{type(self).__name__}: k", k, least=1)

    def matches_of_ids(self, ids: Array, predictions: Array) -> Array:
        classes = predictions.shape[1]
        if classes == 0:
            return np.zeros(len(ids), bool)
        inside = (ids >= 0) & (ids < classes)
        own = predictions[np.arange(len(ids)), np.where(inside, ids, 0)]
        before = np.count_nonzero(predictions > own[:, np.newaxis], axis=1)
        ranked = np.isfinite(own) & ~np.isnan(predictions).any(axis=1)  # NaN has no rank
        right: Array = inside & (before < self.k) & ranked
        return right


class TopKCategoricalAccuracy(_OfTopK):
    """The part of samples whose true class, given as one-hot rows, is among the k likeliest.

    Parameters
    ----------
    k : int, default 5
        Classes as likely as the last of them count, too.
    name, dtype : str, optional
        See `Metric`.
    """

    name = "top_k_categorical_accuracy"
    sparse = False


class SparseTopKCategoricalAccuracy(_OfTopK):
    """The part of samples whose true class, given as an integer id, is among the k likeliest.

    Parameters
    ----------
    k : int, default 5
        Classes as likely as the last of them count, too.
    name, dtype : str, optional
        See `Metric`.
    from_sorted_ids : bool, default False
        Whether predictions are ids of classes, the likeliest first, rather than their scores.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.1, 0.9, 0.8], [0.05, 0, 0.95]])
    0.5
    """

    name = "sparse_top_k_categorical_accuracy"
    sparse = True

    def __init__(
        self,
        k: int = 5,
        name: str | None = None,
        dtype: str | None = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(k, name, dtype)
        self.from_sorted_ids = bool(from_sorted_ids)

    def matches_of_ids(self, ids: Array, predictions: Array) -> Array:
        if self.from_sorted_ids:
            first: Array = np.equal(predictions[:, : self.k], ids[:, np.newaxis])
            return np.asarray(first.any(axis=1))
        return super().matches_of_ids(ids, predictions)


def binary_accuracy(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, threshold: float = 0.5
) -> FloatArray:
    """Return 1 for each prediction that is right and 0 for the others, as `y_pred`; see `BinaryAccuracy`.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.binary_accuracy([[1, 1], [0, 0]], [[0.9, 0.4], [0.1, 0.3]])
    array([[1., 0.],
           [1., 1.]], dtype=float32)
    """
    matches = BinaryAccuracy(threshold=threshold).matches(y_true, y_pred)
    return matches.astype(floatx()).reshape(np.shape(y_pred))


def categorical_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return 1 for each sample that is right and 0 for the others, (batch,); see `CategoricalAccuracy`."""
    return CategoricalAccuracy().matches(y_true, y_pred).astype(floatx())


def sparse_categorical_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return 1 for each sample that is right and 0 for the others, (batch,); see `SparseCategoricalAccuracy`."""
    return SparseCategoricalAccuracy().matches(y_true, y_pred).astype(floatx())


def top_k_categorical_accuracy(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, k: int = 5
) -> FloatArray:
    """Return 1 for each sample that is right and 0 for the others, (batch,); see `TopKCategoricalAccuracy`."""
    return TopKCategoricalAccuracy(k).matches(y_true, y_pred).astype(floatx())


def sparse_top_k_categorical_accuracy(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, k: int = 5, from_sorted_ids: bool = False
) -> FloatArray:
    """Return 1 for each label that is right and 0 for the others, as `y_true`; see `SparseTopKCategoricalAccuracy`."""
    metric = SparseTopKCategoricalAccuracy(k, from_sorted_ids=from_sorted_ids)
    return metric.matches(y_true, y_pred).astype(floatx()).reshape(np.shape(y_true))


class AccuracyByShape(Metric):
    """What "accuracy" means in `compile`, until labels and outputs are known."""

    name = "accuracy"
    direction = "up"

    def reset_state(self) -> None:
        pass

    def result(self) -> float:
        return 0.0

    def resolve(self, labels: tuple[int, ...], outputs: tuple[int | None, ...]) -> Metric:
        """Return the metric for such shapes of labels and outputs.

        One output: binary; labels of one number beside several outputs: ids; else one-hot.
        """
        chosen: type[Any]
        if outputs[-1] == 1:
            chosen = BinaryAccuracy
        elif len(labels) < len(outputs) or labels[-1] == 1:
            chosen = SparseCategoricalAccuracy
        else:
            chosen = CategoricalAccuracy
        metric: Metric = chosen(name=self.name)
        return metric
