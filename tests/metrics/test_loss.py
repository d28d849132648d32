"""Losses as metrics, compared with the losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import losses, metrics
from cnet.metrics import loss as loss_metrics

RNG = np.random.default_rng(0)
P, W = RNG.dirichlet(np.ones(3), 40), RNG.random(40)
IDS = RNG.integers(0, 3, 40)
ONE_HOT = np.eye(3)[IDS]
CASES: list[tuple[str, dict[str, Any]]] = [
    ("MeanAbsolutePercentageError", {}),
    ("MeanSquaredLogarithmicError", {}),
    ("LogCoshError", {}),
    ("Poisson", {}),
    ("KLDivergence", {}),
    ("Hinge", {}),
    ("SquaredHinge", {}),
    ("BinaryCrossentropy", {}),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("CategoricalCrossentropy", {}),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("SparseCategoricalCrossentropy", {}),
    ("SparseCategoricalCrossentropy", {"from_logits": True}),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}),
]


def test_each_loss_metric_has_a_case() -> None:
    assert {name for name, _ in CASES} == set(loss_metrics.__all__)


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("weights", [None, W])
def test_the_mean_of_samples(name: str, options: dict[str, Any], weights: Any) -> None:
    metric = getattr(metrics, name)(**options)
    loss = getattr(losses, {"LogCoshError": "LogCosh"}.get(name, name))(
        **options, reduction="mean_with_sample_weight"
    )
    y = IDS if metric.sparse else ONE_HOT
    for part in (slice(0, 7), slice(7, None)):
        metric.update_state(y[part], P[part], None if weights is None else weights[part])
    # Two sums of 40 in float64.
    assert metric.result() == pytest.approx(loss(y, P, weights), rel=80 * 2.0**-53)
    assert metric.direction == "down"
    again = type(metric).from_config(metric.get_config())
    assert again(y, P, weights) == pytest.approx(metric.result(), rel=80 * 2.0**-53)


def test_one_dimensional_data_is_one_output() -> None:
    flat = metrics.MeanAbsolutePercentageError()([1.0, 2.0], [2.0, 2.0], sample_weight=[3, 1])
    assert flat == 75.0
    assert metrics.BinaryCrossentropy()([1, 0], [0.5, 0.5]) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.CategoricalCrossentropy(axis=1), "CategoricalCrossentropy: axis=1 is not"),
        (lambda: metrics.BinaryCrossentropy(label_smoothing=2), "BinaryCrossentropy: label_smooth"),
    ],
)
def test_options_match_the_loss(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def model_with(which: list[Any]) -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.Input((4,)), cnet.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "mse", metrics=which)
    return model


def test_names_and_functions_in_compile(tmp_path: Path) -> None:
    x = RNG.random((40, 4))
    model = model_with(["mape", "kl_divergence", losses.huber, losses.categorical_crossentropy])
    names = ["loss", "mape", "kl_divergence", "huber", "categorical_crossentropy"]
    logs = model.evaluate(x, ONE_HOT, verbose=0, return_dict=True)
    assert list(logs) == names
    predictions = model.predict(x, verbose=0)
    each = (losses.MeanAbsolutePercentageError(), losses.KLDivergence(), losses.Huber())
    for name, loss in zip(names[1:], (*each, losses.CategoricalCrossentropy()), strict=True):
        # Metric and loss both use float32 predictions and sum in float64.
        assert logs[name] == pytest.approx(loss(ONE_HOT, predictions), rel=80 * 2.0**-53)
    model.save(tmp_path / "model.safetensors")
    copy = cnet.models.load_model(tmp_path / "model.safetensors")
    assert copy.evaluate(x, ONE_HOT, verbose=0, return_dict=True) == logs


def test_loss_functions_are_metrics() -> None:
    assert metrics.mean_squared_error is losses.mean_squared_error
    assert type(metrics.get(metrics.huber)) is metrics.MeanMetricWrapper
