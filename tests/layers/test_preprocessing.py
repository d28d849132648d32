"""Normalization with adapted or given moments; test_layers.py tests Rescaling."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import relative_bound

import cnet
from cnet import layers


def draw(*shape: int, seed: int = 0) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).normal(3, 2, size=shape)


def assert_near(actual: Any, expected: Any, dtype: str, roundings: int = 200) -> None:
    """Compare sums of up to a hundred terms, each at most a few dozen."""
    bound = relative_bound(roundings, np.dtype(dtype)) * max(1, np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


def test_normalization_adapts_to_data_of_any_dtype() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(500, 4, 3), dtype=np.uint8)
    for axis, over in ((-1, (0, 1)), (None, (0, 1, 2)), ((1, 2), 0), (1, (0, 2))):
        layer = layers.Normalization(axis=axis)
        layer.adapt(images)
        mean = images.mean(axis=over, keepdims=True)
        variance = images.var(axis=over, keepdims=True)
        assert_near(layer.mean, np.broadcast_to(mean, (1, 4, 3)), "float32", 4)
        assert_near(layer.variance, np.broadcast_to(variance, (1, 4, 3)), "float32", 8)
        assert_near(layer(images), (images - mean) / np.sqrt(variance), "float32", 50)


def test_normalization_with_given_moments_and_invert() -> None:
    moments = {"mean": [1.0, -2.0, 3.0], "variance": [4.0, 0.25, 0.0]}
    x = draw(9, 3)
    there = layers.Normalization(**moments)
    back = layers.Normalization(**moments, invert=True)
    y = there(x)
    assert_near(y[:, :2], (x[:, :2] - [1, -2]) / [2, 0.5], "float32")
    assert_near(back(y)[:, :2], x[:, :2], "float32")
    np.testing.assert_allclose(back.mean[0], there.mean[0], rtol=1e-6)


def test_adapting_again_replaces_the_statistics_and_weights_restore_them() -> None:
    layer = layers.Normalization()
    layer.adapt(draw(50, 4, seed=1))
    layer.adapt(draw(50, 4, seed=2))
    fresh = layers.Normalization()
    fresh.adapt(draw(50, 4, seed=2))
    x = draw(5, 4)
    np.testing.assert_array_equal(layer(x), fresh(x))
    empty = layers.Normalization()
    empty.build((None, 4))
    empty.set_weights(layer.get_weights())
    np.testing.assert_array_equal(empty(x), layer(x))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.Normalization()(np.zeros((2, 3))), ValueError, r"call adapt\(\) first"),
        (lambda: layers.Normalization(axis=0), ValueError, "axis=0"),
        (lambda: layers.Normalization(axis=2).adapt(np.zeros((2, 3))), ValueError, "axis=2"),
        (lambda: layers.Normalization(mean=1.0), ValueError, "both or neither"),
        (lambda: layers.Normalization(mean=0, variance=-1), ValueError, "at least 0"),
        (lambda: layers.Normalization(mean=np.nan, variance=1), ValueError, "finite"),
        (
            lambda: layers.Normalization(mean=0, variance=1).adapt([[1]]),
            ValueError,
            "was created with",
        ),
        (
            lambda: layers.Normalization(mean=[1, 2], variance=1)([[1.0]]),
            ValueError,
            "do not broadcast",
        ),
        (lambda: layers.Normalization().adapt(np.zeros((0, 3))), ValueError, "at least one sample"),
    ],
)
def test_invalid_arguments_are_refused(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


class Pages(cnet.utils.PyDataset):
    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return (self.batches[index],)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None])
@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        iter,
        Pages,
        lambda batches: ((x, np.zeros(len(x))) for x in batches),
        lambda batches: (x for x in [batches[0][:0], *batches]),
    ],
)
def test_adapting_to_batches(axis: Any, form: Any) -> None:
    """The moments are those of all samples, also if the mean is large."""
    data = draw(100, 4, 3) + 1000 * np.arange(3)
    layer = layers.Normalization(axis, dtype="float64")
    layer.adapt(form(np.array_split(data, [1, 30, 77])))
    over = tuple({0, 1, 2} - {n % 3 for n in np.ravel(axis if axis is not None else [])})
    expected = data.mean(over, keepdims=True), data.var(over, keepdims=True)
    for found, wanted in zip((layer.mean, layer.variance), expected, strict=True):
        np.testing.assert_allclose(found, np.broadcast_to(wanted, (1, 4, 3)), rtol=1e-11)


def test_batches_of_another_shape_are_refused() -> None:
    layer = layers.Normalization()
    with pytest.raises(ValueError, match=r"expected input of shape \(batch, 3\), got \(batch, 4\)"):
        layer.adapt(iter([draw(2, 3), draw(2, 4)]))
    with pytest.raises(ValueError, match="at least one sample"):
        layers.Normalization().adapt(iter([]))
