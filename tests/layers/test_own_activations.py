"""Activations of one's own: functions of tensors, and layers that stand for their functions."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import activations, layers, ops

X, Y = np.random.default_rng(0).normal(size=(2, 40, 4))


def squared(x: Any) -> Any:
    """Return squares, which are exact in the same way here and in the engine."""
    return ops.multiply(x, x)


def trained(activation: Any, **options: Any) -> cnet.Sequential:
    cnet.utils.set_random_seed(1)
    model = cnet.Sequential(
        [cnet.Input((4,)), layers.Dense(6, activation, **options), layers.Dense(4)]
    )
    model.compile("adam", "mse")
    model.fit(X, Y, batch_size=16, epochs=3, verbose=0)
    return model


@pytest.mark.parametrize(
    ("own", "known"),
    [
        (lambda x: activations.relu(x), "relu"),
        (lambda x: ops.where(x > 0, x, 0 * x), "relu"),
        (functools.partial(lambda x, factor: factor * x, factor=1.0), "linear"),
        (lambda x: activations.softmax(x), "softmax"),
    ],
)
def test_weights_are_those_of_the_engines_activation(own: Any, known: str) -> None:
    model, expected = trained(own), trained(known)
    for weight, twin in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(weight, twin, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), expected.predict(X, verbose=0), atol=1e-6
    )


def test_gradients() -> None:
    x = cnet.autodiff.Variable(np.array([[1.0, -2.0]], np.float32))
    with cnet.autodiff.GradientTape() as tape:
        y = layers.Activation(squared)(x)
    np.testing.assert_array_equal(tape.gradient(y, x), [[2, -4]])
    np.testing.assert_array_equal(layers.Activation(squared)([[3.0]]), [[9]])
    np.testing.assert_array_equal(layers.Activation(squared)([3.0, 2.0]), [9, 4])


def test_graphs_subclasses_and_penalties() -> None:
    class Shifted(layers.Dense):
        def call(self, x: Any) -> Any:
            return super().call(x) + 1

    x = cnet.Input((4,))
    shifted = Shifted(3, squared, kernel_initializer="ones", activity_regularizer="l2")
    model = cnet.Model(x, layers.Activation(squared)(shifted(x)))
    expected = ((np.ones((1, 4)) @ np.ones((4, 3))) ** 2 + 1) ** 2
    np.testing.assert_array_equal(model.predict(np.ones((1, 4)), verbose=0), expected)


@pytest.mark.parametrize("layer", [layers.LeakyReLU(0.3), layers.ELU(), layers.ReLU(max_value=2)])
def test_layers_stand_for_their_functions(layer: Any) -> None:
    dense = layers.Dense(3, activation=layer)
    assert dense.activation is layer.activation
    assert not dense.is_in_python
    twin = layers.Dense.from_config(dense.get_config())
    assert twin.get_config() == dense.get_config()


def test_files_hold_registered_functions(tmp_path: Path) -> None:
    model = trained(squared)
    with pytest.raises(TypeError, match=r"activation: <function squared .* can't be described"):
        model.save(tmp_path / "model.safetensors")
    with cnet.utils.custom_object_scope({"squared": squared}):
        cnet.utils.register_keras_serializable("tests")(squared)
        model.save(tmp_path / "model.safetensors")
        loaded = cnet.models.load_model(tmp_path / "model.safetensors")
    for twin in (loaded, copy.deepcopy(model), cnet.models.clone_model(model)):
        assert twin.layers[0].activation is squared
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (
            lambda _: None,
            r"Dense 'it': activation: expected <function .*> to return a tensor, got NoneType",
        ),
        (
            lambda x: x.numpy(),
            r"Dense 'it': activation: .* got ndarray: it needs the operations of cnet.ops",
        ),
        (np.tanh, "does not support ufuncs"),
    ],
)
def test_what_returns_no_tensor_is_refused(activation: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        trained(activation, name="it")


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match=r"activation: expected one of linear, .*, got 3"):
        layers.Dense(3, activation=3)  # type: ignore[arg-type]
