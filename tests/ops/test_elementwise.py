"""Activations and rescaling: special values, limits and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.op_arguments import (
    DTYPES,
    Arguments,
    assert_gradient,
    assert_same,
    assert_same_kind,
    draw,
)
from support.tolerances import activation_bound, activation_gradient_bound, difference_bound

from cnet import ops, reference

ACTIVATIONS: list[tuple[str, Arguments]] = [
    *((name, {}) for name in reference.activations.ACTIVATIONS),
    ("relu", {"negative_slope": 0.3}),
    ("relu", {"max_value": 1.5}),
    ("relu", {"negative_slope": 0.3, "max_value": 1.5, "threshold": 0.5}),
    ("leaky_relu", {"negative_slope": 0.7}),
    ("elu", {"alpha": 0.3}),
    ("gelu", {"approximate": True}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "parameters"), ACTIVATIONS)
def test_activations_have_parity_with_the_reference(
    name: str, parameters: Arguments, dtype: type
) -> None:
    rng = np.random.default_rng(0)
    special = [0.0, 1e-3, 0.5, 1.5, 3.0, 6.0, 1e3, 1e6, np.finfo(dtype).max, np.inf, 1e-30, 1e-40]
    x = np.concatenate(
        [rng.normal(size=200), rng.normal(size=200) * 20, special, np.negative(special)]
    )
    x = x.astype(dtype)
    with np.errstate(over="ignore", under="ignore"):
        y = reference.activation_forward(x, name, **parameters)
        finite = np.abs(x) <= 1e3
        exponent = np.zeros(x.shape)
        if name == "gelu":
            bounded = np.clip(x.astype(np.float64), -50, 50)
            cubic = parameters.get("approximate", False)
            exponent = 1.6 * bounded + 0.072 * bounded**3 if cubic else bounded**2
        actual = ops.activation_forward(x, name, **parameters)
        assert_same_kind(actual, y)
        infinite = np.isinf(y) | np.isinf(x)
        np.testing.assert_array_equal(actual[infinite], y[infinite])
        error = np.abs(actual[~infinite].astype(np.float64) - y[~infinite])
        bound = activation_bound(y, dtype, exponent)[~infinite]
        assert (error <= bound).all(), (x[~infinite][error > bound], error[error > bound])

        grad = rng.normal(size=x.shape).astype(dtype)[finite]
        x, y = x[finite], y[finite]
        slope = reference.activation_backward(np.ones_like(grad), x, y, name, **parameters)
        expected = reference.activation_backward(grad, x, y, name, **parameters)
        backward = ops.activation_backward(grad, x, y, name, **parameters)
    assert_same_kind(backward, expected)
    fits = np.isfinite(expected)
    np.testing.assert_array_equal(backward[~fits], expected[~fits])
    error = np.abs(backward[fits].astype(np.float64) - expected[fits])
    bound = activation_gradient_bound(grad, slope, dtype)[fits]
    assert (error <= bound).all(), (x[fits][error > bound], error[error > bound])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "parameters"), ACTIVATIONS)
def test_activations_at_their_limits(name: str, parameters: Arguments, dtype: type) -> None:
    """NaN stays; of infinities none becomes NaN; gradients are finite, but for exponentials."""
    x = np.array([np.nan, np.inf, -np.inf, np.finfo(dtype).max, np.finfo(dtype).min], dtype)
    y = ops.activation_forward(x, name, **parameters)
    assert np.isnan(y[0])
    assert not np.isnan(y[1:]).any()
    slope = ops.activation_backward(np.ones_like(x), x, y, name, **parameters)
    assert not np.isnan(slope[1:]).any()
    assert np.isfinite(slope[1:]).all() or name == "exponential"
    assert slope[2] in (0, dtype(parameters.get("negative_slope", 0.2))) or name == "softsign"


@pytest.mark.parametrize(("name", "parameters"), ACTIVATIONS)
def test_activation_gradients(name: str, parameters: Arguments) -> None:
    x = np.linspace(-5, 5, 37) + 0.0371  # away from every kink
    grad = np.random.default_rng(0).normal(size=x.shape)
    y = ops.activation_forward(x, name, **parameters)
    # The terms of y are no larger than e^|x|; third derivatives are below 2 but for the exponential.
    steep = np.exp(5.1) if name == "exponential" else 1.0
    bound = difference_bound(
        float((abs(grad) * (2 + 2 * abs(x) + abs(y))).sum()),
        roundings=x.size + 40,
        third_derivative=2 * steep,
    )
    assert_gradient(
        ops.activation_backward(grad, x, y, name, **parameters),
        lambda: float((grad * ops.activation_forward(x, name, **parameters)).sum()),
        x,
        bound,
    )


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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["leaky_relu", "gelu", "silu", "mish", "tanh", "softsign"])
def test_zero_keeps_its_sign(name: str, dtype: type) -> None:
    """Compilers may lose it, each in its own way."""
    y = ops.activation_forward(np.array([0.0, -0.0], dtype), name)
    assert np.signbit(y).tolist() == [False, True]


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
