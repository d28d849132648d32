"""Optimizers: their arguments; what they do to weights is in test_trainer.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import optimizers

CLASSES: dict[str, Any] = {
    "adadelta": optimizers.Adadelta,
    "adagrad": optimizers.Adagrad,
    "adam": optimizers.Adam,
    "adamw": optimizers.AdamW,
    "lion": optimizers.Lion,
    "nadam": optimizers.Nadam,
    "rmsprop": optimizers.RMSprop,
    "sgd": optimizers.SGD,
}

# Keras's.
DEFAULTS: dict[str, dict[str, Any]] = {
    "adadelta": {"learning_rate": 1e-3, "rho": 0.95, "epsilon": 1e-7},
    "adagrad": {"learning_rate": 1e-3, "initial_accumulator_value": 0.1, "epsilon": 1e-7},
    "adam": {
        "learning_rate": 1e-3,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "amsgrad": False,
    },
    "adamw": {
        "learning_rate": 1e-3,
        "weight_decay": 0.004,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "amsgrad": False,
    },
    "lion": {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.99},
    "nadam": {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    "rmsprop": {
        "learning_rate": 1e-3,
        "rho": 0.9,
        "momentum": 0.0,
        "epsilon": 1e-7,
        "centered": False,
    },
    "sgd": {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
}


@pytest.mark.parametrize("name", CLASSES)
def test_get_takes_names_classes_and_objects(name: str) -> None:
    cls = CLASSES[name]
    for identifier in (name, name.upper(), cls.__name__, cls):
        assert type(optimizers.get(identifier)) is cls
    optimizer = cls()
    assert optimizers.get(optimizer) is optimizer


@pytest.mark.parametrize("name", CLASSES)
def test_defaults(name: str) -> None:
    optimizer = optimizers.get(name)
    assert {key: getattr(optimizer, key) for key in DEFAULTS[name]} == DEFAULTS[name]
    assert optimizer.name.lower() == name
    assert optimizer.iterations == 0
    assert CLASSES[name](name="mine").name == "mine"


class Nothing(optimizers.Optimizer):
    """An optimizer that a user wrote, which the engine knows nothing of."""


@pytest.mark.parametrize(
    "identifier", ["ftrl", "", None, 3, ["sgd"], optimizers.Optimizer, Nothing(0.1, None)]
)
def test_get_refuses_what_the_engine_does_not_compute(identifier: Any) -> None:
    with pytest.raises(ValueError, match=r"optimizer: expected one of adadelta, .*sgd, .*got "):
        optimizers.get(identifier)


NUMBERS = [
    (name, key)
    for name, defaults in DEFAULTS.items()
    for key, value in defaults.items()
    if not isinstance(value, bool)
]


@pytest.mark.parametrize(("name", "key"), NUMBERS)
@pytest.mark.parametrize("value", ["0.1", None, [0.1, 0.2], 1j, np.zeros(2)])
def test_what_is_no_number_is_refused(name: str, key: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"{key}: expected a number, got "):
        CLASSES[name](**{key: value})


@pytest.mark.parametrize(("name", "key"), NUMBERS)
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, -math.inf])
def test_numbers_out_of_range_are_refused(name: str, key: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{key}: expected a number in \[0.0, .*\], got "):
        CLASSES[name](**{key: value})


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("sgd", "momentum"),
        ("rmsprop", "rho"),
        ("rmsprop", "momentum"),
        ("adadelta", "rho"),
        ("adam", "beta_1"),
        ("adam", "beta_2"),
        ("lion", "beta_1"),
        ("lion", "beta_2"),
        ("sgd", "ema_momentum"),
    ],
)
def test_what_decays_is_at_most_1(name: str, key: str) -> None:
    with pytest.raises(ValueError, match=rf"{key}: "):
        CLASSES[name](**{key: 1.01})
    assert getattr(CLASSES[name](**{key: 0.5}), key) == 0.5


@pytest.mark.parametrize("key", ["beta_1", "beta_2"])
def test_betas_of_1_would_divide_by_zero(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        CLASSES["adam"](**{key: 1.0})


@pytest.mark.parametrize("value", [0, 1, 2.5, np.float32(0.5), np.array(0.5)])
def test_the_learning_rate_may_be_changed(value: Any) -> None:
    optimizer = optimizers.SGD()
    optimizer.learning_rate = value
    assert optimizer.learning_rate == value
    assert type(optimizer.learning_rate) is float


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), ("fast", TypeError)])
def test_a_bad_learning_rate_leaves_the_old_one(value: Any, error: type[Exception]) -> None:
    optimizer = optimizers.SGD(0.5)
    with pytest.raises(error, match="learning_rate: "):
        optimizer.learning_rate = value
    assert optimizer.learning_rate == 0.5


OPTIONS: dict[str, Any] = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "gradient_accumulation_steps": None,
}


@pytest.mark.parametrize("name", CLASSES)
def test_options_that_all_take(name: str) -> None:
    optimizer = CLASSES[name](loss_scale_factor=None)
    expected = OPTIONS | DEFAULTS[name]
    assert {key: getattr(optimizer, key) for key in expected} == expected
    for key in ("clipnorm", "clipvalue", "global_clipnorm", "weight_decay"):
        assert getattr(CLASSES[name](**{key: 2}), key) == 2.0


@pytest.mark.parametrize("key", ["clipnorm", "clipvalue", "global_clipnorm", "weight_decay"])
def test_options_out_of_range_are_refused(key: str) -> None:
    for value in (-1, math.nan, math.inf, *([] if key == "weight_decay" else [0])):
        with pytest.raises(ValueError, match=rf"{key}: expected a number .*, got "):
            optimizers.SGD(**{key: value})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=rf"{key}: expected a number, got 'a'"):
        optimizers.SGD(**{key: "a"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "least"), [("ema_overwrite_frequency", 1), ("gradient_accumulation_steps", 2)]
)
def test_counts_out_of_range_are_refused(key: str, least: int) -> None:
    with pytest.raises(ValueError, match=rf"{key}: expected an integer in \[{least}, "):
        optimizers.SGD(**{key: least - 1})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=rf"{key}: expected an integer, got 2.0"):
        optimizers.SGD(**{key: 2.0})  # type: ignore[arg-type]


def test_one_way_to_clip_at_most() -> None:
    with pytest.raises(ValueError, match=r"one of clipnorm, .*got .*'clipvalue': 2.0, 'global"):
        optimizers.Adam(clipvalue=2.0, global_clipnorm=1.0)


def test_what_is_left_out_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="loss_scale_factor: not supported, got 2.0"):
        optimizers.SGD(loss_scale_factor=2.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="weight_decay"):
        optimizers.AdamW(weight_decay=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["decay", "clip", "lr"])
@pytest.mark.parametrize("name", CLASSES)
def test_unknown_options_are_refused_by_name(name: str, option: str) -> None:
    with pytest.raises(TypeError, match=option):
        CLASSES[name](**{option: 1})


@pytest.mark.parametrize("name", CLASSES)
def test_iterations_count_steps(name: str) -> None:
    optimizer = optimizers.get(name)
    model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    x, y = np.zeros((10, 3)), np.zeros(10, int)
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert optimizer.iterations == 6
    model.evaluate(x, y, verbose=0)
    model.train_on_batch(x, y)
    assert optimizer.iterations == 7
