"""EarlyStopping and ReduceLROnPlateau, with metrics that the tests set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import callbacks

X, Y = np.eye(3), np.arange(3)


class SetMetric(callbacks.Callback):
    """Sets a metric in the logs of each epoch."""

    def __init__(self, name: str, values: Sequence[float]) -> None:
        self.name, self.values = name, values

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs[self.name] = self.values[epoch]


def run(
    callback: callbacks.Callback,
    values: Sequence[float],
    name: str = "val_loss",
    metrics: Sequence[Any] = ("accuracy",),
) -> tuple[cnet.Sequential, callbacks.History]:
    """Fit one epoch for each value."""
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile(cnet.optimizers.SGD(0.5), "sparse_categorical_crossentropy", metrics=metrics)
    hooks = [SetMetric(name, values), callback]
    return model, model.fit(X, Y, epochs=len(values), verbose=0, callbacks=hooks)


# -- Both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
@pytest.mark.parametrize("number", [np.ones(1), [1.0], np.float32(1), np.ones((1, 1))])
def test_an_array_of_one_number_is_accepted(kind: Any, number: Any) -> None:
    callback = kind(patience=9)
    run(callback, [number, number])
    assert callback.best == 1
    assert type(callback.best) is float


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
@pytest.mark.parametrize("figure", [np.ones(2), [], [1.0, 2.0]])
def test_arrays_of_other_sizes_are_refused(kind: Any, figure: Any) -> None:
    message = rf"{kind.__name__}: monitor 'val_loss': expected one number, got "
    with pytest.raises(ValueError, match=message):
        run(kind(), [figure])


@pytest.mark.parametrize("mode", ["min", "max"])
def test_nan_is_never_best(mode: str) -> None:
    values = [math.nan, 5, math.nan, 5]
    stop = callbacks.EarlyStopping(mode=mode, patience=9, restore_best_weights=True)
    reduce = callbacks.ReduceLROnPlateau(mode=mode, patience=9)
    for callback in (stop, reduce):
        run(callback, values)
        assert callback.best == 5
    assert stop.best_epoch == 1


# -- EarlyStopping ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({}, [3, 2, 1], 3),
        ({}, [3, 2, 2, 1], 3),
        ({}, [2, 3, 1], 2),
        ({"patience": 2}, [3, 2, 2, 2, 1], 4),
        ({"patience": 2}, [3, 2, 2, 1, 1, 1, 0], 6),
        ({"min_delta": 0.5}, [3, 2.6, 1], 2),
        ({"min_delta": -0.5}, [3, 2.4, 2], 3),
        ({"mode": "max"}, [3, 2, 1], 2),
        ({"mode": "max", "min_delta": 1.0}, [3, 4, 6], 2),
        ({"baseline": 1.5, "patience": 2}, [3, 2.5, 2.4, 2.3, 2.4], 5),
        ({"baseline": 1.5, "patience": 3}, [3, 1, 1.2, 1.2, 1.2, 1.2], 5),
        ({"start_from_epoch": 3}, [1, 2, 3, 4, 3, 3, 1], 6),
        ({"patience": 1}, [2, math.nan, 1], 2),
        ({}, [math.nan, 1], 2),
        ({"patience": 2}, [math.nan, 5, 4, 3], 4),
        ({"patience": 2}, [math.nan, math.nan, math.nan, 3], 2),
        ({"patience": 2, "mode": "max"}, [math.nan, 3, 4, 5], 4),
    ],
)
def test_the_last_epoch(options: dict[str, Any], values: list[float], epochs: int) -> None:
    callback = callbacks.EarlyStopping(**options)
    _, history = run(callback, values)
    assert len(history.epoch) == epochs
    assert callback.stopped_epoch == (
        epochs - 1 if epochs < len(values) else callback.stopped_epoch
    )


@pytest.mark.parametrize(
    ("monitor", "grows"),
    [("loss", False), ("val_loss", False), ("accuracy", True), ("val_accuracy", True)],
)
def test_the_direction_is_that_of_the_metric(monitor: str, grows: bool) -> None:
    values = [1.0, 2.0, 3.0]
    _, history = run(callbacks.EarlyStopping(monitor), values, monitor)
    assert len(history.epoch) == (3 if grows else 2)


@pytest.mark.parametrize(("name", "grows"), [("mse", False), ("auc", True)])
def test_directions_of_python_metrics(name: str, grows: bool) -> None:
    metric = cnet.metrics.get(name)
    assert metric.direction == ("up" if grows else "down")


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"EarlyStopping: the direction of 'speed' is unknown"):
        run(callbacks.EarlyStopping("speed"), [1, 2], "speed")
    _, history = run(callbacks.EarlyStopping("speed", mode="min"), [1, 2, 3], "speed")
    assert len(history.epoch) == 2


def test_a_missing_monitor_warns() -> None:
    with pytest.warns(UserWarning, match="EarlyStopping: monitor 'val_loss' is not among the logs"):
        _, history = run(callbacks.EarlyStopping(), [1, 2], "other")
    assert len(history.epoch) == 2


@pytest.mark.parametrize("values", [[3, 1, 2, 2], [3, 1, 2]], ids=["stopped", "run out"])
def test_the_best_weights_are_restored(values: list[float]) -> None:
    kept: list[list[bytes]] = []
    keep = callbacks.LambdaCallback(
        on_epoch_end=lambda *_: kept.append([w.tobytes() for w in model_weights()])
    )

    def model_weights() -> Any:
        return keep.model.get_weights()

    stopping = callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile(cnet.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    model.fit(
        X,
        Y,
        epochs=len(values),
        verbose=0,
        callbacks=[SetMetric("val_loss", values), keep, stopping],
    )
    assert stopping.best_epoch == 1
    assert [w.tobytes() for w in model.get_weights()] == kept[1] != kept[-1]


def test_without_restoring_the_last_weights_are_kept() -> None:
    model, _ = run(callbacks.EarlyStopping(), [1, 2, 3])
    twin, _ = run(callbacks.Callback(), [1, 2])
    assert [w.tolist() for w in model.get_weights()] == [w.tolist() for w in twin.get_weights()]


def test_reuse_in_a_second_fit() -> None:
    callback = callbacks.EarlyStopping()
    for _ in range(2):
        _, history = run(callback, [2, 3, 1])
        assert len(history.epoch) == 2


def test_messages(capsys: pytest.CaptureFixture[str]) -> None:
    run(callbacks.EarlyStopping(verbose=1, restore_best_weights=True), [1, 2, 3])
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 2: early stopping",
        "The weights are those after the best epoch, 1",
    ]
    run(callbacks.EarlyStopping(restore_best_weights=True), [1, 2, 3])
    assert capsys.readouterr().out == ""


# -- ReduceLROnPlateau -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "values", "rates"),
    [
        ({"patience": 1}, [3, 2, 1], [1, 1, 1]),
        ({"patience": 1, "factor": 0.5}, [1, 1, 1, 1], [1, 1, 0.5, 0.25]),
        ({"patience": 2, "factor": 0.5}, [1, 1, 1, 1], [1, 1, 1, 0.5]),
        ({"patience": 1, "factor": 0.5, "min_lr": 0.2}, [1] * 5, [1, 1, 0.5, 0.4, 0.4]),
        ({"patience": 1, "factor": 0.5, "cooldown": 2}, [1] * 6, [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"patience": 1, "factor": 0.5, "min_delta": 0.5}, [3, 2.6, 1, 1], [1, 1, 0.5, 0.5]),
        ({"patience": 1, "factor": 0.5, "mode": "max"}, [1, 2, 3], [1, 1, 1]),
    ],
)
def test_rates(options: dict[str, Any], values: list[float], rates: list[float]) -> None:
    _, history = run(callbacks.ReduceLROnPlateau(**options), values)
    assert [2 * rate for rate in history.history["learning_rate"]] == pytest.approx(rates)


def test_a_rate_takes_effect_in_the_next_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    callback = callbacks.ReduceLROnPlateau(patience=1, factor=0.0, verbose=1)
    model, _ = run(callback, [1, 1, 1])
    twin, _ = run(callbacks.Callback(), [1, 1])
    assert [w.tolist() for w in model.get_weights()] == [w.tolist() for w in twin.get_weights()]
    expected = "Epoch 2: ReduceLROnPlateau sets the learning rate to 0.0\n"
    assert capsys.readouterr().out == expected


# -- Invalid arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("EarlyStopping", {"mode": "up"}, ValueError, "mode: expected 'auto', 'min' or 'max', got"),
        ("EarlyStopping", {"monitor": 3}, TypeError, "monitor: expected the name of a metric"),
        ("EarlyStopping", {"patience": -1}, ValueError, "patience: expected an integer"),
        ("EarlyStopping", {"patience": 1.5}, TypeError, "patience: expected an integer"),
        ("EarlyStopping", {"min_delta": "a"}, TypeError, "min_delta: expected a number"),
        ("EarlyStopping", {"baseline": "a"}, TypeError, "baseline: expected a number"),
        (
            "ReduceLROnPlateau",
            {"factor": 1.0},
            ValueError,
            r"factor: expected .* \[0, 1\), got 1.0",
        ),
        ("ReduceLROnPlateau", {"factor": -0.1}, ValueError, r"factor: expected a number"),
        ("ReduceLROnPlateau", {"cooldown": -1}, ValueError, "cooldown: expected an integer"),
    ],
)
def test_invalid_arguments_are_refused(
    name: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=rf"^{name}: {message}"):
        getattr(callbacks, name)(**options)


@pytest.mark.parametrize(
    "make",
    [
        callbacks.EarlyStopping,
        callbacks.ReduceLROnPlateau,
        lambda monitor: callbacks.ModelCheckpoint("a.safetensors", monitor, save_best_only=True),
    ],
)
def test_a_monitor_of_unknown_direction_is_refused_before_training(make: Any) -> None:
    model = cnet.Sequential([cnet.Input((2,)), cnet.layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(ValueError, match="the direction of 'unknown' is unknown; pass mode="):
        model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[make("unknown")])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
