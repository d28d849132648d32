"""Mean, and functions as metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnet import losses, metrics


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
