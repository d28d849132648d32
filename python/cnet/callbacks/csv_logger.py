"""Logs of epochs in a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from .._data import as_text
from .._files import as_path
from .callback import Callback, Logs

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Writes the logs of each epoch to a row of a CSV file.

    The columns are "epoch" and the logs of the first epoch in alphabetical order; if it wasn't
    validated, also their "val_…". Values that a later epoch lacks are "NA".

    Parameters
    ----------
    filename : str or path
    separator : str, default ","
    append : bool, default False
        Whether to append to an existing file. An incomplete last row, of a killed process, is kept; new
        rows start on the next line.

    Raises
    ------
    OSError
        If the file can't be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, cnet
    >>> model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "log.csv")
    ...     history = model.fit(np.eye(2), [0, 1], epochs=2, verbose=0,
    ...                         callbacks=[cnet.callbacks.CSVLogger(file)])
    ...     print(file.read_text().splitlines()[0])
    epoch,loss,val_loss
    """

    _stored_as: ClassVar = {"separator": "sep"}

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        self.filename = as_path("CSVLogger: filename", filename)
        self.sep = as_text("CSVLogger: separator", separator)
        self.append = bool(append)
        self.keys: list[str] | None = None

    @property
    def _state(self) -> frozenset[str]:
        return frozenset({"keys"})

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        self.keys = None
        with Path(self.filename).open("a+b" if self.append else "wb") as file:
            self._has_header = file.seek(0, os.SEEK_END) > 0
            if self._has_header:
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # a process was killed while it wrote
                    file.write(b"\r\n")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        rows: list[list[Any]] = []
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                validated = self.model.metrics_names  # excludes the learning rate
                self.keys += [f"val_{key}" for key in self.keys if key in validated]
            if not self._has_header:
                rows.append(["epoch", *self.keys])
        rows.append([epoch, *(_field(logs.get(key, "NA")) for key in self.keys)])
        # Opened for each row, so that it isn't left open if an exception ends training.
        with Path(self.filename).open("a", newline="") as file:
            csv.writer(file, delimiter=self.sep).writerows(rows)


def _field(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
