"""spiral is the formula of CS231n with cnet's random numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnet import random
from cnet.datasets import spiral


def test_shapes_and_dtypes() -> None:
    x, y = spiral()
    assert x.shape == (300, 2)
    assert x.dtype == np.float32
    assert y.dtype == np.int64
    assert x.flags.c_contiguous
    assert y.tolist() == [0] * 100 + [1] * 100 + [2] * 100
    x, y = spiral(samples_per_class=1, classes=5)
    assert x.shape == (5, 2)
    assert y.tolist() == [0, 1, 2, 3, 4]


def test_points_without_noise_match_the_formula() -> None:
    x, y = spiral(samples_per_class=7, classes=4, noise=0)
    for row, (point, label) in enumerate(zip(x, y, strict=True)):
        radius = (row % 7) / 6
        angle = 4 * label + 4 * radius
        expected = (radius * math.sin(angle), radius * math.cos(angle))
        np.testing.assert_allclose(point, expected, rtol=1e-6, atol=1e-12)


def test_noise_rotates_the_points_by_normal_numbers() -> None:
    x, _ = spiral(samples_per_class=50, classes=2, noise=0.5, seed=3)
    straight, _ = spiral(samples_per_class=50, classes=2, noise=0)
    turn = 0.5 * random.normal((2, 50), dtype="float64", seed=3).ravel()
    np.testing.assert_allclose(
        x[:, 0], straight[:, 0] * np.cos(turn) + straight[:, 1] * np.sin(turn), atol=1e-6
    )
    np.testing.assert_allclose(np.hypot(*x.T), np.hypot(*straight.T), atol=1e-6)


def test_equal_seeds_give_equal_points() -> None:
    first, _ = spiral(seed=5)
    again, _ = spiral(seed=5)
    other, _ = spiral(seed=6)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    assert np.isfinite(first).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"samples_per_class": 0},
        {"classes": 0},
        {"classes": -1},
        {"noise": -0.1},
        {"noise": math.nan},
        {"noise": math.inf},
    ],
)
def test_bounds(arguments: dict[str, float]) -> None:
    (value,) = arguments.values()
    with pytest.raises(ValueError, match=rf"^spiral: \w+: expected .* got {value}"):
        spiral(**arguments)


@pytest.mark.parametrize("name", ["samples_per_class", "classes"])
def test_counts_are_integers(name: str) -> None:
    with pytest.raises(TypeError):
        spiral(**{name: 2.5})
