"""Regularizers: names, and penalties in the loss. layers/test_training.py tests their gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.tolerances import relative_bound

import cnet
from cnet import layers, regularizers
from cnet._objects import ACCESSORS


def penalized(trainable: bool = True) -> cnet.Sequential:
    return cnet.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(
                33,
                "relu",
                kernel_regularizer=regularizers.L1L2(0.01, 0.02),
                bias_regularizer=regularizers.L1(0.03),
                bias_initializer="random_normal",
                trainable=trainable,
            ),
            layers.BatchNormalization(beta_regularizer="l1", gamma_regularizer="l2"),
            layers.Dense(2, kernel_regularizer=regularizers.L2(0.04)),
        ]
    )


def penalty(model: cnet.Sequential) -> float:
    first, norm, last = model.layers
    return sum(
        regularizer(weight)
        for weight, regularizer in (
            (first.weights[0], first.kernel_regularizer),
            (first.weights[1], first.bias_regularizer),
            (norm.gamma, norm.gamma_regularizer),
            (norm.beta, norm.beta_regularizer),
            (last.weights[0], last.kernel_regularizer),
        )
        if weight.trainable
    )


@pytest.mark.parametrize("trainable", [True, False])
def test_losses_include_the_penalties_of_trainable_weights(trainable: bool) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 5)).astype(np.float32), rng.normal(size=(300, 2))
    model = penalized(trainable)
    model.compile(cnet.optimizers.SGD(0.0), "mse")
    bound = relative_bound(500, np.float32)
    for batch_size in (7, 300):
        loss = model.evaluate(x, y, batch_size=batch_size, verbose=0)
        error = np.square(model.predict(x, verbose=0) - y).mean()
        assert loss == pytest.approx(error + penalty(model), rel=bound)
    before = penalty(model)
    without = cnet.Sequential([*model.layers])
    loss = model.train_on_batch(x, y)
    outputs = without(x, training=True)
    assert loss == pytest.approx(np.square(outputs - y).mean() + before, rel=bound)


@pytest.mark.parametrize("optimizer", [cnet.optimizers.SGD(0.01), cnet.optimizers.Adam(0.01)])
def test_a_strong_l1_makes_weights_zero(optimizer: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 10))
    model = cnet.Sequential([layers.Dense(1, kernel_regularizer=regularizers.L1(0.1))])
    model.compile(optimizer, "mse")
    model.fit(x, x[:, :1] * 2, epochs=150, batch_size=50, verbose=0)
    kernel = np.abs(model.layers[0].kernel.ravel())
    assert kernel[0] > 1.5
    assert kernel[1:].max() < 0.05


@pytest.mark.parametrize(
    ("identifier", "cls", "l1", "l2"),
    [
        ("l1", regularizers.L1, 0.01, 0),
        ("L2", regularizers.L2, 0, 0.01),
        ("l1_l2", regularizers.L1L2, 0, 0),
        (regularizers.L1L2, regularizers.L1L2, 0, 0),
        ({"class_name": "L2", "config": {"l2": 0.5}}, regularizers.L2, 0, 0.5),
    ],
)
def test_get(identifier: Any, cls: type, l1: float, l2: float) -> None:
    regularizer = regularizers.get(identifier)
    assert type(regularizer) is cls
    assert (regularizer.l1, regularizer.l2) == (l1, l2)
    again = regularizers.get({"class_name": cls.__name__, "config": regularizer.get_config()})
    assert again is not None
    assert again.get_config() == regularizer.get_config()
    assert regularizers.get(regularizer) is regularizer
    assert regularizers.get(None) is None


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: regularizers.L1(-0.1), ValueError),
        (lambda: regularizers.L2(float("nan")), ValueError),
        (lambda: regularizers.L1L2("much"), TypeError),
        (lambda: regularizers.L2(math.inf), ValueError),
        (lambda: regularizers.get("l3"), ValueError),
        (lambda: regularizers.get(int), TypeError),
        (lambda: regularizers.get(regularizers.Regularizer()), TypeError),
        (lambda: regularizers.get(regularizers.Regularizer), TypeError),
        (lambda: regularizers.get({"class_name": "os.system"}), ValueError),
    ],
)
def test_invalid_arguments_are_refused(make: Any, error: Any) -> None:
    with pytest.raises(error, match=r"regularizer|L1|L2"):
        make()


@pytest.mark.parametrize(
    "name", [n for n in regularizers.__all__ if n.islower() and n not in ACCESSORS]
)
def test_lower_case_names_are_aliases_of_the_classes(name: str) -> None:
    assert getattr(regularizers, name) is type(regularizers.get(name))
