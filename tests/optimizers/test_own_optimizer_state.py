"""Optimizers of one's own: their variables in files and copies, errors in them, and their arguments."""

from __future__ import annotations

import copy
import pickle
import traceback
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
    X,
    assert_same_weights,
    fit,
    make_model,
)

import cnet
from cnet import autodiff, callbacks, constraints, initializers, layers, models, ops, optimizers
from cnet.saving.tensor_file import TensorFile


def test_files_hold_the_variables_by_their_names(tmp_path: Path) -> None:
    model = make_model(Momentum(RATE))
    whole = make_model(Momentum(RATE))
    fit(model, 2)
    fit(whole, 5)
    model.save(tmp_path / "model.safetensors")
    with TensorFile(tmp_path / "model.safetensors") as file:
        slots = [name for name in file.entries if name.startswith("optimizer/")]
    paths = [weight.path for weight in model.trainable_weights]
    assert slots == [*(f"optimizer/momentum/{path}" for path in paths), "optimizer/updates"]
    loaded = models.load_model(tmp_path / "model.safetensors", custom_objects=OBJECTS)
    assert loaded.optimizer.momentum == 0.5
    fit(loaded, 5, 2)
    assert_same_weights(loaded, whole)
    assert loaded.optimizer.iterations == whole.optimizer.iterations == 25
    assert float(loaded.optimizer.updates) == float(whole.optimizer.updates) == 6 * 25


def test_a_file_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    class Other(Momentum):
        def build(self, variables: Any) -> None:
            optimizers.Optimizer.build(self, variables)
            self.momentums = self.add_optimizer_variables(variables, "speed")
            self.updates = self.add_variable((), name="updates")

    model = make_model(Momentum(RATE))
    fit(model, 1)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(cnet.FormatError, match="slots are not those of the optimizer"):
        models.load_model(tmp_path / "model.safetensors", custom_objects={"Momentum": Other})


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_continue(twin: Callable[[Any], Any]) -> None:
    model = make_model(Momentum(RATE, use_ema=True))
    fit(model, 2)
    other = twin(model)
    for each in (model, other):
        fit(each, 4, 2)
    assert_same_weights(model, other)
    assert model.optimizer.variables[0] is not other.optimizer.variables[0]
    assert_same_weights(twin(make_model(Momentum(RATE))), make_model(Momentum(RATE)))  # not built


def test_training_continues_after_a_backup(tmp_path: Path) -> None:
    class Crash(callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            if epoch == 2:
                raise RuntimeError("crash")

    whole, crashed, resumed = (make_model(Momentum(RATE)) for _ in range(3))
    fit(whole)
    with pytest.raises(RuntimeError, match="crash"):
        crashed.fit(
            X, CLASSES, 16, 4, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path), Crash()]
        )
    backup = callbacks.BackupAndRestore(tmp_path)
    resumed.fit(X, CLASSES, 16, 4, verbose=0, callbacks=[backup])
    assert_same_weights(whole, resumed)


class Fails(Momentum):
    """Raises in the update of the last weight of a batch."""

    error: BaseException | None = None

    def update_step(self, gradient: Any, variable: Any, learning_rate: float) -> None:
        if self.error is not None and variable.shape == (3,):
            raise self.error  # the user's line
        super().update_step(gradient, variable, learning_rate)


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), KeyboardInterrupt()])
def test_an_error_in_a_step_changes_nothing(error: BaseException) -> None:
    model, twin = make_model(Fails(RATE)), make_model(Momentum(RATE))
    for each in (model, twin):
        each.layers[2].rate = 0.0  # whose random numbers the failed batch takes
        fit(each, 1)
    statistics = model.layers[1].get_weights()[2:]
    before = model.get_weights()
    model.optimizer.error = error
    with pytest.raises(type(error)) as raised:
        model.train_on_batch(X, CLASSES)
    assert "raise self.error  # the user's line" in "".join(traceback.format_tb(raised.tb))
    assert model.optimizer.iterations == 5
    model.layers[1].set_weights([*model.layers[1].get_weights()[:2], *statistics])
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    model.optimizer.error = None
    for each in (model, twin):
        fit(each, 3, 1)
    assert_same_weights(model, twin)


def test_an_error_in_a_constraint_changes_nothing() -> None:
    class Fails(constraints.NonNeg):
        failing = False

        def __call__(self, w: Any) -> Any:
            if self.failing:
                raise ZeroDivisionError("mine")
            return ops.relu(w)

    def make(constraint: Any) -> Any:
        kernel = initializers.GlorotUniform(1)
        dense = layers.Dense(3, kernel_initializer=kernel, kernel_constraint=constraint)
        model = cnet.Sequential([layers.Input((5,)), dense])
        model.compile(optimizers.Adam(0.01), "mse")
        return model

    constraint = Fails()
    model, twin = make(constraint), make(ops.relu)
    for step in range(4):
        if step == 2:
            before, constraint.failing = model.get_weights(), True
            with pytest.raises(ZeroDivisionError, match="mine"):
                model.train_on_batch(X, TARGETS)
            for weight, old in zip(model.get_weights(), before, strict=True):
                np.testing.assert_array_equal(weight, old)
            constraint.failing = False
        for each in (model, twin):
            each.train_on_batch(X, TARGETS)
    assert_same_weights(model, twin)
    assert model.optimizer.iterations == 4


def test_a_loss_that_is_not_finite_ends_training_before_the_step() -> None:
    model = make_model(Momentum(RATE), "mse")
    y = TARGETS.copy()
    y[20] = np.inf
    with pytest.raises(FloatingPointError, match="epoch 1: the loss is not finite at batch 2"):
        model.fit(X, y, 16, verbose=0, shuffle=False)
    assert model.optimizer.iterations == 1
    assert float(model.optimizer.updates) == 6
    assert all(np.isfinite(weight).all() for weight in model.get_weights()[:2])


def test_one_optimizer_has_one_list_of_weights() -> None:
    optimizer = Momentum(RATE)
    fit(make_model(optimizer), 1)
    with pytest.raises(ValueError, match=r"dense_\d+/kernel is none of the 6 variables that"):
        fit(make_model(optimizer), 1)


def test_compiling_with_a_used_optimizer_continues_its_state() -> None:
    """As in Keras."""
    model, whole = make_model(Momentum(RATE)), make_model(Momentum(RATE))
    fit(whole, 2)
    fit(model, 1)
    model.layers[0].trainable = False
    model.compile(model.optimizer, "sparse_categorical_crossentropy")
    before = model.layers[0].get_weights()
    model.train_on_batch(X, CLASSES)
    assert model.optimizer.iterations == 6
    for weight, old in zip(model.layers[0].get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_copied_optimizer_of_another_compile_ends_a_fit_with_its_averages() -> None:
    model = make_model(Momentum(RATE, use_ema=True))
    fit(model, 2)
    averages = [variable.numpy() for variable in model.optimizer.variables[:6]]
    model.compile(copy.deepcopy(model.optimizer), "sparse_categorical_crossentropy")
    model.evaluate(X, CLASSES, verbose=0)
    model.layers[0].set_weights([np.zeros((5, 7)), np.zeros(7)])
    fit(model, 0)
    for weight, average in zip(model.trainable_weights, averages, strict=True):
        np.testing.assert_array_equal(weight.numpy(), average)


def test_configurations() -> None:
    model = make_model(Momentum(RATE, momentum=0.25, clipnorm=1.0))
    fit(model, 1)
    config = model.optimizer.get_config()
    assert (config["learning_rate"], config["momentum"], config["clipnorm"]) == (RATE, 0.25, 1.0)
    assert not {"momentums", "updates", "built", "batches"} & set(config)
    assert Momentum.from_config(config).get_config() == config
    twin = models.model_from_json(model.to_json(), custom_objects=OBJECTS)
    assert type(twin.optimizer) is Momentum
    assert not twin.optimizer.built

    class Plain(Momentum):
        get_config = optimizers.Optimizer.get_config  # by the names of the constructor's arguments

    assert Plain(momentum=0.25).get_config()["momentum"] == 0.25


def test_options_assigned_after_building() -> None:
    """As in the engine, where new slots begin at their first values."""
    models_ = [make_model(optimizers.SGD(RATE)), make_model(Descent(RATE))]
    for model in models_:
        fit(model, 1)
        model.optimizer.clipvalue = 0.01
        fit(model, 2, 1)
    assert_same_weights(*models_)
    for model in models_:
        model.optimizer.ema_momentum = 0.5
        model.optimizer.use_ema = True
        fit(model, 3, 2)
    assert_same_weights(*models_)
    assert [variable.name for variable in models_[1].optimizer.variables] == ["average"] * 6


class WithoutSuper(Descent):
    def build(self, variables: Any) -> None:
        self.momentum = self.add_variable(variables[0].shape)


class FailsToBuild(Momentum):
    attempts = 0

    def add_variable(self, *arguments: Any, **options: Any) -> Any:
        self.attempts += 1
        if self.attempts == 1:
            raise OSError("not yet")
        return super().add_variable(*arguments, **options)


def test_errors_in_build() -> None:
    with pytest.raises(TypeError, match=r"WithoutSuper.build: it must call super\(\).build"):
        fit(make_model(WithoutSuper(RATE)), 1)
    with pytest.raises(OSError, match="not yet"):
        fit(model := make_model(FailsToBuild(RATE)), 1)
    fit(model, 1)
    assert len(model.optimizer.variables) == 7


def test_variables_have_unique_names() -> None:
    optimizer, w = Descent(0.5), autodiff.Variable([1.0, 2.0], dtype="float64")
    optimizer.build([w])
    for _ in range(2):
        optimizer.add_variable_from_reference(w)
        optimizer.add_variable((2, 1), "ones", "float32")
    assert [variable.name for variable in optimizer.variables] == [
        *("var", "variable", "var_1", "variable_1")
    ]
    first, second = optimizer.add_optimizer_variables([w], ["a", "b"], ["ones", "zeros"])
    assert (first[0].numpy().tolist(), second[0].numpy().tolist()) == ([1.0, 1.0], [0.0, 0.0])
    assert [str(variable.dtype) for variable in optimizer.variables] == [
        *("float64", "float32") * 2,
        *["float64"] * 2,
    ]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda o, _: o.build(3), TypeError, r"build: variables: expected a list of weights"),
        (lambda o, _: o.build(["a"]), TypeError, r"expected weights or Variables, got 'a'"),
        (lambda o, _: o.build([]), ValueError, r"build: expected at least one variable"),
        (lambda o, _: o.add_variable((-1,)), ValueError, r"add_variable: shape"),
        (lambda o, _: o.add_variable((2,), dtype="int32"), ValueError, r"Momentum: .*int32"),
        (lambda o, _: o.add_variable((2,), "most"), ValueError, r"initializer: expected one of"),
        (lambda o, _: o.add_variable_from_reference(3), TypeError, r"reference: expected weights"),
        (lambda o, w: o.add_variable_from_reference(w), ValueError, r"Variable is none of the 0"),
        (lambda o, w: o.apply([[1.0, 2.0]], [w]), ValueError, r"expected a gradient of shape \(\)"),
    ],
)
def test_invalid_arguments(
    call: Callable[[Any, Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(Momentum(RATE), autodiff.Variable(1.0))


def test_the_engines_optimizers_can_be_built_ahead() -> None:
    """As Keras's must be for loops of one's own."""
    variable, optimizer = autodiff.Variable([1.0]), optimizers.SGD(0.5, momentum=0.5)
    optimizer.build([variable])
    assert optimizer.built
    optimizer.apply([[1.0]])
    assert variable.numpy().tolist() == [0.5]
    optimizer.apply([[1.0]])
    assert variable.numpy().tolist() == [-0.25]
    assert optimizer.variables == []
    with pytest.raises(ValueError, match="a gradient for each of 0 variables, got 1"):
        optimizers.SGD(0.5).apply([[1.0]])
