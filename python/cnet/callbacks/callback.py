"""The base of callbacks, the history of training, and a list of callbacks that is called as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._data import as_count
from .._errors import short_repr
from .._serialization import HasOptions
from .._typing import ModelProtocol

__all__ = ["Callback", "CallbackList", "History", "LambdaCallback"]

# Floats, but for metrics with a result for each class: arrays.
Logs = dict[str, Any]


def as_verbose(call: str, verbose: Any) -> int:
    """Return how much a callback is to print, an integer; True is 1."""
    return int(verbose) if isinstance(verbose, bool) else as_count(f"{call}: verbose", verbose)


class Callback(HasOptions):
    """Base of all callbacks; a subclass overrides the hooks that it wants.

    Attributes
    ----------
    model : Sequential
        The model being trained; ``model.stop_training = True`` ends `fit` early.
    params : dict
        "epochs", "steps" (batches an epoch, None if that is not known) and "verbose".

    Notes
    -----
    Hooks for batches cost their calls, those that no callback overrides nothing: without them the
    engine runs whole epochs. `evaluate` adds up the losses batch by batch where there are hooks
    for its batches, so the last bit of the loss may differ from a call without.

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
        """Have hooks for batches, or none: a class that has them makes every `fit` pay for their calls."""
        for name, hook in hooks.items():
            vars(self).pop(name, None)
            if wanted:
                vars(self)[name] = hook

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch: loss and metrics, and their val_… where there is validation."""

    def _on_train_ready(self, callbacks: Sequence[Callback]) -> None:
        """After all callbacks' `on_train_begin`."""

    def _on_epoch_complete(self, callbacks: Sequence[Callback]) -> None:
        """After all callbacks' `on_epoch_end`, with the epoch in the history."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of training, counted from 0."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of training: means of loss and metrics over the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do the same as `on_train_batch_begin`, by its older name."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do the same as `on_train_batch_end`, by its older name."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before an evaluation, in `fit` too."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After an evaluation, with its loss and metrics."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of an evaluation, counted from 0."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of an evaluation: means of loss and metrics so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of a prediction, counted from 0."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of a prediction: "outputs", (samples, …)."""


class History(Callback):
    """What `fit` returns: the logs of each epoch.

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
        # Of the latest epoch: the logs, and which of them are in the history.
        self._logs: Logs = {}
        self._recorded: set[str] = set()

    def __repr__(self) -> str:
        return f"<History epochs={len(self.epoch)}, {', '.join(self.history) or 'no figures'}>"

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # the base has it
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._logs, self._recorded = logs or {}, set()
        self.refresh_latest()
        self.epoch.append(epoch)  # last: see drop_incomplete_epoch()

    def latest(self) -> Logs:
        """Return the figures of the latest epoch: of those that every epoch has."""
        epochs = len(self.epoch)
        return {name: values[-1] for name, values in self.history.items() if len(values) == epochs}

    def refresh_latest(self) -> None:
        """Take up what other callbacks have done to the logs of the latest epoch."""
        for name, value in self._logs.items():
            figures = self.history.setdefault(name, [])
            if name in self._recorded and figures:
                figures[-1] = value
            else:
                figures.append(value)
            self._recorded.add(name)

    def drop_incomplete_epoch(self) -> None:
        """Forget the figures of an epoch amid whose recording training was interrupted."""
        for figures in self.history.values():
            del figures[len(self.epoch) :]


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : function (epoch, logs), optional
    on_train_begin, on_train_end : function (logs), optional
    on_train_batch_begin, on_train_batch_end : function (batch, logs), optional
    **kwargs
        Any other hook of `Callback`, by its name.

    Raises
    ------
    TypeError
        If there is no such hook, or one is not a function.

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
                raise TypeError(f"LambdaCallback: there is no hook {short_repr(name)}")
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
        What they receive by `set_params`.
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
        """Let a callback be called before the others."""
        self._set_up(callback)
        self.callbacks.insert(0, callback)

    def _set_up(self, callback: Callback) -> None:
        callback.set_params(self._params)
        callback.set_model(self._model)

    def wants_batches(self, kind: str) -> bool:
        """Whether any callback has a hook for batches of "train", "test" or "predict".

        Each batch then costs a call into Python.
        """
        hooks = [f"on_{kind}_batch_begin", f"on_{kind}_batch_end"]
        if kind == "train":
            hooks += ["on_batch_begin", "on_batch_end"]
        return any(
            getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)
            for callback in self.callbacks
            for hook in hooks
        )

    def call(self, hook: str, *arguments: Any) -> None:
        """Call one hook of every callback: ``call("on_epoch_end", epoch, logs)``, logs {} if none."""
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)

    def handles_nan(self, error: FloatingPointError) -> bool:
        """Tell callbacks of a loss that is not finite; return whether one ends training for it."""
        receivers = [each for each in self.callbacks if hasattr(each, "on_not_finite")]
        for callback in receivers:
            callback.on_not_finite(error)
        return bool(receivers)
