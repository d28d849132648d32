"""BackupAndRestore; tests/trust/test_kills.py has it killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import callbacks, layers
from cnet.optimizers import schedules
from cnet.saving.tensor_file import TensorFile, write_tensor_file

X = np.random.default_rng(0).normal(size=(40, 6))
Y = np.arange(40) % 3


def make_model(units: int = 5) -> cnet.Sequential:
    cnet.utils.set_random_seed(7)
    model = cnet.Sequential(
        [layers.Dense(units, "relu"), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class End(callbacks.Callback):
    """Ends a fit as an error would."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        del logs
        if epoch == self.epoch:
            raise RuntimeError("the end")


def bits(model: cnet.Sequential) -> list[bytes]:
    return [array.tobytes() for array in model.get_weights()]


@pytest.mark.parametrize("steps", [None, 5, 10])
@pytest.mark.parametrize("epoch", [0, 2, 5])
def test_a_fit_that_ended_goes_on(tmp_path: Path, epoch: int, steps: int | None) -> None:
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


def test_batches_in_their_orders(tmp_path: Path) -> None:
    data = Batches()
    backup = callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(RuntimeError, match="the end"):
        make_model().fit(data, epochs=4, verbose=0, callbacks=[backup, End(1)])
    resumed, whole = make_model(), make_model()
    history = resumed.fit(data, epochs=4, verbose=0, callbacks=[backup])
    assert history.history == whole.fit(data, epochs=4, verbose=0).history
    assert bits(resumed) == bits(whole)


def test_a_fit_that_ended_before_its_model_was_built(tmp_path: Path) -> None:
    """Of batches nobody knows the shape before the first."""
    backup = callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(RuntimeError, match="the end"):
        make_model().fit(Batches(), epochs=2, verbose=0, callbacks=[backup, EndLater(0)])
    assert not (tmp_path / "backup").exists()
    assert make_model().fit(Batches(), epochs=2, verbose=0, callbacks=[backup]).epoch == [0, 1]


@pytest.mark.parametrize("shape", [[None, -6], [None, 7], [None], None, 3, "6", {}])
def test_a_model_that_is_built_by_an_edited_backup(tmp_path: Path, shape: Any) -> None:
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    make_model().fit(Batches(), verbose=0, callbacks=[backup])
    path = tmp_path / "latest.safetensors"
    rewrite(path, lambda d: d["model"]["config"].update(build_input_shape=shape))
    model = make_model()
    with pytest.raises(cnet.FormatError, match=str(path)):
        model.fit(Batches(), epochs=2, verbose=0, callbacks=[backup])
    assert not model.built


def test_what_is_left(tmp_path: Path) -> None:
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


def test_a_model_that_can_not_be_saved_is_found_before_it_trains(tmp_path: Path) -> None:
    model = cnet.Sequential(
        [layers.Dense(3, kernel_initializer=lambda shape, dtype: np.zeros(shape, dtype))]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(TypeError, match="can't be described"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert not np.any(model.get_weights()[0])


def test_what_it_does_not_take() -> None:
    for save_freq in (100, "batch", np.array(["epoch", "batch"])):
        with pytest.raises(ValueError, match="save_freq: expected 'epoch'"):
            callbacks.BackupAndRestore("x", save_freq)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(TypeError, match="BackupAndRestore: backup_dir: expected text or a path"):
        callbacks.BackupAndRestore(3)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize("first", [False, True])
def test_callbacks_before_and_after_it(tmp_path: Path, first: bool) -> None:
    """Whatever stands after it has its part in the file, too."""

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
        fit(tmp_path / "broken", EndLater(2))
    assert fit(tmp_path / "broken") == fit(tmp_path / "whole")


class EndLater(callbacks.Callback):
    """Ends a fit when an epoch begins, the one before being in the backup."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        del logs
        if epoch == self.epoch:
            raise RuntimeError("the end")


@pytest.mark.parametrize(
    "rate", [schedules.ExponentialDecay(0.1, 3, 0.5), lambda: 0.05, 0.1], ids=str
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
        fit("broken", EndLater(3))
    assert fit("broken") == fit("whole")


# The figure of each epoch: it stands still, grows better at last, and is no number once.
FIGURES = [3.0, 2.0, 2.5, float("nan"), 2.2, 1.0, 1.5, 1.4, 1.3, 1.2, 0.9, 0.8]


def weights_in(path: Path) -> list[bytes]:
    with TensorFile(path) as file:
        return [file.read(name).tobytes() for name in file.entries]


def watched(folder: Path, *more: callbacks.Callback, first: bool = False) -> tuple[Any, ...]:
    """Fit with callbacks that count; return all that comes of it."""
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


class EndAfterAll(callbacks.Callback):
    """Ends a fit when it is complete, as a kill would, before its backup is deleted."""

    def on_train_end(self, logs: Any = None) -> None:
        del logs
        raise RuntimeError("the end")


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("epoch", [1, 3, 4, 7, 9])
def test_what_callbacks_count_goes_on(tmp_path: Path, epoch: int, first: bool) -> None:
    for name in ("broken", "whole"):
        (tmp_path / name).mkdir()
    with pytest.raises(RuntimeError, match="the end"):
        watched(tmp_path / "broken", EndLater(epoch), first=first)
    whole = watched(tmp_path / "whole")
    assert watched(tmp_path / "broken", first=first) == whole
    assert whole[2] == list(range(10))  # the best was after epoch 5
    assert whole[3][:4] == (4, 9, 1.0, 5)


def test_a_fit_that_was_killed_when_it_had_stopped_early_is_at_its_end(tmp_path: Path) -> None:
    for name in ("broken", "whole"):
        (tmp_path / name).mkdir()
    with pytest.raises(RuntimeError, match="the end"):
        watched(tmp_path / "broken", EndAfterAll())
    assert watched(tmp_path / "broken") == watched(tmp_path / "whole")


def test_more_patience_than_a_fit_had_that_stopped(tmp_path: Path) -> None:
    def fit(patience: int) -> list[int]:
        stop = callbacks.EarlyStopping("figure", patience=patience, mode="min")
        figure = callbacks.LambdaCallback(on_epoch_end=lambda _, logs: logs.update(figure=1.0))
        backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        hooks = [figure, stop, backup]
        return make_model().fit(X, Y, epochs=9, verbose=0, callbacks=hooks).epoch

    assert fit(3) == [0, 1, 2, 3]
    assert fit(3) == [0, 1, 2, 3]
    assert fit(5) == [0, 1, 2, 3, 4, 5]


def test_other_callbacks_begin_anew(tmp_path: Path) -> None:
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    make_model().fit(X, Y, verbose=0, callbacks=[backup])
    stop = callbacks.EarlyStopping("loss", patience=9)
    with pytest.warns(UserWarning, match="begin to count anew") as warned:
        make_model().fit(X, Y, epochs=2, verbose=0, callbacks=[backup, stop])
    assert warned[0].filename == __file__
    assert stop.best_epoch == 1


def test_a_backup_is_a_model_file(tmp_path: Path) -> None:
    stop = callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    model = make_model()
    model.fit(X, Y, verbose=0, callbacks=[backup, stop])
    loaded = cnet.models.load_model(tmp_path / "latest.safetensors")
    assert bits(loaded) == bits(model)


def rewrite(path: Path, change: Any) -> None:
    with TensorFile(path) as file:
        tensors = {name: file.read(name) for name in file.entries}
        document: Any = file.document
    change(document)
    write_tensor_file(path, tensors, document, overwrite=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["compile"]["optimizer"]["config"].update(learning_rate=float("nan")),
        lambda d: d["compile"]["optimizer"]["config"].update(learning_rate=float("inf")),
        lambda d: d["compile"]["optimizer"]["config"].update(learning_rate=-1.0),
        lambda d: d["compile"]["optimizer"]["config"].update(learning_rate="rate"),
        lambda d: d["compile"]["optimizer"].update(class_name="Nadam"),
        lambda d: d.pop("compile"),
        lambda d: d.update(callbacks_state=3),
    ],
)
def test_a_backup_that_was_edited(tmp_path: Path, change: Any) -> None:
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    make_model().fit(X, Y, verbose=0, callbacks=[backup])
    rewrite(tmp_path / "latest.safetensors", change)
    model = make_model()
    model.build((None, 6))
    before = bits(model)
    with pytest.raises(cnet.FormatError):
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[backup])
    assert (bits(model), model.optimizer.iterations) == (before, 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.clear(),
        lambda state: state.pop(),
        lambda state: state.insert(0, 3),
        lambda state: state[0].pop("state"),
        lambda state: state[0].update(state=[]),
        lambda state: state[0]["state"].pop("best"),
        lambda state: state[0]["state"].update(patience=3),
        lambda state: state[0]["state"].update(wait=-1),
        lambda state: state[0]["state"].update(wait=2**53),
        lambda state: state[0]["state"].update(wait=1.5),
        lambda state: state[0]["state"].update(wait=None),
        lambda state: state[0]["state"].update(wait=True),
        lambda state: state[0]["state"].update(best="1"),
        lambda state: state[0]["state"].update(best=[1.0]),
    ],
)
def test_counts_that_were_edited(tmp_path: Path, change: Any) -> None:
    """Nothing of them is believed that can't have been written, and none is taken by another."""

    def fit(epochs: int) -> callbacks.EarlyStopping:
        stop = callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
        hooks = [callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False), stop]
        model.fit(X, Y, epochs=epochs, verbose=0, callbacks=hooks)
        return stop

    model = make_model()
    fit(1)
    rewrite(tmp_path / "latest.safetensors", lambda d: change(d["callbacks_state"]))
    model = make_model()
    model.build((None, 6))
    before = bits(model)
    with pytest.raises((cnet.FormatError, UserWarning)):
        fit(2)
    assert (bits(model), model.optimizer.iterations) == (before, 0)


def test_best_weights_of_another_shape(tmp_path: Path) -> None:
    def fit(epochs: int) -> None:
        stop = callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
        hooks = [callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False), stop]
        make_model().fit(X, Y, epochs=epochs, verbose=0, callbacks=hooks)

    fit(1)
    path = tmp_path / "latest.safetensors"
    with TensorFile(path) as file:
        tensors = {name: file.read(name) for name in file.entries}
        document: Any = file.document
    (kernel,) = (
        name
        for name in tensors
        if name.startswith("callbacks/0/dense")
        and "kernel" in name
        and tensors[name].shape == (6, 5)
    )
    tensors[kernel] = tensors[kernel].T
    write_tensor_file(path, tensors, document, overwrite=True)
    with pytest.raises(cnet.FormatError, match=kernel):
        fit(2)
