"""Normalization layers: results; test_training.py tests their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import relative_bound

import cnet
from cnet import layers

DTYPES = ["float32", "float64"]


def draw(*shape: int, seed: int = 0) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).normal(3, 2, size=shape)


def assert_near(actual: Any, expected: Any, dtype: str, roundings: int = 200) -> None:
    """Compare sums of up to a hundred terms, each at most a few dozen."""
    bound = relative_bound(roundings, np.dtype(dtype)) * max(1, np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 7, 16, 50])
def test_batch_normalization_uses_the_batch_and_updates_moving_statistics(
    columns: int, dtype: str
) -> None:
    layer = layers.BatchNormalization(momentum=0.9, dtype=dtype)
    mean, variance = np.zeros(columns), np.ones(columns)
    for seed in range(3):
        x = draw(37, columns, seed=seed).astype(dtype)
        y = layer(x, training=True)
        assert_near(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), dtype)
        mean = 0.9 * mean + 0.1 * x.mean(0)
        variance = 0.9 * variance + 0.1 * x.var(0)
        assert_near(layer.moving_mean.numpy(), mean, dtype)
        assert_near(layer.moving_variance.numpy(), variance, dtype)
    x = draw(11, columns).astype(dtype)
    moving = [weight.numpy() for weight in layer.weights[2:]]
    assert_near(layer(x), (x - mean) / np.sqrt(variance + 1e-3), dtype)
    for weight, before in zip(layer.weights[2:], moving, strict=True):
        np.testing.assert_array_equal(weight.numpy(), before)


def test_fit_updates_moving_statistics_and_evaluate_uses_them() -> None:
    x, y = draw(50, 6).astype(np.float32), draw(50, 2, seed=1).astype(np.float32)
    norm = layers.BatchNormalization(momentum=0.5)
    model = cnet.Sequential([layers.Input((6,)), norm, layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x, y, batch_size=20, epochs=2, shuffle=False, verbose=0)
    mean, variance = np.zeros(6), np.ones(6)
    for _ in range(2):
        for first in (0, 20, 40):
            batch = x[first : first + 20]
            mean, variance = (mean + batch.mean(0)) / 2, (variance + batch.var(0)) / 2
    assert_near(norm.moving_mean.numpy(), mean, "float32")
    assert_near(norm.moving_variance.numpy(), variance, "float32")
    predictions = model.predict(x, verbose=0)
    expected = np.square(predictions - y).mean()
    assert_near(model.evaluate(x, y, verbose=0), expected, "float32", 1000)
    assert_near(model.evaluate(x, y, batch_size=1, verbose=0), expected, "float32", 1000)


def test_a_frozen_batch_normalization_updates_nothing() -> None:
    x, y = draw(50, 6), draw(50, 2, seed=1)
    norm = layers.BatchNormalization(trainable=False)
    model = cnet.Sequential([layers.Input((6,)), norm, layers.Dense(2)])
    model.compile("sgd", "mse")
    before = norm.get_weights()
    model.fit(x, y, verbose=0)
    for weight, first in zip(norm.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, first)


def test_a_batch_of_one_row_gives_beta() -> None:
    layer = layers.BatchNormalization(beta_initializer=cnet.initializers.Constant(0.25))
    np.testing.assert_array_equal(layer([[3.0, -1.0]], training=True), [[0.25, 0.25]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 2, 15, 16, 17, 100])
def test_layer_normalization(columns: int, dtype: str) -> None:
    layer = layers.LayerNormalization(dtype=dtype)
    layer.build((None, columns))
    gamma, beta = draw(columns, seed=1).astype(dtype), draw(columns, seed=2).astype(dtype)
    layer.set_weights([gamma, beta])
    x = draw(130, columns).astype(dtype)
    center = x.mean(1, keepdims=True)
    expected = gamma * (x - center) / np.sqrt(x.var(1, keepdims=True) + 1e-3) + beta
    assert_near(layer(x), expected, dtype)
    np.testing.assert_array_equal(layer(x), layer(x, training=True))
    rows = np.concatenate([layer(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_array_equal(rows, layer(x))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.BatchNormalization(axis=0), ValueError, "axis=-1"),
        (lambda: layers.BatchNormalization(renorm=True), ValueError, "renorm is not supported"),
        (lambda: layers.BatchNormalization(momentum="much"), TypeError, "momentum"),
        (lambda: layers.LayerNormalization(epsilon=-1), ValueError, "epsilon"),
        (lambda: layers.BatchNormalization(gamma_regularizer=3), TypeError, "regularizer"),
        (lambda: layers.BatchNormalization(beta_constraint="max"), ValueError, "constraint"),
    ],
)
def test_invalid_arguments_are_refused(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
