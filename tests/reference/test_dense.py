"""Dense layer of the reference: gradients by central differences."""

from __future__ import annotations

import pytest
from support.op_arguments import assert_gradient, draw_normal
from support.tolerances import (
    difference_bound,
)

from cnet import reference as ops

SIZES = [0, 1, 2, 17]


@pytest.mark.parametrize("outputs", SIZES)
@pytest.mark.parametrize("inputs", SIZES)
@pytest.mark.parametrize("batch", SIZES)
def test_dense_gradients(batch: int, inputs: int, outputs: int) -> None:
    x, kernel, bias = draw_normal(batch, inputs), draw_normal(inputs, outputs), draw_normal(outputs)
    grad = draw_normal(batch, outputs)

    def loss() -> float:
        return float((grad * ops.dense_forward(x, kernel, bias)).sum())

    magnitude = (abs(grad) * (abs(x) @ abs(kernel) + abs(bias))).sum()
    bound = difference_bound(magnitude, roundings=inputs + batch * outputs + 2)
    gradients = ops.dense_backward(grad, x, kernel)
    for array, gradient in zip((x, kernel, bias), gradients, strict=True):
        assert_gradient(gradient, loss, array, bound)
