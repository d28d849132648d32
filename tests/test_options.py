"""Options assigned after construction are converted and checked as in the constructor."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import instances

import cnet
from cnet import Input, Sequential, callbacks, constraints, layers, losses, metrics, optimizers
from cnet import regularizers as r
from cnet.optimizers import schedules

CALLBACKS = [
    partial(callbacks.EarlyStopping),
    partial(
        callbacks.EarlyStopping,
        monitor="loss",
        min_delta=-0.5,
        patience=2,
        verbose=1,
        mode="min",
        baseline=0.5,
        restore_best_weights=True,
        start_from_epoch=3,
    ),
    partial(callbacks.ReduceLROnPlateau),
    partial(callbacks.ReduceLROnPlateau, monitor="loss", factor=0.5, patience=2, cooldown=3),
    partial(callbacks.ModelCheckpoint, "a.safetensors"),
    partial(callbacks.ModelCheckpoint, "a.safetensors", save_freq=3, initial_value_threshold=0.5),
    partial(callbacks.CSVLogger, "a.csv"),
    partial(callbacks.CSVLogger, "a.csv", append=True),
    partial(callbacks.BackupAndRestore, "folder"),
    partial(callbacks.BackupAndRestore, "folder", delete_checkpoint=False),
]
ALL = [
    *instances.LAYERS,
    *instances.LOSSES,
    *instances.METRICS,
    *instances.OPTIMIZERS,
    *instances.SCHEDULES,
    *instances.REGULARIZERS,
    *instances.CONSTRAINTS,
    *instances.INITIALIZERS,
    *CALLBACKS,
]
STEPS = {"initial_learning_rate": 0.1, "decay_steps": 10}
# Arguments stored as an attribute of another name, or as two related ones.
NOT_ATTRIBUTES = {
    "input_dim",
    "alpha",
    "mean",
    "variance",
    "output_shape",
    "input_shape",
    "shape",
    "batch_shape",
}
NOT_ATTRIBUTES |= {"vocabulary", "idf_weights"}
# Those that have another condition.
NOT_ATTRIBUTES |= {"num_labels", "pad_to_max_tokens", "salt"}


def named(maker: partial[Any]) -> Any:
    """Return an object; layers and optimizers, whose default names are numbered, have a fixed name."""
    is_numbered = issubclass(maker.func, (layers.Layer, optimizers.Optimizer))
    return maker(name="it") if is_numbered else maker()


@pytest.mark.parametrize("maker", ALL, ids=lambda m: f"{m.func.__name__}{len(m.keywords)}")
def test_an_assigned_option_is_converted_as_in_the_constructor(maker: partial[Any]) -> None:
    given = inspect.signature(maker.func).bind(*maker.args, **maker.keywords).arguments
    given.update(given.pop("options", {}))
    first = next(m for m in ALL if m.func is maker.func)
    changed = {k: v for k, v in given.items() if k not in NOT_ATTRIBUTES}
    for name in [k for k in changed if getattr(getattr(maker.func, k, 1), "fset", 1) is None]:
        del changed[name]  # a read-only property
    for name, value in changed.items():
        required = inspect.signature(maker.func).bind(*first.args, **first.keywords).arguments
        required.update(required.pop("options", {}))
        thing, expected = named(first), named(partial(maker.func, **required | {name: value}))
        setattr(thing, name, value)
        assert repr(thing) == repr(expected)
        assert set(vars(thing)) == set(vars(expected))
        if hasattr(thing, "get_config"):
            try:
                config = expected.get_config()
            except TypeError:
                continue  # a Lambda
            assert thing.get_config() == config


@pytest.mark.parametrize(
    ("maker", "name", "value"),
    [
        (partial(optimizers.Adam, clipnorm=1.0), "global_clipnorm", 0.5),
        (partial(optimizers.Adam, clipnorm=1.0), "clipvalue", 0.5),
        (partial(optimizers.Adam), "clipvalue", -1),
        (partial(optimizers.Adam), "beta_1", 2),
        (partial(optimizers.Adam), "learning_rate", -1),
        (partial(optimizers.SGD), "momentum", "much"),
        (partial(optimizers.SGD), "name", 5),
        (partial(optimizers.SGD), "loss_scale_factor", 2.0),
        (partial(optimizers.SGD), "ema_overwrite_frequency", 0),
        (partial(losses.Huber), "delta", -1),
        (partial(losses.CategoricalCrossentropy), "label_smoothing", 2),
        (partial(losses.CategoricalCrossentropy), "axis", 0),
        (partial(losses.CategoricalCrossentropy), "reduction", "some"),
        (partial(losses.CategoricalCrossentropy), "name", 5),
        (partial(losses.BinaryFocalCrossentropy), "gamma", -1),
        (partial(layers.BatchNormalization), "momentum", 3),
        (partial(layers.BatchNormalization), "epsilon", math.nan),
        (partial(layers.Dense, units=3), "activation", "rely"),
        (partial(layers.Dense, units=3), "units", 0),
        (partial(layers.Dense, units=3), "kernel_regularizer", 0.1),
        (partial(layers.Dense, units=3), "kernel_initializer", "glorot"),
        (partial(layers.Dense, units=3), "bias_constraint", "none"),
        (partial(layers.Dense, units=3), "dtype", "int8"),
        (partial(layers.Dense, units=3), "activity_regularizer", "l5"),
        (partial(layers.Dense, units=3), "name", 5),
        (partial(layers.Dropout, rate=0.5), "rate", 2),
        (partial(layers.Dropout, rate=0.5), "seed", -1),
        (partial(layers.ReLU), "max_value", -1),
        (partial(layers.Reshape, target_shape=(2, 2), name="it"), "target_shape", (0,)),
        (partial(metrics.TopKCategoricalAccuracy), "k", 0),
        (partial(metrics.BinaryAccuracy), "threshold", "half"),
        (partial(metrics.AUC), "num_thresholds", 1),
        (partial(metrics.Precision), "thresholds", [2.0]),
        (partial(metrics.Mean), "dtype", "int8"),
        (partial(schedules.ExponentialDecay, **STEPS, decay_rate=0.5), "decay_rate", "slow"),
        (partial(schedules.CosineDecay, **STEPS), "decay_steps", 0),
        (partial(r.L1), "l1", math.inf),
        (partial(constraints.MaxNorm), "max_value", -1),
        (partial(cnet.initializers.Constant), "value", "one"),
        (partial(cnet.initializers.RandomNormal), "stddev", "wide"),
        (partial(callbacks.EarlyStopping), "mode", "most"),
        (partial(callbacks.EarlyStopping), "patience", -1),
        (partial(callbacks.ModelCheckpoint, filepath="a.safetensors"), "filepath", "a.h5"),
        (partial(callbacks.CSVLogger, filename="a.csv"), "filename", 5),
        (partial(Sequential), "name", 5),
    ],
)
def test_an_assigned_option_is_checked_as_in_the_constructor(
    maker: partial[Any], name: str, value: Any
) -> None:
    with pytest.raises((TypeError, ValueError)) as expected:
        maker(**{name: value})
    thing = maker()
    before = repr(thing), dict(vars(thing))
    with pytest.raises(expected.type) as error:
        setattr(thing, name, value)
    assert str(error.value) == str(expected.value)
    assert (repr(thing), dict(vars(thing))) == before


def built(*options: layers.Layer, dtype: str = "float32") -> Sequential:
    model = Sequential([Input((4,), dtype=dtype), *options])
    model.compile(optimizers.SGD(0.1), "mse")
    return model


X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(16, 3)).astype("float32")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activation", "tanh"),
        ("activation", None),
        ("kernel_regularizer", "l2"),
        ("kernel_regularizer", None),
        ("bias_regularizer", r.L1(0.5)),
        ("kernel_constraint", "non_neg"),
        ("kernel_constraint", None),
        ("bias_constraint", constraints.MaxNorm(0.01)),
    ],
)
@pytest.mark.parametrize("trained", [False, True])
def test_a_built_layer_uses_assigned_options(name: str, value: Any, trained: bool) -> None:
    """As if given to the constructor, before the first step and after some steps with another value."""
    options: dict[str, Any] = {
        "activation": "relu",
        "kernel_regularizer": r.L1L2(0.1, 0.2),
        "kernel_constraint": constraints.UnitNorm(),
    }
    model = built(layers.Dense(3, **options))
    if trained:
        model.fit(X, Y, epochs=2, verbose=0)
        model.evaluate(X, Y, verbose=0)
    setattr(model.layers[0], name, value)
    other = built(layers.Dense(3, **options | {name: value}))
    other.set_weights(model.get_weights())
    for each in (model, other):
        each.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    for mine, its in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    np.testing.assert_array_equal(model.predict(X, verbose=0), other.predict(X, verbose=0))
    np.testing.assert_array_equal(model(X), other(X))
    assert model.losses == other.losses


def test_a_model_with_assigned_options_is_saved_and_loaded(tmp_path: Path) -> None:
    model = built(layers.Dense(3, "relu"), layers.Dropout(0.5), layers.Dense(3))
    model.fit(X, Y, verbose=0)
    model.layers[0].activation = "tanh"
    model.layers[0].name = "first"
    model.layers[1].rate = 0.25
    model.optimizer.global_clipnorm = 0.5
    model.loss.name = "mine"
    model.name = "net"
    model.save(tmp_path / "model.safetensors")
    loaded = cnet.models.load_model(tmp_path / "model.safetensors")
    for each in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert each.get_config() == model.get_config()
        assert repr(each.optimizer) == repr(model.optimizer)
        np.testing.assert_array_equal(each.predict(X, verbose=0), model.predict(X, verbose=0))
        each.layers[2].activation = "relu"
        assert (each.predict(X, verbose=0) >= 0).all()


def test_options_assigned_in_a_nested_model_take_effect() -> None:
    inner = Sequential([layers.Dense(3)])
    model = built(inner)
    model.fit(X, Y, verbose=0)
    inner.layers[0].activation = "relu"
    for each in (model, inner):
        assert (each.predict(X, verbose=0) >= 0).all()


def test_a_loss_changed_between_calls() -> None:
    model, other = (built(layers.Dense(3, kernel_initializer="ones")) for _ in range(2))
    for each, delta in ((model, 5.0), (other, 0.25)):
        each.compile(optimizers.SGD(0.1), losses.Huber(delta))
    model.train_on_batch(X, Y)
    other.set_weights(model.get_weights())
    model.loss.delta = 0.25
    assert model.train_on_batch(X, Y) == other.train_on_batch(X, Y)
    assert model.evaluate(X, Y, verbose=0) == other.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("layer", "name", "value"),
    [
        (layers.Dense(3), "units", 5),
        (layers.Dense(3), "use_bias", False),
        (layers.Dense(3), "dtype", "float64"),
        (layers.BatchNormalization(), "center", False),
        (layers.BatchNormalization(), "scale", False),
        (layers.Normalization(mean=0.5, variance=2.0), "invert", True),
        (layers.Normalization(), "axis", None),
        (layers.Reshape((2, 2)), "target_shape", (4,)),
        (layers.Lambda(abs), "function", lambda x: x[:, :2]),
    ],
)
def test_structural_options_of_a_built_layer_are_fixed(
    layer: layers.Layer, name: str, value: Any
) -> None:
    layer.build((None, 4))
    before = dict(vars(layer))
    with pytest.raises(ValueError, match=f"'{layer.name}': {name}: the layer is built"):
        setattr(layer, name, value)
    assert vars(layer) == before


def test_names_stay_unique() -> None:
    model = built(layers.Dense(3, name="a"), layers.Dense(3, name="b"))
    outer = Sequential([model, layers.Dense(3, name="c")])
    with pytest.raises(ValueError, match=f"'{model.name}' has another layer named 'b'"):
        model.layers[0].name = "b"
    with pytest.raises(ValueError, match=f"'{outer.name}' has another layer named 'c'"):
        model.name = "c"
    model.layers[0].name = "a"
    assert [layer.name for layer in model.layers] == ["a", "b"]
    model.layers[0].name = "other"
    assert [weight.path for weight in model.layers[0].weights] == ["other/kernel", "other/bias"]


def test_options_cannot_change_during_training() -> None:
    model = built(layers.Dropout(0.5), layers.Dense(3))
    messages = []

    class Change(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 # a hook
            with pytest.raises(RuntimeError) as error:
                self.model.layers[0].rate = 0.25
            messages.append(str(error.value))

    model.fit(X, Y, verbose=0, callbacks=[Change()])
    assert len(messages) == 1
    assert model.layers[0].rate == 0.5


def test_assigning_an_option_draws_no_seed() -> None:
    dropout = layers.Dropout(0.5)
    state = dropout.random_state
    cnet.utils.set_random_seed(1)
    expected = cnet.random.next_seed()
    cnet.utils.set_random_seed(1)
    dropout.rate = 0.25
    assert cnet.random.next_seed() == expected
    assert dropout.random_state is state
    assert dropout.seed is None
    dropout.seed = 7
    assert dropout.random_state.seed == 7


def test_assigned_options_keep_the_counts_of_callbacks() -> None:
    stopping = callbacks.EarlyStopping("loss", patience=1)
    stopping.wait, stopping.best = 1, 0.5
    stopping.patience = 3
    assert (stopping.wait, stopping.best, stopping.patience) == (1, 0.5, 3)


@pytest.mark.parametrize("make", [callbacks.TensorBoard, callbacks.ModelCheckpoint])
def test_batch_hooks_follow_their_option(make: Any, tmp_path: Path) -> None:
    callback = make(str(tmp_path / "it.safetensors"))
    name = "update_freq" if make is callbacks.TensorBoard else "save_freq"
    for value, has_hook in ((2, True), ("epoch", False)):
        setattr(callback, name, value)
        callback.set_model(built(layers.Dense(3)))
        assert ("on_train_batch_end" in vars(callback)) == has_hook


def test_assignment_does_not_call_the_constructor_of_a_custom_class() -> None:
    made = []

    class Own(layers.Dense):
        def __init__(self, factor: float) -> None:
            made.append(factor)
            super().__init__(3)
            self.factor = factor

    own = Own(2.0)
    own.factor = 3.0
    own.activation = "relu"  # the constructor's conversion
    assert made == [2.0]
    assert own.factor == 3.0
    with pytest.raises(ValueError, match="rely"):
        own.activation = "rely"  # which is refused
