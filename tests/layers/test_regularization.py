"""Dropout and noise: random numbers. test_training.py tests their gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.tolerances import STANDARD_ERRORS, kolmogorov_bound, mean_bound

import cnet
from cnet import layers

ONES = np.ones((700, 300), np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_at_its_rate(rate: float, dtype: str) -> None:
    y = layers.Dropout(rate, seed=1, dtype=dtype)(ONES, training=True)
    kept = y != 0
    np.testing.assert_array_equal(y[kept], np.dtype(dtype).type(1 / (1 - rate)))
    deviation = math.sqrt(rate * (1 - rate))
    assert abs(kept.mean() - (1 - rate)) < mean_bound(deviation, kept.size)
    for axis in (0, 1):  # no row or column is dropped more often than others
        spread = STANDARD_ERRORS * deviation / math.sqrt(kept.shape[axis])
        assert np.abs(kept.mean(axis=axis) - (1 - rate)).max() < spread
    # Neighbouring elements are independent.
    for a, b in ((kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1])):
        assert abs((a & b).mean() - (1 - rate) ** 2) < mean_bound(0.5, a.size)


def test_dropout_is_the_same_for_both_dtypes_and_any_part_of_the_batch() -> None:
    masks = [
        layers.Dropout(0.5, seed=1, dtype=d)(ONES, training=True) for d in ("float32", "float64")
    ]
    np.testing.assert_array_equal(masks[0], masks[1])
    part = layers.Dropout(0.5, seed=1)(ONES[:50, :99], training=True)
    np.testing.assert_array_equal(part, masks[0][:50, :99])


def test_each_batch_and_each_seed_draws_other_numbers() -> None:
    layer = layers.Dropout(0.5, seed=1)
    draws = [layer(ONES, training=True) for _ in range(3)] + [
        layers.Dropout(0.5, seed=2)(ONES, training=True)
    ]
    for n, a in enumerate(draws):
        for b in draws[:n]:
            assert abs((a == b).mean() - 0.5) < mean_bound(0.5, a.size)
    np.testing.assert_array_equal(layers.Dropout(0.5, seed=1)(ONES, training=True), draws[0])
    cnet.utils.set_random_seed(5)
    first = layers.Dropout(0.5)(ONES, training=True)
    assert (layers.Dropout(0.5)(ONES, training=True) != first).any()
    cnet.utils.set_random_seed(5)
    np.testing.assert_array_equal(layers.Dropout(0.5)(ONES, training=True), first)


def test_dropped_values_are_zero_even_if_not_finite() -> None:
    wild = np.full((50, 50), np.inf, np.float32)
    y = layers.Dropout(0.5, seed=1)(wild, training=True)
    assert set(np.unique(y)) == {0, np.inf}
    np.testing.assert_array_equal(layers.Dropout(1.0)(wild, training=True), 0)


@pytest.mark.parametrize("make", [layers.Dropout, layers.GaussianNoise])
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_predictions_are_unchanged(make: Any, rate: float) -> None:
    x = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    np.testing.assert_array_equal(make(rate)(x), x)
    if rate == 0:
        np.testing.assert_array_equal(make(rate)(x, training=True), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_is_normal(dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=ONES.shape).astype(dtype)
    y = layers.GaussianNoise(0.5, seed=1, dtype=dtype)(x, training=True)
    z = np.sort((np.asarray(y, np.float64) - x).ravel() / 0.5)
    # The rounding of x to its dtype is far smaller than the bound.
    cumulative = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z[::97]])
    positions = np.arange(len(z))[::97] / len(z)
    assert np.abs(cumulative - positions).max() < kolmogorov_bound(z.size)
    assert abs(z.mean()) < mean_bound(1.0, z.size)
    assert abs(np.square(z).mean() - 1) < mean_bound(math.sqrt(2), z.size)
    assert abs((z**4).mean() - 3) < mean_bound(math.sqrt(96), z.size)
    noise = np.asarray(y, np.float64) - x
    for a, b in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
        assert abs((a * b).mean()) < mean_bound(0.25, a.size)


def test_training_draws_for_each_batch_and_is_reproducible() -> None:
    def trained() -> list[bytes]:
        cnet.utils.set_random_seed(3)
        model = cnet.Sequential(
            [
                layers.Input((8,)),
                layers.GaussianNoise(0.1),
                layers.Dense(32, "relu"),
                layers.Dropout(0.5),
                layers.Dense(3, "softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        rng = np.random.default_rng(0)
        history = model.fit(
            rng.normal(size=(90, 8)), rng.integers(3, size=90), batch_size=20, epochs=3, verbose=0
        )
        losses = np.array(history.history["loss"]).tobytes()
        return [losses, *(weight.tobytes() for weight in model.get_weights())]

    assert trained() == trained()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.Dropout(1.5), ValueError, r"Dropout: rate: expected a number in \[0, 1\]"),
        (lambda: layers.Dropout(-0.1), ValueError, "rate"),
        (lambda: layers.Dropout(float("nan")), ValueError, "rate"),
        (lambda: layers.Dropout("half"), TypeError, "rate"),
        (lambda: layers.Dropout(0.5, seed=-1), ValueError, "seed"),
        (lambda: layers.Dropout(0.5, noise_shape=(1, 3)), ValueError, "noise_shape"),
        (lambda: layers.GaussianNoise(2.0), ValueError, "stddev"),
        (lambda: layers.GaussianNoise(None), TypeError, "stddev"),
    ],
)
def test_invalid_arguments_are_refused(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
