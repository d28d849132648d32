"""The reference's batch and layer normalization: definition, and gradients by central differences."""

from __future__ import annotations

import numpy as np
import pytest
from support.op_arguments import assert_gradient
from support.tolerances import difference_bound, rounding_bound

from cnet import reference as ops

SHAPES = [(2, 3), (7, 5), (5, 16)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_definition(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x, gamma, beta = rng.normal(size=shape), rng.normal(size=shape[1]), rng.normal(size=shape[1])
    for axis in (0, 1):
        mean, variance = x.mean(axis=axis, keepdims=True), x.var(axis=axis, keepdims=True)
        expected = gamma * (x - mean) / np.sqrt(variance + 0.25) + beta
        # 1 / √(variance + 0.25) is at most 2, the error of x - mean in proportion to the largest x.
        magnitude = abs(gamma) * 4 * abs(x).max() + abs(beta)
        bound = rounding_bound(magnitude, 2 * x.shape[axis] + 10, np.float64)
        if axis == 0:
            y, *moments = ops.batch_normalization_forward(x, gamma, beta, 0.25)
            for moment, value in zip(moments, (mean[0], variance[0]), strict=True):
                limit = rounding_bound(abs(x).max() ** 2 + abs(x).max(), len(x) + 5, np.float64)
                assert (abs(moment - value) <= limit).all()
            assert np.array_equal(ops.standardize(x, *moments, gamma, beta, 0.25), y)
        else:
            y = ops.layer_normalization_forward(x, gamma, beta, 0.25)
        assert (abs(y - expected) <= bound).all()


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_gradients(axis: int, shape: tuple[int, int], affine: bool) -> None:
    rng = np.random.default_rng(0)
    x, grad = rng.normal(size=(2, *shape))
    gamma, beta = rng.normal(size=(2, shape[1])) if affine else (None, None)

    def loss() -> float:
        if axis == 0:
            return float((grad * ops.batch_normalization_forward(x, gamma, beta, 1.0)[0]).sum())
        return float((grad * ops.layer_normalization_forward(x, gamma, beta, 1.0)).sum())

    if axis == 0:
        _, mean, variance = ops.batch_normalization_forward(x, gamma, beta, 1.0)
        gradients = ops.batch_normalization_backward(grad, x, mean, variance, gamma, 1.0)
    else:
        gradients = ops.layer_normalization_backward(grad, x, gamma, 1.0)
    # As in ops/test_normalization.py.
    scale, offset = (abs(gamma), abs(beta)) if affine else (1.0, 0.0)
    weight = abs(grad * scale).sum()
    terms = abs(grad) * (scale * (abs(x) + abs(x).mean(axis=axis, keepdims=True)) + offset)
    magnitude = terms.sum() + 2 * abs(x).max() * weight
    bound = difference_bound(magnitude, x.size + 30, third_derivative=36 / shape[axis] * weight)
    for array, gradient in zip((x, gamma, beta), gradients, strict=True):
        if array is not None:
            assert_gradient(gradient, loss, array, bound)


def test_out_is_written_and_returned() -> None:
    x, grad = np.random.default_rng(0).normal(size=(2, 4, 3))
    y, mean, variance = ops.batch_normalization_forward(x)
    calls = [
        (ops.batch_normalization_forward, (x,)),
        (ops.batch_normalization_backward, (grad, x, mean, variance)),
        (ops.layer_normalization_backward, (grad, x)),
    ]
    for op, arguments in calls:
        outs = np.empty((4, 3)), np.empty(3), np.empty(3)
        results = op(*arguments, out=outs)
        for result, out, expected in zip(results, outs, op(*arguments), strict=True):
            assert result is out
            np.testing.assert_array_equal(out, expected)
    out = np.empty((4, 3))
    assert ops.standardize(x, mean, variance, out=out) is out
    np.testing.assert_array_equal(out, y)
    assert ops.layer_normalization_forward(x, out=out) is out
    np.testing.assert_array_equal(out, ops.layer_normalization_forward(x))
