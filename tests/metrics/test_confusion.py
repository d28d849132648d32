"""Metrics of positives and negatives, compared with counts for each threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.confusion_counts import RNG, P, W, Y, counts

from cnet import metrics

THRESHOLDS = [None, 0.25, [0.3], [0.7, 0.2, 0.5], [0.0, 0.5, 1.0]]


@pytest.mark.parametrize("thresholds", THRESHOLDS)
def test_precision_and_recall(thresholds: Any) -> None:
    each = np.atleast_1d(0.5 if thresholds is None else thresholds)
    precisions, recalls = [], []
    for threshold in each:
        tp, fp, fn, _ = counts(Y, P, W, threshold)
        precisions.append(tp / (tp + fp) if tp + fp else 0.0)
        recalls.append(tp / (tp + fn))
    one = len(each) == 1
    for cls, expected in ((metrics.Precision, precisions), (metrics.Recall, recalls)):
        result = cls(thresholds)(Y, P, W)
        assert isinstance(result, float) == one
        np.testing.assert_allclose(result, expected[0] if one else expected, rtol=1e-12)


@pytest.mark.parametrize("thresholds", THRESHOLDS)
def test_counts(thresholds: Any) -> None:
    each = np.atleast_1d(0.5 if thresholds is None else thresholds)
    expected = np.transpose([counts(Y, P, W, threshold) for threshold in each])
    kinds = ("TruePositives", "FalsePositives", "FalseNegatives", "TrueNegatives")
    for kind, numbers in zip(kinds, expected, strict=True):
        result = getattr(metrics, kind)(thresholds)(Y, P, W)
        assert isinstance(result, float) == (len(each) == 1)
        np.testing.assert_allclose(result, numbers if len(each) > 1 else numbers[0], rtol=1e-12)


def test_classes_that_never_occur_count_as_zero() -> None:
    weights = [0.1, 0.2, 0.3]
    assert metrics.FalseNegatives()([1, 1, 1], [0.6, 0.7, 0.8], weights) == 0.0
    assert metrics.TrueNegatives()([0, 0, 0], [0.6, 0.7, 0.8], weights) == 0.0


def test_top_k_and_class_id() -> None:
    p, y = np.array([[0.1, 0.6, 0.3], [0.4, 0.4, 0.2]]), np.array([[0, 1, 1], [0, 1, 0]])
    assert metrics.Precision(top_k=1)(y, p) == 0.5, "the first of equal predictions"
    assert metrics.Recall(top_k=2)(y, p) == 1.0
    assert metrics.Precision(top_k=2)(y, p) == 0.75
    assert metrics.Precision(top_k=2, thresholds=0.35)(y, p) == 2 / 3
    assert metrics.Recall(class_id=1)(y, p) == 0.5
    assert metrics.Recall(class_id=1, top_k=2)(y, p) == 1.0
    assert metrics.Precision(top_k=2)([0, 0, 1, 1], [1, 1, 1, 1]) == 0.0
    assert metrics.Precision(top_k=4)([0, 0, 1, 1], [1, 1, 1, 1]) == 0.5


def test_weights_of_single_predictions() -> None:
    weights = RNG.random(P.shape)
    tp, fp, fn, _ = counts(Y, P, weights, 0.5)
    assert metrics.Precision()(Y, P, weights) == pytest.approx(tp / (tp + fp))
    own = slice(1, 2)
    tp, _, fn, _ = counts(Y[:, own], P[:, own], weights[:, own], 0.5)
    assert metrics.Recall(class_id=1)(Y, P, weights) == pytest.approx(tp / (tp + fn))


def test_nan_is_never_positive() -> None:
    assert metrics.Recall()([1, 1], [np.nan, 0.9]) == 0.5
    assert metrics.Precision()([0, 1], [np.nan, 0.9]) == 1.0
    assert metrics.FalseNegatives()([1, 1], [np.nan, 0.9]) == 1.0


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_f1(average: str | None, threshold: float | None) -> None:
    p = P + np.linspace(0, 1e-3, 3, dtype=np.float32)  # all different
    said = p > threshold if threshold else p == p.max(axis=1, keepdims=True)
    w = W[:, np.newaxis]
    tp, fp, fn = (w * said * Y).sum(0), (w * said * (1 - Y)).sum(0), (w * ~said * Y).sum(0)
    if average == "micro":
        tp, fp, fn = tp.sum(), fp.sum(), fn.sum()
    each = 2 * tp / (2 * tp + fp + fn)
    expected = {
        None: each,
        "micro": each,
        "macro": each.mean(),
        "weighted": np.average(each, weights=tp + fn),
    }
    # Keras's 1e-7 in each of four denominators
    result = metrics.F1Score(average, threshold)(Y, p, W)
    np.testing.assert_allclose(result, expected[average], rtol=4e-6)
    assert isinstance(result, float) == (average is not None)


def test_f1_of_zero_predictions() -> None:
    assert metrics.F1Score().__call__([[1, 0]], [[0.0, 0.0]]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (
            "Precision",
            {"thresholds": 1.5},
            ValueError,
            r"thresholds: expected (a number|numbers) in \[0, 1\]",
        ),
        (
            "Precision",
            {"thresholds": []},
            ValueError,
            r"thresholds: expected (a number|numbers) in \[0, 1\]",
        ),
        ("TruePositives", {"thresholds": -0.5}, ValueError, r"thresholds: expected a number in"),
        ("Recall", {"thresholds": "a"}, TypeError, r"thresholds: expected numbers"),
        ("Recall", {"top_k": 0}, ValueError, r"top_k: expected an integer"),
        ("Recall", {"class_id": -1}, ValueError, r"class_id: expected an integer"),
        ("F1Score", {"average": "mean"}, ValueError, r"average: expected None, 'micro'"),
        ("F1Score", {"threshold": 0.0}, ValueError, r"threshold: expected a number in \(0, 1\]"),
    ],
)
def test_invalid_arguments_are_refused(
    name: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=rf"^{name}: {message}"):
        getattr(metrics, name)(**options)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (metrics.Precision(top_k=4), "Precision: y_pred: expected at least top_k=4 predictions"),
        (metrics.Recall(class_id=3), "Recall: y_pred: expected more than class_id=3 predictions"),
    ],
)
def test_batches_that_do_not_fit_are_refused(metric: metrics.Metric, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        metric.update_state(Y, P)
