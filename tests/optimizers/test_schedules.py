"""Learning-rate schedules, and their use by the engine at every batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.instances import SCHEDULES, first_of_each

import cnet
from cnet import optimizers, reference
from cnet.optimizers import schedules
from cnet.optimizers.schedules import LearningRateSchedule

# The required arguments of each schedule, which begins at 0.5.
ARGUMENTS = {make.func.__name__: make.keywords for make in first_of_each(SCHEDULES)}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_schedules_start_at_their_first_rate_and_return_float32(name: str) -> None:
    schedule = getattr(schedules, name)(**ARGUMENTS[name])
    assert schedule(0) == 0.5
    rates = [schedule(step) for step in range(40)]
    assert all(type(rate) is float and rate == np.float32(rate) for rate in rates)
    assert rates[9] < 0.5
    assert isinstance(schedule, LearningRateSchedule)
    assert getattr(schedules, name)(**ARGUMENTS[name], name="mine").name == "mine"
    again = type(schedule).from_config(schedule.get_config())
    assert vars(again) == vars(schedule)


def test_staircase() -> None:
    for cls in (schedules.ExponentialDecay, schedules.InverseTimeDecay):
        schedule = cls(0.5, 10, 0.5, staircase=True)
        assert [schedule(step) for step in (0, 9, 10, 19)] == [0.5, 0.5, schedule(10), schedule(10)]
        assert schedule(10) == cls(0.5, 10, 0.5)(10)


def test_polynomial_decay_with_cycle() -> None:
    schedule = schedules.PolynomialDecay(0.5, 10, end_learning_rate=0.0, cycle=True)
    assert [schedule(step) for step in (0, 5, 10, 15, 20, 30)] == [0.5, 0.25, 0, 0.125, 0, 0]


@pytest.mark.parametrize("t_mul", [1.0, 1.5, 2.0, 3.0, 5.0])
def test_restarts_happen_at_their_step(t_mul: float) -> None:
    """A logarithm that is rounded down would miss some."""
    schedule = schedules.CosineDecayRestarts(0.5, first_decay_steps=64, t_mul=t_mul)
    start, length = 0.0, 64.0
    while start < 10000 and length == int(length):
        assert schedule(int(start)) == 0.5, start
        if start:
            assert schedule(int(start) - 1) < 0.01
        start, length = start + length, length * t_mul


@pytest.mark.parametrize("name", ARGUMENTS)
def test_non_numbers_are_refused(name: str) -> None:
    for key, value in ARGUMENTS[name].items():
        several = isinstance(value, list)
        bad = ["a"] if several else "a"
        expected = "numbers, got list" if several else "a number, got 'a'"
        with pytest.raises(TypeError, match=rf"{key}: expected {expected}"):
            getattr(schedules, name)(**ARGUMENTS[name] | {key: bad})


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != "PiecewiseConstantDecay"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_decay_steps_must_be_positive(name: str, value: float) -> None:
    key = "first_decay_steps" if name == "CosineDecayRestarts" else "decay_steps"
    with pytest.raises(ValueError, match=rf"{key}: expected a number above 0, got {value}"):
        getattr(schedules, name)(**ARGUMENTS[name] | {key: value})


def test_mismatched_boundaries_and_values_are_refused() -> None:
    with pytest.raises(ValueError, match="values: expected 3, one more than boundaries, got 2"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="boundaries: expected increasing numbers"):
        schedules.PiecewiseConstantDecay([2, 2], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"t_mul: expected a number of at least 1, got 0\.5"):
        schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5)


class Alternating(LearningRateSchedule):
    """A custom schedule."""

    def __call__(self, step: int) -> float:
        return 0.5 if step % 2 else 0.0625


def model_with(optimizer: Any) -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    layers = [cnet.layers.Input((3,)), cnet.layers.Dense(4, "softmax", dtype="float64")]
    model = cnet.Sequential(layers)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("staged", [False, True])
def test_the_rate_changes_at_every_batch(staged: bool) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(22, 3)), rng.integers(4, size=22)
    options: dict[str, Any] = {"global_clipnorm": 1e9} if staged else {}
    optimizer = optimizers.SGD(Alternating(), **options)
    model = model_with(optimizer)
    expected = model.get_weights()
    model.fit(x, y, batch_size=5, epochs=3, shuffle=False, verbose=0)
    step = 0
    for _ in range(3):
        for start in range(0, 22, 5):
            batch = slice(start, start + 5)
            _, grads = reference.network.loss_and_gradients(x[batch], y[batch], expected)
            for weight, grad in zip(expected, grads, strict=True):
                reference.sgd_update(weight, grad, 0.5 if step % 2 else 0.0625)
            step += 1
    for actual, weight in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(actual, weight, rtol=1e-12, atol=1e-14)
    assert optimizer.iterations == step == 15
    assert optimizer.learning_rate == 0.5
    model.train_on_batch(x, y)
    assert optimizer.learning_rate == 0.0625


def test_a_schedule_can_only_be_replaced_by_a_schedule() -> None:
    optimizer = optimizers.Adam(schedules.CosineDecay(0.5, 10))
    with pytest.raises(TypeError, match="learning_rate: the optimizer has the schedule Cosine"):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = schedules.CosineDecay(0.25, 10)
    assert optimizer.learning_rate == 0.25
    constant = optimizers.Adam(0.5)
    constant.learning_rate = schedules.CosineDecay(0.25, 10)
    assert constant.learning_rate == 0.25


@pytest.mark.parametrize(
    ("value", "error"),
    [("a", TypeError), (None, TypeError), (-1.0, ValueError), (math.nan, ValueError)],
)
def test_an_invalid_rate_leaves_the_model_unchanged(value: Any, error: type[Exception]) -> None:
    class Bad(LearningRateSchedule):
        def __call__(self, step: int) -> float:
            return 0.5 if step < 2 else value

    model = model_with(optimizers.SGD(Bad()))
    before = [weight.tobytes() for weight in model.get_weights()]
    with pytest.raises(error, match=r"learning_rate: Bad\(2\): expected a number"):
        model.fit(np.ones((9, 3)), np.zeros(9, int), batch_size=3, verbose=0)
    assert [weight.tobytes() for weight in model.get_weights()] == before


def test_a_schedule_without_a_call_is_refused_by_name() -> None:
    class Nothing(LearningRateSchedule):
        pass

    with pytest.raises(NotImplementedError, match="Nothing: expected a method __call__"):
        _ = optimizers.SGD(Nothing()).learning_rate


@pytest.mark.parametrize("make", first_of_each(SCHEDULES))
def test_arrays_of_steps(make: Any) -> None:
    schedule = make()
    steps = np.array([[0, 1, 2], [5, 20, 10**6]])
    expected = [[schedule(int(step)) for step in row] for row in steps]
    for given in (steps, steps.tolist(), steps.astype(np.float32)):
        rates = schedule(given)
        np.testing.assert_array_equal(rates, expected)
        assert rates.dtype == np.float32
    assert type(schedule(np.int64(3))) is float
    with pytest.raises(TypeError, match="step: expected numbers"):
        schedule(["a", "b"])


def test_names_of_optimizers_are_numbered() -> None:
    cnet.utils.clear_session()
    names = [optimizers.SGD().name, optimizers.SGD().name, optimizers.AdamW().name]
    assert names == ["sgd", "sgd_1", "adam_w"]
    assert repr(optimizers.SGD()) == "SGD()"
    assert repr(optimizers.SGD(name="mine")) == "SGD(name='mine')"
    cnet.backend.clear_session()
    assert optimizers.SGD().name == "sgd"
