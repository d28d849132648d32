"""Discretization; tests/peers compares it with Keras."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cnet import layers


def adapted(data: Any, **options: Any) -> layers.Discretization:
    layer = layers.Discretization(**options)
    layer.adapt(data)
    return layer


def test_ranges_include_their_lower_boundary() -> None:
    layer = layers.Discretization([0.0, 1.0, 2.0])
    x = [[-np.inf, -1e-30, 0.0, 0.99, 1.0, 2.0, 1e30, np.inf, np.nan]]
    np.testing.assert_array_equal(layer(x), np.array([[0, 0, 1, 1, 2, 3, 3, 3, 3]]), strict=True)
    assert layer([1, 5]).tolist() == [2, 3]
    assert layer(0.5).shape == ()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_compared_in_the_dtype(dtype: str) -> None:
    layer = layers.Discretization([0.1], dtype=dtype)
    x = np.array([np.nextafter(0.1, 0), 0.1, np.float32(0.1)])
    assert layer(x).tolist() == ([1, 1, 1] if dtype == "float32" else [0, 1, 1])


def test_many_numbers_in_float32_overflow_to_infinity() -> None:
    assert layers.Discretization([0.0, 1.0])([1e300, -1e300]).tolist() == [2, 0]


def test_encodings() -> None:
    layer = layers.Discretization([0.0, 1.0], output_mode="count")
    assert layer([[0.5, 0.6, 7.0]]).tolist() == [[0, 2, 1]]


@pytest.mark.parametrize("count", [10, 37, 100])
@pytest.mark.parametrize("bins", [2, 4, 5])
def test_quantiles(count: int, bins: int) -> None:
    """Up to 1 / epsilon numbers, they are those of the cumulative distribution, interpolated."""
    data = np.random.default_rng(0).normal(size=count)
    layer = adapted(data, num_bins=bins)
    expected = np.quantile(data, np.arange(1, bins) / bins, method="interpolated_inverted_cdf")
    # Fractions of the weight are rounded to float32, and so are the numbers.
    gap = np.diff(np.sort(data)).max()
    bound = 2.0**-24 * (count * gap + 2 * np.abs(data).max())
    np.testing.assert_allclose(layer.bin_boundaries or [], expected, rtol=0, atol=bound)


def test_large_data() -> None:
    data = np.random.default_rng(0).normal(size=200_000)
    layer = adapted(data, num_bins=10)
    counts = np.bincount(layer(data))
    assert len(counts) == 10
    assert np.abs(counts / len(data) - 0.1).max() < 2 * 0.01, "epsilon, at either end of a range"
    batches = adapted(np.array_split(data, 50), num_bins=10)
    assert np.abs(np.bincount(batches(data)) / len(data) - 0.1).max() < 0.05


def test_forms_of_data() -> None:
    expected = [2.0, 4.0, 6.0]
    data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    forms: list[Any] = [
        *(data, np.array(data, int), np.reshape(data, (4, 2)), pd.Series(data)),
        *(pd.DataFrame({"a": data[:4], "b": data[4:]}), iter([data[:3], data[3:]])),
        iter([(np.array(data), np.zeros(8))]),
        [np.reshape(data[:4], (2, 2)), np.reshape(data[4:], (2, 2))],
    ]
    for form in forms:
        assert adapted(form, num_bins=4).bin_boundaries == expected
    layer = layers.Discretization(num_bins=4)
    layer.adapt(iter([data, [9.0]]), steps=1)
    assert layer.bin_boundaries == expected
    layer = layers.Discretization(num_bins=4)
    for number in data:
        layer.update_state(number)
    layer.finalize_state()
    assert layer.bin_boundaries == expected
    layer.adapt([7.0, 8.0, 9.0, 10.0])
    assert layer.bin_boundaries == [7.0, 8.0, 9.0], "what was counted before is forgotten"


def test_fewer_numbers_than_bins() -> None:
    layer = adapted([3.0, 1.0], num_bins=4, output_mode="one_hot")
    assert layer.bin_boundaries == [1.0]
    assert layer([0.0, 2.0]).shape == (2, 2)


def test_configs() -> None:
    layer = adapted(np.arange(30.0), num_bins=3)
    assert layer.bin_boundaries is not None
    copy = layers.Discretization.from_config(json.loads(json.dumps(layer.get_config())))
    assert copy.bin_boundaries == layer.bin_boundaries
    copy.adapt([5.0, 6.0, 7.0])
    assert copy.bin_boundaries == [5.0, 6.0]
    unknown = layers.Discretization.from_config(layers.Discretization(num_bins=3).get_config())
    assert unknown.bin_boundaries is None
    for option, value in (("num_bins", 5), ("epsilon", 0.5)):
        with pytest.raises(ValueError, match=f"{option}: the layer has boundaries"):
            setattr(layer, option, value)
    layer.output_mode = "one_hot"
    assert layer([0.0]).shape == (1, 3)


def test_a_failed_call_keeps_the_boundaries() -> None:
    layer = adapted([1.0, 2.0], num_bins=2)
    for data in (iter([[5.0], ["a"]]), [np.nan], []):
        with pytest.raises((TypeError, ValueError)):
            layer.adapt(data)
        layer.finalize_state()
        assert layer.bin_boundaries == [1.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.Discretization(), ValueError, "expected bin_boundaries or num_bins, got"),
        (lambda: layers.Discretization([1], 2), ValueError, "expected bin_boundaries or num_bins"),
        (
            lambda: layers.Discretization([2, 1]),
            ValueError,
            "ascending numbers, got 2.0 before 1.0",
        ),
        (lambda: layers.Discretization([0, np.nan]), ValueError, "expected a .*number, got nan"),
        (
            lambda: layers.Discretization([0, np.inf]),
            ValueError,
            "expected a finite number, got inf",
        ),
        (lambda: layers.Discretization(["a"]), TypeError, "bin_boundaries: expected numbers"),
        (lambda: layers.Discretization([[1.0]]), TypeError, "expected a list of numbers"),
        (lambda: layers.Discretization(num_bins=0), ValueError, "num_bins: expected an integer"),
        (lambda: layers.Discretization(num_bins=2.0), TypeError, "num_bins: expected an integer"),
        (lambda: layers.Discretization(num_bins=2, epsilon=0), ValueError, "epsilon: expected"),
        (lambda: layers.Discretization(num_bins=2, epsilon=2), ValueError, "epsilon: expected"),
        (lambda: layers.Discretization([1], output_mode="tf_idf"), ValueError, "one of int, "),
        (lambda: layers.Discretization(num_bins=2)([1.0]), ValueError, r"call adapt\(\) first"),
        (lambda: layers.Discretization([1])(["a"]), TypeError, "expected numbers, got list"),
        (lambda: adapted([1.0], bin_boundaries=[1]), ValueError, "created with bin_boundaries"),
        (lambda: adapted([[1.0, np.nan]], num_bins=2), ValueError, "got nan at row 0, column 1"),
        (
            lambda: adapted([1e300], num_bins=2),
            ValueError,
            r"finite numbers of float32, got 1e\+300",
        ),
        (lambda: adapted(["a"], num_bins=2), TypeError, "adapt: expected numbers"),
        (
            lambda: adapted(iter([]), num_bins=2),
            ValueError,
            "expected at least one number, got none",
        ),
        (
            lambda: layers.Discretization(num_bins=2).adapt([1.0], steps=2),
            ValueError,
            "steps is a number of batches, but the data is one list",
        ),
        (
            lambda: layers.Discretization.from_config({"num_bins": 2, "bin_boundaries": [2, 1]}),
            ValueError,
            "ascending",
        ),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
