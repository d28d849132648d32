"""BackupAndRestore; tests/trust/test_kills.py kills it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.interrupted_training import FailAtEpoch, X, Y, bits, make_model, rewrite

import cnet
from cnet import callbacks, layers
from cnet.optimizers import schedules


class End(callbacks.Callback):
    """Raises at the end of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        del logs
        if epoch == self.epoch:
            raise RuntimeError("the end")


@pytest.mark.parametrize("steps", [None, 5, 10])
@pytest.mark.parametrize("epoch", [0, 2, 5])
def test_an_interrupted_fit_continues(tmp_path: Path, epoch: int, steps: int | None) -> None:
    def fit(*more: callbacks.Callback) -> tuple[Any, ...]:
        model = make_model()
        history = model.fit(
            *(X, Y, 4),
            epochs=6,
            verbose=0,
            steps_per_epoch=steps,
            callbacks=more,
            validation_data=(X, Y),
        )
        return bits(model), history.history, history.epoch, model.optimizer.iterations

    backup = callbacks.BackupAndRestore(tmp_path / "new" / "folder")
    with pytest.raises(RuntimeError, match="the end"):
        fit(backup, End(epoch))
    assert [path.name for path in Path(backup.backup_dir).iterdir()] == ["latest.safetensors"]
    assert fit(backup) == fit()
    assert not Path(backup.backup_dir).exists()


class Batches(cnet.utils.PyDataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return X[index::4], Y[index::4]


def test_batches_continue_in_their_order(tmp_path: Path) -> None:
    data = Batches()
    backup = callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(RuntimeError, match="the end"):
        make_model().fit(data, epochs=4, verbose=0, callbacks=[backup, End(1)])
    resumed, whole = make_model(), make_model()
    history = resumed.fit(data, epochs=4, verbose=0, callbacks=[backup])
    assert history.history == whole.fit(data, epochs=4, verbose=0).history
    assert bits(resumed) == bits(whole)


def test_a_fit_interrupted_before_its_model_was_built(tmp_path: Path) -> None:
    """The shape of batches is unknown before the first one."""
    backup = callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(RuntimeError, match="the end"):
        make_model().fit(Batches(), epochs=2, verbose=0, callbacks=[backup, FailAtEpoch(0)])
    assert not (tmp_path / "backup").exists()
    assert make_model().fit(Batches(), epochs=2, verbose=0, callbacks=[backup]).epoch == [0, 1]


@pytest.mark.parametrize("shape", [[None, -6], [None, 7], [None], None, 3, "6", {}])
def test_an_edited_backup_that_builds_the_model(tmp_path: Path, shape: Any) -> None:
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    make_model().fit(Batches(), verbose=0, callbacks=[backup])
    path = tmp_path / "latest.safetensors"
    rewrite(path, lambda d: d["model"]["config"].update(build_input_shape=shape))
    model = make_model()
    with pytest.raises(cnet.FormatError, match=str(path)):
        model.fit(Batches(), epochs=2, verbose=0, callbacks=[backup])
    assert not model.built


def test_files_after_training(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    for deletes in (False, True):
        backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=deletes)
        make_model().fit(X, Y, verbose=0, callbacks=[backup])
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"mine", *([] if deletes else ["latest.safetensors"])}


def test_a_complete_training_is_not_repeated(tmp_path: Path) -> None:
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    first, second = make_model(), make_model()
    first.fit(X, Y, epochs=3, verbose=0, callbacks=[backup])
    history = second.fit(X, Y, epochs=3, verbose=0, callbacks=[backup])
    assert bits(second) == bits(first)
    assert history.epoch == [0, 1, 2]
    second.fit(X, Y, epochs=5, verbose=0, callbacks=[backup])
    assert second.history.epoch == [0, 1, 2, 3, 4]


def test_the_backup_of_another_model(tmp_path: Path) -> None:
    make_model(4).fit(
        X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)]
    )
    model = make_model()
    model.build((None, 6))
    before = bits(model)
    with pytest.raises(cnet.FormatError, match="expected float32"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert bits(model) == before
    (tmp_path / "latest.safetensors").write_bytes(b"no model")
    with pytest.raises(cnet.FormatError, match="its header would have"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert (tmp_path / "latest.safetensors").exists()


def test_a_model_that_cannot_be_saved_raises_before_training(tmp_path: Path) -> None:
    model = cnet.Sequential(
        [layers.Dense(3, kernel_initializer=lambda shape, dtype: np.zeros(shape, dtype))]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(TypeError, match="can't be described"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert not np.any(model.get_weights()[0])


def test_invalid_arguments_of_backup_and_restore() -> None:
    for save_freq in (100, "batch", np.array(["epoch", "batch"])):
        with pytest.raises(ValueError, match="save_freq: expected 'epoch'"):
            callbacks.BackupAndRestore("x", save_freq)
    with pytest.raises(TypeError, match="BackupAndRestore: backup_dir: expected text or a path"):
        callbacks.BackupAndRestore(3)


@pytest.mark.parametrize("first", [False, True])
def test_other_callbacks_before_and_after(tmp_path: Path, first: bool) -> None:
    """The file includes the state of callbacks after it, too."""

    def fit(folder: Path, *more: callbacks.Callback) -> tuple[Any, ...]:
        model = make_model()
        backup = callbacks.BackupAndRestore(folder)
        decay = callbacks.LearningRateScheduler(lambda _, rate: rate * 0.9)

        def change(_: int, logs: Any) -> None:
            model.optimizer.learning_rate *= 0.5
            logs["halved"] = model.optimizer.learning_rate

        reduce = callbacks.LambdaCallback(on_epoch_end=change)
        others = [backup, decay, reduce] if first else [decay, reduce, backup]
        history = model.fit(X, Y, 4, epochs=5, verbose=0, callbacks=[*others, *more])
        return bits(model), history.history

    with pytest.raises(RuntimeError, match="the end"):
        fit(tmp_path / "broken", FailAtEpoch(2))
    assert fit(tmp_path / "broken") == fit(tmp_path / "whole")


@pytest.mark.parametrize(
    "rate", [schedules.ExponentialDecay(0.1, 3, 0.5), lambda: 0.05, 0.1], ids=range(3)
)
def test_rates(tmp_path: Path, rate: Any) -> None:
    def fit(folder: str, *more: callbacks.Callback) -> tuple[Any, ...]:
        model = make_model()
        model.compile(cnet.optimizers.SGD(rate), "sparse_categorical_crossentropy")
        halt = callbacks.LearningRateScheduler(lambda epoch, rate: rate * (epoch < 2))
        hooks = [
            callbacks.BackupAndRestore(tmp_path / folder),
            *([halt] if rate == 0.1 else []),
            *more,
        ]
        history = model.fit(X, Y, 4, epochs=4, verbose=0, callbacks=hooks)
        return bits(model), history.history

    with pytest.raises(RuntimeError, match="the end"):
        fit("broken", FailAtEpoch(3))
    assert fit("broken") == fit("whole")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["compile"]["optimizer"]["config"].update(learning_rate=float("nan")),
        lambda d: d["compile"]["optimizer"]["config"].update(learning_rate=float("inf")),
        lambda d: d["compile"]["optimizer"]["config"].update(learning_rate=-1.0),
        lambda d: d["compile"]["optimizer"]["config"].update(learning_rate="rate"),
        lambda d: d["compile"]["optimizer"].update(class_name="Nadam"),
        lambda d: d.pop("compile"),
    ],
)
def test_an_edited_backup_is_refused(tmp_path: Path, change: Any) -> None:
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    make_model().fit(X, Y, verbose=0, callbacks=[backup])
    rewrite(tmp_path / "latest.safetensors", change)
    model = make_model()
    model.build((None, 6))
    before = bits(model)
    with pytest.raises(cnet.FormatError):
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[backup])
    assert (bits(model), model.optimizer.iterations) == (before, 0)


def test_an_empty_folder_name_is_refused() -> None:
    with pytest.raises(
        ValueError, match="BackupAndRestore: backup_dir: expected a path, got empty"
    ):
        callbacks.BackupAndRestore("")
