"""A dense layer: gradients, and `out` for several results."""

from __future__ import annotations

import numpy as np
import pytest
from support.op_arguments import assert_gradient, draw, make_outs
from support.tolerances import difference_bound

from cnet import ops


def test_dense_gradients() -> None:
    x, kernel, bias = draw("dense_forward", 5, 17, 3, np.float64).values()
    grad = np.random.default_rng(0).normal(size=(5, 3))
    magnitude = (abs(grad) * (abs(x) @ abs(kernel) + abs(bias))).sum()
    bound = difference_bound(magnitude, roundings=17 + 15 + 2)
    for array, gradient in zip((x, kernel, bias), ops.dense_backward(grad, x, kernel), strict=True):
        assert_gradient(
            gradient, lambda: float((grad * ops.dense_forward(x, kernel, bias)).sum()), array, bound
        )


def test_dense_backward_takes_three_outs() -> None:
    arguments = draw("dense_backward", 17, 13, 11, np.float32)
    outs = make_outs(ops.dense_backward(**arguments))
    for wrong in (outs[:2], (*outs, outs[0]), outs[0]):
        with pytest.raises((TypeError, ValueError), match="dense_backward"):
            ops.dense_backward(**arguments, out=wrong)


def test_outs_that_overlap_each_other_are_refused() -> None:
    arguments = draw("dense_backward", 13, 13, 13, np.float32)
    grad_x, _, grad_bias = make_outs(ops.dense_backward(**arguments))
    with pytest.raises(ValueError, match="dense_backward"):
        ops.dense_backward(**arguments, out=(grad_x, grad_x, grad_bias))
    assert np.isnan(grad_x).all()
