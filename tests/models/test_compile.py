"""compile: arguments, and the state that it keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.classifiers import IDS, SPARSE, X, bits, make_model, momentum

import cnet
from cnet import Sequential, layers


def test_metrics_names() -> None:
    assert make_model(9).metrics_names == ["loss"]
    assert make_model(9, metrics=["accuracy"]).metrics_names == ["loss", "accuracy"]


def test_repeated_metrics_have_different_names() -> None:
    names = make_model(9, metrics=["accuracy", "accuracy"]).metrics_names
    assert names == ["loss", "accuracy", "accuracy_1"]


def test_a_model_without_a_loss_can_predict() -> None:
    model = make_model(9)
    expected = model.predict(X, verbose=0)
    model.compile("sgd")
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)
    for call in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match=rf"^{call}: the model was compiled without a loss"):
            getattr(model, call)(X, IDS)


def test_compile_keeps_weights_and_resets_velocities() -> None:
    model, twin = make_model(9, optimizer=momentum()), make_model(9)
    model.fit(X, IDS, verbose=0)
    twin.set_weights(list(model.get_weights()))
    for each in (model, twin):
        cnet.utils.set_random_seed(1)
        each.compile(momentum(), SPARSE)
        assert each.optimizer.iterations == 0
        each.fit(X, IDS, verbose=0)
    assert bits(model) == bits(twin)


def test_a_loss_requires_a_label_for_each_row() -> None:
    model = Sequential([layers.Input((2, 3)), layers.ReLU()])
    model.compile("sgd", SPARSE)
    with pytest.raises(
        ValueError, match=r"expected integer class ids of shape \(batch, 2\), got shape \(5,\)"
    ):
        model.fit(np.ones((5, 2, 3)), np.zeros(5), verbose=0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"optimizer": "ftrl"}, ValueError, r"optimizer: expected one of .*got 'ftrl'"),
        ({"loss": "gini"}, ValueError, r"loss: expected one of .*got 'gini'"),
        ({"metrics": ["auk"]}, ValueError, r"metrics: expected one of .*got 'auk'"),
        ({"metrics": "accuracy"}, TypeError, r"expected a list of metrics, got 'accuracy'"),
        ({"metrics": 5}, TypeError, r"expected a list of metrics, got 5"),
        ({"metrics": ["categorical_accuracy"]}, ValueError, r"is for one-hot labels, the loss for"),
        ({"loss_weights": [1.0, 2.0]}, TypeError, "loss_weights: expected a number"),
        ({"loss_weights": {"other": 1.0}}, ValueError, "expected outputs among 'dense"),
        ({"weighted_metrics": ["auk"]}, ValueError, r"metrics: expected one of .*got 'auk'"),
        (
            {"weighted_metrics": "accuracy"},
            TypeError,
            r"expected a list of metrics, got 'accuracy'",
        ),
    ],
)
def test_an_invalid_compile_leaves_the_model_unchanged(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    model, twin = (make_model(5, optimizer=momentum()) for _ in range(2))
    with pytest.raises(error, match=rf"^compile: .*{message}"):
        model.compile(**({"optimizer": "sgd", "loss": SPARSE} | options))
    assert model.fit(X, IDS, verbose=0).history == twin.fit(X, IDS, verbose=0).history
    assert bits(model) == bits(twin)


def test_keras_options_without_effect() -> None:
    model = make_model(5)
    model.compile("sgd", SPARSE, jit_compile=True, steps_per_execution=8, run_eagerly=True)
    model.fit(X, IDS, verbose=0)
