"""Softmax and its logarithm: special values and gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.op_arguments import DTYPES, assert_gradient, draw
from support.tolerances import difference_bound

from cnet import ops


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_in_its_row(dtype: type) -> None:
    logits = np.zeros((3, 17), dtype)
    logits[1, 5] = np.nan
    p = ops.softmax(logits)
    assert np.isnan(p[1]).all()
    assert np.isfinite(p[[0, 2]]).all()
    assert math.isnan(ops.softmax_cross_entropy_forward(logits, [0, 0, 0])[0])


def test_log_softmax_gradient() -> None:
    (logits,) = draw("log_softmax", 5, 17, 17, np.float64).values()
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
    (logits,) = draw("softmax", 5, 17, 17, np.float64).values()
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
