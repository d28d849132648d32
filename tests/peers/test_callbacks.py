"""Callbacks compared with Keras: the same decisions from the same metrics."""

from __future__ import annotations

import inspect
import types
from typing import Any

import numpy as np
import pytest

from cnet import callbacks

keras = pytest.importorskip("keras", reason="Keras is not installed")

EPOCHS = 25


def decisions(callback: Any, figures: list[float]) -> list[tuple[Any, ...]]:
    """Return the decisions of a callback for each epoch: stop, rate, and final weights."""
    model: Any = types.SimpleNamespace(
        stop_training=False,
        optimizer=types.SimpleNamespace(learning_rate=1.0),
        weights=0,
        metrics_names=["figure"],
    )
    model.get_weights = lambda: model.weights
    model.set_weights = lambda weights: setattr(model, "weights", weights)
    callback.set_model(model)
    callback.on_train_begin({})
    made: list[tuple[Any, ...]] = []
    for epoch, figure in enumerate(figures):
        callback.on_epoch_begin(epoch, {})
        model.weights = epoch
        logs = {"figure": figure}
        callback.on_epoch_end(epoch, logs)
        made.append((model.stop_training, model.optimizer.learning_rate, sorted(logs.items())))
        if model.stop_training:
            break
    callback.on_train_end({})
    return [*made, (model.weights,)]


STOPPING = [
    {"patience": 3},
    {"patience": 0},
    {"patience": 2, "min_delta": 0.125},
    {"patience": 4, "baseline": 0.5},
    {"patience": 2, "restore_best_weights": True},
    {"patience": 1, "start_from_epoch": 5, "restore_best_weights": True},
]
REDUCING = [
    {"patience": 2},
    {"patience": 0, "factor": 0.5},
    {"patience": 2, "cooldown": 3, "factor": 0.5},
    {"patience": 1, "min_lr": 0.3, "factor": 0.5},
    {"patience": 1, "min_delta": 0.25, "factor": 0.5, "cooldown": 1},
]
CASES = [
    *[("EarlyStopping", options) for options in STOPPING],
    *[("ReduceLROnPlateau", options) for options in REDUCING],
]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n} {o}" for n, o in CASES])
def test_decisions(name: str, options: dict[str, Any], mode: str) -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        # Keras compares in float32, cnet in float64: values that are exact in both, with repetitions.
        figures = (rng.integers(0, 17, EPOCHS) / 16 - np.arange(EPOCHS) / 64).tolist()
        made = [
            decisions(getattr(library, name)("figure", mode=mode, **options), figures)
            for library in (callbacks, keras.callbacks)
        ]
        assert made[0] == made[1], figures


@pytest.mark.parametrize(
    "schedule", [lambda epoch, rate: rate * 0.9 + epoch, lambda epoch: 1.0 / (1 + epoch)]
)
def test_schedules(schedule: Any) -> None:
    figures = [0.0] * 5
    ours = decisions(callbacks.LearningRateScheduler(schedule), figures)
    assert ours == decisions(keras.callbacks.LearningRateScheduler(schedule), figures)


def test_files(tmp_path: Any) -> None:
    texts = []
    for library in (callbacks, keras.callbacks):
        file = tmp_path / "log.csv"
        decisions(library.CSVLogger(str(file)), [0.5, 0.25])
        texts.append(file.read_text())
    assert texts[0] == texts[1]


@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"save_weights_only": True},
        {"save_best_only": True},
        {"save_best_only": True, "mode": "max"},
        {"save_best_only": True, "initial_value_threshold": 0.5},
        {"save_best_only": True, "monitor": "another"},
        {"save_best_only": True, "monitor": "several"},
        {"save_freq": 1},
        {"save_freq": 3},
        {"save_freq": 7},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Can save best", "ignore:ModelCheckpoint")
def test_checkpoints(tmp_path: Any, capsys: Any, options: dict[str, Any], verbose: int) -> None:
    """The same files, at the same times, with the same messages."""
    options = {"monitor": "figure", "mode": "min", "verbose": verbose} | options
    ending = ".weights" * ("save_weights_only" in options)
    made = []
    for library, suffix in ((callbacks, ".safetensors"), (keras.callbacks, ".keras")):
        if ending and library is not callbacks:
            suffix = ".h5"
        name = "{epoch:02d}" + "-{batch}" * ("save_freq" in options) + "-{figure:.2f}"
        callback = library.ModelCheckpoint(tmp_path / (name + ending + suffix), **options)
        saved: list[Any] = []
        model: Any = types.SimpleNamespace(
            get_config=dict,
            save=lambda path, log=saved, **_: log.append(("save", path)),
            save_weights=lambda path, log=saved, **_: log.append(("save_weights", path)),
        )
        callback.set_model(model)
        callback.on_train_begin({})
        rng = np.random.default_rng(1)
        for epoch in range(6):
            callback.on_epoch_begin(epoch, {})
            for batch in range(5):
                callback.on_train_batch_end(batch, {"figure": rng.integers(16) / 16})
                saved.append((epoch, batch))
            logs = {"figure": rng.integers(16) / 16, "several": np.ones(2)}
            callback.on_epoch_end(epoch, logs)
            saved.append(epoch)
        made.append(str((saved, capsys.readouterr().out)).replace(suffix, ""))
    assert made[0] == made[1]
    assert "save" in made[0]


def test_hooks_names_and_defaults_match_keras() -> None:
    hooks = [name for name in dir(keras.callbacks.Callback) if name.startswith("on_")]
    for hook in hooks:
        ours = inspect.signature(getattr(callbacks.Callback, hook)).parameters
        theirs = inspect.signature(getattr(keras.callbacks.Callback, hook)).parameters
        assert list(ours) == list(theirs)
    for name in callbacks.__all__:
        if name == "CallbackList":  # private
            continue
        ours = inspect.signature(getattr(callbacks, name)).parameters
        theirs = inspect.signature(getattr(keras.callbacks, name)).parameters
        expected = [each for each in theirs if name != "ReduceLROnPlateau" or each != "kwargs"]
        assert list(ours) == expected, name
        for parameter in ours:
            assert ours[parameter].default == theirs[parameter].default, (name, parameter)
