"""Metrics that count correct predictions."""

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
    """The mean of `matches`."""

    direction = "up"

    def matches(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
        """Return which predictions are correct."""
        raise NotImplementedError

    @brief_traceback
    def update_state(  # type: ignore[override] # takes labels and predictions again
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of labels and predictions; see `Metric.update_state`."""
        self._add(self.matches(y_true, y_pred), sample_weight)


class Accuracy(_MeanOfMatches):
    """The fraction of predictions that equal their labels exactly.

    In `compile` the name "accuracy" means another metric, chosen by shapes.

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
    """The fraction of labels, 0 or 1, that match the thresholded predictions.

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
        with np.errstate(over="ignore"):  # the threshold may exceed the dtype's range
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
        """Return which rows are predicted correctly."""
        right: Array = np.equal(predictions.argmax(axis=1), ids)
        return right


class SparseCategoricalAccuracy(_OfClasses):
    """The fraction of samples whose most likely class is the true one, given as an integer id.

    Among equally likely classes the first is the prediction.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.SparseCategoricalAccuracy()([1, 0], [[0.2, 0.8], [0.4, 0.6]])
    0.5
    """

    name = "sparse_categorical_accuracy"
    sparse = True


class CategoricalAccuracy(_OfClasses):
    """The fraction of samples whose most likely class is the true one, given as one-hot rows.

    Among equally likely classes the first is the prediction; soft labels are treated alike.
    """

    name = "categorical_accuracy"
    sparse = False


class _OfTopK(_OfClasses):
    """A metric of whether the true class is among the k most likely."""

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
    """The fraction of samples whose true class, given as one-hot rows, is among the k most likely.

    Parameters
    ----------
    k : int, default 5
        Classes as likely as the k-th are included.
    name, dtype : str, optional
        See `Metric`.
    """

    name = "top_k_categorical_accuracy"
    sparse = False


class SparseTopKCategoricalAccuracy(_OfTopK):
    """The fraction of samples whose true class, given as an integer id, is among the k most likely.

    Parameters
    ----------
    k : int, default 5
        Classes as likely as the k-th are included.
    name, dtype : str, optional
        See `Metric`.
    from_sorted_ids : bool, default False
        Whether predictions are class ids, most likely first, rather than scores.

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
    """Return 1 for each correct prediction, else 0, in the shape of `y_pred`; see `BinaryAccuracy`.

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
    """Return 1 for each correct sample, else 0, (batch,); see `CategoricalAccuracy`."""
    return CategoricalAccuracy().matches(y_true, y_pred).astype(floatx())


def sparse_categorical_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Return 1 for each correct sample, else 0, (batch,); see `SparseCategoricalAccuracy`."""
    return SparseCategoricalAccuracy().matches(y_true, y_pred).astype(floatx())


def top_k_categorical_accuracy(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, k: int = 5
) -> FloatArray:
    """Return 1 for each correct sample, else 0, (batch,); see `TopKCategoricalAccuracy`."""
    return TopKCategoricalAccuracy(k).matches(y_true, y_pred).astype(floatx())


def sparse_top_k_categorical_accuracy(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, k: int = 5, from_sorted_ids: bool = False
) -> FloatArray:
    """Return 1 for each correct label, else 0, shaped as `y_true`; see `SparseTopKCategoricalAccuracy`."""
    metric = SparseTopKCategoricalAccuracy(k, from_sorted_ids=from_sorted_ids)
    return metric.matches(y_true, y_pred).astype(floatx()).reshape(np.shape(y_true))


class AccuracyByShape(Metric):
    """Placeholder for "accuracy" in `compile` until the shapes of labels and outputs are known."""

    name = "accuracy"
    direction = "up"

    def reset_state(self) -> None:
        pass

    def result(self) -> float:
        return 0.0

    def resolve(self, labels: tuple[int, ...], outputs: tuple[int | None, ...]) -> Metric:
        """Return the metric for the shapes of labels and outputs.

        One output: binary; one number per label, several outputs: class ids; else one-hot rows.
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
