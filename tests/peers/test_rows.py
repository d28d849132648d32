"""Losses and metrics of outputs with several rows for each sample, compared with Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, training_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")

pytestmark = pytest.mark.usefixtures("in_float64")

ROWS, STEPS, RATE = 12, 50, 0.01
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 5, 4))
NUMBERS, IDS = RNG.normal(size=(ROWS, 5, 3)), RNG.integers(3, size=(ROWS, 5))
ONE_HOT = np.eye(3)[IDS]
OF_SAMPLES, OF_ROWS = RNG.uniform(size=(ROWS, 1)), RNG.uniform(size=(ROWS, 5))
BOUND = 2 * training_bound(STEPS, RATE, 2 * 12 * 100 + 5 * ROWS + ELEMENTARY_ROUNDINGS, np.float64)


CASES: dict[str, tuple[Any, Any, Any, list[str]]] = {
    "mse": (None, NUMBERS, None, ["mae", "mse"]),
    "mae": (None, NUMBERS, OF_SAMPLES, ["mae"]),
    "huber": ("tanh", NUMBERS, OF_ROWS, ["mae"]),
    "binary_crossentropy": ("sigmoid", ONE_HOT, OF_SAMPLES, ["accuracy"]),
    "categorical_crossentropy": ("softmax", ONE_HOT, None, ["accuracy"]),
    "sparse_categorical_crossentropy": ("softmax", IDS, OF_ROWS, ["accuracy"]),
}


@pytest.mark.parametrize("length", [5, None])
@pytest.mark.parametrize("loss", CASES)
def test_training(loss: str, length: int | None) -> None:
    activation, y, weights, metrics = CASES[loss]
    models, figures = [], []
    for k in (cnet, keras):
        x = k.Input((length, 4), name="x")
        h = k.layers.Dense(6, activation="tanh", name="h")(x)
        model = k.Model(x, k.layers.Dense(3, activation=activation, name="top")(h))
        if models:
            models[0].set_weights(model.get_weights())
        models.append(model)
    for k, model in zip((cnet, keras), models, strict=True):
        kind = "metrics" if weights is None else "weighted_metrics"
        model.compile(k.optimizers.SGD(RATE), loss, **{kind: metrics})
        options = {"sample_weight": weights, "verbose": 0}
        history = model.fit(X, y, batch_size=ROWS, epochs=STEPS, shuffle=False, **options).history
        figures.append((history, model.evaluate(X, y, **options)))
    for weight, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        assert abs(weight - other).max() <= BOUND * max(1, abs(other).max())
    (history, evaluated), (expected, other_evaluated) = figures
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)  # float32
    np.testing.assert_allclose(evaluated, other_evaluated, rtol=1e-5)


@pytest.mark.parametrize("y_shape", [(ROWS,), (ROWS, 1)])
def test_one_number_for_each_sample(y_shape: Any) -> None:
    results = []
    y = RNG.normal(size=y_shape)
    kernel = RNG.normal(size=(4, 1))
    for k in (cnet, keras):
        x = k.Input((4,), name="x")
        model = k.Model(x, k.ops.sum(k.layers.Dense(1, name="top")(x), axis=-1))
        model.set_weights([kernel, np.zeros(1)])
        model.compile(k.optimizers.SGD(RATE), "mse")
        model.fit(X[:, 0], y, batch_size=ROWS, verbose=0)
        results.append((model.get_weights(), model.predict(X[:, 0], verbose=0)))
    (ours, outputs), (theirs, expected) = results
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6)
    assert outputs.shape == expected.shape == (ROWS,)
