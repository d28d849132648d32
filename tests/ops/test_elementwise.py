"""ReLU and rescaling: special values and gradients; test_activations.py has the other activations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.op_arguments import (
    DTYPES,
    Arguments,
    assert_gradient,
    assert_same,
    draw,
)
from support.tolerances import difference_bound

from cnet import ops


@pytest.mark.parametrize(
    ("name", "parameters", "error", "message"),
    [
        ("celu", {}, ValueError, "expected one of relu, relu6, .*, got 'celu'"),
        (3, {}, ValueError, "expected one of relu, relu6, .*, got 3"),
        ("gelu", {"alpha": 1.0}, TypeError, r"gelu has no parameter 'alpha' \(it has: approximate"),
        ("tanh", {"alpha": 1.0}, TypeError, r"tanh has no parameter 'alpha' \(it has: none"),
        ("relu", {"threshold": -1.0}, ValueError, "relu: threshold: expected a number of at least"),
        ("relu", {"max_value": -1.0}, ValueError, "relu: max_value: expected a number of at least"),
        ("elu", {"alpha": "1"}, TypeError, "elu: alpha: expected a number"),
    ],
)
def test_unknown_activations_and_parameters_are_refused(
    name: Any, parameters: Arguments, error: type[Exception], message: str
) -> None:
    x = np.ones(3, np.float32)
    with pytest.raises(error, match=message):
        ops.activation_forward(x, name, **parameters)
    with pytest.raises(error, match=message):
        ops.activation_backward(x, x, x, name, **parameters)


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_of_nan_infinity_and_signed_zero(dtype: type) -> None:
    for size in (1, 7, 8, 16, 103):
        x = np.resize(np.array([np.nan, -0.0, 0.0, np.inf, -np.inf, 2.0, -2.0], dtype), size)
        forward = ops.relu_forward(x)
        assert_same([forward], [np.resize(np.array([np.nan, 0, 0, np.inf, 0, 2, 0], dtype), size)])
        assert not np.signbit(forward[~np.isnan(x)]).any()
        backward = ops.relu_backward(np.full(size, np.nan, dtype), x)
        assert_same([backward], [np.where(x > 0, np.full(size, np.nan, dtype), dtype(0))])


def test_elementwise_gradients() -> None:
    grad, x = draw("relu_backward", 5, 17, 17, np.float64).values()
    x += np.copysign(0.1, x)  # away from the kink of relu
    bound = difference_bound((abs(grad) * (3 * abs(x) + 1)).sum(), roundings=x.size + 3)
    assert_gradient(
        ops.relu_backward(grad, x), lambda: float((grad * ops.relu_forward(x)).sum()), x, bound
    )
    assert_gradient(
        ops.rescaling_backward(grad, 3.0),
        lambda: float((grad * ops.rescaling_forward(x, 3.0, -1.0)).sum()),
        x,
        bound,
    )
