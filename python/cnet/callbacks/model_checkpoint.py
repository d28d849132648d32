"""Saving the model during training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .._data import as_count, as_number
from .._files import as_model_path
from .._tracebacks import warn
from .callback import Logs, as_verbose
from .monitors import MonitorCallback

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(MonitorCallback):
    """Saves the model or its weights after every epoch or a number of batches.

    Files are replaced atomically: a killed `fit` leaves the previous file intact.

    Parameters
    ----------
    filepath : str or path
        Ends in ".safetensors" (in Keras: ".keras" or ".weights.h5"). A template that can contain
        ``{epoch}``, counted from 1, ``{batch}`` with an integer `save_freq`, and the names of logs, as in
        "{epoch:02d}-{val_loss:.2f}.safetensors". Missing folders are created.
    monitor : str, default "val_loss"
        A name in the logs. If they lack it, the model is saved with a warning.
    verbose : {0, 1}, default 0
        Whether to print what is saved, and why.
    save_best_only : bool, default False
        Whether to save only if `monitor` is better than all previous values.
    save_weights_only : bool, default False
        Whether to save with `save_weights` rather than `save`.
    mode : {"auto", "min", "max"}, default "auto"
        Whether less or more is better; "auto" is the direction of the loss or metric of that name.
    save_freq : "epoch" or int, default "epoch"
        Save after each epoch, or after this number of batches, with means over the epoch so far as the
        logs. The count of batches continues across epochs.
    initial_value_threshold : float, optional
        With `save_best_only`, the value that the first one must improve on.

    Attributes
    ----------
    best : float or None
        The best value so far, including previous calls of `fit`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or `filepath` has another suffix; in training, if the mode is "auto"
        and the direction of `monitor` is unknown.
    KeyError
        In training, if `filepath` contains a name that the logs lack.
    OSError
        In training, if the file can't be written; the previous file is intact.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, cnet
    >>> model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "{epoch:02d}.safetensors")
    ...     history = model.fit(np.eye(2), [0, 1], epochs=3, verbose=0,
    ...                         callbacks=[cnet.callbacks.ModelCheckpoint(file)])
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir())
    ['01.safetensors', '02.safetensors', '03.safetensors']
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, min_delta=0)
        self.filepath = as_model_path("ModelCheckpoint", filepath)
        self.verbose = as_verbose("ModelCheckpoint", verbose)
        self.save_best_only = bool(save_best_only)
        self.save_weights_only = bool(save_weights_only)
        if isinstance(save_freq, str):
            if save_freq != "epoch":
                raise ValueError(
                    f"ModelCheckpoint: save_freq: expected 'epoch' or an integer, got {save_freq!r}"
                )
        else:
            save_freq = as_count("ModelCheckpoint: save_freq", save_freq, least=1)
        self.save_freq = save_freq
        if initial_value_threshold is not None:
            initial_value_threshold = as_number(
                "ModelCheckpoint: initial_value_threshold", initial_value_threshold
            )
        self.initial_value_threshold = self.best = initial_value_threshold
        self._batches = 0

    _counts = ("_batches",)

    def _update_from(self, attribute: str, other: Any) -> None:
        super()._update_from(attribute, other)
        if attribute == "initial_value_threshold":
            self.best = other.best

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._set_batch_hooks(
            {"on_train_batch_end": self._count_batch}, wanted=self.save_freq != "epoch"
        )

    def _identity(self) -> list[str]:
        return [self.monitor, self.filepath]

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        if self.save_best_only:
            self._direction()
        if not self.save_weights_only:
            self.model.get_config()  # raises before the first epoch if the model can't be saved

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save_if_wanted({"epoch": epoch + 1}, logs or {})

    def _count_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self._batches == self.save_freq:
            self._batches = 0
            self._save_if_wanted({"epoch": self._epoch + 1, "batch": batch + 1}, logs or {})

    def _save_if_wanted(self, position: dict[str, int], logs: Logs) -> None:
        try:
            numbers = {name: np.asarray(v).item() for name, v in logs.items() if np.size(v) == 1}
            path = self.filepath.format(**(position | logs | numbers))
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: filepath: {error} in {self.filepath!r} is not among "
                f"{', '.join([*position, *logs])}"
            ) from None
        begin = f"\nEpoch {position['epoch']}:"  # Keras's messages, on a new line after a bar
        current = self._watched(logs) if self.save_best_only else None
        if current is not None:
            best = "None" if self.best is None else f"{self.best:.5f}"
            if not self.is_better(current, self.best):
                self._print(f"{begin} {self.monitor} did not improve from {best}")
                return
            improved = f"{self.monitor} improved from {best} to {current:.5f}"
            self._print(f"{begin} {improved}, saving model to {path}")
        elif not self.save_best_only:
            self._print(f"{begin} saving model to {path}")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if current is not None:
            self.best = current  # after it has been saved
        self._print(f"{begin} finished saving model to {path}")

    def _watched(self, logs: Logs) -> float | None:
        """Return the value of `monitor`; None, with a warning, if it isn't a single number."""
        value: Any = logs.get(self.monitor)
        if np.size(value) == 1:
            return self.current(logs)
        warn(
            f"ModelCheckpoint: monitor '{self.monitor}' is not a single number, so every model is saved: "
            f"{value}"
        )
        return None

    def _print(self, message: str) -> None:
        if self.verbose > 0:
            print(message, flush=True)  # noqa: T201 # requested by verbose
