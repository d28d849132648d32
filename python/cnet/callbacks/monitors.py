"""Callbacks that monitor a value of the logs and act when it stops improving."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._data import FloatArray, as_count, as_number, as_text
from .._errors import short_repr
from .._tracebacks import warn
from .callback import Callback, Logs, as_verbose

__all__ = ["EarlyStopping", "ReduceLROnPlateau"]


class MonitorCallback(Callback):
    """Base of callbacks that monitor a value; see `EarlyStopping` for the parameters."""

    # Attributes that backups contain: integers, and numbers or None.
    _counts: tuple[str, ...] = ()
    _figures: tuple[str, ...] = ("best",)

    def __init__(self, monitor: str, mode: str, min_delta: float) -> None:
        call = type(self).__name__
        if as_text(f"{call}: mode", mode) not in ("auto", "min", "max"):
            raise ValueError(
                f"{call}: mode: expected 'auto', 'min' or 'max', got {short_repr(mode)}"
            )
        if not isinstance(monitor, str):
            raise TypeError(
                f"{call}: monitor: expected the name of a metric, got {short_repr(monitor)}"
            )
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(as_number(f"{call}: min_delta", min_delta))
        self.best: float | None = None

    @property
    def _state(self) -> frozenset[str]:
        return frozenset({*self._counts, *self._figures, "best_weights"})

    def current(self, logs: Logs | None) -> float | None:
        """Return the monitored value; None, with a warning, if the logs don't have it.

        Raises `ValueError` if it isn't a single number, as for metrics with a number for each class.
        """
        logs = logs or {}
        if self.monitor not in logs:
            warn(
                f"{type(self).__name__}: monitor '{self.monitor}' is not among the logs: "
                f"{', '.join(logs)}"
            )
            return None
        value = logs[self.monitor]
        if np.size(value) != 1:
            raise ValueError(
                f"{type(self).__name__}: monitor '{self.monitor}': expected one number, got "
                f"{short_repr(value)}"
            )
        return float(np.asarray(value).item())

    def is_better(self, value: float, reference: float | None) -> bool:
        """Return True if `value` is better than `reference` by more than `min_delta`; NaN never is."""
        if math.isnan(value):
            return False
        if reference is None or math.isnan(reference):
            return True
        if self._direction() == "down":
            return value + self.min_delta < reference
        return value - self.min_delta > reference

    def _identity(self) -> list[str]:
        """Return what identifies this callback among others of its class in a backup."""
        return [self.monitor]

    def _backup_weights(self) -> list[FloatArray] | None:
        """Return stored weights of the model for a backup, None if there are none."""
        return None

    def _resume_with(self, weights: list[FloatArray] | None) -> None:
        """Restore the weights of a backup; counts and values have already been restored."""

    def _direction(self) -> str:
        if self.mode != "auto":
            return "down" if self.mode == "min" else "up"
        name = self.monitor.removeprefix("val_")
        if name == "loss":
            return "down"
        for metric in self.model.metrics:
            direction: str | None = metric.direction
            if metric.name == name and direction is not None:
                return direction
        raise ValueError(
            f"{type(self).__name__}: the direction of '{self.monitor}' is unknown; pass mode='max' or "
            "mode='min'"
        )


class EarlyStopping(MonitorCallback):
    """Ends training when a value has not improved for a number of epochs.

    Parameters
    ----------
    monitor : str, default "val_loss"
        A name in the logs. If they lack it, there is only a warning.
    min_delta : float, default 0
        Smaller changes are no improvement.
    patience : int, default 0
        Number of consecutive epochs without improvement after which to stop; as in Keras never after
        the first epoch.
    verbose : {0, 1}, default 0
        Whether to print when training is stopped and weights are restored.
    mode : {"auto", "min", "max"}, default "auto"
        Whether less or more is better; "auto" is the direction of the loss or metric of that name.
    baseline : float, optional
        Improvements that don't reach this value don't reset the count of epochs.
    restore_best_weights : bool, default False
        Whether to restore the weights of the best epoch at the end of training.
    start_from_epoch : int, default 0
        The first epoch to monitor, counted from 0.

    Attributes
    ----------
    stopped_epoch : int
        The epoch after which training was stopped, 0 if it wasn't.
    best, best_epoch, best_weights
        The best value, its epoch and (with `restore_best_weights`) the weights after it.

    Raises
    ------
    ValueError
        In training, if the mode is "auto" and the direction of `monitor` is unknown.

    Examples
    --------
    >>> import numpy as np, cnet
    >>> model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax")])
    >>> model.compile(cnet.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    >>> history = model.fit(np.eye(2), [0, 1], epochs=9, verbose=0,
    ...                     callbacks=[cnet.callbacks.EarlyStopping("loss", patience=3)])
    >>> len(history.epoch)
    4
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = as_count("EarlyStopping: patience", patience)
        self.verbose = as_verbose(type(self).__name__, verbose)
        self.baseline = None if baseline is None else as_number("EarlyStopping: baseline", baseline)
        self.restore_best_weights = bool(restore_best_weights)
        self.start_from_epoch = as_count("EarlyStopping: start_from_epoch", start_from_epoch)
        self._reset()

    _counts = ("wait", "stopped_epoch", "best_epoch")

    def _reset(self) -> None:
        self.wait, self.stopped_epoch = 0, 0
        self.best, self.best_epoch = None, 0
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        self._direction()  # raises before the first epoch if it is unknown
        self._reset()

    def _backup_weights(self) -> list[FloatArray] | None:
        return self.best_weights

    def _resume_with(self, weights: list[FloatArray] | None) -> None:
        if self.restore_best_weights:
            self.best_weights = weights
        if self.stopped_epoch > 0 and self.wait < self.patience:  # patience was increased
            self.stopped_epoch, self.model.stop_training = 0, False

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self.current(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.is_better(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.is_better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping", flush=True)  # noqa: T201 # verbose
        if self.best_weights is not None:
            if self.verbose > 0:
                print(  # noqa: T201 # requested by verbose
                    f"The weights are those after the best epoch, {self.best_epoch + 1}", flush=True
                )
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by a factor when a value stops improving.

    The rate is added to the logs of the epoch as "learning_rate".

    Parameters
    ----------
    monitor : str, default "val_loss"
        As for `EarlyStopping`, like `mode`.
    factor : float below 1, default 0.1
    patience : int, default 10
        Number of consecutive epochs without improvement after which to reduce.
    verbose : {0, 1}, default 0
        Whether to print each new rate.
    mode : {"auto", "min", "max"}, default "auto"
    min_delta : float, default 1e-4
        Smaller changes are no improvement.
    cooldown : int, default 0
        Number of epochs after a reduction that are not counted.
    min_lr : float, default 0
        Lower bound of the rate.

    Raises
    ------
    ValueError
        If `factor` is not below 1.

    Examples
    --------
    >>> import numpy as np, cnet
    >>> model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax")])
    >>> model.compile(cnet.optimizers.SGD(1e-6), "sparse_categorical_crossentropy")
    >>> reduce = cnet.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    >>> model.fit(np.eye(2), [0, 1], epochs=3, verbose=0, callbacks=[reduce]).history["learning_rate"]
    [1e-06, 1e-06, 5e-07]
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor = as_number("ReduceLROnPlateau: factor", factor)
        if not 0 <= self.factor < 1:
            raise ValueError(
                f"ReduceLROnPlateau: factor: expected a number in [0, 1), got {factor}"
            )
        self.patience = as_count("ReduceLROnPlateau: patience", patience)
        self.verbose = as_verbose(type(self).__name__, verbose)
        self.cooldown = as_count("ReduceLROnPlateau: cooldown", cooldown)
        self.min_lr = as_number("ReduceLROnPlateau: min_lr", min_lr)
        self._reset()

    _counts = ("wait", "cooldown_counter")

    def _reset(self) -> None:
        self.best = None
        self.cooldown_counter, self.wait = 0, 0

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        self._direction()
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        # The rate of the epoch that has ended, before a reduction.
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        current = self.current(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
        if self.is_better(current, self.best):
            self.best, self.wait = current, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter, self.wait = self.cooldown, 0

    def in_cooldown(self) -> bool:
        """Return True if epochs aren't counted yet after a reduction."""
        return self.cooldown_counter > 0

    def _reduce(self, epoch: int) -> bool:
        optimizer = self.model.optimizer
        old = float(optimizer.learning_rate)
        if old <= self.min_lr:
            return False
        optimizer.learning_rate = max(old * self.factor, self.min_lr)
        if self.verbose > 0:
            print(  # noqa: T201 # requested by verbose
                f"Epoch {epoch + 1}: ReduceLROnPlateau sets the learning rate to "
                f"{optimizer.learning_rate}",
                flush=True,
            )
        return True
