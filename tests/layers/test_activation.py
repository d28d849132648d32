"""Activation layers, alone and in training; test_activations.py tests the activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.activation_cases import trained
from support.tolerances import relative_bound

import cnet
from cnet import layers, reference

Array = npt.NDArray[Any]
X = np.array([[-10.0, -5.0, 0.0, 5.0, 20.0]], np.float32)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.ReLU(), [0, 0, 0, 5, 20]),
        (layers.ReLU(10, 0.5), [-5, -2.5, 0, 5, 10]),
        (layers.ReLU(max_value=10, negative_slope=0.5, threshold=1), [-5.5, -3, -0.5, 5, 10]),
        (layers.ReLU(6.0), [0, 0, 0, 5, 6]),
        (layers.LeakyReLU(0.5), [-5, -2.5, 0, 5, 20]),
        (layers.LeakyReLU(), np.float32([-3, -1.5, 0, 5, 20])),
        (layers.ELU(alpha=0.0), [0, 0, 0, 5, 20]),
    ],
)
def test_parameters(layer: layers.Layer, expected: Any) -> None:
    np.testing.assert_allclose(layer(X), [expected], rtol=relative_bound(2, np.float32))


def test_defaults_match_keras() -> None:
    relu = layers.ReLU()
    assert (relu.max_value, relu.negative_slope, relu.threshold) == (None, 0, 0)
    assert layers.LeakyReLU().negative_slope == 0.3
    assert layers.ELU().alpha == 1.0
    assert layers.Softmax().axis == -1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.ReLU(-1.0), ValueError, "ReLU: max_value: expected a number of at least 0"),
        (lambda: layers.ReLU(negative_slope=-0.1), ValueError, "ReLU: negative_slope: expected"),
        (lambda: layers.ReLU(threshold=-0.1), ValueError, "ReLU: threshold: expected"),
        (lambda: layers.ReLU(negative_slope=None), TypeError, "ReLU: negative_slope: expected"),
        (lambda: layers.LeakyReLU(-0.1), ValueError, "LeakyReLU: negative_slope: expected"),
        (lambda: layers.LeakyReLU("0.1"), TypeError, "LeakyReLU: negative_slope: expected"),
        (lambda: layers.ELU("1"), TypeError, "ELU: alpha: expected a number"),
        (lambda: layers.Softmax(axis=0), ValueError, "softmax: expected axis=-1"),
        (lambda: layers.Softmax(axis=[-1, -2]), ValueError, "softmax: expected axis=-1"),
        (lambda: layers.Dense(3, "celu"), ValueError, "Keras's 'celu' is not supported"),
    ],
)
def test_invalid_arguments_are_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


ALL_PARAMETERS = {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2}


@pytest.mark.parametrize(
    ("layer", "activation", "name", "parameters"),
    [
        (partial(layers.ReLU, **ALL_PARAMETERS), "linear", "relu", ALL_PARAMETERS),
        (layers.LeakyReLU, "linear", "leaky_relu", {"negative_slope": 0.3}),
        (partial(layers.ELU, 0.5), "linear", "elu", {"alpha": 0.5}),
        (layers.Softmax, "linear", "softmax", {}),
        (partial(layers.LeakyReLU, 0.5), "relu", "relu", {}),
    ],
)
def test_training_through_activation_layers(
    layer: Callable[..., layers.Layer], activation: str, name: str, parameters: dict[str, Any]
) -> None:
    rng = np.random.default_rng(0)
    x, ids = rng.normal(size=(33, 7)), rng.integers(3, size=33)
    dense = layers.Dense(19, activation, dtype="float64", bias_initializer="random_normal")
    hidden = [dense, layer(dtype="float64")]
    # A few hundred roundings, of terms of magnitude 1.
    bound = relative_bound(1000, np.float64)
    for actual, weight in zip(*trained(hidden, x, ids, name, parameters), strict=True):
        np.testing.assert_allclose(actual, weight, rtol=0, atol=bound)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "exponential"])
def test_an_activation_may_be_the_last_layer(name: str) -> None:
    rng = np.random.default_rng(0)
    x, ids = rng.normal(size=(33, 7)), rng.integers(3, size=33)
    model = cnet.Sequential([layers.Dense(3, name, dtype="float64")])
    model.build((None, 7))
    kernel, bias = model.get_weights()
    z = reference.dense_forward(x, kernel, bias)
    y = reference.activation_forward(z, name)
    grad_z = reference.activation_backward(reference.cross_entropy_backward(y, ids), z, y, name)
    _, grad_kernel, grad_bias = reference.dense_backward(grad_z, x, kernel)
    model.compile(cnet.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    model.fit(x, ids, batch_size=33, shuffle=False, verbose=0)
    for actual, weight in zip(
        model.get_weights(), [kernel - grad_kernel, bias - grad_bias], strict=True
    ):
        np.testing.assert_allclose(actual, weight, rtol=0, atol=relative_bound(1000, np.float64))
