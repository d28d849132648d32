"""Layers that change shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnet
from cnet import layers


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        ((12,), (3, 4), (3, 4)),
        ((12,), (-1, 2, 2), (3, 2, 2)),
        ((3, 4), (12,), (12,)),
        ((3, 4), (-1,), (12,)),
        ((3, 4), [2, 6], (2, 6)),
    ],
)
def test_reshape(shape: tuple[int, ...], target: Any, expected: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)
    layer = layers.Reshape(target)
    np.testing.assert_array_equal(layer(x), x.reshape(5, *expected))
    assert layer.output_shape == (None, *expected)


def test_reshape_in_a_model() -> None:
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    model = cnet.Sequential([layers.Dense(6), layers.Reshape((2, 3))])
    assert model.predict(x, verbose=0).shape == (5, 2, 3)
    assert model.output_shape == (None, 2, 3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.Reshape((5, -1))(np.zeros((2, 12))), ValueError, r"got \(batch, 12\)"),
        (lambda: layers.Reshape((5,))(np.zeros((2, 12))), ValueError, r"got \(batch, 12\)"),
        (lambda: layers.Reshape((24,))(np.zeros((2, 12))), ValueError, "size of"),
        (lambda: layers.Reshape((-1, -1)), ValueError, "positive sizes"),
        (lambda: layers.Reshape((0, 3)), ValueError, "positive sizes"),
        (lambda: layers.Reshape(12), TypeError, "a tuple of integers"),
        (lambda: layers.Reshape("ab"), TypeError, "a tuple of integers"),
    ],
)
def test_invalid_arguments_are_refused(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
