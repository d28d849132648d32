"""Optimizers and schedules compared with Keras, and with PyTorch where it has the same definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import STANDARD_ERRORS, unit_roundoff

import cnet
from cnet import ops, optimizers

Array = npt.NDArray[Any]

# warnings of the peers about NumPy
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

STEPS = 200
RNG = np.random.default_rng(0)
SHAPE = (7, 5)
START = RNG.normal(size=SHAPE)
# A drift and noise of different size for each weight, so that means and mean squares matter.
SIZES = 10.0 ** RNG.uniform(-2, 0, size=SHAPE)
GRADS = SIZES * (0.3 * RNG.normal(size=SHAPE) + RNG.normal(size=(STEPS, *SHAPE)))

BETAS = {"beta_1": 0.9, "beta_2": 0.999}

# By name: Keras's class and arguments, and the op with its arguments and number of slots.
RULES: dict[str, tuple[str, dict[str, Any], str, dict[str, Any], int]] = {
    "SGD": ("SGD", {}, "sgd_update", {}, 0),
    "momentum": ("SGD", {"momentum": 0.9}, "sgd_momentum_update", {"momentum": 0.9}, 1),
    "Nesterov": (
        "SGD",
        {"momentum": 0.9, "nesterov": True},
        "sgd_momentum_update",
        {"momentum": 0.9, "nesterov": True},
        1,
    ),
    "RMSprop": ("RMSprop", {}, "rmsprop_update", {}, 1),
    "RMSprop, momentum": (
        "RMSprop",
        {"momentum": 0.9},
        "rmsprop_momentum_update",
        {"momentum": 0.9},
        2,
    ),
    "RMSprop, centered": ("RMSprop", {"centered": True}, "rmsprop_centered_update", {}, 3),
    "RMSprop, centered, momentum": (
        "RMSprop",
        {"centered": True, "momentum": 0.9},
        "rmsprop_centered_update",
        {"momentum": 0.9},
        3,
    ),
    "Adagrad": ("Adagrad", {}, "adagrad_update", {}, 1),
    "Adadelta": ("Adadelta", {"learning_rate": 1.0}, "adadelta_update", {}, 2),
    "Adam": ("Adam", {}, "adam_update", BETAS, 2),
    "Adam, amsgrad": ("Adam", {"amsgrad": True}, "adam_amsgrad_update", BETAS, 3),
    "Nadam": ("Nadam", {}, "nadam_update", BETAS, 2),
    "Lion": ("Lion", {}, "lion_update", {}, 1),
}


def cnet_weights(rule: str, rate: float, dtype: npt.DTypeLike, **arguments: Any) -> list[Array]:
    """Return the weights after each step of an op."""
    op: Callable[..., None] = getattr(ops, rule)
    slot_count = next(r[4] for r in RULES.values() if r[2] == rule)
    initial = 0.1 if rule == "adagrad_update" else 0.0
    slots = [np.full(SHAPE, initial, dtype) for _ in range(slot_count)]
    w, found = START.astype(dtype), []
    for n, grad in enumerate(GRADS.astype(dtype)):
        step = {"step": n + 1} if "beta_2" in arguments and rule != "lion_update" else {}
        op(w, grad, *slots, learning_rate=rate, **step, **arguments)
        found.append(w.copy())
    return found


def rounding(
    found: list[Array], dtype: npt.DTypeLike, roundings: float = 20.0
) -> npt.NDArray[np.float64]:
    """Bound the difference of two runs of an update rule over the same gradients.

    A step rounds the weight once, at random: the error of n steps is √n u, with a factor of five for
    the deviation (Higham and Mary, "A new approach to probabilistic rounding error analysis", SIAM
    Journal on Scientific Computing 41(5), 2019). The change has at most 20 roundings, some of them of
    constants, with the same sign in every step. In float32 that is less than 1e-5 of the largest
    weight, and 3e-6 of the changes.
    """
    weights = np.array([START, *found], np.float64)
    changes = np.abs(np.diff(weights, axis=0)).sum(axis=0)
    walk = STANDARD_ERRORS * math.sqrt(STEPS) * np.abs(weights).max(axis=0)
    bound: npt.NDArray[np.float64] = 2 * unit_roundoff(dtype) * (walk + roundings * changes)
    return bound


@pytest.mark.parametrize("name", RULES)
def test_update_rules_match_keras(name: str) -> None:
    keras = pytest.importorskip("keras")
    keras_name, keras_arguments, rule, arguments, _ = RULES[name]
    optimizer = getattr(keras.optimizers, keras_name)(**keras_arguments)
    found = cnet_weights(rule, float(optimizer.learning_rate), np.float32, **arguments)
    variable = keras.Variable(START.astype(np.float32))
    for grad in GRADS.astype(np.float32):
        optimizer.apply([keras.ops.convert_to_tensor(grad)], [variable])
    actual = np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
    # Keras rounds beta_2 to float32 before it computes 1 - beta_2ᵗ, whose root has half the error
    # u / (1 - beta_2), relatively.
    roundings = 20 + (0.25 / (1 - 0.999) if "beta_2" in arguments else 0)
    bound = rounding(found, np.float32, roundings)
    assert (np.abs(actual - found[-1]) <= bound).all()
    assert (np.abs(START - found[-1]) / bound).max() > 1000, "there were steps to compare"


def test_everything_that_keras_has_is_compared() -> None:
    keras = pytest.importorskip("keras")
    classes = {cls.__name__ for cls in optimizers._CLASSES.values()}
    in_keras = {name for name in classes if hasattr(keras.optimizers, name)}
    assert CLASSES.keys() == in_keras
    assert in_keras - {"AdamW"} <= {rule[0] for rule in RULES.values()}  # it has the rule of Adam


# PyTorch adds epsilon elsewhere, so it is 0 for some; its default for Nadam's decay differs.
IN_TORCH: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "SGD": ("SGD", {}, "sgd_update", {}),
    "momentum": ("SGD", {"momentum": 0.9}, "sgd_momentum_update", {"momentum": 0.9}),
    "Nesterov": (
        "SGD",
        {"momentum": 0.9, "nesterov": True},
        "sgd_momentum_update",
        {"momentum": 0.9, "nesterov": True},
    ),
    "RMSprop": ("RMSprop", {"alpha": 0.9, "eps": 0.0}, "rmsprop_update", {"epsilon": 0.0}),
    "RMSprop, momentum": (
        "RMSprop",
        {"alpha": 0.9, "eps": 0.0, "momentum": 0.9},
        "rmsprop_momentum_update",
        {"epsilon": 0.0, "momentum": 0.9},
    ),
    "RMSprop, centered": (
        "RMSprop",
        {"alpha": 0.9, "eps": 0.0, "momentum": 0.9, "centered": True},
        "rmsprop_centered_update",
        {"epsilon": 0.0, "momentum": 0.9},
    ),
    "Adagrad": (
        "Adagrad",
        {"initial_accumulator_value": 0.1, "eps": 0.0},
        "adagrad_update",
        {"epsilon": 0.0},
    ),
    "Adadelta": (
        "Adadelta",
        {"rho": 0.95, "eps": 1e-7},
        "adadelta_update",
        {"rho": 0.95, "epsilon": 1e-7},
    ),
    "Adam": ("Adam", {"eps": 0.0}, "adam_update", {"epsilon": 0.0, **BETAS}),
    "Adam, amsgrad": (
        "Adam",
        {"eps": 0.0, "amsgrad": True},
        "adam_amsgrad_update",
        {"epsilon": 0.0, **BETAS},
    ),
    "Nadam": (
        "NAdam",
        {"eps": 1e-7, "momentum_decay": 1.0},
        "nadam_update",
        {"epsilon": 1e-7, **BETAS},
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", IN_TORCH)
def test_update_rules_match_pytorch(name: str, dtype: type) -> None:
    torch = pytest.importorskip("torch")
    torch_name, torch_arguments, rule, arguments = IN_TORCH[name]
    found = cnet_weights(rule, 0.01, dtype, **arguments)
    variable = torch.tensor(START.astype(dtype), requires_grad=True)
    optimizer = getattr(torch.optim, torch_name)([variable], lr=0.01, **torch_arguments)
    for grad in GRADS.astype(dtype):
        variable.grad = torch.tensor(grad)
        optimizer.step()
    actual = variable.detach().numpy().astype(np.float64)
    # PyTorch stores Nadam's product of momenta in float32.
    bound = rounding(found, np.float32 if name == "Nadam" else dtype)
    assert (np.abs(actual - found[-1]) <= bound).all()


# -- Optimizers with all options, in training ---------------------------

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "decay and clipvalue": {"weight_decay": 0.05, "clipvalue": 0.02},
    "clipnorm and EMA": {"clipnorm": 0.1, "use_ema": True, "ema_momentum": 0.9},
    "all": {
        "weight_decay": 0.05,
        "global_clipnorm": 0.2,
        "use_ema": True,
        "ema_momentum": 0.9,
        "ema_overwrite_frequency": 7,
        "gradient_accumulation_steps": 3,
    },
}
CLASSES: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adagrad": {"initial_accumulator_value": 0.2},
    "Adadelta": {"rho": 0.9},
    "Adam": {"amsgrad": True},
    "AdamW": {"amsgrad": True},
    "Nadam": {"beta_1": 0.8},
    "Lion": {"beta_1": 0.8},
}
BATCH, FEATURES, HIDDEN, LABELS = 16, 6, 9, 4
X = RNG.normal(size=(STEPS * BATCH, FEATURES))
# Labels that can be learnt only partly, so that gradients do not vanish.
IDS = (X @ RNG.normal(size=(FEATURES, LABELS)) + RNG.normal(size=(len(X), LABELS))).argmax(axis=1)
WEIGHTS = [
    RNG.normal(size=(FEATURES, HIDDEN)) / 3,
    RNG.normal(size=HIDDEN) / 10,
    RNG.normal(size=(HIDDEN, LABELS)) / 3,
    RNG.normal(size=LABELS) / 10,
]


def arguments_of(name: str, options: str) -> dict[str, Any]:
    arguments = dict(OPTIONS[options])
    if options == "all":
        arguments |= CLASSES[name]
    return arguments


def trained_by_cnet(name: str, arguments: dict[str, Any], dtype: str) -> list[Array]:
    layers = cnet.layers
    model = cnet.Sequential(
        [
            layers.Input((FEATURES,)),
            layers.Dense(HIDDEN, "relu", dtype=dtype),
            layers.Dense(LABELS, "softmax", dtype=dtype),
        ]
    )
    model.set_weights([weight.astype(dtype) for weight in WEIGHTS])
    model.compile(getattr(optimizers, name)(**arguments), "sparse_categorical_crossentropy")
    model.fit(X.astype(dtype), IDS, batch_size=BATCH, shuffle=False, verbose=0)
    return model.get_weights()


def trained_by_keras(keras: Any, name: str, arguments: dict[str, Any], dtype: str) -> list[Array]:
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((FEATURES,), dtype=dtype),
            layers.Dense(HIDDEN, "relu", dtype=dtype),
            layers.Dense(LABELS, dtype=dtype),
        ]
    )
    model.set_weights([weight.astype(dtype) for weight in WEIGHTS])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype)
    model.compile(getattr(keras.optimizers, name)(**arguments), loss)
    model.fit(X.astype(dtype), IDS, batch_size=BATCH, shuffle=False, verbose=0)
    return [np.asarray(weight) for weight in model.get_weights()]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", CLASSES)
def test_training_matches_keras(name: str, options: str) -> None:
    keras = pytest.importorskip("keras")
    arguments = arguments_of(name, options)
    found = trained_by_cnet(name, arguments, "float32")
    actual = trained_by_keras(keras, name, arguments, "float32")
    # The roundings of the weights are those of a rule. Those of the gradients, products of sums of
    # sixteen samples, are within the rest of the bound, because the weights change by less than their
    # magnitude.
    size = max(np.abs(weight).max() for weight in found)
    bound = 2 * STANDARD_ERRORS * math.sqrt(STEPS) * unit_roundoff(np.float32) * size
    assert bound < 1e-5 * size
    for a, b in zip(actual, found, strict=True):
        assert np.abs(a - b).max() <= bound
    assert all(np.abs(a - b).max() > 10 * bound for a, b in zip(found, WEIGHTS, strict=True))


@pytest.mark.parametrize("name", CLASSES)
def test_arguments_and_defaults_match_keras(name: str) -> None:
    keras = pytest.importorskip("keras")
    theirs = getattr(keras.optimizers, name)().get_config()
    ours = getattr(optimizers, name)().get_config()
    del ours["name"], theirs["name"]  # Keras numbers them
    assert ours.pop("learning_rate") == pytest.approx(theirs.pop("learning_rate"))
    assert ours == theirs
    config = getattr(keras.optimizers, name)(**CLASSES[name], clipnorm=0.5).get_config()
    again = getattr(optimizers, name).from_config(config).get_config()
    assert again == config


# -- Schedules -------------------------------------------------------------------------------------

SCHEDULES: dict[str, list[dict[str, Any]]] = {
    "ExponentialDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 30, "decay_rate": 0.7},
        {"initial_learning_rate": 0.1, "decay_steps": 30, "decay_rate": 0.7, "staircase": True},
    ],
    "InverseTimeDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 30, "decay_rate": 0.7},
        {"initial_learning_rate": 0.1, "decay_steps": 30, "decay_rate": 0.7, "staircase": True},
    ],
    "PolynomialDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 60},
        {
            "initial_learning_rate": 0.1,
            "decay_steps": 60,
            "end_learning_rate": 0.01,
            "power": 0.5,
            "cycle": True,
        },
    ],
    "PiecewiseConstantDecay": [{"boundaries": [50, 110], "values": [0.3, 0.2, 0.1]}],
    "CosineDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 150, "alpha": 0.1},
        {
            "initial_learning_rate": 0.01,
            "decay_steps": 100,
            "warmup_target": 0.1,
            "warmup_steps": 40,
        },
    ],
    "CosineDecayRestarts": [
        {"initial_learning_rate": 0.1, "first_decay_steps": 30},
        {
            "initial_learning_rate": 0.1,
            "first_decay_steps": 30,
            "t_mul": 1.0,
            "m_mul": 0.8,
            "alpha": 0.1,
        },
        {"initial_learning_rate": 0.1, "first_decay_steps": 32, "t_mul": 1.5, "m_mul": 0.5},
    ],
}


@pytest.mark.parametrize(
    ("name", "arguments"), [(name, each) for name in SCHEDULES for each in SCHEDULES[name]]
)
def test_schedules_match_keras(name: str, arguments: dict[str, Any]) -> None:
    keras = pytest.importorskip("keras")
    theirs = getattr(keras.optimizers.schedules, name)(**arguments)
    ours = getattr(optimizers.schedules, name)(**arguments)
    assert ours.get_config() == theirs.get_config()
    assert getattr(optimizers.schedules, name)(**ours.get_config())(9) == ours(9)
    # Not all steps, because each is a dozen framework calls; the special steps are included.
    turns = [n + step for n in (30, 32, 40, 50, 60, 80, 90, 110, 140, 150) for step in (-1, 0, 1)]
    steps = sorted({0, 1, *turns, *range(0, STEPS, 17)})
    rates = np.array([ours(step) for step in steps])
    expected = np.array([float(theirs(step)) for step in steps])
    # Keras computes in float32: near the end of a decay the error is relative to its start.
    bound = 20 * 2 * unit_roundoff(np.float32) * max(rates)
    assert np.abs(rates - expected).max() <= bound
    assert len(set(rates)) > 2
