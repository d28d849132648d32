"""Dropout and noise: random numbers of each seed and step, and the distribution of the noise."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from support.op_arguments import DTYPES, Arguments, assert_same, call, draw
from support.op_error_bounds import assert_parity
from support.tolerances import (
    INVERSE_ERF_CENTRAL,
    INVERSE_ERF_ERROR,
    INVERSE_ERF_TAIL,
    normal_bound,
)

from cnet import layers, ops, reference

RANDOM = ["dropout_forward", "gaussian_noise"]


@pytest.mark.parametrize("step", [0, 1, 2**32 - 1, 2**32, 2**63 - 1])
@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**64 - 1])
@pytest.mark.parametrize("name", RANDOM)
def test_parity_for_any_seed_and_step(name: str, seed: int, step: int) -> None:
    arguments = draw(name, 17, 130, 130, np.float32) | {"seed": seed, "step": step}
    assert_parity(name, arguments, np.float32)


@pytest.mark.parametrize("name", RANDOM)
def test_each_seed_and_step_draws_other_numbers(name: str) -> None:
    arguments = draw(name, 30, 70, 70, np.float64)
    drawn = []
    for seed in (0, 1, 2**32, 2**63):
        for step in (0, 1, 2**32):
            (result, *_) = call(ops, name, arguments | {"seed": seed, "step": step})
            for other in drawn:
                assert (result != other).any()
            drawn.append(result)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rate", [0, 1e-10, 0.5, 0.999, 1 - 2**-40, 1])
def test_parity_for_any_rate(rate: float, dtype: type) -> None:
    arguments = draw("dropout_forward", 40, 70, 70, dtype) | {"rate": rate}
    assert_parity("dropout_forward", arguments, dtype)
    y, mask = ops.dropout_forward(**arguments)
    if rate == 0:
        assert_same([y, mask], [arguments["x"], np.ones_like(y)])
    if rate == 1:
        assert_same([y, mask], [np.zeros_like(y)] * 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dropped_infinities_and_nans_become_zero(dtype: type) -> None:
    for wild in (np.inf, np.nan):
        x = np.full((20, 33), wild, dtype)
        y, mask = ops.dropout_forward(x, 0.5, seed=1)
        expected = np.where(mask > 0, dtype(wild), dtype(0))
        assert_same([y, ops.dropout_backward(x, mask)], [expected, expected])
        assert 0 < (mask > 0).mean() < 1


@pytest.mark.parametrize("name", RANDOM)
def test_random_numbers_do_not_depend_on_batch_size_or_dtype(name: str) -> None:
    arguments = draw(name, 30, 70, 70, np.float64)
    arguments["x"] = np.ones((30, 70))
    (whole, *_) = call(ops, name, arguments)
    (part, *_) = call(ops, name, arguments | {"x": np.ones((7, 65))})
    np.testing.assert_array_equal(part, whole[:7, :65])
    (single, *_) = call(ops, name, arguments | {"x": np.ones((30, 70), np.float32)})
    np.testing.assert_array_equal(single, whole.astype(np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_give_the_same_bits(dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=(37, 70)).astype(dtype)
    dropout = layers.Dropout(0.3, seed=2**40 + 1, dtype=dtype)
    noise = layers.GaussianNoise(0.3, seed=7, dtype=dtype)
    for step in range(3):
        y, _ = ops.dropout_forward(x, 0.3, 2**40 + 1, step)
        np.testing.assert_array_equal(dropout(x, training=True), y)
        np.testing.assert_array_equal(noise(x, training=True), ops.gaussian_noise(x, 0.3, 7, step))


@pytest.mark.parametrize(
    ("name", "changed", "error", "message"),
    [
        ("dropout_forward", {"rate": 1.5}, ValueError, r"rate: expected a number in \[0, 1\]"),
        ("dropout_forward", {"rate": -0.1}, ValueError, "rate: expected a number"),
        ("dropout_forward", {"rate": math.nan}, ValueError, "rate: expected a number"),
        ("dropout_forward", {"rate": "half"}, TypeError, "rate: expected a number"),
        ("gaussian_noise", {"stddev": -1.0}, ValueError, "stddev: expected a number"),
        ("gaussian_noise", {"stddev": math.nan}, ValueError, "stddev: expected a number"),
        *(
            (name, changed, error, message)
            for name in RANDOM
            for changed, error, message in [
                ({"seed": -1}, ValueError, r"seed: expected an integer in \[0, 2\*\*64\), got -1"),
                ({"seed": 2**64}, ValueError, "seed: expected an integer in"),
                ({"seed": 1.0}, TypeError, "seed: expected an integer, got float"),
                ({"seed": None}, TypeError, "seed: expected an integer"),
                ({"step": -1}, ValueError, "step: expected an integer in"),
                ({"step": 2**63}, ValueError, "step: expected an integer in"),
                ({"step": 0.0}, TypeError, "step: expected an integer"),
            ]
        ),
    ],
)
def test_invalid_arguments_are_refused(
    name: str, changed: Arguments, error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = draw(name, 3, 5, 5, np.float32) | changed
    with pytest.raises(error, match=f"{name}: {message}"):
        call(ops, name, arguments)


# -- The distribution of the noise -----------------------------------------------------------------


def test_noise_is_normal_within_its_bound() -> None:
    """A million numbers, up to five deviations; in float64, where the sum adds no rounding."""
    shape = (256, 4096)
    noise = ops.gaussian_noise(np.zeros(shape), 1.0, seed=5, step=9)
    normal = reference.random.batch_normal(5, 9, *shape)
    assert np.abs(normal).max() > 4.5
    assert (np.abs(noise - normal) <= normal_bound(normal)).all()
    assert (normal_bound(normal) < 2e-6 * np.abs(normal)).all(), "the bound is tight"


def test_the_polynomials_approximate_the_inverse_of_erf_within_the_bound() -> None:
    errors = []
    multiples = np.unique(np.geomspace(1, 2**23, 700).astype(int) * 2 - 1)
    for u in [*multiples * 2.0**-24, *(1 - multiples * 2.0**-24)]:
        w = -math.log1p(-u * u)
        central = w < 5
        v = w - 2.5 if central else math.sqrt(w) - 3
        coefficients = INVERSE_ERF_CENTRAL if central else INVERSE_ERF_TAIL
        series = np.polyval(np.array(coefficients, np.float32).astype(float), v)
        # reference/test_random.py compares this with mpmath; it is exact at 0 and odd.
        normal = -NormalDist().inv_cdf((1 - u) / 2)
        errors.append(abs(math.sqrt(2) * series * u / normal - 1))
    assert INVERSE_ERF_ERROR / 2 < max(errors) <= INVERSE_ERF_ERROR
