"""Softmax of the reference: gradients by central differences."""

from __future__ import annotations

import pytest
from support.op_arguments import assert_gradient, draw_normal
from support.tolerances import (
    difference_bound,
)

from cnet import reference as ops

SIZES = [0, 1, 2, 17]


@pytest.mark.parametrize("classes", SIZES)
@pytest.mark.parametrize("batch", SIZES)
def test_softmax_gradient(batch: int, classes: int) -> None:
    logits, grad = draw_normal(batch, classes), draw_normal(batch, classes)

    def loss() -> float:
        return float((grad * ops.softmax(logits)).sum())

    magnitude = (abs(grad) * (1 + abs(logits))).sum()
    # The third derivative of the logistic function is at most 1/8.
    bound = difference_bound(
        magnitude, roundings=20 + classes + batch * classes, third_derivative=abs(grad).sum() / 8
    )
    assert_gradient(ops.softmax_backward(grad, ops.softmax(logits)), loss, logits, bound)
