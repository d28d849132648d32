"""The base class of callbacks, the history of training, and lists of callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._data import as_count
from .._errors import short_repr
from .._serialization import HasOptions
from .._typing import ModelProtocol

__all__ = ["Callback", "CallbackList", "History", "LambdaCallback"]

# Floats, or arrays for metrics with a result for each class.
Logs = dict[str, Any]


def as_verbose(call: str, verbose: Any) -> int:
    """Return the verbosity of a callback as an integer; True is 1."""
    return int(verbose) if isinstance(verbose, bool) else as_count(f"{call}: verbose", verbose)


class Callback(HasOptions):
    """Base of all callbacks; a subclass overrides hooks.

    Attributes
    ----------
    model : Sequential
        The model being trained; ``model.stop_training = True`` ends `fit` early.
    params : dict
        "epochs", "steps" (batches per epoch, None if unknown) and "verbose".

    Notes
    -----
    The engine runs whole epochs at once unless a callback overrides a hook for batches. With hooks for
    its batches, `evaluate` sums the losses batch by batch, so that the last bit of the loss may differ.

    Examples
    --------
    >>> from cnet import callbacks
    >>> class PrintLoss(callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch}: {logs['loss']:.3f}")
    """

    model: ModelProtocol
    params: dict[str, Any]

    def set_model(self, model: ModelProtocol) -> None:
        """Receive the model."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Receive the parameters of the call."""
        self.params = params

    def _set_batch_hooks(self, hooks: dict[str, Callable[..., None]], *, wanted: bool) -> None:
        """Set or remove hooks for batches on this object only: in the class they would slow every `fit`."""
        for name, hook in hooks.items():
            vars(self).pop(name, None)
            if wanted:
                vars(self)[name] = hook

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Handle the beginning of training."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Handle the end of training, with the logs of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Handle the beginning of an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Handle the end of an epoch, with loss and metrics, and "val_…" if it was validated."""

    def _on_train_ready(self, callbacks: Sequence[Callback]) -> None:
        """Act after `on_train_begin` of all callbacks."""

    def _on_epoch_complete(self, callbacks: Sequence[Callback]) -> None:
        """Act after `on_epoch_end` of all callbacks, with the epoch in the history."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Handle the beginning of a training batch, counted from 0."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Handle the end of a training batch, with the means of loss and metrics over the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do the same as `on_train_batch_begin`, its newer name."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do the same as `on_train_batch_end`, its newer name."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Handle the beginning of an evaluation, also in `fit`."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Handle the end of an evaluation, with its loss and metrics."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Handle the beginning of an evaluation batch, counted from 0."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Handle the end of an evaluation batch, with the means of loss and metrics so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Handle the beginning of a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Handle the end of a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Handle the beginning of a prediction batch, counted from 0."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Handle the end of a prediction batch, with "outputs", (samples, …)."""


class History(Callback):
    """The logs of each epoch, as returned by `fit`.

    Attributes
    ----------
    history : dict of str to list
        One list for "loss", each metric, and their "val_…".
    epoch : list of int
        The epochs' numbers, from 0.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        # The logs of the latest epoch, and the names of those in the history.
        self._logs: Logs = {}
        self._recorded: set[str] = set()

    def __repr__(self) -> str:
        return f"<History epochs={len(self.epoch)}, {', '.join(self.history) or 'no figures'}>"

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._logs, self._recorded = logs or {}, set()
        self.refresh_latest()
        self.epoch.append(epoch)  # last, see drop_incomplete_epoch()

    def latest(self) -> Logs:
        """Return the values of the latest epoch that exist for all epochs."""
        epochs = len(self.epoch)
        return {name: values[-1] for name, values in self.history.items() if len(values) == epochs}

    def refresh_latest(self) -> None:
        """Record changes that other callbacks made to the logs of the latest epoch."""
        for name, value in self._logs.items():
            figures = self.history.setdefault(name, [])
            if name in self._recorded and figures:
                figures[-1] = value
            else:
                figures.append(value)
            self._recorded.add(name)

    def drop_incomplete_epoch(self) -> None:
        """Remove the values of an epoch whose recording was interrupted."""
        for figures in self.history.values():
            del figures[len(self.epoch) :]


class LambdaCallback(Callback):
    """A callback that calls functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : function (epoch, logs), optional
    on_train_begin, on_train_end : function (logs), optional
    on_train_batch_begin, on_train_batch_end : function (batch, logs), optional
    **kwargs
        Other hooks of `Callback` by name.

    Raises
    ------
    TypeError
        If a hook is unknown, or not a function.

    Examples
    --------
    >>> from cnet import callbacks
    >>> report = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Callable[..., Any],
    ) -> None:
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name in kwargs:
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise TypeError(f"LambdaCallback: unknown hook {short_repr(name)}")
        for name, function in (hooks | kwargs).items():
            if function is None:
                continue
            if not callable(function):
                raise TypeError(
                    f"LambdaCallback: {name}: expected a function, got {short_repr(function)}"
                )
            setattr(self, name, function)


class CallbackList:
    """Several callbacks, called in order.

    Parameters
    ----------
    callbacks : Callback or iterable of Callback, optional
    model : Sequential
    params : dict
        The argument of `set_params`.
    call : str
        Names the caller in errors.
    """

    def __init__(
        self,
        callbacks: Iterable[Callback] | Callback | None,
        model: ModelProtocol,
        params: dict[str, Any],
        call: str,
    ) -> None:
        if callbacks is None:
            callbacks = []
        elif isinstance(callbacks, (Callback, str, type)) or not isinstance(callbacks, Iterable):
            callbacks = [callbacks]
        self.callbacks = list(callbacks)
        self._model, self._params = model, params
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(
                    f"{call}: callbacks: expected Callback objects, got {type(callback).__name__}"
                )
        for callback in self.callbacks:
            self._set_up(callback)

    def prepend(self, callback: Callback) -> None:
        """Insert a callback before the others."""
        self._set_up(callback)
        self.callbacks.insert(0, callback)

    def _set_up(self, callback: Callback) -> None:
        callback.set_params(self._params)
        callback.set_model(self._model)

    def wants_batches(self, kind: str) -> bool:
        """Return True if a callback overrides a hook for batches of "train", "test" or "predict"."""
        hooks = [f"on_{kind}_batch_begin", f"on_{kind}_batch_end"]
        if kind == "train":
            hooks += ["on_batch_begin", "on_batch_end"]
        return any(
            getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)
            for callback in self.callbacks
            for hook in hooks
        )

    def call(self, hook: str, *arguments: Any) -> None:
        """Call one hook of every callback: ``call("on_epoch_end", epoch, logs)``."""
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)

    def handles_nan(self, error: FloatingPointError) -> bool:
        """Call `on_not_finite` of the callbacks that have it; return False if there are none."""
        receivers = [each for each in self.callbacks if hasattr(each, "on_not_finite")]
        for callback in receivers:
            callback.on_not_finite(error)
        return bool(receivers)
