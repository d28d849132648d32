"""Optimizers of one's own: their bits beside the engine's, their state, and errors in them."""

from __future__ import annotations

import copy
import pickle
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import autodiff, callbacks, constraints, initializers, layers, models, ops, optimizers
from cnet.saving.tensor_file import TensorFile

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
