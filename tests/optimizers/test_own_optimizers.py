"""Optimizers of one's own: their bits beside the engine's, in fit and in loops of one's own."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.own_optimizers import (
    CLASSES,
    OBJECTS,
    RATE,
    TARGETS,
    Descent,
    Momentum,
    RoundedOnce,
    X,
    assert_same_weights,
    fit,
    make_model,
)

import cnet
from cnet import autodiff, callbacks, initializers, layers, models, ops, optimizers
from cnet.saving.tensor_file import TensorFile


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "mse", "huber"])
@pytest.mark.parametrize(
    ("make", "own"),
    [
        (lambda: optimizers.SGD(RATE), lambda: Descent(RATE)),
        (lambda: optimizers.SGD(0.01), lambda: RoundedOnce(0.01)),
        (lambda: optimizers.SGD(RATE, momentum=0.5), lambda: Momentum(RATE)),
    ],
    ids=["a rate without rounding", "any rate", "momentum"],
)
def test_steps_have_the_bits_of_the_engine(
    make: Callable[[], Any], own: Callable[[], Any], loss: str
) -> None:
    y = CLASSES if loss.startswith("sparse") else TARGETS
    theirs, ours = make_model(make(), loss), make_model(own(), loss)
    found, expected = fit(ours, y=y), fit(theirs, y=y)
    assert list(found) == list(expected) == ["loss", "accuracy"]
    assert found["accuracy"] == pytest.approx(expected["accuracy"], rel=1e-6)
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-6)
    assert_same_weights(theirs, ours)
    assert ours.optimizer.iterations == theirs.optimizer.iterations == 20
    ours.train_on_batch(X, y)
    theirs.train_on_batch(X, y)
    assert_same_weights(theirs, ours)


OPTIONS: list[dict[str, Any]] = [
    {"weight_decay": 0.25},
    {"clipvalue": 0.01},
    {"clipnorm": 0.125},
    {"global_clipnorm": 0.125},
    {"use_ema": True, "ema_momentum": 0.75},
    {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3, "clipnorm": 0.25},
    {"gradient_accumulation_steps": 2},
    {
        "gradient_accumulation_steps": 4,
        "global_clipnorm": 0.125,
        "use_ema": True,
        "ema_momentum": 0.5,
    },
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options))
def test_the_options_of_all_optimizers(options: dict[str, Any], tmp_path: Path) -> None:
    """As in the engine, also over a file in the middle."""
    models_ = [
        make_model(optimizer, kernel_constraint="non_neg")
        for optimizer in (optimizers.SGD(RATE, **options), Descent(RATE, **options))
    ]
    for model in models_:
        fit(model, 3)
    assert_same_weights(*models_)
    assert models_[0].optimizer.iterations == models_[1].optimizer.iterations
    models_[1].save(tmp_path / "own.safetensors")
    loaded = models.load_model(tmp_path / "own.safetensors", custom_objects=OBJECTS)
    for model in (*models_, loaded):
        fit(model, 5, 3)
    assert_same_weights(*models_)
    assert_same_weights(models_[0], loaded)


@pytest.mark.parametrize(
    "rate",
    [
        lambda: optimizers.schedules.PiecewiseConstantDecay([7, 12], [0.5, 0.25, 0.125]),
        lambda: lambda: RATE,
    ],
    ids=["schedule", "function"],
)
def test_learning_rates_that_change(rate: Callable[[], Any]) -> None:
    theirs, ours = make_model(optimizers.SGD(rate())), make_model(Descent(rate()))
    for model in (theirs, ours):
        fit(model)
    assert_same_weights(theirs, ours)
    assert ours.optimizer.learning_rate == theirs.optimizer.learning_rate


def test_a_callback_assigns_the_rate() -> None:
    theirs, ours = make_model(optimizers.SGD(1.0)), make_model(Descent(1.0))
    for model in (theirs, ours):
        schedule = callbacks.LearningRateScheduler(lambda epoch: 2.0**-epoch)
        model.fit(X, CLASSES, 16, 4, verbose=0, callbacks=[schedule])
    assert_same_weights(theirs, ours)


RULES: list[tuple[Any, dict[str, Any]]] = [
    (optimizers.SGD, {"learning_rate": 0.1}),
    (optimizers.SGD, {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "clipvalue": 0.01}),
    (
        optimizers.Adam,
        {"learning_rate": 0.01, "amsgrad": True, "use_ema": True, "ema_momentum": 0.5},
    ),
    (optimizers.AdamW, {"learning_rate": RATE, "weight_decay": 0.25}),
    (optimizers.Nadam, {"learning_rate": 0.01, "gradient_accumulation_steps": 2}),
    (optimizers.RMSprop, {"learning_rate": 0.01, "centered": True, "momentum": 0.5}),
    (optimizers.Adagrad, {"learning_rate": 0.01, "initial_accumulator_value": 0.25}),
    (optimizers.Adadelta, {"learning_rate": 0.5}),
    (optimizers.Lion, {"learning_rate": 0.001}),
]


@pytest.mark.parametrize(
    ("cls", "options"), RULES, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_step_may_call_that_of_a_base_class(
    cls: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    class Own(cls):  # type: ignore[misc] # of many
        def update_step(self, gradient: Any, variable: Any, learning_rate: float) -> None:
            super().update_step(gradient, variable, learning_rate)

    ours, theirs = make_model(Own(**options)), make_model(cls(**options))
    for model in (ours, theirs):
        fit(model, 2)
        model.save(tmp_path / f"{type(model.optimizer).__name__}.safetensors")
    loaded = models.load_model(tmp_path / "Own.safetensors", custom_objects={"Own": Own})
    for model in (ours, theirs, loaded):
        fit(model, 4, 2)
    assert_same_weights(ours, theirs)
    assert_same_weights(loaded, theirs)
    names = []
    for name in ("Own", cls.__name__):
        with TensorFile(tmp_path / f"{name}.safetensors") as file:
            names.append({each.split("/")[1] for each in file.entries if "optimizer/" in each})
    assert names[0] == names[1]


class Halved(optimizers.Adam):
    """Changes the gradients."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        super().apply([0.5 * gradient for gradient in grads], trainable_variables)


class HalvedMomentum(Momentum):
    def apply_gradients(self, grads_and_vars: Any) -> int:
        return super().apply_gradients([(0.5 * gradient, v) for gradient, v in grads_and_vars])


@pytest.mark.parametrize(
    ("own", "same"),
    [
        # Adam's steps do not depend on the scale of gradients, except for epsilon.
        (lambda: Halved(RATE, epsilon=2**-21), lambda: optimizers.Adam(RATE, epsilon=2**-20)),
        (lambda: HalvedMomentum(RATE), lambda: optimizers.SGD(RATE / 2, momentum=0.5)),
    ],
)
def test_gradients_changed_by_apply(
    own: Callable[[], Any], same: Callable[[], Any], tmp_path: Path
) -> None:
    ours, theirs = make_model(own()), make_model(same())
    for model in (ours, theirs):
        fit(model, 2)
    ours.evaluate(X, CLASSES, verbose=0)
    ours.save(tmp_path / "model.safetensors")
    loaded = models.load_model(
        tmp_path / "model.safetensors",
        custom_objects={"Halved": Halved, "HalvedMomentum": HalvedMomentum},
    )
    twin = copy.deepcopy(ours)
    for model in (ours, theirs, loaded, twin):
        fit(model, 4, 2)
    for other in (theirs, loaded, twin):
        assert_same_weights(ours, other)
    assert ours.optimizer.iterations == theirs.optimizer.iterations == 20


def test_a_loop_of_ones_own() -> None:
    variables = [autodiff.Variable([1.0, -2.0]), autodiff.Variable(3.0, dtype="float32")]
    optimizer = Momentum(0.25)
    for _ in range(2):
        with autodiff.GradientTape() as tape:
            loss = ops.sum(ops.square(variables[0])) + ops.square(variables[1])
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    # 1 − ½ = ½; the momentum −½ · ½ − ¼ · 2 · ½ = −½
    assert variables[0].numpy().tolist() == [0.0, 0.0]
    assert float(variables[1]) == 0
    assert optimizer.iterations == 2
    assert [v.numpy().tolist() for v in optimizer.variables] == [[-0.5, 1.0], -1.5, 4.0]
    optimizer.apply([None, 1.0], variables)  # a variable without a gradient keeps its momentum
    assert [v.numpy().tolist() for v in optimizer.momentums] == [[-0.5, 1.0], -1.0]
    with pytest.raises(ValueError, match=r"Variable.* is none of the 2 variables"):
        optimizer.apply([1.0], [autodiff.Variable(1.0)])
    assert optimizer.iterations == 3
    optimizer.apply([[0.0, 0.0], 0.0])  # of the variables before
    assert variables[0].numpy().tolist() == [-0.25, 0.5]


def test_a_training_step_of_ones_own(tmp_path: Path) -> None:
    class Stepping(cnet.Model):
        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            with autodiff.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            weights = self.trainable_weights
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

    def make(cls: Any, optimizer: Any) -> Any:
        x = cnet.Input((5,))
        hidden = layers.Dense(4, "tanh", kernel_initializer=initializers.GlorotUniform(1))(x)
        model = cls(x, layers.Dense(3, kernel_initializer=initializers.GlorotUniform(2))(hidden))
        model.compile(optimizer, "mse")
        return model

    schedule = optimizers.schedules.ExponentialDecay(RATE, 5, 0.5, staircase=True)
    whole, parted, theirs = (
        make(Stepping, Momentum(schedule)),
        make(Stepping, Momentum(schedule)),
        make(cnet.Model, optimizers.SGD(schedule, momentum=0.5)),
    )
    for model, epochs in ((whole, 4), (parted, 2), (theirs, 4)):
        model.fit(X, TARGETS, 16, epochs, verbose=0, shuffle=False)
    parted.save(tmp_path / "model.safetensors")
    loaded = models.load_model(
        tmp_path / "model.safetensors", custom_objects=OBJECTS | {"Stepping": Stepping}
    )
    loaded.fit(X, TARGETS, 16, 4, initial_epoch=2, verbose=0, shuffle=False)
    assert_same_weights(whole, theirs)
    assert_same_weights(whole, loaded)
    whole.compile(whole.optimizer, "mse")
    whole.train_on_batch(X, TARGETS)
    assert whole.optimizer.iterations == 21


def test_other_threads_predict_meanwhile() -> None:
    model, stop = make_model(Momentum(RATE)), threading.Event()
    found: list[Any] = []

    def predict() -> None:
        while not stop.is_set():
            found.append(np.isfinite(model.predict(X, verbose=0)).all())

    thread = threading.Thread(target=predict)
    thread.start()
    try:
        fit(model, 10)
    finally:
        stop.set()
        thread.join()
    assert found
    assert all(found)
    alone = make_model(Momentum(RATE))
    fit(alone, 10)
    assert_same_weights(model, alone)
