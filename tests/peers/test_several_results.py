"""Own layers with several results and several arguments: the same class bodies over cnet and over Keras, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, training_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")

pytestmark = pytest.mark.usefixtures("in_float64")

ROWS, STEPS, RATE = 24, 50, 0.01
RNG = np.random.default_rng(0)
X, TARGETS = RNG.normal(size=(ROWS, 5)), RNG.normal(size=(ROWS, 1))
BOUND = 2 * training_bound(STEPS, RATE, 2 * 12 * 100 + ROWS + ELEMENTARY_ROUNDINGS, np.float64)


def build(k: Any, kind: str) -> Any:
    ops = k.ops

    class Halves(k.layers.Layer):  # type: ignore[misc] # of either library
        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

        def call(self, x: Any) -> Any:
            a, b = ops.tanh(x * self.scale), ops.sum(x * self.scale, axis=-1, keepdims=True)
            return {"dict": {"b": b, "a": a}, "tuple": (a, b), "list": [a, b]}[kind]

    class Gated(k.layers.Layer):  # type: ignore[misc] # as above
        def build(self, x_shape: Any, gate_shape: Any) -> None:
            shape = (gate_shape[-1], x_shape[-1])
            self.kernel = self.add_weight(shape=shape, initializer="ones", name="kernel")

        def call(self, x: Any, gate: Any) -> Any:
            return x * ops.matmul(gate, self.kernel)

    x = k.Input((5,), name="x")
    halves = Halves(name="halves")(x)
    a, b = (halves["a"], halves["b"]) if kind == "dict" else halves
    h = k.layers.Dense(4, name="h")(Gated(name="gated")(a, gate=b))
    return k.Model(x, k.layers.Dense(1, name="top")(h))


@pytest.mark.parametrize("kind", ["tuple", "list", "dict"])
def test_training(kind: str) -> None:
    ours, theirs = build(cnet, kind), build(keras, kind)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [weight.shape for weight in ours.weights] == [weight.shape for weight in theirs.weights]
    ours.set_weights(theirs.get_weights())
    for k, model in ((cnet, ours), (keras, theirs)):
        model.compile(k.optimizers.SGD(RATE), "mse")
        model.fit(X, TARGETS, batch_size=ROWS, epochs=STEPS, shuffle=False, verbose=0)
    for weight, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert abs(weight - other).max() <= BOUND * max(1, abs(other).max())
    expected = theirs.predict(X, verbose=0)
    np.testing.assert_allclose(ours.predict(X, verbose=0), expected, rtol=0, atol=100 * BOUND)
