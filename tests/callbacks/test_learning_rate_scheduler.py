"""LearningRateScheduler."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnet
from cnet import callbacks


def run(schedule: Any, epochs: int = 3, **options: Any) -> tuple[cnet.Sequential, list[float]]:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile(cnet.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    callback = callbacks.LearningRateScheduler(schedule, **options)
    history = model.fit(np.eye(3), np.arange(3), epochs=epochs, verbose=0, callbacks=[callback])
    return model, history.history["learning_rate"]


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (lambda _, rate: rate / 2, [0.25, 0.125, 0.0625]),
        (lambda epoch: 1.0 / (epoch + 1), [1, 1 / 2, 1 / 3]),
        (lambda *_: np.float32(0.5), [0.5] * 3),
    ],
)
def test_rates(schedule: Any, rates: list[float]) -> None:
    assert run(schedule)[1] == rates


def test_a_rate_takes_effect_in_its_epoch() -> None:
    model, _ = run(lambda epoch: [0.5, 0.0][epoch], epochs=2)
    twin, _ = run(lambda _: 0.5, epochs=1)
    assert [w.tolist() for w in model.get_weights()] == [w.tolist() for w in twin.get_weights()]


def test_an_error_in_the_schedule_propagates() -> None:
    def fail(epoch: int, rate: float) -> float:
        raise TypeError(f"of the schedule at {epoch}, {rate}")

    with pytest.raises(TypeError, match=r"of the schedule at 0, 0.5"):
        run(fail)


def test_messages(capsys: pytest.CaptureFixture[str]) -> None:
    run(lambda _: 0.25, epochs=1, verbose=1)
    expected = "Epoch 1: LearningRateScheduler sets the learning rate to 0.25\n"
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("wrong", [None, "0.1", 1, [0.1]])
def test_a_result_that_is_not_a_float_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="LearningRateScheduler: schedule: expected it to return"):
        run(lambda _: wrong)
    with pytest.raises(TypeError, match="LearningRateScheduler: expected a function, got"):
        run(wrong)
