"""Layers, models and training steps of one's own: the same class bodies over cnet and over Keras, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, training_bound

import cnet
from cnet import autodiff

keras = pytest.importorskip("keras", reason="Keras is not installed")
tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

pytestmark = pytest.mark.usefixtures("in_float64")

ROWS, STEPS, RATE = 24, 50, 0.01
RNG = np.random.default_rng(0)
X, OTHER = RNG.normal(size=(ROWS, 5)), RNG.normal(size=(ROWS, 5))
CLASSES, TARGETS = RNG.integers(3, size=ROWS), RNG.normal(size=(ROWS, 1))
BOUND = 2 * training_bound(STEPS, RATE, 2 * 12 * 100 + ROWS + ELEMENTARY_ROUNDINGS, np.float64)


def classes_over(k: Any, tape: Any) -> dict[str, Any]:
    """Return classes that derive from those of a library."""
    ops = k.ops

    class Linear(k.layers.Layer):
        def __init__(self, units: int = 4, **options: Any) -> None:
            super().__init__(**options)
            self.units = units

        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(
                shape=(input_shape[-1], self.units),
                initializer="glorot_uniform",
                regularizer=k.regularizers.L2(2**-7),
                name="w",
            )
            self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
            self.built = True

        def call(self, x: Any) -> Any:
            return ops.tanh(ops.matmul(x, self.w) + self.b)

    class Penalized(k.layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.inner = [
                Linear(6),
                k.layers.Dense(7, activation=lambda x: ops.log(ops.exp(x) + 1)),
                k.layers.Dense(5, activation=k.layers.LeakyReLU(0.25)),
            ]

        def call(self, x: Any, training: bool | None = None) -> Any:
            del training
            for layer in self.inner:
                x = layer(x)
            self.add_loss(0.125 * ops.mean(ops.square(x)))
            return ops.relu(x) * ops.sigmoid(ops.sum(x, axis=-1, keepdims=True))

    class Called(k.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Penalized(), k.layers.LayerNormalization()
            self.top = k.layers.Dense(3, activation="softmax")

        def call(self, inputs: Any) -> Any:
            left, right = inputs["left"], inputs["right"]
            hidden = ops.concatenate([self.first(left), self.first(right)], axis=-1)
            return self.top(self.second(hidden))

    class Stepping(k.Model):
        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            with tape() as running:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
            weights = self.trainable_weights
            self.optimizer.apply(running.gradient(loss, weights), weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    return {cls.__name__: cls for cls in (Linear, Penalized, Called, Stepping)}


def own_layer(k: Any, classes: dict[str, Any]) -> Any:
    x = k.Input((5,))
    hidden = classes["Penalized"]()(k.layers.Dense(5, activation="relu")(x))
    return k.Model(x, k.layers.Dense(3, activation="softmax")(hidden))


def activity(k: Any, classes: dict[str, Any]) -> Any:
    del classes
    x = k.Input((5,))
    hidden = k.layers.Dense(6, activation="tanh", activity_regularizer=k.regularizers.L2(2**-3))(x)
    return k.Model(x, k.layers.Dense(3, activation="softmax")(hidden))


def own_model(k: Any, classes: dict[str, Any]) -> Any:
    model = classes["Called"]()
    model({"left": X.astype(k.config.floatx()), "right": OTHER.astype(k.config.floatx())})
    return model


def own_step(k: Any, classes: dict[str, Any]) -> Any:
    x = k.Input((5,))
    return classes["Stepping"](x, k.layers.Dense(1)(classes["Linear"](7)(x)))


CASES: dict[Callable[..., Any], tuple[Any, Any, str]] = {
    own_layer: (X, CLASSES, "sparse_categorical_crossentropy"),
    activity: (X, CLASSES, "sparse_categorical_crossentropy"),
    own_model: ({"left": X, "right": OTHER}, CLASSES, "sparse_categorical_crossentropy"),
    own_step: (X, TARGETS, "mse"),
}


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_training(build: Callable[..., Any], optimizer: str) -> None:
    x, y, loss = CASES[build]
    ours = build(cnet, classes_over(cnet, autodiff.GradientTape))
    theirs = build(keras, classes_over(keras, tensorflow.GradientTape))
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    ours.set_weights(theirs.get_weights())
    histories, predictions = [], []
    for library, model in ((cnet, ours), (keras, theirs)):
        # Keras rounds Adam's betas to float32: these are exact.
        betas = {"beta_1": 0.875, "beta_2": 1 - 2**-10} if optimizer == "Adam" else {}
        model.compile(getattr(library.optimizers, optimizer)(RATE, **betas), loss)
        fitted = model.fit(x, y, batch_size=ROWS, epochs=STEPS, shuffle=False, verbose=0)
        histories.append(fitted.history)
        predictions.append(model.predict(x, verbose=0))
    for weight, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert abs(weight - other).max() <= BOUND * max(1, abs(other).max())
    assert set(histories[0]) == set(histories[1])
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-5)
    np.testing.assert_allclose(predictions[0], predictions[1], rtol=0, atol=100 * BOUND)
