"""Weights of layers: copies, assignment, attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cnet import layers

DTYPES = ["float32", "float64"]


def draw(*shape: int, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def built_dense(**options: Any) -> layers.Dense:
    dense = layers.Dense(3, name="top", **options)
    dense.build((None, 4))
    return dense


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_are_copied_on_get_and_set(dtype: str) -> None:
    dense = built_dense(dtype=dtype)
    kernel, bias = draw(4, 3, dtype=dtype), draw(3, dtype=dtype)
    dense.kernel, dense.bias = kernel, bias
    for read in (dense.kernel, dense.get_weights()[0], np.asarray(dense.weights[0])):
        np.testing.assert_array_equal(read, kernel, strict=True)
        read[...] = 7
    np.testing.assert_array_equal(dense.get_weights()[1], bias, strict=True)
    expected = kernel.copy()
    kernel[...] = 7
    np.testing.assert_array_equal(dense.kernel, expected, strict=True)


def test_a_layer_computes_with_assigned_weights() -> None:
    dense = built_dense()
    dense.set_weights([np.eye(4, 3), [1, 2, 3]])
    assert dense([[10, 20, 30, 40]]).tolist() == [[11, 22, 33]]
    dense.kernel = 2 * np.eye(4, 3, dtype=int)
    assert dense([[10, 20, 30, 40]]).tolist() == [[21, 42, 63]]


def test_weights_are_rounded_to_the_dtype_of_the_layer() -> None:
    dense = built_dense()
    kernel = draw(4, 3, dtype=np.float64)
    dense.kernel = kernel
    np.testing.assert_array_equal(dense.kernel, kernel.astype(np.float32), strict=True)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros((3, 4)), ValueError, r"expected float32 \(4, 3\), got float64 \(3, 4\)"),
        (np.zeros(12, np.float32), ValueError, r"expected float32 \(4, 3\), got float32 \(12,\)"),
        (0.0, ValueError, r"expected float32 \(4, 3\), got float64 \(\)"),
        (np.zeros((4, 3), complex), TypeError, r"expected numbers, got ndarray of dtype complex"),
        (None, TypeError, r"expected numbers, got None"),
    ],
)
def test_invalid_kernels_are_refused(value: Any, error: type[Exception], message: str) -> None:
    dense = built_dense()
    before = dense.kernel
    with pytest.raises(error, match=rf"^Dense.kernel: {message}"):
        dense.kernel = value
    with pytest.raises(error, match=rf"^Dense.kernel: {message}"):
        dense.set_weights([value, np.zeros(3)])
    np.testing.assert_array_equal(dense.kernel, before)


def test_set_weights_sets_all_or_nothing() -> None:
    dense = built_dense()
    before = dense.get_weights()
    wrong_lists: list[tuple[list[Any], str]] = [
        ([np.ones((4, 3)), np.ones(4)], r"^Dense.bias: expected float32 \(3,\), got .* \(4,\)"),
        ([np.ones((4, 3))], r"^Dense.set_weights: expected 2 arrays, got 1"),
        ([np.ones((4, 3)), np.ones(3), np.ones(3)], r"^Dense.set_weights: expected 2 .* got 3"),
    ]
    for wrong, message in wrong_lists:
        with pytest.raises(ValueError, match=message):
            dense.set_weights(wrong)
        for weight, old in zip(dense.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, old)


def test_without_a_bias() -> None:
    dense = built_dense(use_bias=False)
    assert dense.bias is None
    assert len(dense.weights) == 1
    with pytest.raises(AttributeError, match=r"Dense 'top' has no bias"):
        dense.bias = np.zeros(3)
    dense.set_weights([np.ones((4, 3))])
    assert dense([[1, 1, 1, 1]]).tolist() == [[4, 4, 4]]


def test_an_unbuilt_layer_has_no_weights() -> None:
    dense = layers.Dense(3)
    assert dense.get_weights() == []
    assert dense.count_params() == 0
    with pytest.raises(AttributeError, match="has no weights yet"):
        _ = dense.kernel
    with pytest.raises(AttributeError, match="has no weights yet"):
        dense.bias = np.zeros(3)


def test_attributes_of_a_weight() -> None:
    kernel, bias = built_dense().weights
    assert (kernel.name, kernel.path, kernel.shape) == ("kernel", "top/kernel", (4, 3))
    assert (bias.name, bias.path, bias.shape) == ("bias", "top/bias", (3,))
    assert repr(kernel) == "<Weight top/kernel, shape=(4, 3), dtype=float32>"
    assert np.asarray(bias, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match=r"top/kernel: .* can't be shared"):
        np.asarray(kernel, copy=False)
    bias.assign([1, 2, 3])
    assert bias.numpy().tolist() == [1, 2, 3]


@pytest.mark.parametrize("trainable", [True, False])
def test_trainable_weights(trainable: bool) -> None:
    dense = built_dense(trainable=not trainable)
    dense.trainable = trainable
    assert dense.trainable_weights == (dense.weights if trainable else [])
    assert dense.non_trainable_weights == ([] if trainable else dense.weights)
