"""Optimizers: arguments and options; tests/training tests the updates."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest
from support.instances import OPTIMIZERS, first_of_each

import cnet
from cnet import optimizers

CLASSES: dict[str, Any] = {
    make.func.__name__.lower(): make.func for make in first_of_each(OPTIMIZERS)
}

# As in Keras.
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
def test_get_accepts_names_classes_and_objects(name: str) -> None:
    cls = CLASSES[name]
    for identifier in (name, name.upper(), cls.__name__, cls):
        assert type(optimizers.get(identifier)) is cls
    optimizer = cls()
    assert optimizers.get(optimizer) is optimizer


@pytest.mark.parametrize("name", CLASSES)
def test_defaults(name: str) -> None:
    optimizer = optimizers.get(name)
    assert {key: getattr(optimizer, key) for key in DEFAULTS[name]} == DEFAULTS[name]
    assert re.fullmatch(
        rf"{name}(_\d+)?", optimizer.name.replace("adam_w", "adamw").replace("rm_s", "rms")
    )
    assert optimizer.iterations == 0
    assert CLASSES[name](name="mine").name == "mine"


class Nothing(optimizers.Optimizer):
    """A custom optimizer, which the engine lacks."""


@pytest.mark.parametrize("identifier", ["ftrl", "", None, 3, ["sgd"], Nothing(0.1, None)])
def test_get_refuses_custom_optimizers(identifier: Any) -> None:
    error = ValueError if isinstance(identifier, str) else TypeError
    message = r"optimizer: (expected one of adadelta, .*sgd, .*got |Nothing: expected a method update_step)"
    with pytest.raises(error, match=message):
        optimizers.get(identifier)


NUMBERS = [
    (name, key)
    for name, defaults in DEFAULTS.items()
    for key, value in defaults.items()
    if not isinstance(value, bool)
]


@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_non_numbers_are_refused(name: str, key: str) -> None:
    for value in ("0.1", None, [0.1, 0.2], 1j, np.zeros(2)):
        with pytest.raises(TypeError, match=rf"{key}: expected a number, got "):
            CLASSES[name](**{key: value})


@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_numbers_out_of_range_are_refused(name: str, key: str) -> None:
    for value in (-0.1, math.nan, math.inf, -math.inf):
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
def test_decay_rates_are_at_most_1(name: str, key: str) -> None:
    with pytest.raises(ValueError, match=rf"{key}: "):
        CLASSES[name](**{key: 1.01})
    assert getattr(CLASSES[name](**{key: 0.5}), key) == 0.5


@pytest.mark.parametrize("key", ["beta_1", "beta_2"])
def test_betas_of_1_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        CLASSES["adam"](**{key: 1.0})


@pytest.mark.parametrize("value", [0, 1, 2.5, np.float32(0.5), np.array(0.5)])
def test_the_learning_rate_may_be_changed(value: Any) -> None:
    optimizer = optimizers.SGD()
    optimizer.learning_rate = value
    assert optimizer.learning_rate == value
    assert isinstance(optimizer.learning_rate, float)


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), ("fast", TypeError)])
def test_an_invalid_learning_rate_keeps_the_old_one(value: Any, error: type[Exception]) -> None:
    optimizer = optimizers.SGD(0.5)
    with pytest.raises(error, match="learning_rate: "):
        optimizer.learning_rate = value
    assert optimizer.learning_rate == 0.5


class Halves(optimizers.schedules.LearningRateSchedule):
    def __call__(self, step: int) -> float:
        return 2.0**-step


def test_a_rate_function_is_called_for_every_batch() -> None:
    asked = []

    def halves() -> float:
        asked.append(2.0 ** -len(asked))
        return asked[-1]

    x = np.eye(4)
    results = []
    for optimizer in (optimizers.SGD(halves), optimizers.SGD(Halves())):
        model = cnet.Sequential([cnet.layers.Dense(2, kernel_initializer="zeros")])
        model.compile(optimizer, "mse")
        model.fit(x, x[:, :2], batch_size=1, epochs=2, verbose=0, shuffle=False)
        model.train_on_batch(x, x[:, :2])
        results.append(b"".join(array.tobytes() for array in model.get_weights()))
    assert results[0] == results[1]
    assert len(asked) == 2 * 4 + 1


def test_a_rate_function_is_checked_and_may_be_replaced() -> None:
    optimizer = optimizers.SGD(lambda: -1.0)
    with pytest.raises(ValueError, match=r"learning_rate\(\): expected a number in"):
        _ = optimizer.learning_rate
    model = cnet.Sequential([cnet.layers.Dense(2)])
    model.compile(optimizer, "mse")
    model.build((None, 3))
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"learning_rate\(\): expected a number in"):
        model.fit(np.zeros((4, 3)), np.ones((4, 2)), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    optimizer.learning_rate = 0.25
    assert optimizer.learning_rate == 0.25
    with pytest.raises(TypeError, match="learning_rate: expected a number"):
        optimizer.learning_rate = dict


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
def test_common_options(name: str) -> None:
    optimizer = CLASSES[name](loss_scale_factor=None)
    expected = OPTIONS | DEFAULTS[name]
    assert {key: getattr(optimizer, key) for key in expected} == expected
    for key in ("clipnorm", "clipvalue", "global_clipnorm", "weight_decay"):
        assert getattr(CLASSES[name](**{key: 2}), key) == 2.0


@pytest.mark.parametrize("key", ["clipnorm", "clipvalue", "global_clipnorm", "weight_decay"])
def test_options_out_of_range_are_refused(key: str) -> None:
    for value in (-1, math.nan, math.inf, *([] if key == "weight_decay" else [0])):
        with pytest.raises(ValueError, match=rf"{key}: expected a number .*, got "):
            optimizers.SGD(**{key: value})
    with pytest.raises(TypeError, match=rf"{key}: expected a number, got 'a'"):
        optimizers.SGD(**{key: "a"})


@pytest.mark.parametrize(
    ("key", "least"), [("ema_overwrite_frequency", 1), ("gradient_accumulation_steps", 2)]
)
def test_counts_out_of_range_are_refused(key: str, least: int) -> None:
    with pytest.raises(ValueError, match=rf"{key}: expected an integer in \[{least}, "):
        optimizers.SGD(**{key: least - 1})
    with pytest.raises(TypeError, match=rf"{key}: expected an integer, got 2.0"):
        optimizers.SGD(**{key: 2.0})


def test_clipping_options_are_exclusive() -> None:
    with pytest.raises(ValueError, match=r"one of clipnorm, .*got .*'clipvalue': 2.0, 'global"):
        optimizers.Adam(clipvalue=2.0, global_clipnorm=1.0)


def test_unsupported_options_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"SGD: loss_scale_factor is not supported, got 2\.0"):
        optimizers.SGD(loss_scale_factor=2.0)
    with pytest.raises(TypeError, match="weight_decay"):
        optimizers.AdamW(weight_decay=None)


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


# -- Effects of the options, compared with NumPy ------------------------------------------------

WIDTHS = (5, 19, 4)  # a panel and a part of one, in either dtype
X, IDS = np.random.default_rng(0).normal(size=(97, 5)), np.arange(97) % 4
BATCH = 8

TRAININGS: dict[str, dict[str, Any]] = {
    "weight_decay": {"weight_decay": 0.1},
    "clipvalue": {"clipvalue": 0.01},
    "clipnorm": {"clipnorm": 0.02},
    "a norm that nothing exceeds": {"clipnorm": 1e6},
    "global_clipnorm": {"global_clipnorm": 0.05},
    "accumulation": {"gradient_accumulation_steps": 3},
    "EMA": {"use_ema": True, "ema_momentum": 0.9},
    "EMA that overwrites": {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 5},
    "EMA of accumulated steps": {
        "use_ema": True,
        "ema_momentum": 0.7,
        "ema_overwrite_frequency": 2,
        "gradient_accumulation_steps": 4,
    },
    "all": {
        "weight_decay": 0.1,
        "global_clipnorm": 0.05,
        "gradient_accumulation_steps": 2,
        "use_ema": True,
        "ema_overwrite_frequency": 3,
    },
}


def compiled(optimizer: Any) -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    hidden = cnet.layers.Dense(WIDTHS[1], "relu", dtype="float64")
    last = cnet.layers.Dense(WIDTHS[2], "softmax", dtype="float64")
    model = cnet.Sequential([cnet.layers.Input((WIDTHS[0],)), hidden, last])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def clipped(grads: list[Any], options: dict[str, Any]) -> list[Any]:
    if limit := options.get("clipvalue"):
        return [np.clip(grad, -limit, limit) for grad in grads]
    norms = [np.sqrt((grad**2).sum()) for grad in grads]
    if limit := options.get("global_clipnorm"):
        norms = [np.sqrt(sum(norm**2 for norm in norms))] * len(grads)
    limit = limit or options.get("clipnorm", math.inf)
    return [grad * min(limit / norm, 1.0) for grad, norm in zip(grads, norms, strict=True)]


def trained_in_numpy(weights: list[Any], options: dict[str, Any], epochs: int) -> list[Any]:
    """Train with Adam and these options."""
    accumulation = options.get("gradient_accumulation_steps", 1)
    momentum = options.get("ema_momentum", 0.99)
    frequency = options.get("ema_overwrite_frequency", 0)
    moments = [[np.zeros_like(weight), np.zeros_like(weight)] for weight in weights]
    averages = [weight.copy() for weight in weights]
    put_by: list[list[Any]] = []
    batches = 0
    for start in [*range(0, len(X), BATCH)] * epochs:
        batch = slice(start, start + BATCH)
        put_by.append(cnet.reference.network.loss_and_gradients(X[batch], IDS[batch], weights)[1])
        complete, batches = batches // accumulation, batches + 1
        if batches % accumulation == 0:
            grads = [sum(each) / accumulation for each in zip(*put_by, strict=True)]
            put_by = []
            for w, grad, m in zip(weights, clipped(grads, options), moments, strict=True):
                w -= 0.01 * options.get("weight_decay", 0.0) * w
                cnet.reference.adam_update(w, grad, *m, complete + 1, 0.01)
        if not options.get("use_ema"):
            continue
        for w, average in zip(weights, averages, strict=True):
            average[...] = w if complete == 0 else momentum * average + (1 - momentum) * w
            if frequency and (complete + 1) % frequency == 0:
                w[...] = average
    return averages if options.get("use_ema") else weights


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", TRAININGS)
def test_options_train_as_in_numpy(name: str, threads: int) -> None:
    options = TRAININGS[name]
    model = compiled(optimizers.Adam(0.01, **options))
    expected = trained_in_numpy(model.get_weights(), options, epochs=2)
    plain = trained_in_numpy(model.get_weights(), {}, epochs=2)
    limit = cnet.get_num_threads()
    cnet.set_num_threads(threads)
    try:
        model.fit(X, IDS, batch_size=BATCH, epochs=2, shuffle=False, verbose=0)
    finally:
        cnet.set_num_threads(limit)
    for actual, weight in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(actual, weight, rtol=1e-9, atol=1e-11)
    differs = any(np.abs(a - b).max() > 1e-4 for a, b in zip(expected, plain, strict=True))
    assert differs == (name != "a norm that nothing exceeds")


@pytest.mark.parametrize("name", ["accumulation", "all"])
def test_a_loss_that_is_not_finite_keeps_accumulated_gradients(name: str) -> None:
    """The batch changes neither the accumulated gradients nor the weights."""
    options = TRAININGS[name]
    model, twin = (compiled(optimizers.Adam(0.01, **options)) for _ in range(2))
    bad = X.copy()
    bad[1] = np.inf
    for n in range(4):
        batch = slice(n * BATCH, (n + 1) * BATCH)
        with pytest.raises(FloatingPointError):
            model.train_on_batch(bad[:BATCH], IDS[:BATCH])
        for each in (model, twin):
            each.train_on_batch(X[batch], IDS[batch])
    assert model.optimizer.iterations == 4 // options["gradient_accumulation_steps"]
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_frozen_weights_are_not_part_of_norms() -> None:
    model, twin = (compiled(optimizers.SGD(0.1, global_clipnorm=0.01)) for _ in range(2))
    frozen = next(layer for layer in twin.layers if layer.get_weights())
    frozen.trainable = False
    twin.compile(optimizers.SGD(0.1, global_clipnorm=0.01), "sparse_categorical_crossentropy")
    before = model.get_weights()
    for each in (model, twin):
        each.train_on_batch(X, IDS)
    for weights, changed in ((model.get_weights(), before), (twin.get_weights(), before)):
        length = math.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(weights, changed, strict=True)))
        assert length == pytest.approx(0.001)
    assert twin.get_weights()[0].tobytes() == before[0].tobytes()


def test_an_ema_that_is_enabled_later_starts_from_the_weights() -> None:
    optimizer = optimizers.SGD(0.1, ema_momentum=1.0)
    model = compiled(optimizer)
    model.fit(X, IDS, BATCH, verbose=0)
    before = model.get_weights()
    optimizer.use_ema = True
    model.fit(X, IDS, BATCH, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        assert a.tobytes() == b.tobytes(), "an average with momentum 1 keeps its start"


@pytest.mark.parametrize("name", CLASSES)
def test_configs_restore_optimizers(name: str) -> None:
    schedule = optimizers.schedules.CosineDecay(0.5, 10, warmup_target=1.0, warmup_steps=3)
    numbers = {key: 0.25 for key, value in DEFAULTS[name].items() if type(value) is float}
    options = {"clipnorm": 2.0, "use_ema": True, "gradient_accumulation_steps": 3, "name": "mine"}
    for rate in (0.25, schedule):
        config = CLASSES[name](**numbers | options | {"learning_rate": rate}).get_config()
        again = CLASSES[name].from_config(config)
        assert type(again) is CLASSES[name]
        assert again.get_config() == config
        described = {"class_name": CLASSES[name].__name__, "config": config}
        assert optimizers.get(described).get_config() == config
        assert {key: config[key] for key in options} == options
        assert again.learning_rate == (0.25 if rate == 0.25 else schedule(0))
        assert again.iterations == 0


def test_a_config_with_an_unknown_schedule_is_refused() -> None:
    config = {"learning_rate": {"class_name": "Mine", "config": {}}}
    with pytest.raises(
        ValueError, match=r"learning_rate: .*got .*'Mine'.*known classes: CosineDecay"
    ):
        optimizers.SGD.from_config(config)


def test_a_learning_rate_is_a_float_with_methods_of_keras_variables() -> None:
    optimizer = optimizers.SGD(0.5)
    rate = optimizer.learning_rate
    assert isinstance(rate, float)
    assert (rate, rate.numpy(), type(rate.numpy()), repr(rate)) == (0.5, 0.5, float, "0.5")
    assert rate.assign(0.25) == optimizer.learning_rate == 0.25
    assert type(optimizer.learning_rate * 2) is float
    optimizer.learning_rate = optimizer.learning_rate
    assert type(optimizer._learning_rate) is float
    for copied in (
        copy.deepcopy(rate),
        pickle.loads(pickle.dumps(rate)),
        json.loads(json.dumps(rate)),
    ):
        assert (copied, type(copied)) == (0.5, float)
    with pytest.raises(ValueError, match="learning_rate: expected a number"):
        rate.assign(-1)
    assert optimizer.learning_rate == 0.25
