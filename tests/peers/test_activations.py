"""Activations compared with Keras and PyTorch, in float32: names, defaults, results and gradients."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.activation_cases import OP_CASES, ROW_NAMES
from support.tolerances import relative_bound

from cnet import activations, layers, ops
from cnet.reference.activations import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the peers

Array = npt.NDArray[Any]

# The peers state no bounds. Their approximations of erf, tanh and exp are within about ten units in the
# last place, of 2 u each, and each of their formulas has up to a dozen operations more.
ROUNDINGS = 2 * 10 + 12
RELATIVE = relative_bound(ROUNDINGS, np.float32)
assert RELATIVE <= 1e-5

NAMES_AND_PARAMETERS: list[tuple[str, dict[str, Any]]] = [
    *((case.name, case.parameters) for case in OP_CASES),
    ("swish", {}),
]


def inputs() -> Array:
    rng = np.random.default_rng(0)
    # None is at a kink, where a derivative is a convention.
    x = np.concatenate([rng.normal(size=300), rng.normal(size=300) * 6, [30, -30, 60, -60]])
    return np.asarray(x[np.abs(x) > 1e-3], np.float32)


def magnitude(name: str, x: Array, y: Array) -> Array:
    """Return the magnitude of the terms that a peer sums, if it differs from that of the result.

    The terms are x / 2 and x erf(…) / 2 for GELU, and up to 1.76 times eˣ and 1 for ELU and SELU.
    """
    terms = np.abs(x) if name == "gelu" else np.abs(y)
    if name in ("elu", "selu"):
        terms = np.where(x < 0, np.float32(1.76), terms)
    # The peers flush subnormal numbers to zero, and cnet does not.
    return (
        terms.astype(np.float64) + (1 + np.abs(x)) * np.finfo(np.float32).smallest_normal / RELATIVE
    )


def assert_agreement(
    name: str, parameters: dict[str, Any], peer: Callable[[Array, Array], tuple[Array, Array]]
) -> None:
    """Compare results and gradients with those of a peer."""
    x = inputs()
    grad = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    engine_name = "silu" if name == "swish" else name
    y = getattr(activations, name)(x, **parameters)
    slope = ops.activation_backward(np.ones_like(x), x, y, engine_name, **parameters)
    expected_y, expected_gradient = peer(x, grad)
    error = np.abs(y.astype(np.float64) - expected_y)
    bound = RELATIVE * magnitude(name, x, y)
    finite = np.isfinite(y)
    np.testing.assert_array_equal(expected_y[~finite], y[~finite])
    assert (error <= bound)[finite].all(), (
        x[error > bound],
        y[error > bound],
        expected_y[error > bound],
    )

    gradient = ops.activation_backward(grad, x, y, engine_name, **parameters)
    error = np.abs(gradient.astype(np.float64) - expected_gradient)
    bound = RELATIVE * np.abs(grad) * np.maximum(np.abs(slope), 1)
    assert (error <= bound)[finite].all(), (x[error > bound], error[error > bound])


# -- Keras -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras", exc_type=ImportError)


def keras_gradient(keras: Any, function: Any, x: Array, grad: Array) -> tuple[Array, Array]:
    """Return the result of a function and the gradient of x, on any backend of Keras."""
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            variable = tf.Variable(x)
            with tf.GradientTape() as tape:
                y = function(variable)
            return np.asarray(y), np.asarray(tape.gradient(y, variable, grad))
        case "jax":
            import jax

            y, backward = jax.vjp(function, x)
            return np.asarray(y), np.asarray(backward(grad)[0])
    return pytest.skip("Keras runs on neither tensorflow nor jax")


@pytest.mark.parametrize(("name", "parameters"), NAMES_AND_PARAMETERS)
def test_keras(keras: Any, name: str, parameters: dict[str, Any]) -> None:
    function = getattr(keras.activations, name, None) or keras.activations.get(name)
    assert_agreement(
        name,
        parameters,
        lambda x, grad: keras_gradient(keras, lambda v: function(v, **parameters), x, grad),
    )


@pytest.mark.parametrize("name", ROW_NAMES)
def test_keras_rows(keras: Any, name: str) -> None:
    assert_rows_agree(
        name, lambda x, grad: keras_gradient(keras, getattr(keras.activations, name), x, grad)
    )


@pytest.mark.parametrize("name", ["linear", *ACTIVATIONS, *ROW_NAMES])
def test_signatures_match_keras(keras: Any, name: str) -> None:
    def describe(module: Any) -> list[tuple[str, Any]]:
        parameters = inspect.signature(getattr(module, name)).parameters.values()
        return [(p.name, p.default) for p in parameters]

    assert describe(activations) == describe(keras.activations)


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "ELU", "Softmax"])
def test_signatures_of_layers_match_keras(keras: Any, name: str) -> None:
    def describe(module: Any) -> list[tuple[str, Any]]:
        parameters = inspect.signature(getattr(module, name).__init__).parameters.values()
        hidden = ("kwargs", "options", "alpha")  # Keras's LeakyReLU accepts alpha in **kwargs
        return [(p.name, p.default) for p in parameters if p.name not in hidden]

    assert describe(layers) == describe(keras.layers)


def test_each_keras_activation_is_supported_or_refused_by_name(keras: Any) -> None:
    functions = {name for name, _ in inspect.getmembers(keras.activations, inspect.isfunction)}
    for name in functions - {"get", "serialize", "deserialize"}:
        if name in activations.__all__:
            assert activations.get(name) is getattr(activations, name)
        else:
            with pytest.raises(ValueError, match=f"Keras's '{name}' is not supported"):
                activations.get(name)


def layer_pairs(keras: Any) -> Iterator[tuple[Any, layers.Layer]]:
    for name, arguments in [
        ("ReLU", {}),
        ("ReLU", {"max_value": 1.0, "negative_slope": 0.25, "threshold": 0.5}),
        ("LeakyReLU", {}),
        ("LeakyReLU", {"negative_slope": 0.1}),
        ("ELU", {}),
        ("ELU", {"alpha": 0.5}),
        ("Softmax", {}),
        ("Activation", {"activation": "mish"}),
    ]:
        yield getattr(keras.layers, name)(**arguments), getattr(layers, name)(**arguments)


def test_activation_layers_match_keras(keras: Any) -> None:
    x = np.random.default_rng(0).normal(size=(17, 33)).astype(np.float32)
    for theirs, ours in layer_pairs(keras):
        atol = (
            RELATIVE if type(ours) is layers.ELU else 0
        )  # Keras computes the difference of eˣ and 1
        np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=RELATIVE, atol=atol)


# -- PyTorch ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


TORCH: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "relu": lambda torch: torch.nn.functional.relu,
    "relu6": lambda torch: torch.nn.functional.relu6,
    "leaky_relu": lambda torch: torch.nn.functional.leaky_relu,
    "elu": lambda torch: torch.nn.functional.elu,
    "selu": lambda torch: torch.nn.functional.selu,
    "gelu": lambda torch: torch.nn.functional.gelu,
    "silu": lambda torch: torch.nn.functional.silu,
    "mish": lambda torch: torch.nn.functional.mish,
    "tanh": lambda torch: torch.tanh,
    "sigmoid": lambda torch: torch.sigmoid,
    "hard_sigmoid": lambda torch: torch.nn.functional.hardsigmoid,
    # PyTorch's softplus is the identity above a threshold of 20 by default.
    "softplus": lambda torch: lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "softsign": lambda torch: torch.nn.functional.softsign,
    "exponential": lambda torch: torch.exp,
}


def torch_gradient(torch: Any, function: Any, x: Array, grad: Array) -> tuple[Array, Array]:
    variable = torch.tensor(x, requires_grad=True)
    y = function(variable)
    y.backward(torch.tensor(grad))
    return y.detach().numpy(), variable.grad.numpy()


@pytest.mark.parametrize(
    ("name", "parameters"),
    # PyTorch's relu has no parameters, and its leaky_relu another default.
    [
        (case.name, case.parameters)
        for case in OP_CASES
        if bool(case.parameters) == (case.name == "leaky_relu") or case.name in ("elu", "gelu")
    ],
)
def test_torch(torch: Any, name: str, parameters: dict[str, Any]) -> None:
    function = TORCH[name](torch)
    theirs = {"approximate": "tanh"} if name == "gelu" and parameters else parameters
    assert_agreement(
        name,
        parameters,
        lambda x, grad: torch_gradient(torch, lambda v: function(v, **theirs), x, grad),
    )


@pytest.mark.parametrize("name", ROW_NAMES)
def test_torch_rows(torch: Any, name: str) -> None:
    function = getattr(torch, name)
    assert_rows_agree(
        name, lambda x, grad: torch_gradient(torch, lambda v: function(v, dim=-1), x, grad)
    )


# -- Rows ------------------------------------------------------------------------------------------


def assert_rows_agree(name: str, peer: Callable[[Array, Array], tuple[Array, Array]]) -> None:
    rng = np.random.default_rng(0)
    x = (3 * rng.normal(size=(17, 13))).astype(np.float32)
    grad = rng.normal(size=x.shape).astype(np.float32)
    forward, backward = (getattr(ops, name + suffix) for suffix in ("", "_backward"))
    y = forward(x)
    expected_y, expected_gradient = peer(x, grad)
    # Besides the roundings of a formula, those of the sum and of the subtraction of a large maximum.
    distance = x.max(axis=-1, keepdims=True) - x
    bound = relative_bound(ROUNDINGS + 13 + float(distance.max()), np.float32)
    assert (np.abs(y - expected_y) <= bound * np.maximum(np.abs(y), name == "log_softmax")).all()
    terms = np.abs(grad) + np.abs(grad).sum(axis=-1, keepdims=True)
    assert (np.abs(backward(grad, y) - expected_gradient) <= bound * terms).all()


# -- A network -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gelu", "selu", "mish", "tanh"])
def test_a_dense_layer_with_an_activation_matches_keras(keras: Any, name: str) -> None:
    x = np.random.default_rng(0).normal(size=(17, 9)).astype(np.float32)
    ours = layers.Dense(5, name, bias_initializer="random_normal")
    theirs = keras.layers.Dense(5, name)
    result = ours(x)
    theirs.build((None, 9))
    theirs.set_weights(ours.get_weights())
    terms = np.abs(x) @ np.abs(ours.kernel) + np.abs(ours.get_weights()[1])
    # Slopes are below 2 and multiply the error of the product, of nine terms and the bias.
    bound = 2 * relative_bound(10, np.float32) * terms + RELATIVE * np.maximum(
        np.abs(result), terms
    )
    assert (np.abs(result - np.asarray(theirs(x))) <= bound).all()
