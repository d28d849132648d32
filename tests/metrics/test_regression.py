"""Regression metrics, compared with their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cnet import metrics

RNG = np.random.default_rng(0)
Y, P, W = RNG.random((40, 3)), RNG.random((40, 3)), RNG.random(40)


def test_errors() -> None:
    assert metrics.MeanSquaredError()(Y, P) == pytest.approx(np.mean((Y - P) ** 2))
    assert metrics.MeanAbsoluteError()(Y, P) == pytest.approx(np.mean(abs(Y - P)))
    assert metrics.RootMeanSquaredError()(Y, P) == pytest.approx(np.sqrt(np.mean((Y - P) ** 2)))
    weighted = np.average(((Y - P) ** 2).mean(axis=1), weights=W)
    assert metrics.MeanSquaredError()(Y, P, W) == pytest.approx(weighted)
    integers = metrics.MeanAbsoluteError()(np.array([3], np.uint8), np.array([5], np.uint8))
    assert integers == 2.0


def scores() -> Any:
    mean = np.average(Y, axis=0, weights=W)
    spread = (W[:, np.newaxis] * (Y - mean) ** 2).sum(axis=0)
    return 1 - (W[:, np.newaxis] * (Y - P) ** 2).sum(axis=0) / spread, spread


@pytest.mark.parametrize("aggregation", [None, "uniform_average", "variance_weighted_average"])
def test_r2(aggregation: str | None) -> None:
    each, spread = scores()
    expected = {
        None: each,
        "uniform_average": each.mean(),
        "variance_weighted_average": np.average(each, weights=spread),
    }
    result = metrics.R2Score(aggregation)(Y, P, W)
    np.testing.assert_allclose(result, expected[aggregation], rtol=1e-10)


def test_adjusted_r2() -> None:
    plain = metrics.R2Score()(Y[:, :1], P[:, :1])
    adjusted = metrics.R2Score(num_regressors=5)(Y[:, :1], P[:, :1])
    assert adjusted == pytest.approx(1 - (1 - plain) * 39 / 34)
    with pytest.warns(UserWarning, match="num_regressors=39 is too large for 40 labels"):
        assert metrics.R2Score(num_regressors=39)(Y[:, :1], P[:, :1]) == plain


def test_r2_of_equal_labels() -> None:
    assert metrics.R2Score()([1, 1], [1, 2]) == 0.0
    assert math.isnan(metrics.R2Score()([1, 1], [1, 1]))


def test_r2_refuses() -> None:
    with pytest.raises(ValueError, match="R2Score: class_aggregation: expected 'uniform_average'"):
        metrics.R2Score("mean")
    with pytest.raises(ValueError, match="R2Score: num_regressors: expected"):
        metrics.R2Score(num_regressors=-1)
    metric = metrics.R2Score()
    metric.update_state(Y, P)
    with pytest.raises(ValueError, match="R2Score: y_pred: expected 3 outputs as before, got 2"):
        metric.update_state(Y[:, :2], P[:, :2])
