"""Batch and layer normalization: gradients, special values, and the same bits as in layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.op_arguments import DTYPES, Arguments, Array, assert_gradient, assert_same, call, draw
from support.op_error_bounds import assert_parity
from support.tolerances import difference_bound

from cnet import layers, ops

NORMALIZATIONS = [
    "batch_normalization_backward",
    "batch_normalization_forward",
    "layer_normalization_backward",
    "layer_normalization_forward",
    "standardize",
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_none_means_ones_and_zeros(name: str, dtype: type) -> None:
    arguments = draw(name, 17, 33, 33, dtype)
    neutral: Arguments = {"gamma": np.ones(33, dtype), "beta": np.zeros(33, dtype)}
    neutral = {key: value for key, value in neutral.items() if key in arguments}
    expected = call(ops, name, arguments | neutral)
    assert_same(call(ops, name, arguments | dict.fromkeys(neutral)), expected)
    for key in neutral:
        assert_same(call(ops, name, arguments | neutral | {key: None}), expected)
        del arguments[key]
    assert_same(call(ops, name, arguments), expected)


@pytest.mark.parametrize("epsilon", [0.0, 1e-3, 2])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_parity_for_other_epsilons(name: str, dtype: type, epsilon: float) -> None:
    assert_parity(name, draw(name, 17, 33, 33, dtype) | {"epsilon": epsilon}, dtype)


@pytest.mark.parametrize("epsilon", [-1e-3, float("nan"), -np.inf])
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_epsilons_below_0_are_refused(name: str, epsilon: float) -> None:
    arguments = draw(name, 3, 5, 5, np.float32) | {"epsilon": epsilon}
    with pytest.raises(ValueError, match=rf"{name}: epsilon: expected a number of at least 0"):
        call(ops, name, arguments)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_in_its_column_or_its_row(dtype: type) -> None:
    x = np.random.default_rng(0).normal(size=(19, 33)).astype(dtype)
    x[5, 20] = np.nan
    row, column = np.arange(19) == 5, np.arange(33) == 20
    y, mean, variance = ops.batch_normalization_forward(x)
    np.testing.assert_array_equal(np.isnan(y), np.broadcast_to(column, x.shape))
    np.testing.assert_array_equal(np.isnan(mean), column)
    np.testing.assert_array_equal(np.isnan(variance), column)
    y = ops.layer_normalization_forward(x)
    np.testing.assert_array_equal(np.isnan(y), np.broadcast_to(row[:, np.newaxis], x.shape))


@pytest.mark.parametrize("dtype", DTYPES)
def test_constant_input_becomes_zero(dtype: type) -> None:
    x = np.full((4, 16), 3.0, dtype)
    y, mean, variance = ops.batch_normalization_forward(x)
    assert_same([y, mean, variance], [np.zeros_like(x), x[0], np.zeros(16, dtype)])
    assert_same([ops.layer_normalization_forward(x)], [np.zeros_like(x)])


def test_backward_passes_take_three_outs() -> None:
    for name in ("batch_normalization_backward", "layer_normalization_backward"):
        arguments = draw(name, 17, 13, 13, np.float32)
        outs = [np.zeros_like(result) for result in call(ops, name, arguments)]
        for wrong in (tuple(outs[:2]), (*outs, outs[0]), outs, outs[0]):
            with pytest.raises(TypeError, match=rf"{name}: out: expected a tuple of 3 arrays"):
                call(ops, name, arguments, out=wrong)
        with pytest.raises(ValueError, match=f"{name}: out: shares memory"):
            call(ops, name, arguments, out=(outs[0], outs[1], outs[1]))
        assert not any(out.any() for out in outs)


# -- Gradients by central differences, in float64 --------------------------------------------------


@pytest.mark.parametrize("name", ["batch_normalization", "layer_normalization"])
def test_gradients(name: str) -> None:
    rng = np.random.default_rng(0)
    x, grad = rng.normal(size=(2, 7, 5))
    gamma, beta = rng.normal(size=(2, 5))
    epsilon, axis = 1.0, 0 if name.startswith("batch") else 1

    def forward() -> Any:
        return call(ops, f"{name}_forward", {"x": x, "gamma": gamma, "beta": beta, "epsilon": 1.0})

    def loss() -> float:
        return float((grad * forward()[0]).sum())

    moments = dict(zip(("mean", "variance"), forward()[1:], strict=False))
    arguments = {"grad": grad, "x": x, "gamma": gamma, "epsilon": epsilon} | moments
    gradients = call(ops, f"{name}_backward", arguments)
    # z' = (δ - 1/n - z zⱼ/n) / s, where |z| ≤ √n and s ≥ √epsilon = 1: so |z'| ≤ 2, and by its
    # derivatives |z'''| ≤ 36/n. Rounding x changes a term by |x| |z'|, too.
    weight = np.abs(grad * gamma).sum()
    terms = np.abs(grad) * (np.abs(gamma) * (np.abs(x) + np.abs(x).mean(axis=axis, keepdims=True)))
    magnitude = (terms + np.abs(grad * beta)).sum() + 2 * np.abs(x).max() * weight
    bound = difference_bound(magnitude, x.size + 30, third_derivative=36 / x.shape[axis] * weight)
    for array, gradient in zip((x, gamma, beta), gradients, strict=True):
        assert_gradient(gradient, loss, array, bound)


# -- Layers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_give_the_same_bits(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x: Array = rng.normal(2, 3, size=(37, 19)).astype(dtype)
    batch, rows = layers.BatchNormalization(dtype=dtype), layers.LayerNormalization(dtype=dtype)
    for layer in (batch, rows):
        layer.build((None, 19))
        layer.set_weights([rng.uniform(0.5, 2, size=19) for _ in layer.weights])
    gamma, beta, mean, variance = batch.get_weights()
    expected = ops.standardize(x, mean, variance, gamma, beta, batch.epsilon)
    np.testing.assert_array_equal(batch(x), expected)
    y, *_ = ops.batch_normalization_forward(x, gamma, beta, batch.epsilon)
    np.testing.assert_array_equal(batch(x, training=True), y)
    y = ops.layer_normalization_forward(x, *rows.get_weights(), rows.epsilon)
    np.testing.assert_array_equal(rows(x), y)
