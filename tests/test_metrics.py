"""Metrics of arrays; how models use them is in test_trainer.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnet import metrics

NAMES = ["sparse_categorical_accuracy", "categorical_accuracy"]
# Two of these three are right: the first of two greatest probabilities is the prediction.
PREDICTIONS = [[0.2, 0.7, 0.1], [0.4, 0.4, 0.2], [0.3, 0.3, 0.4]]
IDS = [1, 0, 1]


def labels_for(name: str) -> Any:
    return IDS if name.startswith("sparse") else np.eye(3)[IDS]


@pytest.mark.parametrize("name", NAMES)
def test_the_part_that_is_right(name: str) -> None:
    metric = metrics.get(name, sparse=name.startswith("sparse"))
    assert metric(labels_for(name), PREDICTIONS) == 2 / 3


@pytest.mark.parametrize(
    "ids", [IDS, [[id] for id in IDS], np.array(IDS, np.uint8), [1.0, 0.0, 1.0]]
)
def test_ids_of_any_kind(ids: Any) -> None:
    assert metrics.SparseCategoricalAccuracy()(ids, PREDICTIONS) == 2 / 3


def test_soft_labels_count_by_their_greatest() -> None:
    soft = [[0.3, 0.4, 0.3], [0.5, 0.5, 0.0], [0.0, 0.9, 0.1]]
    assert metrics.CategoricalAccuracy()(soft, PREDICTIONS) == 2 / 3


def test_it_is_a_mean_over_all_samples_until_reset() -> None:
    metric = metrics.SparseCategoricalAccuracy()
    assert metric.result() == 0.0
    metric.update_state(IDS, PREDICTIONS)
    assert metric(IDS[:1], PREDICTIONS[:1]) == metric.result() == 3 / 4
    metric.update_state(np.empty(0, int), np.empty((0, 3)))
    assert metric.result() == 3 / 4
    metric.reset_state()
    assert metric.result() == 0.0
    assert metric(IDS[2:], PREDICTIONS[2:]) == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_get_takes_names_classes_and_objects(name: str) -> None:
    sparse = name.startswith("sparse")
    metric = metrics.get(name, sparse=sparse)
    assert metric.name == name
    cls = type(metric)
    assert type(metrics.get(cls, sparse=sparse)) is cls
    assert type(metrics.get(cls.__name__, sparse=sparse)) is cls
    assert metrics.get(metric, sparse=sparse) is metric


@pytest.mark.parametrize("name", ["accuracy", "acc"])
@pytest.mark.parametrize("sparse", [True, False])
def test_accuracy_is_the_one_for_the_labels(name: str, sparse: bool) -> None:
    metric = metrics.get(name, sparse=sparse)
    assert metric.name == name
    assert metric.sparse == sparse


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_for_other_labels_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"metrics: '{name}' is for .*, the loss for "):
        metrics.get(name, sparse=not name.startswith("sparse"))


class Always42(metrics.Metric):
    """A metric that a user wrote, which the engine knows nothing of."""

    def result(self) -> float:
        return 42.0


@pytest.mark.parametrize("identifier", ["mse", "", None, 3, max, ["accuracy"], Always42()])
def test_get_refuses_what_the_engine_does_not_compute(identifier: Any) -> None:
    with pytest.raises(ValueError, match=r"metrics: expected one of accuracy, .*, got "):
        metrics.get(identifier, sparse=False)


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
def test_what_is_not_numbers_is_refused(name: str) -> None:
    arguments: dict[str, Any] = {"y_true": IDS, "y_pred": PREDICTIONS} | {name: ["a"] * 3}
    with pytest.raises(TypeError, match=rf"SparseCategoricalAccuracy: {name}: expected numbers"):
        metrics.SparseCategoricalAccuracy().update_state(**arguments)
