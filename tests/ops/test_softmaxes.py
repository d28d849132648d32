"""Softmax and its logarithm: special values and gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.op_arguments import DTYPES, assert_gradient, draw
from support.tolerances import ELEMENTARY_ROUNDINGS, difference_bound, rounding_bound

from cnet import autodiff, ops, reference


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_in_its_row(dtype: type) -> None:
    logits = np.zeros((3, 17), dtype)
    logits[1, 5] = np.nan
    p = ops.softmax(logits)
    assert np.isnan(p[1]).all()
    assert np.isfinite(p[[0, 2]]).all()
    assert math.isnan(ops.softmax_cross_entropy_forward(logits, [0, 0, 0])[0])


def test_log_softmax_gradient() -> None:
    logits = draw("log_softmax", 5, 17, 17, np.float64)["x"]
    grad = np.random.default_rng(0).normal(size=(5, 17))
    # The third derivative of log Z is at most 1 / (6 √3).
    bound = difference_bound(
        (abs(grad) * (3 + 2 * abs(logits).max())).sum(),
        roundings=20 + 17 + 85,
        third_derivative=0.1 * abs(grad).sum(),
    )
    assert_gradient(
        ops.log_softmax_backward(grad, ops.log_softmax(logits)),
        lambda: float((grad * ops.log_softmax(logits)).sum()),
        logits,
        bound,
    )


def test_softmax_gradient() -> None:
    logits = draw("softmax", 5, 17, 17, np.float64)["x"]
    grad = np.random.default_rng(0).normal(size=(5, 17))
    # The third derivative of the logistic function is at most 1/8.
    bound = difference_bound(
        (abs(grad) * (1 + abs(logits))).sum(),
        roundings=20 + 17 + 85,
        third_derivative=abs(grad).sum() / 8,
    )
    assert_gradient(
        ops.softmax_backward(grad, ops.softmax(logits)),
        lambda: float((grad * ops.softmax(logits)).sum()),
        logits,
        bound,
    )


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (0, 1, 2)])
def test_any_axis_of_any_array(name: str, axis: Any) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    found, expected = getattr(ops, name)(x, axis), getattr(reference, name)(x, axis)
    # Terms of magnitude log(60) + 2 · 4 at most, with 60 terms in a sum.
    bound = rounding_bound(np.full(x.shape, 13.0), 60 + 3 * ELEMENTARY_ROUNDINGS, np.float64)
    assert (np.abs(found - expected) <= bound).all()


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_tensors_are_recorded(name: str) -> None:
    x = autodiff.Variable([[1.0, 2.0]])
    with autodiff.GradientTape() as tape:
        y = getattr(ops, name)(x)
    grad = np.float32([[1, 0]])
    expected = getattr(ops, f"{name}_backward")(grad, y.numpy())
    np.testing.assert_array_equal(tape.gradient(y, x, grad).numpy(), expected)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "axis"), [((3,), -1), ((2, 3, 4), -1), ((2, 3), 0)])
def test_out_is_for_rows(name: str, shape: tuple[int, ...], axis: int) -> None:
    x = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=f"{name}: out: expected .batch, classes."):
        getattr(ops, name)(x, axis, out=np.empty_like(x))
