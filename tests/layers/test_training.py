"""Gradients of layers in training, compared with derivatives of NumPy formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.forms import in_ci
from support.instances import INNER_LAYERS
from support.tolerances import relative_bound

import cnet
from cnet import layers, regularizers
from cnet.reference.random import batch_bits

Array = npt.NDArray[Any]
ROWS, FEATURES, UNITS, OUTPUTS = 23, 5, 67, 3


def standardized(x: Array, axis: int) -> Array:
    """Standardize with operations that are also defined for complex numbers."""
    difference = x - x.mean(axis=axis, keepdims=True)
    return difference / np.sqrt((difference**2).mean(axis=axis, keepdims=True) + 1e-3)


def affine(layer: Any, z: Array, weights: dict[str, Array]) -> Array:
    gamma = weights[layer.gamma.path] if layer.scale else 1
    return z * gamma + (weights[layer.beta.path] if layer.center else 0)


def apply(layer: Any, x: Array, weights: dict[str, Array], step: int) -> Array:
    """Return the output of a layer for a training batch."""
    kind = type(layer).__name__
    if kind == "Dense":
        z = x @ weights[layer.weights[0].path] + weights[layer.weights[1].path]
        return np.where(z.real > 0, z, 0) if layer.activation.__name__ == "relu" else z
    if kind == "Dropout":
        kept = batch_bits(layer.seed, step, *x.shape) >= round(layer.rate * 2**32)
        return np.where(kept, x / (1 - layer.rate), 0)
    if kind == "GaussianNoise":
        return x + layer.stddev * NOISE[: x.size].reshape(x.shape)
    if kind == "LayerNormalization":
        return affine(layer, standardized(x, 1), weights)
    if kind == "BatchNormalization" and layer.trainable:
        return affine(layer, standardized(x, 0), weights)
    if kind == "BatchNormalization":
        moving = [weights[layer.moving_mean.path], weights[layer.moving_variance.path]]
        return affine(layer, (x - moving[0]) / np.sqrt(moving[1] + 1e-3), weights)
    if kind == "Normalization":
        return (x - layer.mean) / np.sqrt(layer.variance)
    assert kind in ("Flatten", "Reshape")
    return x.reshape(len(x), -1)


NOISE = np.zeros(0)


def penalty(model: cnet.Sequential, weights: dict[str, Array]) -> Any:
    total: Any = 0.0
    for layer in model.layers:
        for weight, name in zip(layer.weights, ("kernel", "bias"), strict=False):
            regularizer = getattr(layer, f"{name}_regularizer", None)
            if regularizer is not None:
                w = weights[weight.path]
                total += regularizer.l1 * (np.sign(w.real) * w).sum()
                total += regularizer.l2 * (w**2).sum()
    return total


def gradients(model: cnet.Sequential, x: Array, y: Array, step: int) -> dict[str, Array]:
    """Return the gradient of the loss by complex steps: f(w + ih) = f(w) + ih f'(w), almost exactly."""
    weights = {weight.path: weight.numpy().astype(complex) for weight in model.weights}
    h = 1e-30

    def loss() -> Any:
        out = x
        for layer in model.layers:
            out = apply(layer, out, weights, step)
        return ((out - y) ** 2).mean() + penalty(model, weights)

    result = {}
    for path, weight in weights.items():
        result[path] = np.empty(weight.shape)
        for index in np.ndindex(weight.shape):
            weight[index] += 1j * h
            result[path][index] = loss().imag / h
            weight[index] = weight[index].real
    return result


def dense(units: int, activation: str | None = None, **options: Any) -> layers.Dense:
    return layers.Dense(units, activation, bias_initializer="random_normal", **options)


def norm(make: Callable[..., Any], **options: Any) -> Any:
    for name in ("gamma", "beta"):
        options.setdefault(f"{name}_initializer", cnet.initializers.RandomUniform(0.5, 2.0))
    return make(**options)


def adapted() -> layers.Normalization:
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(5).normal(3, 2, size=(100, FEATURES)))
    return layer


BATCH, LAYER = layers.BatchNormalization, layers.LayerNormalization
NETS: dict[str, Callable[[], list[Any]]] = {
    "batch normalization": lambda: [dense(UNITS), norm(BATCH), dense(OUTPUTS)],
    "after relu": lambda: [dense(UNITS, "relu"), norm(BATCH), dense(OUTPUTS)],
    "on the data": lambda: [norm(BATCH), dense(UNITS, "relu"), dense(OUTPUTS)],
    "at the top": lambda: [dense(UNITS, "relu"), dense(OUTPUTS), norm(BATCH)],
    "frozen": lambda: [dense(UNITS, "relu"), norm(BATCH, trainable=False), dense(OUTPUTS)],
    "no scale": lambda: [dense(UNITS), norm(BATCH, scale=False), dense(OUTPUTS)],
    "no center": lambda: [dense(UNITS), norm(BATCH, center=False), dense(OUTPUTS)],
    "neither": lambda: [dense(UNITS), norm(BATCH, scale=False, center=False), dense(OUTPUTS)],
    "layer normalization": lambda: [dense(UNITS), norm(LAYER), dense(OUTPUTS)],
    "rows after relu": lambda: [dense(UNITS, "relu"), norm(LAYER), norm(LAYER), dense(OUTPUTS)],
    "rows, no scale": lambda: [dense(UNITS), norm(LAYER, scale=False), dense(OUTPUTS)],
    "rows, no center": lambda: [dense(UNITS), norm(LAYER, center=False), dense(OUTPUTS)],
    "dropout": lambda: [dense(UNITS, "relu"), layers.Dropout(0.3, seed=2**40 + 1), dense(OUTPUTS)],
    "dropout of the data": lambda: [layers.Dropout(0.3, seed=3), dense(OUTPUTS)],
    "dropout after rows": lambda: [
        dense(UNITS),
        norm(LAYER),
        layers.Dropout(0.3, seed=3),
        norm(BATCH),
        layers.Dropout(0.1, seed=4),
        dense(OUTPUTS),
    ],
    "normalization": lambda: [adapted(), dense(UNITS, "relu"), dense(OUTPUTS)],
    "reshape": lambda: [
        dense(UNITS - 1),
        layers.Reshape((2, -1)),
        layers.Flatten(),
        dense(OUTPUTS),
    ],
    "regularizers": lambda: [
        dense(
            UNITS,
            "relu",
            kernel_regularizer=regularizers.L1L2(0.01, 0.02),
            bias_regularizer=regularizers.L1(0.03),
        ),
        dense(OUTPUTS, kernel_regularizer=regularizers.L2(0.04), bias_regularizer="l2"),
    ],
}


@pytest.fixture(autouse=True)
def _float64() -> Any:
    before = cnet.config.floatx()
    cnet.config.set_floatx("float64")
    yield
    cnet.config.set_floatx(before)


def test_each_layer_with_weights_is_trained() -> None:
    trained = {type(layer) for make in NETS.values() for layer in make()}
    for make in INNER_LAYERS:
        layer = make()
        layer.build((None, 4))
        assert not layer.trainable_weights or type(layer) in trained, type(layer)


@pytest.mark.parametrize("threads", [*in_ci(1), 3])
@pytest.mark.parametrize("name", NETS)
def test_a_step_follows_the_gradient(name: str, threads: int) -> None:
    cnet.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    model = cnet.Sequential([layers.Input((FEATURES,)), *NETS[name]()])
    model.compile(cnet.optimizers.SGD(1.0), "mse")
    limit = cnet.get_num_threads()
    cnet.set_num_threads(threads)
    try:
        for step in range(2):  # the second step draws other numbers
            x, y = rng.normal(size=(ROWS, FEATURES)), rng.normal(size=(ROWS, OUTPUTS))
            before = {weight.path: weight.numpy() for weight in model.weights}
            expected = gradients(model, x, y, step)
            model.train_on_batch(x, y)
            for weight in model.trainable_weights:
                # Sums of a few hundred products; cancelling terms are as large as the largest gradient
                # and the weight.
                size = np.abs(expected[weight.path]).max() + np.abs(before[weight.path]).max()
                np.testing.assert_allclose(
                    before[weight.path] - weight.numpy(),
                    expected[weight.path],
                    rtol=0,
                    atol=relative_bound(2000, np.float64) * max(size, 1),
                    err_msg=weight.path,
                )
    finally:
        cnet.set_num_threads(limit)
