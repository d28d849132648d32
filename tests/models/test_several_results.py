"""Own layers with several results and with several arguments, and own models with several outputs in other models."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import Input, Model, autodiff, layers, models, ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 5)).astype(np.float32)


class Split(layers.Layer):
    """Returns two results, nested as told."""

    def __init__(self, kind: str = "tuple", **options: Any) -> None:
        super().__init__(**options)
        self.kind = kind

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

    def call(self, x: Any) -> Any:
        scaled, total = x * self.scale, ops.sum(x * self.scale, axis=-1, keepdims=True)
        if self.kind == "dict":
            return {"total": total, "scaled": scaled}
        return (scaled, total) if self.kind == "tuple" else [scaled, total]

    def get_config(self) -> Any:
        return {**super().get_config(), "kind": self.kind}


class Attention(layers.Layer):
    """Takes several tensors."""

    def build(self, query_shape: Any, value_shape: Any) -> None:
        self.built_for = query_shape, value_shape
        self.kernel = self.add_weight(shape=(query_shape[-1], value_shape[-1]), name="kernel")

    def call(self, query: Any, value: Any, training: bool | None = None) -> Any:
        return ops.matmul(query, self.kernel) * value * (2.0 if training else 1.0)


class Pair(cnet.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(3), layers.Dense(2)

    def call(self, x: Any) -> Any:
        return {"b": self.first(x), "a": self.second(x)}


CLASSES = {"Split": Split, "Attention": Attention}


def parts(result: Any) -> tuple[Any, Any]:
    if isinstance(result, dict):
        return result["scaled"], result["total"]
    scaled, total = result
    return scaled, total


@pytest.mark.parametrize("kind", ["tuple", "list", "dict"])
def test_several_results(kind: str, tmp_path: Path) -> None:
    x = Input((5,), name="x")
    split = Split(kind, name="split")
    result = split(x)
    assert type(result).__name__ == kind
    scaled, total = parts(result)
    assert (scaled.shape, total.shape) == ((None, 5), (None, 1))
    joined = layers.Concatenate()([layers.Dense(3)(scaled), total])
    model = Model(x, {"top": layers.Dense(1, name="top")(joined), "scaled": scaled})
    model.compile("adam", {"top": "mse"})
    before = split.scale.numpy()
    model.fit(X, {"top": X.sum(1)}, epochs=3, verbose=0)
    assert not np.array_equal(split.scale.numpy(), before)
    outputs = model.predict(X, verbose=0)
    np.testing.assert_allclose(outputs["scaled"], X * split.scale.numpy(), rtol=1e-6)
    np.testing.assert_allclose(
        parts(split(X))[1][:, 0], outputs["scaled"].sum(1), rtol=1e-5, atol=1e-6
    )
    model.save(tmp_path / "model.safetensors")
    loaded = models.load_model(tmp_path / "model.safetensors", custom_objects=CLASSES)
    for twin in (loaded, copy.deepcopy(model)):
        for name, expected in outputs.items():
            assert (twin.predict(X, verbose=0)[name] == expected).all()
    model.summary(print_fn=lambda _: None)
    assert type(split.output_shape).__name__ == kind


def test_results_of_open_sizes() -> None:
    x = Input((None, 4))
    scaled, total = Split()(x)
    assert (scaled.shape, total.shape) == ((None, None, 4), (None, None, 1))
    model = Model(x, [total, scaled])
    for length in (2, 3):
        assert model(np.ones((6, length, 4)))[0].shape == (6, length, 1)


def test_several_arguments(tmp_path: Path) -> None:
    query, value = Input((5,), name="query"), Input((3,), name="value")
    layer = Attention(name="attention")
    model = Model([query, value], layers.Dense(1)(layer(query, value=value)))
    assert layer.built_for == ((None, 5), (None, 3))
    model.compile("sgd", "mse")
    other = RNG.normal(size=(24, 3)).astype(np.float32)
    model.fit([X, other], np.ones(24), epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = models.load_model(tmp_path / "model.safetensors", custom_objects=CLASSES)
    assert (loaded.predict([X, other], verbose=0) == model.predict([X, other], verbose=0)).all()
    (node,) = model.get_config()["layers"][2]["inbound_nodes"]
    assert [each["config"]["keras_history"][0] for each in node["args"]] == ["query", "value"]
    expected = X @ layer.kernel.numpy() * other
    np.testing.assert_allclose(layer(X, other), expected, rtol=1e-4, atol=1e-5)
    for trained in (layer(X, other, True), layer(X, other, training=True)):
        np.testing.assert_allclose(trained, 2 * expected, rtol=1e-4, atol=1e-5)
    with autodiff.GradientTape() as tape:
        total = ops.sum(layer(X, other))
    assert np.any(tape.gradient(total, [layer.kernel])[0].value)
    with pytest.raises(TypeError, match=r"'attention': expected the arguments query, value and"):
        layer(X, other, X)


def test_own_models_with_several_outputs_in_a_model() -> None:
    pair, x = Pair(), Input((5,))
    outputs = pair(x)
    assert {name: output.shape for name, output in outputs.items()} == {
        "b": (None, 3),
        "a": (None, 2),
    }
    model = Model(x, layers.Dense(1)(layers.Concatenate()([outputs["a"], outputs["b"]])))
    model.compile("adam", "mse")
    before = [weight.copy() for weight in pair.get_weights()]
    model.fit(X, X.sum(1), epochs=2, verbose=0)
    assert all((a != b).any() for a, b in zip(before, pair.get_weights(), strict=True))
    found = pair(X)
    joined = np.concatenate([found["a"], found["b"]], axis=1)
    kernel, bias = model.layers[-1].get_weights()
    np.testing.assert_allclose(model(X), joined @ kernel + bias, rtol=1e-4, atol=1e-5)
