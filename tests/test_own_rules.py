"""Regularizers and constraints of one's own: beside those of the engine, in files, and errors in them."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import constraints, initializers, layers, losses, models, ops, optimizers, regularizers

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 2))


class Squares(regularizers.Regularizer):
    """What L2 is."""

    def __init__(self, factor: float = 0.25) -> None:
        self.factor = factor

    def __call__(self, x: Any) -> Any:
        return self.factor * ops.sum(x * x)


class Doubled(regularizers.L2):
    def __call__(self, x: Any) -> Any:
        return 2.0 * super().__call__(x)


class Positive(constraints.Constraint):
    """What NonNeg is."""

    def __call__(self, w: Any) -> Any:
        return w * ops.cast(ops.greater_equal(w, 0.0), dtype=w.dtype)


class Clipped(constraints.NonNeg):
    def __init__(self, limit: float = 0.25) -> None:
        self.limit = limit

    def __call__(self, w: Any) -> Any:
        return ops.clip(super().__call__(w), 0.0, self.limit)


def squares(w: Any) -> Any:
    return 0.25 * ops.sum(w * w)


def positive(w: Any) -> Any:
    return ops.relu(w)


OBJECTS = {each.__name__: each for each in (Squares, Doubled, Positive, Clipped, squares, positive)}


@losses.LossFunctionWrapper
def on_a_tape(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def make_model(optimizer: Any = "adam", loss: Any = "mse", **options: Any) -> cnet.Sequential:
    cnet.utils.set_random_seed(3)
    kernel = initializers.GlorotUniform(1)
    model = cnet.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(4, "tanh", kernel_initializer=kernel, name="hidden", **options),
            layers.Dense(2, kernel_initializer=kernel, name="top"),
        ]
    )
    model.compile(optimizer, loss)
    return model


def fit(model: cnet.Sequential, epochs: int = 5, first: int = 0) -> list[float]:
    history = model.fit(X, Y, 16, epochs, initial_epoch=first, verbose=0).history
    return history["loss"]  # type: ignore[no-any-return] # by name


def assert_same_weights(one: Any, other: Any) -> None:
    for weight, twin in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, twin)


@pytest.mark.parametrize("own", [Squares(), Doubled(0.125), squares, Squares])
def test_an_own_regularizer_is_the_same_as_that_of_cnet(own: Any) -> None:
    ours = make_model(kernel_regularizer=own)
    theirs = make_model(loss=on_a_tape, kernel_regularizer=regularizers.L2(0.25))
    native = make_model(kernel_regularizer=regularizers.L2(0.25))
    found = [fit(model) for model in (ours, theirs, native)]
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert found[0] == pytest.approx(found[2], rel=1e-5)
    for weight, twin, other in zip(
        *map(cnet.Model.get_weights, (ours, theirs, native)), strict=True
    ):
        np.testing.assert_allclose(weight, twin, rtol=0, atol=1e-6)
        np.testing.assert_allclose(weight, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("own", [Positive(), positive, constraints.NonNeg().__call__])
def test_an_own_constraint_has_the_bits_of_the_engines(own: Any, optimizer: str) -> None:
    models_ = [make_model(optimizer, kernel_constraint=each) for each in (own, "non_neg")]
    for model in models_:
        fit(model)
    assert_same_weights(*models_)
    assert (models_[0].layers[0].kernel >= 0).all()
    assert (models_[0].layers[0].kernel == 0).any()


def test_a_constraint_of_cnet_is_applied_once_beside_own_rules() -> None:
    """A MinMaxNorm with a rate below 1 is another one when it is applied twice."""
    norm = constraints.MinMaxNorm(0.5, 0.75, rate=0.5)
    own: list[dict[str, Any]] = [
        {"kernel_regularizer": lambda w: 0.0 * ops.sum(w)},
        {"bias_constraint": lambda w: w},
    ]
    theirs = make_model(optimizers.SGD(0.0), kernel_constraint=norm)
    theirs.train_on_batch(X, Y)
    for options in own:
        ours = make_model(optimizers.SGD(0.0), kernel_constraint=norm, **options)
        ours.train_on_batch(X, Y)
        assert_same_weights(ours, theirs)


class Scale(layers.Layer):
    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight(
            (input_shape[-1],), "ones", regularizer=squares, constraint=positive, name="factor"
        )

    def call(self, x: Any) -> Any:
        return x * self.factor


def everywhere() -> tuple[cnet.Model, Any]:
    """Return a model whose every layer has rules of the user, and samples."""
    rules = {"regularizer": Squares(2**-6), "constraint": Clipped(0.5)}

    def of(*names: str) -> dict[str, Any]:
        return {f"{name}_{rule}": rules[rule] for name in names for rule in rules}

    ids, x = cnet.Input((2,), dtype="int32"), cnet.Input((5,))
    table = layers.Flatten()(layers.Embedding(7, 3, **of("embeddings"))(ids))
    hidden = layers.Concatenate()([table, layers.Dense(4, "relu", **of("kernel", "bias"))(x)])
    hidden = layers.LayerNormalization(**of("gamma", "beta"))(hidden)
    hidden = layers.BatchNormalization(**of("gamma", "beta"))(hidden)
    inner = cnet.Sequential([layers.Input((10,)), layers.Dense(3, **of("kernel")), Scale()])
    frozen = layers.Dense(3, trainable=False, **of("kernel", "bias"))
    model = cnet.Model([ids, x], layers.Dense(2)(frozen(inner(hidden))))
    return model, [RNG.integers(7, size=(40, 2)), X]


def test_wherever_a_layer_takes_them() -> None:
    model, x = everywhere()
    ruled = [weight for weight in model.trainable_weights if weight.regularizer is not None]
    assert len(ruled) == 9
    model.compile(optimizers.SGD(0.25), "mse")
    penalties = [
        (0.25 if weight.name == "factor" else 2**-6) * np.square(weight.numpy()).sum()
        for weight in ruled
    ]
    assert model.losses == pytest.approx(penalties, rel=1e-6)
    frozen = model.layers[-2].get_weights()
    loss = model.evaluate(x, Y, verbose=0)
    error = np.square(model.predict(x, verbose=0) - Y).mean()
    assert loss == pytest.approx(error + sum(penalties), rel=1e-5)
    model.fit(x, Y, 16, 3, verbose=0)
    for weight in ruled:
        assert weight.numpy().min() >= 0
        assert weight.name == "factor" or weight.numpy().max() <= 0.5
    for weight, old in zip(model.layers[-2].get_weights(), frozen, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_files_and_copies(tmp_path: Path) -> None:
    own: list[dict[str, Any]] = [
        {"kernel_regularizer": Squares(0.125), "bias_constraint": Clipped(0.125)},
        {"kernel_constraint": Positive(), "bias_regularizer": Doubled(0.5)},
    ]
    for options in own:
        model = make_model(**options)
        fit(model, 2)
        model.save(tmp_path / "model.safetensors")
        loaded = models.load_model(tmp_path / "model.safetensors", custom_objects=OBJECTS)
        assert loaded.get_config() == model.get_config()
        others = [loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
        for each in (model, *others):
            fit(each, 4, 2)
        for each in others:
            assert_same_weights(model, each)
        with pytest.raises(
            cnet.FormatError, match=r"(regularizer|constraint): expected a known class"
        ):
            models.load_model(tmp_path / "model.safetensors")


def test_functions_in_files(tmp_path: Path) -> None:
    model = make_model(kernel_regularizer=squares, kernel_constraint=positive)
    with pytest.raises(
        TypeError, match=r"Dense: kernel_regularizer: .*squares.* can't be described"
    ):
        model.save(tmp_path / "model.safetensors")
    for function in (squares, positive):
        cnet.utils.register_keras_serializable("rules")(function)
    try:
        fit(model, 2)
        model.save(tmp_path / "model.safetensors")
        loaded = models.load_model(tmp_path / "model.safetensors")
        assert loaded.layers[0].kernel_regularizer is squares
        assert loaded.layers[0].kernel_constraint is positive
        for each in (model, loaded):
            fit(each, 4, 2)
        assert_same_weights(model, loaded)
    finally:
        cnet.utils.get_custom_objects().clear()
    with pytest.raises(cnet.FormatError, match=r"regularizer: expected one of .*rules>squares"):
        models.load_model(tmp_path / "model.safetensors")


def test_rules_assigned_later() -> None:
    """The engine takes over the training as soon as it can."""
    model, native = make_model(), make_model()
    assert model.trains_in_engine
    model.layers[0].kernel_constraint = positive
    assert not model.trains_in_engine
    native.layers[0].kernel_constraint = "non_neg"
    for each in (model, native):
        fit(each, 2)
        each.layers[0].kernel_constraint = None
        each.layers[0].bias_regularizer = regularizers.L2(0.0)
        fit(each, 4, 2)
    assert model.trains_in_engine
    assert_same_weights(model, native)
    model.layers[0].kernel_regularizer = squares
    assert model.losses[0] == pytest.approx(0.25 * np.square(model.layers[0].kernel).sum())
    with pytest.raises(TypeError, match=r"regularizer: expected one of l1, .*got 3"):
        model.layers[0].kernel_regularizer = 3


def test_a_model_built_after_compile() -> None:
    model = cnet.Sequential(
        [layers.Dense(2, kernel_constraint=positive, kernel_regularizer=squares)]
    )
    model.compile("sgd", "mse", metrics=["mae"])
    loss, mae = model.evaluate(X, Y, verbose=0)
    error = model.predict(X, verbose=0) - Y
    penalty = 0.25 * np.square(model.layers[0].kernel).sum()
    assert loss == pytest.approx(np.square(error).mean() + penalty, rel=1e-5)
    assert mae == pytest.approx(np.abs(error).mean(), rel=1e-5)
    fit(model, 1)
    assert (model.layers[0].kernel >= 0).all()


def raises(_: Any) -> Any:
    raise ZeroDivisionError("mine")  # the user's line


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kernel_regularizer": raises}, ZeroDivisionError, "mine"),
        ({"kernel_constraint": raises}, ZeroDivisionError, "mine"),
        (
            {"kernel_regularizer": ops.abs},
            ValueError,
            r"hidden/kernel: its penalty: expected a single number, got shape \(5, 4\)",
        ),
        ({"kernel_regularizer": lambda _: None}, TypeError, "hidden/kernel: its penalty"),
        (
            {"kernel_constraint": ops.sum},
            ValueError,
            r"Dense.kernel: expected float32 \(5, 4\), got float32 \(\)",
        ),
        ({"kernel_constraint": lambda _: None}, TypeError, "Dense.kernel: expected numbers"),
        (
            {"kernel_regularizer": lambda w: ops.sum(w) * np.inf},
            FloatingPointError,
            "the loss is not finite at batch 1",
        ),
    ],
)
@pytest.mark.parametrize("optimizer", ["adam", optimizers.SGD(0.5, use_ema=True)])
def test_errors_change_nothing(
    optimizer: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    model = make_model(copy.deepcopy(optimizer), **options)
    before = model.get_weights()
    with pytest.raises(error, match=message) as raised:
        fit(model)
    if error is ZeroDivisionError:
        assert "# the user's line" in "".join(traceback.format_tb(raised.tb))
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert model.optimizer.iterations == 0


def test_activity_regularizers_of_ones_own(tmp_path: Path) -> None:
    found = []
    for own in (Squares(0.5), regularizers.L2(0.5), lambda y: 0.5 * ops.sum(y * y)):
        model = make_model(activity_regularizer=own)
        found.append(fit(model))
        if isinstance(own, Squares):
            model.save(tmp_path / "model.safetensors")
            loaded = models.load_model(tmp_path / "model.safetensors", custom_objects=OBJECTS)
            assert loaded.layers[0].activity_regularizer.factor == 0.5
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert found[0] == pytest.approx(found[2], rel=1e-6)


def test_steps_of_ones_own_use_them() -> None:
    class Stepping(cnet.Model):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)  # type: ignore[safe-super] # of Steps

    def make(cls: Callable[..., Any]) -> Any:
        cnet.utils.set_random_seed(3)
        x = cnet.Input((5,))
        kernel = initializers.GlorotUniform(1)
        top = layers.Dense(
            2, kernel_initializer=kernel, kernel_regularizer=squares, kernel_constraint=positive
        )
        model = cls(x, top(x))
        model.compile("adam", "mse")
        return model

    one, other = make(Stepping), make(cnet.Model)
    assert fit(one) == pytest.approx(fit(other), rel=1e-6)
    assert_same_weights(one, other)
    assert (one.layers[-1].kernel == 0).any()


def test_abstract_rules_are_refused() -> None:
    with pytest.raises(TypeError, match=r"regularizer: Regularizer: expected a method __call__"):
        layers.Dense(3, kernel_regularizer=regularizers.Regularizer())
    with pytest.raises(TypeError, match=r"constraint: Constraint: expected a method __call__"):
        layers.Dense(3, kernel_constraint=constraints.Constraint())
