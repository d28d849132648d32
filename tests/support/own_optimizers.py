"""Optimizers of one's own, as a user writes them, and a model that they train."""

from __future__ import annotations

from typing import Any

import numpy as np

import cnet
from cnet import initializers, layers, ops, optimizers

RNG = np.random.default_rng(0)


X, CLASSES, TARGETS = RNG.normal(size=(72, 5)), RNG.integers(3, size=72), RNG.normal(size=(72, 3))


RATE = 2**-4  # products with it are exact, so that the engine's fma has no other result


class Descent(optimizers.Optimizer):
    """What SGD does without momentum."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: float) -> None:
        self.assign_sub(variable, learning_rate * gradient)


class RoundedOnce(optimizers.Optimizer):
    """The same by the engine's operation."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: float) -> None:
        value = variable.numpy()
        ops.sgd_update(value, gradient.numpy(), learning_rate)
        self.assign(variable, value)


class Momentum(optimizers.Optimizer):
    """What SGD does with momentum, in the form of Keras's guide, with a count of its own."""

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.5, **options: Any) -> None:
        super().__init__(learning_rate=learning_rate, **options)
        self.momentum = momentum

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self.momentums = [
            self.add_variable_from_reference(reference_variable=variable, name="momentum")
            for variable in variables
        ]
        self.updates = self.add_variable((), name="updates")

    def update_step(self, gradient: Any, variable: Any, learning_rate: float) -> None:
        momentum = self.momentums[self._get_variable_index(variable)]
        self.assign(momentum, self.momentum * momentum - learning_rate * gradient)
        self.assign_add(variable, momentum)
        self.assign_add(self.updates, ops.ones(()))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum}


OBJECTS = {cls.__name__: cls for cls in (Descent, RoundedOnce, Momentum)}


def make_model(
    optimizer: Any, loss: str = "sparse_categorical_crossentropy", **options: Any
) -> cnet.Sequential:
    cnet.utils.set_random_seed(3)
    model = cnet.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(7, "relu", kernel_initializer=initializers.GlorotUniform(1), **options),
            layers.BatchNormalization(),
            layers.Dropout(0.25, seed=2),
            layers.Dense(3, "softmax", kernel_initializer=initializers.GlorotUniform(2)),
        ]
    )
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def fit(model: cnet.Sequential, epochs: int = 4, first: int = 0, y: Any = CLASSES) -> Any:
    return model.fit(X, y, 16, epochs, initial_epoch=first, verbose=0).history


def assert_same_weights(one: Any, other: Any) -> None:
    for weight, twin in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, twin)
