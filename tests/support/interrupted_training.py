"""Interrupted fits and their backup files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import cnet
from cnet import callbacks, layers
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


def bits(model: cnet.Sequential) -> list[bytes]:
    return [array.tobytes() for array in model.get_weights()]


class FailAtEpoch(callbacks.Callback):
    """Raises when an epoch begins; the epoch before is in the backup."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        del logs
        if epoch == self.epoch:
            raise RuntimeError("the end")


def rewrite(path: Path, change: Any) -> None:
    with TensorFile(path) as file:
        tensors = {name: file.read(name) for name in file.entries}
        document: Any = file.document
    change(document)
    write_tensor_file(path, tensors, document, overwrite=True)
