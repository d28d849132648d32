"""Training killed at any moment resumes: its backup always equals one of an uninterrupted training.

A file of `model.save` has all the state of training, and equal states give equal bytes. So after each kill
the file must equal, byte for byte, that of the uninterrupted training after one of its epochs, and a
training that was killed repeatedly must end like the uninterrupted one.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.forms import in_ci
from support.graphs import GRAPHS, Graph, first_samples, make_graph

import cnet
from cnet import callbacks, layers, optimizers
from cnet.optimizers import schedules

EPOCHS, BATCH_SIZE, GRAPH_ROWS = 12, 32, 400
X = np.random.default_rng(0).normal(size=(1600, 20))
Y = np.arange(1600) % 4

Amount = Callable[[int, int, int], int]
Report = Callable[[str], None]


class Snapshots(callbacks.Callback):
    """Copies the backup after each epoch."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.all: set[bytes] = set()

    def _on_train_ready(self, callbacks: Any) -> None:
        del callbacks
        self.all.add(self.file.read_bytes())

    def _on_epoch_complete(self, callbacks: Any) -> None:
        del callbacks
        self.all.add(self.file.read_bytes())


OPTIMIZERS: list[Callable[[], optimizers.Optimizer]] = [
    lambda: optimizers.Adam(amsgrad=True, global_clipnorm=1.0),
    lambda: optimizers.SGD(0.1, 0.9, nesterov=True, use_ema=True, gradient_accumulation_steps=3),
    lambda: optimizers.RMSprop(schedules.ExponentialDecay(1e-3, 20, 0.9), centered=True),
    lambda: optimizers.Nadam(weight_decay=1e-3),
]


def make(kind: str, number: int) -> Graph:
    """Return model `number` of a kind, which follows from them."""
    if kind != "chain":
        return make_graph(kind, GRAPH_ROWS, number)
    cnet.utils.clear_session()  # names in the files must be those of a new process
    cnet.utils.set_random_seed(number)
    model = cnet.Sequential(
        [
            layers.Input((20,), name="input"),
            layers.Dense(32, "relu", kernel_regularizer="l2", name="first"),
            layers.Dropout(0.3, name="dropout"),
            layers.BatchNormalization(name="normalization"),
            layers.GaussianNoise(0.1, name="noise"),
            layers.Dense(4, "softmax", name="last"),
        ],
        name="model",
    )
    model.compile(
        OPTIMIZERS[number % len(OPTIMIZERS)](),
        "sparse_categorical_crossentropy",
        metrics=["accuracy", "sparse_top_k_categorical_accuracy"],
    )
    return Graph(model, X, Y)


def train(kind: str, number: int, folder: Path, *more: callbacks.Callback) -> Any:
    """Train a model to its end, with a backup in the folder."""
    model, x, y = make(kind, number)
    rows = len(X) if kind == "chain" else GRAPH_ROWS
    backup = callbacks.BackupAndRestore(folder, delete_checkpoint=False)
    decay = callbacks.LearningRateScheduler(lambda _, rate: rate * 0.9)
    reduce = callbacks.ReduceLROnPlateau(patience=2, min_delta=0.01, cooldown=1)
    has_schedule = isinstance(model.optimizer.get_config()["learning_rate"], dict)
    scheduled = [] if has_schedule else [decay, reduce]
    stop = callbacks.EarlyStopping(patience=4, restore_best_weights=number % 3 > 0)
    model.fit(
        x,
        y,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        steps_per_epoch=(None, rows // (BATCH_SIZE * EPOCHS))[number // len(OPTIMIZERS) % 2],
        validation_data=(first_samples(x, 100), first_samples(y, 100)),
        callbacks=[*scheduled, backup, stop, *more],
        verbose=0,
    )
    return model


def train_in_child(kind: str, number: int, folder: Path, result: Path) -> int:
    """Train in a forked process; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        train(kind, number, folder).save(result)
        os._exit(0)
    except BaseException:  # noqa: BLE001 # of a child none must come back
        traceback.print_exc()
        os._exit(1)


@pytest.mark.parametrize("kind", ["chain", *GRAPHS])
def test_every_killed_training_resumes(
    tmp_path: Path, kind: str, amount: Amount, report: Report
) -> None:
    delays = random.Random(1)
    is_chain = kind == "chain"
    wanted = amount(10, 40, 1000) if is_chain else amount(2, 5, 200)
    kills, resumed, number = 0, 0, 0
    while kills < wanted:
        whole, killed, result = (tmp_path / f"{name}{number}" for name in ("whole", "killed", "at"))
        result = result.with_suffix(".safetensors")
        file = killed / "latest.safetensors"
        start = time.perf_counter()
        snapshots = Snapshots(whole / "latest.safetensors")
        train(kind, number, whole, snapshots).save(tmp_path / "whole.safetensors")
        duration = time.perf_counter() - start
        killed_before = kills
        while not result.exists():
            child = train_in_child(kind, number, killed, result)
            time.sleep(delays.uniform(0, duration / 2))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if os.WIFSIGNALED(status):
                kills += 1
            else:
                assert os.waitstatus_to_exitcode(status) == 0
            if file.exists():
                assert file.read_bytes() in snapshots.all
        assert result.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
        assert file.read_bytes() == (whole / "latest.safetensors").read_bytes()
        resumed += kills - killed_before
        number += 1
    assert resumed == kills
    report(
        f"{kind}: {kills} kills of {number} trainings: 0 files unreadable, {resumed} resumed to the bit"
    )


PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from trust import test_kills
test_kills.train(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])).save(sys.argv[4])
"""


@pytest.mark.parametrize("number", [1, *in_ci(4)])
@pytest.mark.parametrize("kind", ["chain", *in_ci(*GRAPHS)])
def test_a_program_that_is_killed_and_run_again(tmp_path: Path, kind: str, number: int) -> None:
    """The same with new programs, and with other numbers of threads."""
    train(kind, number, tmp_path / "whole").save(tmp_path / "whole.safetensors")
    folder, result = tmp_path / "killed", tmp_path / "result.safetensors"
    command = [sys.executable, "-c", PROGRAM, kind, str(number), str(folder), str(result)]
    for threads in ("1", "2", "3"):
        child = subprocess.Popen(command, env=os.environ | {"CNET_NUM_THREADS": threads})
        written = (folder / "latest.safetensors").stat().st_mtime_ns if threads != "1" else 0
        while child.poll() is None:  # until the file has another epoch
            file = folder / "latest.safetensors"
            if file.exists() and file.stat().st_mtime_ns != written:
                child.kill()
            time.sleep(0.001)
        assert child.wait() in (0, -signal.SIGKILL)
    subprocess.run(command, check=True)
    assert result.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
