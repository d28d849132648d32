"""AUC, compared with sums in Python."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support.confusion_counts import SAMPLES, P, W, Y, counts

from cnet import metrics


def test_predictions_are_clipped_for_the_area() -> None:
    assert metrics.AUC()([0, 1, 1], [-2.0, -1.0, 3.0]) == metrics.AUC()([0, 1, 1], [0.0, 0.0, 1.0])


def area(curve: str, method: str, y: Any, p: Any, w: Any, thresholds: Any) -> float:
    """Return the area under a curve from its points, in order of decreasing thresholds."""
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


def test_the_area_under_the_precision_recall_curve_is_an_integral() -> None:
    """Between two thresholds TP and FP grow linearly: sum over many small steps."""
    thresholds = [-1e-7, 0.25, 0.5, 0.75, 1 + 1e-7]
    ends = [counts(Y, P, W, threshold)[:2] for threshold in thresholds]
    positives = (W[:, np.newaxis] * Y).sum()
    total, t = 0.0, (np.arange(20_000) + 0.5) / 20_000
    for (tp0, fp0), (tp1, fp1) in pairwise(ends):
        tp, fp = tp1 + t * (tp0 - tp1), fp1 + t * (fp0 - fp1)
        total += np.mean(tp / (tp + fp)) * (tp0 - tp1) / positives
    assert metrics.AUC(5, "PR")(Y, P, W) == pytest.approx(total, rel=1e-6)


def test_auc_of_separate_labels() -> None:
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
        ("AUC", {"num_thresholds": 1}, ValueError, r"num_thresholds: expected an integer in \[2"),
        ("AUC", {"curve": "roc"}, ValueError, r"curve: expected 'ROC', 'PR' or 'PRGAIN', got"),
        ("AUC", {"summation_method": "sum"}, ValueError, r"summation_method: expected"),
        ("AUC", {"thresholds": [2.0]}, ValueError, r"thresholds: expected numbers in \[0, 1\]"),
        ("AUC", {"num_labels": 3}, ValueError, r"num_labels=3 requires multi_label=True"),
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
        (metrics.AUC(multi_label=True, num_labels=2), "AUC: y_pred: expected 2 labels a sample"),
        (metrics.AUC(label_weights=[1, 2]), r"AUC: label_weights: expected shape \(3,\)"),
    ],
)
def test_batches_that_do_not_fit_are_refused(metric: metrics.Metric, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        metric.update_state(Y, P)


@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
def test_many_thresholds_take_little_memory(curve: Any) -> None:
    with pytest.raises(
        ValueError, match="AUC: num_thresholds: expected at most 131072, got 131073"
    ):
        metrics.AUC(num_thresholds=2**17 + 1, curve=curve)
    tracemalloc.start()
    metric = metrics.AUC(num_thresholds=2**17, curve=curve)
    metric.update_state([0, 1], [0.5, 0.6])
    metric.result()
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()
