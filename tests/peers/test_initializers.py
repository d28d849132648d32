"""Initializers compared with Keras: moments and ranges of the distributions.

The numbers differ, because each library has its own generator.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
from support.tolerances import gamma, mean_bound

from cnet import initializers

keras = pytest.importorskip("keras", reason="Keras is not installed")

SHAPE = (300, 500)
SCALINGS = [
    ("VarianceScaling", {"scale": 3.0, "mode": mode, "distribution": distribution})
    for mode in ("fan_in", "fan_out", "fan_avg")
    for distribution in ("truncated_normal", "untruncated_normal", "uniform")
]
RANDOM: list[tuple[str, dict[str, Any]]] = [
    *[
        (f"{name}{kind}", {})
        for name in ("Glorot", "He", "Lecun")
        for kind in ("Normal", "Uniform")
    ],
    *[("RandomNormal", options) for options in ({}, {"mean": 3.0, "stddev": 2.0})],
    *[("RandomUniform", options) for options in ({}, {"minval": -1.0, "maxval": 5.0})],
    *[("TruncatedNormal", options) for options in ({}, {"mean": 3.0, "stddev": 2.0})],
    *SCALINGS,
]
SHAPES = [SHAPE, (150_000,), (10, 30, 500)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("name", "options"), RANDOM, ids=[f"{name} {options}" for name, options in RANDOM]
)
def test_moments(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    ours = getattr(initializers, name)(**options, seed=1)(shape, dtype="float64")
    theirs = getattr(keras.initializers, name)(**options, seed=1)(shape, dtype="float32")
    theirs = np.asarray(keras.ops.convert_to_numpy(theirs), np.float64)
    assert ours.shape == theirs.shape
    # The difference of the means of two samples has twice the variance of one.
    deviation, samples = theirs.std(), ours.size
    assert abs(ours.mean() - theirs.mean()) <= math.sqrt(2) * mean_bound(deviation, samples)
    # The square of a normal number has the standard deviation √2 σ²; other distributions have less.
    bound = math.sqrt(2) * mean_bound(math.sqrt(2) * deviation**2, samples)
    assert abs(ours.var() - theirs.var()) <= bound
    # For bounded distributions: the outermost hundredth of the range is not empty.
    if "untruncated" not in options.get("distribution", "") and name != "RandomNormal":
        extents = [np.abs(numbers - theirs.mean()).max() for numbers in (ours, theirs)]
        assert extents[0] == pytest.approx(extents[1], rel=0.02)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Zeros", {}),
        ("Ones", {}),
        ("Constant", {"value": 2.5}),
        ("Identity", {"gain": 3.0}),
    ],
)
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_constants(name: str, options: dict[str, Any], shape: tuple[int, int]) -> None:
    ours = getattr(initializers, name)(**options)(shape)
    theirs = getattr(keras.initializers, name)(**options)(shape)
    np.testing.assert_array_equal(ours, keras.ops.convert_to_numpy(theirs))


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (40, 40), (3, 4, 20)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    ours = initializers.Orthogonal(2.0, seed=1)(shape, dtype="float32").reshape(-1, shape[-1])
    theirs = keras.initializers.Orthogonal(2.0, seed=1)(shape, dtype="float32")
    theirs = keras.ops.convert_to_numpy(theirs).reshape(ours.shape)
    for matrix in (ours.astype(float), theirs.astype(float)):
        wide = matrix if len(matrix) < matrix.shape[1] else matrix.T
        # Householder reflections have a small multiple of the rounding errors of such a product.
        bound = 4 * 4 * gamma(max(matrix.shape), np.float32)
        np.testing.assert_allclose(wide @ wide.T, 4 * np.eye(len(wide)), rtol=0, atol=bound)


def test_names_and_defaults_match_keras() -> None:
    names = {name for name, _ in RANDOM} | {"Zeros", "Ones", "Constant", "Identity", "Orthogonal"}
    for name in names:
        ours = inspect.signature(getattr(initializers, name)).parameters
        theirs = inspect.signature(getattr(keras.initializers, name)).parameters
        # For convolution kernels
        expected = [each for each in theirs if each not in ("input_axes", "output_axes")]
        assert [each for each in ours if each not in ("args", "kwargs")] == [
            each for each in expected if each not in ("args", "kwargs")
        ], name
        for parameter in set(ours) & set(theirs):
            assert ours[parameter].default == theirs[parameter].default, (name, parameter)
