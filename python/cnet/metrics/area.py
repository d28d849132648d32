"""The area under the ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from .._data import as_array, as_count
from .._errors import short_repr
from .._tracebacks import brief_traceback
from .confusion import EPSILON, divide_no_nan, weight_above, weight_between, weight_not_above
from .metric import Float64Array, Metric, as_pair, as_weights

__all__ = ["AUC"]

MAX_THRESHOLDS = 2**17  # bounds the memory that a model file can request: a dozen arrays of 1 MB


class AUC(Metric):
    """The area under the ROC or the precision-recall curve, approximated by thresholds.

    Parameters
    ----------
    num_thresholds : int from 2 to 2¹⁷, default 200
        Thresholds at 0 and 1 (1e-7 beyond), and evenly spaced between.
    curve : {"ROC", "PR", "PRGAIN"}, default "ROC"
    summation_method : {"interpolation", "minoring", "majoring"}, default "interpolation"
        Area between two thresholds: the trapezoid for ROC and PRGAIN, the interpolation of Davis and
        Goadrich (2006, section 4) for PR; or the lower or upper rectangle.
    name, dtype : str, optional
        See `Metric`.
    thresholds : list of float in [0, 1], optional
        Instead of `num_thresholds`; one below 0 and one above 1 are added.
    multi_label : bool, default False
        Whether to average the areas of the columns of predictions; else all predictions are pooled.
    num_labels : int, optional
        Number of columns with `multi_label`. Default: that of the first batch.
    label_weights : list of float, optional
        Weights of the columns.
    from_logits : bool, default False
        Whether predictions are logits, not probabilities.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    Labels have the predictions' shape; nonzero labels are positive. Predictions are clipped to
    [0, 1]. The area converges to that of scikit-learn, whose curve has a point for each prediction.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    name = "auc"
    direction = "up"
    _stored_as: ClassVar = {"thresholds": "_given_thresholds"}

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: npt.ArrayLike | None = None,
        from_logits: bool = False,
    ) -> None:
        if curve not in ("ROC", "PR", "PRGAIN"):
            raise ValueError(
                f"AUC: curve: expected 'ROC', 'PR' or 'PRGAIN', got {short_repr(curve)}"
            )
        if summation_method not in ("interpolation", "minoring", "majoring"):
            raise ValueError(
                "AUC: summation_method: expected 'interpolation', 'minoring' or 'majoring', "
                f"got {short_repr(summation_method)}"
            )
        if num_labels is not None and not multi_label:
            raise ValueError(f"AUC: num_labels={short_repr(num_labels)} requires multi_label=True")
        num_thresholds = as_count("AUC: num_thresholds", num_thresholds, least=2)
        if num_thresholds > MAX_THRESHOLDS:
            raise ValueError(
                f"AUC: num_thresholds: expected at most {MAX_THRESHOLDS}, got {num_thresholds}"
            )
        inner = None
        if thresholds is not None:
            inner = np.sort(as_array(thresholds, "AUC: thresholds").astype(np.float64))
            if inner.ndim != 1 or not ((inner >= 0) & (inner <= 1)).all():
                raise ValueError(
                    f"AUC: thresholds: expected numbers in [0, 1], got {short_repr(thresholds)}"
                )
        self._given_thresholds = inner
        self.num_thresholds = num_thresholds if inner is None else len(inner) + 2
        self.curve = curve
        self.summation_method = summation_method
        self.multi_label = bool(multi_label)
        self.num_labels = num_labels
        self.label_weights = (
            None
            if label_weights is None
            else as_array(label_weights, "AUC: label_weights").astype(np.float64)
        )
        self.from_logits = bool(from_logits)
        super().__init__(name=name, dtype=dtype)

    @cached_property
    def _ascending(self) -> Float64Array:
        # Computed on first use, as a model file can contain many metrics with many thresholds.
        inner = self._given_thresholds
        if inner is None:
            inner = np.arange(1, self.num_thresholds - 1) / (self.num_thresholds - 1)
        return np.concatenate([[-EPSILON], inner, [1 + EPSILON]])

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, including those below 0 and above 1."""
        return self._ascending.tolist()  # type: ignore[no-any-return] # of floats

    def reset_state(self) -> None:
        # (positive and negative, thresholds + 1, columns): the weight between thresholds.
        self._bins: Float64Array | None = None

    @brief_traceback
    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        labels, predictions = as_pair("AUC", y_true, y_pred, self.dtype)
        columns = labels.shape[1]
        weights = as_weights("AUC", sample_weight, labels.shape)
        expected = self.num_labels or (columns if self._bins is None else self._bins.shape[2])
        if self.multi_label and columns != expected:
            raise ValueError(f"AUC: y_pred: expected {expected} labels a sample, got {columns}")
        if self.label_weights is not None and self.label_weights.shape != (columns,):
            raise ValueError(
                f"AUC: label_weights: expected shape ({columns},) for these predictions, "
                f"got {self.label_weights.shape}"
            )
        if self.from_logits:
            with np.errstate(over="ignore"):
                predictions = 1 / (1 + np.exp(-predictions))
        predictions = np.clip(predictions, 0, 1)
        is_true = labels != 0
        if not self.multi_label:
            if self.label_weights is not None:
                weights = weights * self.label_weights
            predictions, is_true = predictions.reshape(-1, 1), is_true.reshape(-1, 1)
            weights = weights.reshape(-1, 1)
        parts = (weights * is_true, weights * ~is_true)
        bins = np.stack([weight_between(self._ascending, predictions, part) for part in parts])
        self._bins = bins if self._bins is None else self._bins + bins

    def result(self) -> float:
        """Return the area so far, 0 before the first sample."""
        if self._bins is None:
            return 0.0
        positive, negative = self._bins
        counts = (
            weight_above(positive),
            weight_above(negative),
            weight_not_above(positive),
            weight_not_above(negative),
        )
        areas = self._pieces(*counts).sum(axis=0)
        if self.multi_label and self.label_weights is not None:
            return float(
                divide_no_nan((areas * self.label_weights).sum(), self.label_weights.sum())
            )
        return float(areas.mean())

    def _pieces(
        self, tp: Float64Array, fp: Float64Array, fn: Float64Array, tn: Float64Array
    ) -> Float64Array:
        """Return the areas between thresholds for each column."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _pr_pieces(tp, fp, fn)
        recall = divide_no_nan(tp, tp + fn)
        if self.curve == "ROC":
            x, y = divide_no_nan(fp, fp + tn), recall
        elif self.curve == "PR":
            x, y = recall, divide_no_nan(tp, tp + fp)
        else:  # Flach and Kull, "Precision-recall-gain curves", 2015
            scale = divide_no_nan(tp + fn, tn + fp)
            x = np.where(tp == 0, 0.0, np.maximum(1 - scale * divide_no_nan(fn, tp), 0))
            y = np.where(tp == 0, 1.0, 1 - scale * divide_no_nan(fp, tp))
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        elif self.summation_method == "minoring":
            heights = np.minimum(y[:-1], y[1:])
        else:
            heights = np.maximum(y[:-1], y[1:])
        pieces: Float64Array = (x[:-1] - x[1:]) * heights
        return pieces


def _pr_pieces(tp: Float64Array, fp: Float64Array, fn: Float64Array) -> Float64Array:
    """Return the areas under the precision-recall curve, with TP and FP linear between thresholds.

    With P = TP + FP and TP = intercept + slope P between two thresholds, the integral of TP / P over
    TP is slope (ΔTP + intercept log(P_a / P_b)); recall is TP divided by the number of positives.
    """
    p = tp + fp
    slope = divide_no_nan(tp[:-1] - tp[1:], np.maximum(p[:-1] - p[1:], 0))
    intercept = tp[1:] - slope * p[1:]
    ratio = np.where((p[:-1] > 0) & (p[1:] > 0), divide_no_nan(p[:-1], np.maximum(p[1:], 0)), 1.0)
    areas = slope * (tp[:-1] - tp[1:] + intercept * np.log(ratio))
    pieces: Float64Array = divide_no_nan(areas, np.maximum(tp[1:] + fn[1:], 0))
    return pieces
