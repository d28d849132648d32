"""Activation functions of arrays; as parts of layers they are in test_layers.py."""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import log_softmax_bound, softmax_bound

from cnet import activations, autodiff, ops, reference
from cnet.reference.activations import ACTIVATIONS

SHAPES = [(), (0,), (1,), (17,), (5, 17), (4, 3, 17)]
DTYPES = [np.float32, np.float64]
NAMES = ["linear", *ACTIVATIONS, "softmax", "log_softmax"]


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


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_functions_of_an_element_are_the_op_in_any_shape(name: str, shape: tuple[int, ...]) -> None:
    x = draw(shape, np.float32)
    np.testing.assert_array_equal(
        getattr(activations, name)(x), ops.activation_forward(x, name), strict=True
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_parameters_and_their_defaults_are_those_of_the_reference(name: str) -> None:
    def describe(function: Any) -> list[tuple[str, Any, Any]]:
        return [(p.name, p.kind, p.default) for p in signature(function).parameters.values()]

    assert describe(getattr(activations, name)) == describe(ACTIVATIONS[name][0])


def test_parameters_reach_the_engine() -> None:
    x = [-4.0, 0.5, 2.0, 9.0]
    cut = activations.relu(x, negative_slope=0.5, max_value=6, threshold=1)
    assert cut.tolist() == [-2.5, -0.25, 2.0, 6.0]
    assert activations.leaky_relu(x).tolist() == pytest.approx([-0.8, 0.5, 2.0, 9.0])
    assert activations.elu([-100.0], alpha=0.25).tolist() == [-0.25]
    assert activations.gelu([-1.0], approximate=True) != activations.gelu([-1.0])
    assert activations.hard_sigmoid([-3.0, 0.0, 3.0]).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 17), (4, 3, 17)])
def test_log_softmax_along_an_axis(shape: tuple[int, ...], dtype: type, axis: int) -> None:
    x = draw(shape, dtype)
    result = activations.log_softmax(x, axis=axis)
    assert result.dtype == dtype
    assert result.shape == shape
    logits, log_p = (np.moveaxis(a, axis, -1).reshape(-1, shape[axis]) for a in (x, result))
    expected = reference.log_softmax(logits.astype(np.float64))
    assert (abs(log_p - expected) <= log_softmax_bound(logits, dtype)).all()


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


@pytest.mark.parametrize("name", NAMES)
def test_get_takes_names_and_functions(name: str) -> None:
    function = getattr(activations, name)
    assert activations.get(name) is function
    assert activations.get(function) is function


def test_get_takes_none_for_linear() -> None:
    assert activations.get(None) is activations.linear


def test_swish_is_silu() -> None:
    assert activations.get("swish") is activations.swish is activations.silu


def test_get_takes_partials() -> None:
    function = partial(activations.gelu, approximate=True)
    assert activations.get(function) is function


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        (partial(activations.gelu, alpha=1.0), TypeError, "gelu has no parameter 'alpha'"),
        (partial(activations.tanh, axis=1), TypeError, "tanh has no parameter 'axis'"),
        (partial(activations.linear, axis=1), TypeError, "linear has no parameter 'axis'"),
        (partial(activations.softmax, alpha=1), TypeError, "softmax has no parameter 'alpha'"),
        (partial(activations.softmax, axis=0), ValueError, "softmax: expected axis=-1"),
        (partial(activations.log_softmax, axis=2), ValueError, "log_softmax: expected axis=-1"),
        (partial(activations.relu, threshold=-1.0), ValueError, "relu: threshold: expected"),
        (partial(activations.elu, [1.0]), TypeError, "the parameters of elu by name"),
        (partial(np.tanh), TypeError, "expected one of linear, relu"),
        ("celu", ValueError, "Keras's 'celu' is not supported"),
        ("hard_swish", ValueError, "Keras's 'hard_swish' is not supported"),
    ],
)
def test_get_refuses_what_the_engine_has_not(
    identifier: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        activations.get(identifier)


@pytest.mark.parametrize("identifier", ["", "ReLU", 3, np.tanh, lambda x: x, ["relu"]])
def test_get_refuses_others_by_name(identifier: Any) -> None:
    error = ValueError if isinstance(identifier, str) else TypeError
    with pytest.raises(error, match=r"activation: expected one of linear, relu, .*, got"):
        activations.get(identifier)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_numbers_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name}\w*: .*expected numbers"):
        getattr(activations, name)(["a"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in activations.__all__ if name != "get"])
def test_tapes_record_them(name: str, dtype: type) -> None:
    """With the engine's values and gradients, to the bit."""
    x = (np.random.default_rng(0).normal(size=(5, 7)) * 3).astype(dtype)
    grad = np.random.default_rng(1).normal(size=x.shape).astype(dtype)
    function = getattr(activations, name)
    variable = autodiff.Variable(x)
    with autodiff.GradientTape() as tape:
        y = function(variable)
    found = tape.gradient(y, variable, grad).numpy()
    assert y.numpy().tobytes() == function(x).tobytes()
    if name == "linear":
        expected = grad
    elif "softmax" in name:
        expected = getattr(ops, f"{name}_backward")(grad, function(x))
    else:
        engine_name = "silu" if name == "swish" else name
        expected = ops.activation_backward(grad, x, function(x), engine_name)
    assert found.tobytes() == expected.tobytes()


def test_tapes_record_their_parameters() -> None:
    x = autodiff.Variable([[-2.0, 1.0], [3.0, -4.0]])
    with autodiff.GradientTape(persistent=True) as tape:
        leaky, columns = (
            activations.leaky_relu(x, negative_slope=0.5),
            activations.softmax(x, axis=0),
        )
    assert tape.gradient(leaky, x).numpy().tolist() == [[0.5, 1], [1, 0.5]]
    np.testing.assert_array_equal(columns, activations.softmax(x.numpy(), axis=0))
