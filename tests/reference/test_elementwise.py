"""ReLU and rescaling of the reference: gradients, NaN and signed zero."""

from __future__ import annotations

import numpy as np
import pytest
from support.op_arguments import assert_gradient, draw_normal
from support.tolerances import (
    difference_bound,
)

from cnet import reference as ops


@pytest.mark.parametrize("shape", [(), (0,), (17,), (2, 17), (2, 1, 3)])
def test_elementwise_gradients(shape: tuple[int, ...]) -> None:
    x, grad = draw_normal(*shape), draw_normal(*shape)
    x += np.copysign(0.1, x)  # away from the kink of relu

    def relu_loss() -> float:
        return float((grad * ops.relu_forward(x)).sum())

    def rescaling_loss() -> float:
        return float((grad * ops.rescaling_forward(x, scale=3.0, offset=-1.0)).sum())

    bound = difference_bound((abs(grad) * (3 * abs(x) + 1)).sum(), roundings=x.size + 3)
    assert_gradient(ops.relu_backward(grad, x), relu_loss, x, bound)
    assert_gradient(ops.rescaling_backward(grad, 3.0), rescaling_loss, x, bound)


def test_relu_of_nan_and_signed_zero() -> None:
    result = ops.relu_forward(np.array([np.nan, -0.0, -np.inf, np.inf]))
    np.testing.assert_array_equal(result, [np.nan, 0.0, 0.0, np.inf])
    assert not np.signbit(result).any()
    np.testing.assert_array_equal(ops.relu_backward(np.ones(3), [np.nan, 0.0, 1.0]), [0, 0, 1])
