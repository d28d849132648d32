"""The reference's dropout and noise: defined by the random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from cnet import reference as ops
from cnet.reference import random


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_dropout(rate: float, dtype: type[np.floating]) -> None:
    x = np.random.default_rng(0).normal(size=(20, 70)).astype(dtype)
    x[random.batch_bits(3, 5, 20, 70) < rate * 2**32] = np.nan  # to be dropped
    outs = np.empty_like(x), np.empty_like(x)
    y, mask = ops.dropout_forward(x, rate, 3, 5, out=outs)
    assert y is outs[0]
    assert mask is outs[1]
    np.testing.assert_array_equal(mask == 0, np.isnan(x))
    np.testing.assert_array_equal(mask[mask > 0], dtype(1 / (1 - rate) if rate < 1 else 0))
    np.testing.assert_array_equal(y, np.where(np.isnan(x), 0, x * mask))
    np.testing.assert_array_equal(ops.dropout_backward(x, mask), y)
    assert {array.dtype for array in (y, mask, ops.dropout_backward(x, mask))} == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise(dtype: type[np.floating]) -> None:
    x = np.random.default_rng(0).normal(size=(20, 70)).astype(dtype)
    expected = (x + 0.5 * random.batch_normal(3, 5, 20, 70)).astype(dtype)
    out = np.empty_like(x)
    assert ops.gaussian_noise(x, 0.5, 3, 5, out=out) is out
    np.testing.assert_array_equal(out, expected)
