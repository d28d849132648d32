"""Accuracies of arrays; test_init.py tests metrics in models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnet import metrics

ACCURACIES = [
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]
NAMES = ["sparse_categorical_accuracy", "categorical_accuracy"]
# Two of these three are correct: of two equal maxima the first is the prediction.
PREDICTIONS = [[0.2, 0.7, 0.1], [0.4, 0.4, 0.2], [0.3, 0.3, 0.4]]
IDS = [1, 0, 1]


def labels_for(name: str) -> Any:
    return IDS if name.startswith("sparse") else np.eye(3)[IDS]


@pytest.mark.parametrize("name", NAMES)
def test_the_fraction_of_correct_predictions(name: str) -> None:
    metric = metrics.get(name)
    assert metric(labels_for(name), PREDICTIONS) == 2 / 3


@pytest.mark.parametrize(
    "ids", [IDS, [[id] for id in IDS], np.array(IDS, np.uint8), [1.0, 0.0, 1.0]]
)
def test_ids_of_any_dtype(ids: Any) -> None:
    assert metrics.SparseCategoricalAccuracy()(ids, PREDICTIONS) == 2 / 3


def test_soft_labels_count_as_their_maximum() -> None:
    soft = [[0.3, 0.4, 0.3], [0.5, 0.5, 0.0], [0.0, 0.9, 0.1]]
    assert metrics.CategoricalAccuracy()(soft, PREDICTIONS) == 2 / 3


def test_the_mean_runs_over_all_samples_until_reset() -> None:
    metric = metrics.SparseCategoricalAccuracy()
    assert metric.result() == 0.0
    metric.update_state(IDS, PREDICTIONS)
    assert metric(IDS[:1], PREDICTIONS[:1]) == metric.result() == 3 / 4
    metric.update_state(np.empty(0, int), np.empty((0, 3)))
    assert metric.result() == 3 / 4
    metric.reset_state()
    assert metric.result() == 0.0
    assert metric(IDS[2:], PREDICTIONS[2:]) == 0.0


def test_exact_equality() -> None:
    assert metrics.Accuracy()([[1], [2], [3], [4]], [0, 2, 3, 4]) == 0.75
    assert metrics.Accuracy()([1, 2], [1, 3], sample_weight=[3, 1]) == 0.75


def test_predictions_above_the_threshold_are_positive() -> None:
    labels, predictions = [1, 1, 0, 0], [0.6, 0.5, 0.5, 0.7]
    assert metrics.BinaryAccuracy()(labels, predictions) == 0.5
    assert metrics.BinaryAccuracy(threshold=0.4)(labels, predictions) == 0.5
    assert metrics.BinaryAccuracy(threshold=0.65)(labels, predictions) == 0.25
    several = metrics.BinaryAccuracy()([[1, 0], [1, 1]], [[0.9, 0.1], [0.9, 0.1]], [1, 3])
    assert several == (1 * 1.0 + 3 * 0.5) / 4


@pytest.mark.parametrize("k", [1, 2, 3, 9])
def test_top_k(k: int) -> None:
    rng = np.random.default_rng(k)
    scores, ids = rng.random((50, 6)), rng.integers(0, 6, 50)
    best = np.argsort(-scores, axis=1)[:, :k]
    expected = np.mean([label in row for label, row in zip(ids, best, strict=True)])
    assert metrics.SparseTopKCategoricalAccuracy(k)(ids, scores) == pytest.approx(expected)
    assert metrics.TopKCategoricalAccuracy(k)(np.eye(6)[ids], scores) == pytest.approx(expected)
    ordered = np.argsort(-scores, axis=1)
    sorted_ids = metrics.SparseTopKCategoricalAccuracy(k, from_sorted_ids=True)
    assert sorted_ids(ids, ordered) == pytest.approx(expected)


def test_top_k_counts_ties_and_no_nan() -> None:
    assert metrics.SparseTopKCategoricalAccuracy(1)([1], [[0.5, 0.5]]) == 1.0
    assert metrics.SparseTopKCategoricalAccuracy(1)([1], [[0.5, np.nan]]) == 0.0
    assert metrics.SparseTopKCategoricalAccuracy(1)([0], [[0.5, np.nan]]) == 0.0
    assert metrics.TopKCategoricalAccuracy(3)([[1, 0]], [[0.5, np.nan]]) == 0.0
    assert metrics.SparseTopKCategoricalAccuracy(1)([0], [[0.5, -np.inf]]) == 1.0


@pytest.mark.parametrize(
    ("labels", "outputs", "cls"),
    [
        ((9, 1), (None, 1), metrics.BinaryAccuracy),
        ((9, 1), (None, 4), metrics.SparseCategoricalAccuracy),
        ((9,), (None, 4), metrics.SparseCategoricalAccuracy),
        ((9, 4), (None, 4), metrics.CategoricalAccuracy),
    ],
)
def test_accuracy_is_chosen_by_shape(
    labels: tuple[int, ...], outputs: tuple[int | None, ...], cls: type[Any]
) -> None:
    metric = metrics.accuracy.AccuracyByShape(name="acc").resolve(labels, outputs)
    assert type(metric) is cls
    assert metric.name == "acc"


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("SparseCategoricalAccuracy", [1, 0]),
        ("SparseCategoricalAccuracy", [1, 0, 1, 0]),
        ("SparseCategoricalAccuracy", [1, 0, 1, 1, 0, 1]),
        ("SparseCategoricalAccuracy", np.eye(3)),
        ("CategoricalAccuracy", IDS),
        ("CategoricalAccuracy", np.eye(4)[:3]),
        ("CategoricalAccuracy", np.eye(3)[:2]),
    ],
)
def test_labels_that_do_not_fit_the_predictions_are_refused(name: str, labels: Any) -> None:
    metric = getattr(metrics, name)()
    with pytest.raises(ValueError, match=rf"{name}: y_true: .*"):
        metric.update_state(labels, PREDICTIONS)
    assert metric.result() == 0.0


@pytest.mark.parametrize("name", ["y_true", "y_pred"])
def test_data_that_is_not_numeric_is_refused(name: str) -> None:
    arguments: dict[str, Any] = {"y_true": IDS, "y_pred": PREDICTIONS} | {name: ["a"] * 3}
    with pytest.raises(TypeError, match=rf"SparseCategoricalAccuracy: {name}: expected numbers"):
        metrics.SparseCategoricalAccuracy().update_state(**arguments)


@pytest.mark.parametrize("name", ACCURACIES)
def test_functions_are_metrics(name: str) -> None:
    """In compile they mean the metrics of the same name, which are their means over the samples."""
    function = getattr(metrics, name)
    assert repr(metrics.get(function)) == repr(metrics.get(name))
    labels, predictions = labels_for(name), PREDICTIONS
    each = function(labels, predictions)
    assert each.dtype == np.float32
    assert each.mean() == pytest.approx(metrics.get(name)(labels, predictions), rel=1e-6)
