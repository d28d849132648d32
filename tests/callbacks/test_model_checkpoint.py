"""ModelCheckpoint."""

from __future__ import annotations

import errno
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import callbacks, models

X, Y = np.eye(6), np.arange(6) % 3


def make_model() -> cnet.Sequential:
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile(cnet.optimizers.SGD(0.5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class SetMetric(callbacks.Callback):
    """Sets a metric in the logs of each epoch."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["val_loss"] = self.values[epoch]


def run(path: Path, figures: list[Any], batch_size: int = 2, **options: Any) -> cnet.Sequential:
    """Fit one epoch for each value."""
    model = make_model()
    checkpoint = callbacks.ModelCheckpoint(path, **options)
    hooks = [SetMetric(figures), checkpoint]
    model.fit(X, Y, batch_size, epochs=len(figures), verbose=0, callbacks=hooks)
    return model


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_for_each_epoch(tmp_path: Path) -> None:
    run(tmp_path / "{epoch:02d}-{val_loss:.2f}.safetensors", [0.5, np.full(1, 0.251), math.nan])
    assert names(tmp_path) == [
        *("01-0.50.safetensors", "02-0.25.safetensors", "03-nan.safetensors")
    ]


@pytest.mark.parametrize(
    ("figures", "options", "epochs"),
    [
        ([3, 2, 2, 1, 4], {}, [1, 2, 4]),
        ([3, 2, 4, 5], {"mode": "max"}, [1, 3, 4]),
        ([3, 2, 1], {"initial_value_threshold": 2.5}, [2, 3]),
        ([math.nan, 1, 2], {}, [2]),
        ([math.nan, math.nan], {}, []),
        ([np.full(1, 3.0), np.full(1, 2.0), np.full(1, 4.0)], {}, [1, 2]),
        ([2, math.nan, 1], {}, [1, 3]),
    ],
)
def test_save_best_only(tmp_path: Path, figures: Any, options: Any, epochs: list[int]) -> None:
    run(tmp_path / "{epoch}.safetensors", figures, save_best_only=True, **options)
    assert names(tmp_path) == [f"{epoch}.safetensors" for epoch in epochs]


def test_saved_weights_are_those_at_the_time_of_saving(tmp_path: Path) -> None:
    model, weights = make_model(), []

    def look(*_: Any) -> None:
        weights.append(model.get_weights()[0].tobytes())

    model.fit(
        *(X, Y, 2),
        epochs=2,
        verbose=0,
        callbacks=[
            callbacks.LambdaCallback(on_train_batch_end=look),
            callbacks.ModelCheckpoint(
                tmp_path / "{epoch}-{batch}-{loss:.3f}.safetensors", save_freq=1
            ),
        ],
    )
    assert len(set(weights)) == 6
    saved = [models.load_model(tmp_path / name) for name in names(tmp_path)]
    assert [copy.get_weights()[0].tobytes() for copy in saved] == weights
    assert names(tmp_path)[0].startswith("1-1-")


def test_save_freq_counts_batches_across_epochs(tmp_path: Path) -> None:
    run(tmp_path / "{epoch}-{batch}.safetensors", [1, 1, 1], save_freq=4)  # 3 batches per epoch
    assert names(tmp_path) == ["2-1.safetensors", "3-2.safetensors"]


def test_saving_after_epochs_needs_no_batch_hooks() -> None:
    """Without batch hooks the engine runs an epoch in one call."""
    for freq, wants in (("epoch", False), (2, True)):
        checkpoint = callbacks.ModelCheckpoint("a.safetensors", save_freq=freq)
        hooks = callbacks.CallbackList(checkpoint, make_model(), {}, "fit")
        assert hooks.wants_batches("train") is wants


def test_save_weights_only(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.safetensors"
    model = run(path, [1], save_weights_only=True)
    copy = make_model()
    copy.build((None, 6))
    copy.load_weights(path)
    assert copy.get_weights()[0].tobytes() == model.get_weights()[0].tobytes()
    with pytest.raises(cnet.FormatError):
        models.load_model(path)


def test_models_that_cannot_be_saved_raise_before_training(tmp_path: Path) -> None:
    model = cnet.Sequential([cnet.Input((2,)), cnet.layers.Lambda(abs), cnet.layers.Dense(1)])
    model.compile("sgd", "mse")
    for weights_only, suffix in ((False, ".safetensors"), (True, ".weights.safetensors")):
        path = tmp_path / f"model{suffix}"
        checkpoint = callbacks.ModelCheckpoint(path, save_weights_only=weights_only)
        if weights_only:
            model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[checkpoint])
            assert path.exists()
        else:
            with pytest.raises(TypeError, match="its function is Python code"):
                model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[checkpoint])
            assert model.optimizer.iterations == 0


def test_messages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.safetensors"
    run(path, [0.5, 0.75], save_best_only=True, verbose=1)
    assert capsys.readouterr().out == (
        f"\nEpoch 1: val_loss improved from None to 0.50000, saving model to {path}\n"
        f"\nEpoch 1: finished saving model to {path}\n"
        "\nEpoch 2: val_loss did not improve from 0.50000\n"
    )
    run(path, [0.5], verbose=1)
    assert capsys.readouterr().out == (
        f"\nEpoch 1: saving model to {path}\n\nEpoch 1: finished saving model to {path}\n"
    )
    run(path, [0.5])
    assert capsys.readouterr().out == ""


def test_folders_are_created(tmp_path: Path) -> None:
    run(tmp_path / "a" / "{epoch}" / "m.safetensors", [1, 1])
    assert names(tmp_path / "a") == ["1", "2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"monitor": "nothing", "mode": "max"},
            "ModelCheckpoint: monitor 'nothing' is not among the logs",
        ),
        ({}, "ModelCheckpoint: monitor 'val_loss' is not a single number"),
    ],
)
def test_a_missing_monitor(
    tmp_path: Path, options: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "{epoch}.safetensors"
    with pytest.warns(UserWarning, match=message):
        run(path, [np.ones(2)], save_best_only=True, verbose=1, **options)
    assert names(tmp_path) == ["1.safetensors"]
    saved = str(path).format(epoch=1)
    assert capsys.readouterr().out == f"\nEpoch 1: finished saving model to {saved}\n"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"filepath": "m.keras"},
            ValueError,
            r"ends in '.safetensors', got 'm.keras'; cnet can't write",
        ),
        ({"filepath": "m.weights.h5"}, ValueError, "can't write Keras's file formats"),
        ({"filepath": "m"}, ValueError, "ModelCheckpoint: filepath: expected a name"),
        ({"filepath": 3}, TypeError, "3|int"),
        ({"save_freq": "batch"}, ValueError, "save_freq: expected 'epoch' or an integer"),
        ({"save_freq": 0}, ValueError, "save_freq: expected an integer in"),
        ({"save_freq": 1.5}, TypeError, "save_freq: expected an integer"),
        ({"save_freq": True}, TypeError, "save_freq: expected an integer"),
        ({"mode": "up"}, ValueError, "ModelCheckpoint: mode"),
        ({"monitor": 1}, TypeError, "ModelCheckpoint: monitor"),
        ({"initial_value_threshold": "1"}, TypeError, "initial_value_threshold: expected a number"),
    ],
)
def test_invalid_arguments_of_model_checkpoint(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        callbacks.ModelCheckpoint(**({"filepath": "m.safetensors"} | arguments))


def test_a_file_name_with_an_unknown_metric(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"'val_auc' in .* is not among epoch, loss, accuracy"):
        run(tmp_path / "{val_auc}.safetensors", [1])


def test_a_failed_save_does_not_change_the_best_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a full disk, the next model is compared with the one in the file."""
    path, model = tmp_path / "m.safetensors", make_model()
    checkpoint = callbacks.ModelCheckpoint(path, save_best_only=True)

    def fit(figure: float) -> None:
        model.fit(X, Y, verbose=0, callbacks=[SetMetric([figure]), checkpoint])

    fit(3)
    old = path.read_bytes()
    with monkeypatch.context() as patch:

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "full")

        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"full: .*m\.safetensors"):
            fit(1)
    assert path.read_bytes() == old
    assert checkpoint.best == 3
    fit(2)
    assert checkpoint.best == 2
    assert path.read_bytes() != old


def test_a_fit_that_is_killed(tmp_path: Path) -> None:
    """The file is complete, whenever the kill comes."""
    path = tmp_path / "m.safetensors"
    script = f"""
import numpy as np, cnet
model = cnet.Sequential([cnet.layers.Dense(300), cnet.layers.Dense(3, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")
save = cnet.callbacks.ModelCheckpoint({str(path)!r}, save_freq=1)
model.fit(np.eye(6), np.arange(6) % 3, 2, epochs=10**6, verbose=0, callbacks=[save])
"""
    for wait in (0.001, 0.01, 0.03, 0.05):
        process = subprocess.Popen([sys.executable, "-c", script])
        deadline = time.monotonic() + 60
        path.unlink(missing_ok=True)
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert models.load_model(path).built
