"""Backups: the state of callbacks is restored, and a complete training stays complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.interrupted_training import FailAtEpoch, X, Y, bits, make_model, rewrite

import cnet
from cnet import callbacks
from cnet.saving.tensor_file import TensorFile, write_tensor_file

# The metric of each epoch: constant at first, better at the end, NaN once.
FIGURES = [3.0, 2.0, 2.5, float("nan"), 2.2, 1.0, 1.5, 1.4, 1.3, 1.2, 0.9, 0.8]


def weights_in(path: Path) -> list[bytes]:
    with TensorFile(path) as file:
        return [file.read(name).tobytes() for name in file.entries]


def watched(folder: Path, *more: callbacks.Callback, first: bool = False) -> tuple[Any, ...]:
    """Fit with callbacks that have state; return all results."""
    model = make_model()
    stop = callbacks.EarlyStopping("figure", patience=4, mode="min", restore_best_weights=True)
    reduce = callbacks.ReduceLROnPlateau("figure", 0.5, patience=2, mode="min", cooldown=3)
    best = callbacks.ModelCheckpoint(
        folder / "best.safetensors",
        "figure",
        save_best_only=True,
        save_weights_only=True,
        mode="min",
    )
    often = callbacks.ModelCheckpoint(
        folder / "{epoch}-{batch}.safetensors", save_freq=7, save_weights_only=True
    )
    figure = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(figure=FIGURES[epoch])
    )
    backup = callbacks.BackupAndRestore(folder / "backup")
    counting = [figure, stop, reduce, best, often]
    hooks = [backup, *counting, *more] if first else [*counting, *more, backup]
    history = model.fit(X, Y, 4, epochs=len(FIGURES), verbose=0, callbacks=hooks)
    counted = stop.wait, stop.stopped_epoch, stop.best, stop.best_epoch, reduce.cooldown_counter
    files = {path.name: weights_in(path) for path in folder.glob("*.safetensors")}
    return bits(model), str(history.history), history.epoch, counted, best.best, files


class FailAtTrainEnd(callbacks.Callback):
    """Raises when a fit is complete, before its backup is deleted, as a kill would."""

    def on_train_end(self, logs: Any = None) -> None:
        del logs
        raise RuntimeError("the end")


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("epoch", [1, 3, 4, 7, 9])
def test_the_state_of_callbacks_is_restored(tmp_path: Path, epoch: int, first: bool) -> None:
    for name in ("broken", "whole"):
        (tmp_path / name).mkdir()
    with pytest.raises(RuntimeError, match="the end"):
        watched(tmp_path / "broken", FailAtEpoch(epoch), first=first)
    whole = watched(tmp_path / "whole")
    assert watched(tmp_path / "broken", first=first) == whole
    assert whole[2] == list(range(10))  # the best was after epoch 5
    assert whole[3][:4] == (4, 9, 1.0, 5)


def test_a_fit_killed_after_early_stopping_is_complete(tmp_path: Path) -> None:
    for name in ("broken", "whole"):
        (tmp_path / name).mkdir()
    with pytest.raises(RuntimeError, match="the end"):
        watched(tmp_path / "broken", FailAtTrainEnd())
    assert watched(tmp_path / "broken") == watched(tmp_path / "whole")


class Stop(callbacks.Callback):
    """Stops a fit after an epoch, and keeps other callbacks from stopping it earlier."""

    def __init__(self, epoch: int) -> None:
        self.epoch, self.ends = epoch, list[Any]()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        del logs
        self.model.stop_training = epoch == self.epoch

    def on_train_end(self, logs: Any = None) -> None:
        self.ends.append(logs)


def stopped(folder: Path, *more: callbacks.Callback) -> tuple[Any, ...]:
    """Fit with an EarlyStopping that another callback overrules."""
    model, stop = make_model(), Stop(3)
    early = callbacks.EarlyStopping("figure", mode="min", patience=1)
    figure = callbacks.LambdaCallback(on_epoch_end=lambda _, logs: logs.update(figure=1.0))
    hooks = [figure, early, stop, *more, callbacks.BackupAndRestore(folder)]
    history = model.fit(X, Y, epochs=9, verbose=0, callbacks=hooks)
    return bits(model), history.history, stop.ends, early.wait, early.stopped_epoch


@pytest.mark.parametrize(
    "end", [FailAtEpoch(1), FailAtEpoch(2), FailAtEpoch(3), FailAtTrainEnd()], ids=range(4)
)
def test_a_resumed_fit_ends_where_another_callback_ends_it(
    tmp_path: Path, end: callbacks.Callback
) -> None:
    with pytest.raises(RuntimeError, match="the end"):
        stopped(tmp_path / "broken", end)
    assert stopped(tmp_path / "broken") == stopped(tmp_path / "whole")


def test_a_stopped_fit_continues_with_more_patience(tmp_path: Path) -> None:
    def fit(patience: int) -> list[int]:
        stop = callbacks.EarlyStopping("figure", patience=patience, mode="min")
        figure = callbacks.LambdaCallback(on_epoch_end=lambda _, logs: logs.update(figure=1.0))
        backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        hooks = [figure, stop, backup]
        return make_model().fit(X, Y, epochs=9, verbose=0, callbacks=hooks).epoch

    assert fit(3) == [0, 1, 2, 3]
    assert fit(3) == [0, 1, 2, 3]
    assert fit(5) == [0, 1, 2, 3, 4, 5]


def kept(folder: Path, *counting: callbacks.Callback, epochs: int = 1) -> cnet.Sequential:
    """Fit, and keep the backup."""
    model = make_model()
    hooks = [*counting, callbacks.BackupAndRestore(folder, delete_checkpoint=False)]
    model.fit(X, Y, epochs=epochs, verbose=0, callbacks=hooks)
    return model


def test_other_callbacks_start_without_state(tmp_path: Path) -> None:
    kept(tmp_path, callbacks.EarlyStopping("accuracy", patience=9))
    stop = callbacks.EarlyStopping("loss", patience=9)
    backup = callbacks.BackupAndRestore(tmp_path)
    with pytest.warns(
        UserWarning,
        match=r"no state of EarlyStopping\('loss'\): they start from their initial state",
    ) as warned:
        make_model().fit(X, Y, epochs=2, verbose=0, callbacks=[backup, stop])
    assert warned[0].filename == __file__
    assert stop.best_epoch == 1


def test_callbacks_in_another_order(tmp_path: Path) -> None:
    def some() -> list[callbacks.EarlyStopping]:
        return [callbacks.EarlyStopping(name, patience=9) for name in ("loss", "accuracy")]

    first, later = some(), some()
    kept(tmp_path, *first)
    kept(tmp_path, *reversed(later))
    assert [each.best for each in later] == [each.best for each in first]


def test_a_backup_is_a_model_file(tmp_path: Path) -> None:
    model = kept(tmp_path, callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True))
    loaded = cnet.models.load_model(tmp_path / "latest.safetensors")
    assert bits(loaded) == bits(model)


@pytest.mark.parametrize("best", [np.float32(0.5), np.float64(0.5), np.int64(1), 1])
def test_numpy_numbers(tmp_path: Path, best: Any) -> None:
    class Best(callbacks.EarlyStopping):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            del epoch, logs
            self.best = best

    kept(tmp_path, Best("loss"))
    again = Best("loss")
    kept(tmp_path, again)
    assert again.best == best


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("best", (1.0, 2.0)),
        ("best", 10**400),
        ("wait", 1.5),
        ("wait", -1),
        ("best_weights", {"dense": np.ones(3)}),
        ("best_weights", [np.ones(3)]),
        ("best_weights", ["a"]),
    ],
)
def test_state_of_custom_callbacks_that_cannot_be_saved(
    tmp_path: Path, name: str, value: Any
) -> None:
    class Odd(callbacks.EarlyStopping):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(epoch, logs)
            setattr(self, name, value)

        def on_train_end(self, logs: Any = None) -> None:
            """Restore no weights."""

    with pytest.warns(UserWarning, match=r"can't hold the state of Odd\('loss'\)"):
        kept(tmp_path, Odd("loss"))
    with pytest.warns(UserWarning, match=r"has no state of Odd\('loss'\)"):
        kept(tmp_path, Odd("loss"))


CHANGES: dict[str, Any] = {
    "fit": lambda d: d.update(fit=3),
    "stopped": lambda d: d["fit"].update(stopped=0),
    "callbacks": lambda d: d["fit"].update(callbacks={"0": 1}),
    "no callbacks": lambda d: d["fit"].pop("callbacks"),
    "a callback less": lambda d: d["fit"]["callbacks"].pop(),
    "a callback of numbers": lambda d: d["fit"]["callbacks"].insert(0, 3),
    "no state": lambda d: d["fit"]["callbacks"][0].pop("state"),
    "more than a state": lambda d: d["fit"]["callbacks"][0].update(more=1),
    "no weights": lambda d: d["fit"]["callbacks"][0].update(has_weights=False),
    "weights of text": lambda d: d["fit"]["callbacks"][0].update(has_weights="yes"),
    "another's weights": lambda d: d["fit"]["callbacks"].insert(0, d["fit"]["callbacks"][0]),
    "state": lambda d: d["fit"]["callbacks"][0].update(state=[]),
    "no best": lambda d: d["fit"]["callbacks"][0]["state"].pop("best"),
    "patience": lambda d: d["fit"]["callbacks"][0]["state"].update(patience=3),
    "wait": lambda d: d["fit"]["callbacks"][0]["state"].update(wait=-1),
    "a long wait": lambda d: d["fit"]["callbacks"][0]["state"].update(wait=2**53),
    "half a wait": lambda d: d["fit"]["callbacks"][0]["state"].update(wait=1.5),
    "no wait": lambda d: d["fit"]["callbacks"][0]["state"].update(wait=None),
    "a true wait": lambda d: d["fit"]["callbacks"][0]["state"].update(wait=True),
    "best of text": lambda d: d["fit"]["callbacks"][0]["state"].update(best="1"),
    "bests": lambda d: d["fit"]["callbacks"][0]["state"].update(best=[1.0]),
    "the best of all": lambda d: d["fit"]["callbacks"][0]["state"].update(best=10**400),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_invalid_states_are_refused(tmp_path: Path, change: Any) -> None:
    """Impossible states are refused, and change nothing."""
    kept(tmp_path, callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True))
    path = tmp_path / "latest.safetensors"
    rewrite(path, change)
    model, stop = make_model(), callbacks.EarlyStopping("loss", 0, 9, restore_best_weights=True)
    model.build((None, 6))
    before = bits(model)
    hooks = [callbacks.BackupAndRestore(tmp_path), stop]
    with pytest.raises(cnet.FormatError, match=str(path)) as raised:
        model.fit(X, Y, epochs=2, verbose=0, callbacks=hooks)
    assert len(str(raised.value)) < 1000
    assert (bits(model), model.optimizer.iterations) == (before, 0)
    assert (stop.wait, stop.best, stop.best_weights) == (0, None, None)


def test_an_unknown_class_name_is_not_repeated_in_the_warning(tmp_path: Path) -> None:
    kept(tmp_path, callbacks.EarlyStopping("loss", patience=9))
    for name in ("x" * 100_000, ["os.system"]):
        rewrite(
            tmp_path / "latest.safetensors",
            lambda d, name=name: d["fit"]["callbacks"][0].update(class_name=name),
        )
        with pytest.warns(UserWarning, match="has no state of EarlyStopping") as warned:
            kept(tmp_path, callbacks.EarlyStopping("loss", patience=9))
        assert len(str(warned[0].message)) < 500


def test_best_weights_of_another_shape(tmp_path: Path) -> None:
    def stop() -> callbacks.EarlyStopping:
        return callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)

    kept(tmp_path, stop())
    path = tmp_path / "latest.safetensors"
    with TensorFile(path) as file:
        tensors = {name: file.read(name) for name in file.entries}
        document: Any = file.document
    kernel = next(
        name
        for name, array in tensors.items()
        if name.startswith("callbacks/0/") and array.shape == (6, 5)
    )
    tensors[kernel] = tensors[kernel].T
    write_tensor_file(path, tensors, document, overwrite=True)
    with pytest.raises(cnet.FormatError, match=kernel):
        kept(tmp_path, stop(), epochs=2)
