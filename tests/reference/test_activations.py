"""The reference's activations: derivatives by central differences, limits, known values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.tolerances import (
    ELEMENTARY_ROUNDINGS,
    central_difference,
    difference_bound,
    relative_bound,
)

from cnet import reference as ops
from cnet.reference.activations import ACTIVATIONS

CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in ACTIVATIONS),
    ("relu", {"negative_slope": 0.3, "max_value": 1.5, "threshold": 0.5}),
    ("leaky_relu", {"negative_slope": 0.7}),
    ("elu", {"alpha": 0.3}),
    ("gelu", {"approximate": True}),
]


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_derivatives(name: str, parameters: dict[str, Any]) -> None:
    x = np.linspace(-5, 5, 37) + 0.0371  # away from every kink
    grad = np.random.default_rng(0).normal(size=x.shape)
    y = ops.activation_forward(x, name, **parameters)
    # Third derivatives are below 2 but for the exponential; the terms of y no larger than 2 |x| + 2.
    bound = difference_bound(
        float((abs(grad) * (2 + 2 * abs(x) + abs(y))).sum()),
        roundings=x.size + 40,
        third_derivative=2 * (np.exp(5.1) if name == "exponential" else 1.0),
    )
    gradient = ops.activation_backward(grad, x, y, name, **parameters)
    differences = central_difference(
        lambda: float((grad * ops.activation_forward(x, name, **parameters)).sum()), x
    )
    assert gradient.dtype == np.float64
    assert (np.abs(gradient - differences) <= bound).all()


@pytest.mark.parametrize(("name", "parameters"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_stays_and_infinities_make_none(
    name: str, parameters: dict[str, Any], dtype: type[np.floating]
) -> None:
    x = np.array([np.nan, np.inf, -np.inf, np.finfo(dtype).max, np.finfo(dtype).min], dtype)
    with np.errstate(over="ignore"):
        y = ops.activation_forward(x, name, **parameters)
    assert y.dtype == dtype
    assert np.isnan(y).tolist() == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("relu6", 7.0, 6.0),
        ("leaky_relu", -1.0, -0.2),
        ("elu", -1.0, math.expm1(-1)),
        ("selu", 1.0, 1.0507009873554805),
        ("selu", -1.0, 1.0507009873554805 * 1.6732632423543772 * math.expm1(-1)),
        ("gelu", -1.0, -math.erfc(math.sqrt(0.5)) / 2),
        ("silu", -1.0, -1 / (1 + math.e)),
        ("mish", 1.0, math.tanh(math.log1p(math.e))),
        ("tanh", 1.0, math.tanh(1)),
        ("sigmoid", -1.0, 1 / (1 + math.e)),
        ("hard_sigmoid", 1.0, 4 / 6),
        ("softplus", 1.0, math.log1p(math.e)),
        ("softplus", -800.0, 0.0),
        ("softsign", -1.0, -0.5),
        ("exponential", 1.0, math.e),
    ],
)
def test_known_values(name: str, x: float, expected: float) -> None:
    result = ops.activation_forward(np.array([x]), name)
    bound = relative_bound(3 * ELEMENTARY_ROUNDINGS, np.float64)
    assert result.item() == pytest.approx(expected, rel=bound, abs=0)
