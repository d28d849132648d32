"""Activation functions of arrays; as parts of layers they are in test_layers.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tolerances import softmax_bound

from cnet import activations, reference

SHAPES = [(), (0,), (1,), (17,), (5, 17), (4, 3, 17)]
DTYPES = [np.float32, np.float64]


def draw(shape: tuple[int, ...], dtype: type) -> npt.NDArray[Any]:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_and_linear(dtype: type, shape: tuple[int, ...]) -> None:
    x = draw(shape, dtype)
    for result, expected in (
        (activations.relu(x), reference.relu_forward(x)),
        (activations.linear(x), x),
    ):
        assert result.dtype == dtype
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 17), (4, 3, 17)])
def test_softmax_along_an_axis(shape: tuple[int, ...], dtype: type, axis: int) -> None:
    x = draw(shape, dtype)
    result = activations.softmax(x, axis=axis)
    assert result.dtype == dtype
    assert result.shape == shape
    logits, p = (np.moveaxis(a, axis, -1).reshape(-1, shape[axis]) for a in (x, result))
    expected = reference.softmax(logits.astype(np.float64))
    assert (abs(p - expected) <= softmax_bound(logits, dtype)).all()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(3, 0), (0, 3)])
def test_softmax_of_nothing(shape: tuple[int, ...], axis: int) -> None:
    assert activations.softmax(np.empty(shape), axis=axis).shape == shape


def test_softmax_of_one_dimension() -> None:
    np.testing.assert_array_equal(activations.softmax([7.0, 7.0]), [0.5, 0.5])


@pytest.mark.parametrize("name", ["linear", "relu", "softmax"])
def test_get_takes_names_and_functions(name: str) -> None:
    function = getattr(activations, name)
    assert activations.get(name) is function
    assert activations.get(function) is function


def test_get_takes_none_for_linear() -> None:
    assert activations.get(None) is activations.linear


@pytest.mark.parametrize("identifier", ["swish", "", "ReLU", 3, np.tanh, lambda x: x, ["relu"]])
def test_get_refuses_others_by_name(identifier: Any) -> None:
    with pytest.raises(ValueError, match=r"activation: expected one of linear, relu, softmax, got"):
        activations.get(identifier)


@pytest.mark.parametrize("name", ["linear", "relu", "softmax"])
def test_what_is_not_numbers_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name}\w*: .*expected numbers"):
        getattr(activations, name)(["a"])
