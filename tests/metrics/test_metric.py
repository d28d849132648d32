"""Mean, and functions as metrics."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import layers, losses, metrics, ops


def test_mean() -> None:
    mean = metrics.Mean()
    assert mean.result() == 0.0
    assert mean([1, 3, 5, 7]) == 4.0
    assert mean(14) == 6.0
    assert mean([[0, 12], [2, 10]], sample_weight=[1, 0]) == 6.0
    mean.reset_state()
    assert mean([1, 2, 3], sample_weight=[1, 0, 3]) == 2.5
    assert mean(np.empty(0)) == 2.5


def test_a_function_with_arguments() -> None:
    def distance(y_true: Any, y_pred: Any, power: int) -> Any:
        return np.abs(y_true - y_pred) ** power

    metric = metrics.MeanMetricWrapper(distance, power=2)
    assert metric.name == "distance"
    assert metric([1.0, 2.0], [2.0, 4.0], sample_weight=[1, 3]) == (1 + 3 * 4) / 4


def test_a_scalar_applies_to_all_samples_of_a_batch() -> None:
    metric = metrics.MeanMetricWrapper(losses.MeanSquaredError())
    assert metric.name == "mean_squared_error"
    metric.update_state([1.0, 2.0, 3.0], [1.0, 2.0, 6.0])
    metric.update_state([1.0], [2.0], sample_weight=[2])
    assert metric.result() == (9 + 2 * 1) / (3 + 2)


def test_a_function_returns_a_number_for_each_sample() -> None:
    metric = metrics.MeanMetricWrapper(lambda *_: [1.0, 2.0, 3.0], name="one")
    with pytest.raises(ValueError, match=r"'one': expected a number for each of 2 samples, got"):
        metric([1, 2], [1, 2])
    with pytest.raises(TypeError, match="MeanMetricWrapper: fn: expected a function, got 3"):
        metrics.MeanMetricWrapper(3)


def test_predictions_are_rounded_to_the_dtype() -> None:
    labels, predictions = [0.0], np.array([1 / 3])
    exact = metrics.MeanAbsoluteError()(labels, predictions)
    rounded = metrics.MeanAbsoluteError(dtype="float32")(labels, predictions)
    assert (exact, rounded) == (1 / 3, float(np.float32(1 / 3)))
    with pytest.raises(ValueError, match="float16"):
        metrics.MeanAbsoluteError(dtype="float16")


class Distance(metrics.Metric):
    """The example of Keras's guides: the mean distance."""

    def __init__(self, name: str = "distance", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        del sample_weight
        self.total.assign_add(ops.sum(ops.abs(y_true - y_pred)))
        self.count.assign_add(ops.cast(ops.size(y_true), "float32"))

    def result(self) -> Any:
        return self.total / self.count


class AssigningDistance(Distance):
    """Resets by `assign`, in a method that the constructor of the base class calls too early."""

    def reset_state(self) -> None:
        self.total.assign(0.0)
        self.count.assign(0.0)


@pytest.mark.parametrize("cls", [Distance, AssigningDistance])
def test_metrics_of_variables(cls: Any) -> None:
    metric = cls()
    assert [variable.name for variable in metric.variables] == ["total", "count"]
    assert float(metric([[1.0], [2.0]], np.array([[2.0], [4.0]]))) == 1.5
    metric.reset_state()
    assert [float(variable.value) for variable in metric.variables] == [0.0, 0.0]
    model = cnet.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[metric, "mae"])
    x, y = np.ones((40, 2), np.float32), np.arange(40.0, dtype=np.float32)[:, None]
    for trained in model, copy.deepcopy(model):
        history = trained.fit(x, y, epochs=2, verbose=0).history
        np.testing.assert_allclose(history["distance"], history["mae"], rtol=1e-6)
        assert type(history["distance"][0]) is float


def test_variables_of_a_metric() -> None:
    metric = Distance(dtype="float64")
    assert metric.add_weight(2, "ones").value.tolist() == [1.0, 1.0]
    assert {variable.dtype for variable in metric.variables} == {np.dtype("float64")}

    class Nothing(metrics.Metric):
        """Defines nothing."""

    assert Nothing().name == "nothing"
    with pytest.raises(NotImplementedError, match="Nothing: expected a method reset_state"):
        Nothing().reset_state()


def test_mistakes_in_reset_state_are_shown_when_a_metric_is_made() -> None:
    class Mistaken(metrics.Metric):
        def reset_state(self) -> None:
            self.count = np.no_such_name

    class Later(metrics.Metric):
        def __init__(self) -> None:
            super().__init__()
            self.count = self.add_weight(shape=(), initializer="zeros", name="count")

        def reset_state(self) -> None:
            self.count.assign(0)

    with pytest.raises(AttributeError, match="no_such_name"):
        Mistaken()
    assert float(Later().count) == 0
