"""Optimizers, regularizers and constraints of one's own: the same class bodies over cnet and over Keras, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, training_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")

pytestmark = pytest.mark.usefixtures("in_float64")

ROWS, STEPS, RATE = 24, 50, 0.01
RNG = np.random.default_rng(0)
X, CLASSES = RNG.normal(size=(ROWS, 5)), RNG.integers(3, size=ROWS)
BOUND = 2 * training_bound(STEPS, RATE, 2 * 12 * 100 + ROWS + ELEMENTARY_ROUNDINGS, np.float64)


def classes_over(k: Any) -> dict[str, Any]:
    """Return classes that derive from those of a library."""
    ops = k.ops

    class Momentum(k.optimizers.Optimizer):  # type: ignore[misc] # of either library
        def __init__(self, learning_rate: Any, momentum: float = 0.75, **options: Any) -> None:
            super().__init__(learning_rate=learning_rate, **options)
            self.momentum = momentum

        def build(self, variables: Any) -> None:
            if self.built:
                return
            super().build(variables)
            self.momentums = []
            for variable in variables:
                self.momentums.append(
                    self.add_variable_from_reference(reference_variable=variable, name="momentum")
                )

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            learning_rate = ops.cast(learning_rate, variable.dtype)
            gradient = ops.cast(gradient, variable.dtype)
            m = self.momentums[self._get_variable_index(variable)]
            momentum = ops.cast(self.momentum, variable.dtype)
            self.assign(
                m, ops.subtract(ops.multiply(m, momentum), ops.multiply(gradient, learning_rate))
            )
            self.assign_add(variable, m)

        def get_config(self) -> dict[str, Any]:
            config = super().get_config()
            config.update({"momentum": self.momentum})
            return config  # type: ignore[no-any-return] # a dict

    class Adam(k.optimizers.Optimizer):  # type: ignore[misc] # as above
        def build(self, variables: Any) -> None:
            super().build(variables)
            self.first, self.second = self.add_optimizer_variables(variables, ["m", "v"])
            self.product = self.add_variable(shape=(), initializer="ones", name="product")

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            learning_rate = ops.cast(learning_rate, variable.dtype)
            step = ops.cast(self.iterations + 1, variable.dtype)
            beta_1, beta_2 = (ops.cast(beta, variable.dtype) for beta in (0.875, 1 - 2**-10))
            number = self._get_variable_index(variable)
            m, v = self.first[number], self.second[number]
            self.assign_add(m, (gradient - m) * (1 - beta_1))
            self.assign_add(v, (ops.square(gradient) - v) * (1 - beta_2))
            if number == 0:  # as some do, in place of a power
                self.assign(self.product, self.product * beta_1)
            alpha = learning_rate * ops.sqrt(1 - ops.power(beta_2, step)) / (1 - self.product)
            self.assign_sub(variable, alpha * m / (ops.sqrt(v) + 1e-7))

    class Smooth(k.regularizers.Regularizer):  # type: ignore[misc] # as above
        """Near L1, with a derivative."""

        def __init__(self, factor: float = 2**-7) -> None:
            self.factor = factor

        def __call__(self, x: Any) -> Any:
            return self.factor * ops.sum(ops.sqrt(ops.square(x) + 2**-10))

        def get_config(self) -> dict[str, Any]:
            return {"factor": self.factor}

    class NonNegative(k.constraints.Constraint):  # type: ignore[misc] # as above
        def __call__(self, w: Any) -> Any:
            return w * ops.cast(ops.greater_equal(w, 0.0), dtype=w.dtype)

    return {cls.__name__: cls for cls in (Momentum, Adam, Smooth, NonNegative)}


def build(k: Any, own: dict[str, Any], rules: dict[str, Any]) -> Any:
    x = k.Input((5,))
    hidden = k.layers.Dense(7, activation="tanh", **rules)(x)
    hidden = k.layers.LayerNormalization()(hidden)
    return k.Model(
        x, k.layers.Dense(3, activation="softmax", kernel_regularizer=own["Smooth"]())(hidden)
    )


OPTIMIZERS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "own momentum": lambda _, own: own["Momentum"](RATE),
    "own momentum, nothing left out": lambda k, own: own["Momentum"](
        # Keras computes powers of schedules in float32: those of whole exponents are exact.
        k.optimizers.schedules.ExponentialDecay(RATE, 10, 0.5, staircase=True),
        momentum=0.5,
        weight_decay=0.125,
        global_clipnorm=0.25,
        use_ema=True,
        ema_momentum=0.75,
        ema_overwrite_frequency=20,
    ),
    "own momentum, accumulating": lambda _, own: own["Momentum"](
        RATE, gradient_accumulation_steps=2, clipvalue=0.0625
    ),
    "own Adam": lambda _, own: own["Adam"](RATE),
    "Adam": lambda k, _: k.optimizers.Adam(RATE, beta_1=0.875, beta_2=1 - 2**-10),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training(optimizer: str) -> None:
    models, histories = [], []
    for library in (cnet, keras):
        own = classes_over(library)
        rules = {
            "kernel_regularizer": own["Smooth"](2**-6),
            "kernel_constraint": own["NonNegative"](),
            "bias_constraint": lambda w, ops=library.ops: ops.clip(w, -(2**-6), 2**-6),
            "bias_regularizer": lambda w, ops=library.ops: 2**-8 * ops.max(ops.abs(w)),
        }
        model = build(library, own, rules)
        if models:
            models[0].set_weights(model.get_weights())
        models.append(model)
        model.compile(OPTIMIZERS[optimizer](library, own), "sparse_categorical_crossentropy")
    for model in models:
        fitted = model.fit(X, CLASSES, batch_size=ROWS, epochs=STEPS, shuffle=False, verbose=0)
        histories.append(fitted.history["loss"])
    for weight, other in zip(*[model.get_weights() for model in models], strict=True):
        assert abs(weight - other).max() <= BOUND * max(1, abs(other).max())
    np.testing.assert_allclose(*histories, rtol=1e-5)
    assert histories[0][-1] < histories[0][0]
    ours, theirs = (sum(float(loss) for loss in model.losses) for model in models)
    assert ours == pytest.approx(theirs, rel=1e-5)
    steps = [int(model.optimizer.iterations) for model in models]
    assert steps[0] == steps[1]
