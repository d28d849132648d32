"""Metrics of positives and negatives, against counts one threshold after the other."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from cnet import metrics

RNG = np.random.default_rng(0)
SAMPLES = 60
# Few values, so that some predictions are at thresholds.
P = (RNG.integers(0, 21, (SAMPLES, 3)) / 20).astype(np.float32)
Y = (RNG.random((SAMPLES, 3)) < P * 0.8 + 0.1).astype(int)
W = RNG.random(SAMPLES)


def counts(y: Any, p: Any, w: Any, threshold: float) -> tuple[float, float, float, float]:
    """Return true positives, false positives, false negatives, true negatives."""
    positive = p > np.float32(threshold)
    w = np.broadcast_to(w.reshape(len(w), -1), p.shape)
    pairs = [(True, True), (False, True), (True, False), (False, False)]
    tp, fp, fn, tn = (w[((y != 0) == truth) & (positive == said)].sum() for truth, said in pairs)
    return tp, fp, fn, tn


@pytest.mark.parametrize("thresholds", [None, 0.25, [0.3], [0.7, 0.2, 0.5], [0.0, 0.5, 1.0]])
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


def test_top_k_and_class_id() -> None:
    p, y = np.array([[0.1, 0.6, 0.3], [0.4, 0.4, 0.2]]), np.array([[0, 1, 1], [0, 1, 0]])
    assert metrics.Precision(top_k=1)(y, p) == 0.5, "of equal ones the first"
    assert metrics.Recall(top_k=2)(y, p) == 1.0
    assert metrics.Precision(top_k=2)(y, p) == 0.75
    assert metrics.Precision(top_k=2, thresholds=0.35)(y, p) == 2 / 3
    assert metrics.Recall(class_id=1)(y, p) == 0.5
    assert metrics.Recall(class_id=1, top_k=2)(y, p) == 1.0
    assert metrics.Precision(top_k=2)([0, 0, 1, 1], [1, 1, 1, 1]) == 0.0
    assert metrics.Precision(top_k=4)([0, 0, 1, 1], [1, 1, 1, 1]) == 0.5


def test_a_weight_for_each_prediction() -> None:
    weights = RNG.random(P.shape)
    tp, fp, fn, _ = counts(Y, P, weights, 0.5)
    assert metrics.Precision()(Y, P, weights) == pytest.approx(tp / (tp + fp))
    own = slice(1, 2)
    tp, _, fn, _ = counts(Y[:, own], P[:, own], weights[:, own], 0.5)
    assert metrics.Recall(class_id=1)(Y, P, weights) == pytest.approx(tp / (tp + fn))


def test_predictions_are_clipped_for_the_area() -> None:
    assert metrics.AUC()([0, 1, 1], [-2.0, -1.0, 3.0]) == metrics.AUC()([0, 1, 1], [0.0, 0.0, 1.0])


def test_nan_is_never_positive() -> None:
    assert metrics.Recall()([1, 1], [np.nan, 0.9]) == 0.5
    assert metrics.Precision()([0, 1], [np.nan, 0.9]) == 1.0


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_f1(average: str | None, threshold: float | None) -> None:
    p = P + np.linspace(0, 1e-3, 3, dtype=np.float32)  # no two are equal
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


def test_f1_of_zeros_predicts_nothing() -> None:
    assert metrics.F1Score().__call__([[1, 0]], [[0.0, 0.0]]).tolist() == [0.0, 0.0]


def area(curve: str, method: str, y: Any, p: Any, w: Any, thresholds: Any) -> float:
    """Return the area under a curve from its points, the greatest threshold first."""
    points = []
    for threshold in sorted(thresholds, reverse=True):
        tp, fp, fn, tn = counts(y, p, w, threshold)
        recall = tp / (tp + fn)
        if curve == "ROC":
            points.append((fp / (fp + tn), recall))
        elif curve == "PR":
            points.append((recall, tp / (tp + fp) if tp + fp else 0.0))
        else:
            ratio = (tp + fn) / (fp + tn)
            gain = (max(1 - ratio * fn / tp, 0.0), 1 - ratio * fp / tp) if tp else (0.0, 1.0)
            points.append(gain)
    total = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        height = {"interpolation": (y0 + y1) / 2, "minoring": min(y0, y1), "majoring": max(y0, y1)}
        total += (x1 - x0) * height[method]
    return total


METHODS = ["interpolation", "minoring", "majoring"]
CURVES = [(c, m) for c in ("ROC", "PR", "PRGAIN") for m in METHODS if (c, m) != ("PR", METHODS[0])]


@pytest.mark.parametrize(("curve", "method"), CURVES)
@pytest.mark.parametrize("thresholds", [None, [0.9, 0.2, 0.35]])
def test_auc(curve: str, method: str, thresholds: list[float] | None) -> None:
    metric = metrics.AUC(11, curve, method, thresholds=thresholds)
    inner = np.arange(1, 10) / 10 if thresholds is None else thresholds
    every = [-1e-7, *inner, 1 + 1e-7]
    assert metric.thresholds == pytest.approx(sorted(every))
    expected = area(curve, method, Y, P, W, every)
    assert metric(Y, P, W) == pytest.approx(expected, rel=1e-12)


def test_the_area_under_precision_over_recall_is_an_integral() -> None:
    """Between two thresholds TP and FP grow evenly: add up many small steps of them."""
    thresholds = [-1e-7, 0.25, 0.5, 0.75, 1 + 1e-7]
    ends = [counts(Y, P, W, threshold)[:2] for threshold in thresholds]
    positives = (W[:, np.newaxis] * Y).sum()
    total, t = 0.0, (np.arange(20_000) + 0.5) / 20_000
    for (tp0, fp0), (tp1, fp1) in pairwise(ends):
        tp, fp = tp1 + t * (tp0 - tp1), fp1 + t * (fp0 - fp1)
        total += np.mean(tp / (tp + fp)) * (tp0 - tp1) / positives
    assert metrics.AUC(5, "PR")(Y, P, W) == pytest.approx(total, rel=1e-6)


def test_auc_of_labels_apart() -> None:
    each = [metrics.AUC()(Y[:, i], P[:, i]) for i in range(3)]
    assert metrics.AUC(multi_label=True)(Y, P) == pytest.approx(np.mean(each))
    weights = [1.0, 2.0, 0.0]
    apart = metrics.AUC(multi_label=True, label_weights=weights)
    assert apart(Y, P) == pytest.approx(np.average(each, weights=weights))
    together = metrics.AUC(label_weights=weights)(Y, P)
    flat = metrics.AUC()(Y.ravel(), P.ravel(), np.tile(weights, SAMPLES))
    assert together == pytest.approx(flat)


def test_auc_from_logits() -> None:
    logits = np.linspace(-4, 4, SAMPLES)
    probabilities = 1 / (1 + np.exp(-logits))
    assert metrics.AUC(from_logits=True)(Y[:, 0], logits) == metrics.AUC()(Y[:, 0], probabilities)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("Precision", {"thresholds": 1.5}, ValueError, r"thresholds: expected numbers in \[0, 1\]"),
        ("Precision", {"thresholds": []}, ValueError, r"thresholds: expected numbers in \[0, 1\]"),
        ("Recall", {"thresholds": "a"}, TypeError, r"thresholds: expected a number"),
        ("Recall", {"top_k": 0}, ValueError, r"top_k: expected an integer"),
        ("Recall", {"class_id": -1}, ValueError, r"class_id: expected an integer"),
        ("F1Score", {"average": "mean"}, ValueError, r"average: expected None, 'micro'"),
        ("F1Score", {"threshold": 0.0}, ValueError, r"threshold: expected a number in \(0, 1\]"),
        ("AUC", {"num_thresholds": 1}, ValueError, r"num_thresholds: expected an integer in \[2"),
        ("AUC", {"curve": "roc"}, ValueError, r"curve: expected 'ROC', 'PR' or 'PRGAIN', got"),
        ("AUC", {"summation_method": "sum"}, ValueError, r"summation_method: expected"),
        ("AUC", {"thresholds": [2.0]}, ValueError, r"thresholds: expected numbers in \[0, 1\]"),
        ("AUC", {"num_labels": 3}, ValueError, r"num_labels=3 is for multi_label=True alone"),
    ],
)
def test_wrong_arguments_are_refused(
    name: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=rf"^{name}: {message}"):
        getattr(metrics, name)(**options)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (metrics.Precision(top_k=4), "Precision: y_pred: expected top_k=4 or more predictions"),
        (metrics.Recall(class_id=3), "Recall: y_pred: expected more than class_id=3 predictions"),
        (metrics.AUC(multi_label=True, num_labels=2), "AUC: y_pred: expected 2 labels a sample"),
        (metrics.AUC(label_weights=[1, 2]), r"AUC: label_weights: expected shape \(3,\)"),
    ],
)
def test_batches_that_do_not_fit_are_refused(metric: metrics.Metric, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        metric.update_state(Y, P)
