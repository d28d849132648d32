"""Keras's calls: compile, fit, evaluate, predict, and those on a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from .._data import FloatArray, as_count, as_number, yields_batches
from .._errors import short_repr
from .._frames import column_names
from .._progress import Progress
from .._tapes import is_recorded
from .._tracebacks import brief_traceback
from ..callbacks import Callback, CallbackList, History
from .compiled import Totals
from .data import source_of, split
from .loop import Loop
from .sources import Data, Source, Stretch, warn_of_end
from .turns import alone, alone_or_within

__all__ = ["Trainer"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _undoing(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a call that fails leave a model unbuilt that it has built."""

    @wraps(method)
    def call(*args: _P.args, **options: _P.kwargs) -> _R:
        model = args[0]._as_model()  # type: ignore[attr-defined] # a Trainer
        with model.unbuilt_on_error():
            return method(*args, **options)

    return call


class Trainer(Loop):
    """The part of a model that trains, evaluates and predicts; `Sequential` is the other.

    Attributes
    ----------
    history : History
        Of the latest `fit`, kept up to date during it.
    stop_training : bool
        Set by a callback to end `fit` after the batch (in a batch hook) or the epoch.
    stop_evaluating, stop_predicting : bool
        Set by a callback's batch hook to end `evaluate` or `predict` after the batch.
    """

    history: History
    # The core's network, where samples are rows of numbers to the user as well.
    _rows_network: Any = None

    @brief_traceback
    @alone
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Iterable[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: npt.ArrayLike | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> History:
        """Train for a number of epochs, each one native call that needs no GIL.

        Parameters
        ----------
        x : array_like, (samples, …), or batches
            Arrays of any numeric dtype and stride, converted a batch at a time, and copied whole
            only where the features of a sample are not evenly spaced in memory. Or an iterable
            that gives batches (x, y) or (x, y, sample_weight), of any sizes, as a generator or a
            `cnet.utils.PyDataset`: each is one native call.
        y : array_like
            Class ids (samples,) or one-hot rows (samples, classes), as the loss wants them. None
            beside batches.
        batch_size : int, optional
            Default: 32, or what makes `steps_per_epoch` batches of the arrays. Batches have theirs.
        epochs : int, default 1
            Number of the last epoch, counting from `initial_epoch`.
        verbose : {"auto", 0, 1, 2}, default "auto"
            Silent, a live bar, a line an epoch; "auto" is a bar on a terminal and in a notebook.
        callbacks : list of Callback, optional
        validation_split : float in [0, 1), default 0
            The last part of the arrays, taken before shuffling, to validate on.
        validation_data : tuple (x, y) or (x, y, sample_weight), or batches, optional
            Data to validate on after epochs.
        shuffle : bool, default True
            Whether every pass takes the samples, or the batches of a `PyDataset`, in a new order.
        class_weight : dict of int to float, optional
            How much the samples of a class count, 1 where nothing is said. Not in validation.
        sample_weight : array_like, (samples,), optional
            How much each sample's loss counts; with `class_weight`, their product. The sum over a
            batch is still divided by its size, as Keras does (the loss's reduction "sum" does not,
            and "mean_with_sample_weight" divides by the sum of the weights). A sample of weight 0 is
            not learnt from, but `BatchNormalization` sees it in its batch.
        initial_epoch : int, default 0
        steps_per_epoch : int, optional
            Batches in an epoch; the next goes on where it ended. Default: until the data ends.
        validation_steps : int, optional
            Batches to validate on; of arrays always the first, of an iterator the next.
        validation_batch_size : int, default `batch_size`
        validation_freq : int or list of int, default 1
            Validate after every so many epochs, or after those of a list, counted from 1.

        Returns
        -------
        History
            Its `history` holds the loss and metrics of each epoch.

        Raises
        ------
        TypeError, ValueError
            If an argument is not of its kind; the model is as it was. If a batch isn't, it is named,
            and the model has learnt from those before.
        FloatingPointError
            If the loss is inf or NaN, before the update that it would have led to; with a
            `TerminateOnNaN` among the callbacks training ends instead.
        KeyboardInterrupt
            On Ctrl-C, after a whole step; ``model.history`` holds the epochs before.
        RuntimeError
            If the model is being trained or evaluated, by another thread or a call that this one
            comes from (a callback's); or if another model trains layers that both have.

        Notes
        -----
        While it trains, other threads may predict, read and set weights, and save: they wait for the end
        of a batch; forks wait, too, and callbacks need not. No one sees half a step, but where the loss or
        a layer is a function of one's own, whose batches others may come amid. A handler of a signal,
        which runs amid one, can't: it may set ``stop_training``.

        Warns
        -----
        UserWarning
            If data ends amid an epoch, which is shorter then. If an iterator has ended, so does
            training.
        """
        compiled = self._require_loss("fit")
        batch_size = _count("fit: batch_size", batch_size)
        validation_batch_size = _count("fit: validation_batch_size", validation_batch_size)
        validated = _epochs("fit: validation_freq", validation_freq)
        steps_per_epoch = _count("fit: steps_per_epoch", steps_per_epoch)
        validation_steps = _count("fit: validation_steps", validation_steps)
        epochs = as_count("fit: epochs", epochs)
        initial_epoch = as_count("fit: initial_epoch", initial_epoch)
        if not isinstance(shuffle, (bool, np.bool_)):
            raise TypeError(f"fit: shuffle: expected True or False, got {short_repr(shuffle)}")
        validation_split = as_number("fit: validation_split", validation_split)
        names = column_names(x)
        self._check_columns("fit: x", x)
        with self._as_model().unbuilt_on_error():
            if validation_data is None and validation_split != 0:
                (x, y, sample_weight), validation_data = split(
                    x, y, sample_weight, validation_split
                )
            source = source_of(
                "fit",
                (x, y, sample_weight),
                partial(self._data, class_weight=class_weight),
                batch_size=batch_size,
                steps=steps_per_epoch,
                shuffles=compiled.shuffles,
                shuffle=bool(shuffle),
            )
            validation: Source | None = None
            if validation_data is not None:
                validation = source_of(
                    "fit: validation_data",
                    _validation_parts(validation_data),
                    self._data,
                    batch_size=validation_batch_size or batch_size,
                    steps=validation_steps,
                )
            progress = Progress(steps_per_epoch or source.batches, verbose, "fit")
            params = {"epochs": epochs, "steps": progress.steps, "verbose": progress.verbose}
            hooks = CallbackList(callbacks, self._as_model(), params, "fit")
            # First, so that a callback that saves the model saves the epoch's figures with it.
            history = History()
            hooks.prepend(history)
        self._columns = self._columns or names
        self._as_model()._settle()
        if initial_epoch == 0:
            compiled.shuffles.taken = 0
        self.history = history
        self.stop_training = False
        epoch_logs: dict[str, Any] = {}
        hooks.call("on_train_begin", {})
        hooks.call("_on_train_ready", hooks.callbacks)
        if history.epoch:  # of a fit that was interrupted
            initial_epoch, epoch_logs = history.epoch[-1] + 1, history.latest()
            epochs = initial_epoch if self.stop_training else epochs
        try:
            for epoch in range(initial_epoch, epochs):
                call = f"fit: epoch {epoch + 1}"
                hooks.call("on_epoch_begin", epoch, {})
                progress.begin(f"Epoch {epoch + 1}/{epochs}")
                totals = self._train_epoch(call, source, steps_per_epoch, progress, hooks)
                if totals.batches == 0:
                    break
                epoch_logs = compiled.logs(totals)
                if validation is not None and validated(epoch + 1):
                    logs = self._validate(validation, validation_steps, hooks)
                    epoch_logs |= {f"val_{name}": value for name, value in logs.items()}
                progress.end(epoch_logs, totals.batches)
                hooks.call("on_epoch_end", epoch, epoch_logs)
                history.refresh_latest()
                hooks.call("_on_epoch_complete", hooks.callbacks)
                if self.stop_training:
                    break
                if source.dry:
                    if steps_per_epoch is None and epoch + 1 < epochs:
                        warn_of_end(call, "and another epoch was to come")
                    break
        finally:
            progress.close()
            history.drop_incomplete_epoch()
            if (
                compiled.engine is not None
            ):  # an interrupt may have come before the batch's own count
                compiled.optimizer.batches = compiled.engine.steps
        if compiled.engine is not None or compiled.kept is not None:
            self._engine().finish()  # puts the weights' running mean in their place, if there is one
        hooks.call("on_train_end", epoch_logs)
        return history

    @brief_traceback
    @alone_or_within
    @_undoing
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: npt.ArrayLike | None = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and metrics over data, without training.

        Parameters
        ----------
        x, y, sample_weight
            As for `fit`: arrays, or batches.
        batch_size : int, optional
            As for `fit`; of arrays it has no influence on the result.
        steps : int, optional
            Batches to look at. Default: all.
        verbose, callbacks
            As for `fit`.
        return_dict : bool, default False

        Returns
        -------
        float, list of float, or dict
            The loss; with metrics ``[loss, metric, …]``; with `return_dict` by name.

        Raises
        ------
        TypeError, ValueError
            As for `fit`.
        RuntimeError
            If another thread trains or evaluates the model.
        """
        return_dict = bool(return_dict)
        compiled = self._require_loss("evaluate")
        batch_size = _count("evaluate: batch_size", batch_size)
        steps = _count("evaluate: steps", steps)
        data = (x, y, sample_weight)
        source = source_of("evaluate", data, self._data, batch_size=batch_size, steps=steps)
        progress = Progress(steps or source.batches, verbose, "evaluate")
        params = {"steps": progress.steps, "verbose": progress.verbose}
        hooks = CallbackList(callbacks, self._as_model(), params, "evaluate")
        hooks.call("on_test_begin", {})
        progress.begin("Evaluate")
        try:
            totals = self._evaluate("evaluate", source, steps, progress, hooks)
            logs = compiled.logs(totals)
            progress.end(logs, totals.batches)
        finally:
            progress.close()
        hooks.call("on_test_end", logs)
        return _result(logs, return_dict)

    @brief_traceback
    @_undoing
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
    ) -> FloatArray:
        """Return the model's output for each sample.

        Parameters
        ----------
        x : array_like, (samples, …), or batches
            As for `fit`; of batches the samples alone are looked at, and may be all that there is.
        batch_size : int, optional
            As for `fit`. It has no influence on the result: ``predict(x)[i]`` has the bits of
            ``predict(x[i:i+1])[0]``.
        verbose : {"auto", 0, 1, 2}, default "auto"
            As for `fit`; but what is not a bar shows nothing.
        steps : int, optional
            Batches to predict for. Default: all.
        callbacks : list of Callback, optional

        Returns
        -------
        array, (samples, …) of the model's dtype

        Raises
        ------
        TypeError, ValueError
            If `x` isn't such data.

        Notes
        -----
        Any number of threads may predict with one model at once. While another thread trains it, a
        prediction waits for the end of a batch; training waits for the predictions that have begun.
        """
        batch_size = _count("predict: batch_size", batch_size)
        steps = _count("predict: steps", steps)

        def prepare(call: str, x: Any, *_: Any) -> Data:
            return Data(self._samples(f"{call}: x", x))

        source = source_of("predict", (x,), prepare, batch_size=batch_size, steps=steps)
        progress = Progress(steps or source.batches, verbose, "predict")
        params = {"steps": progress.steps, "verbose": progress.verbose}
        hooks = CallbackList(callbacks, self._as_model(), params, "predict")
        hooks.call("on_predict_begin", {})
        if progress.live:
            progress.begin("Predict")
        try:
            outputs = self._predict_all("predict", source, steps, progress, hooks)
        finally:
            progress.close()
        hooks.call("on_predict_end", {})
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def __call__(self, x: Any, training: bool | None = None) -> FloatArray:
        """Return the model's output for a batch: `predict` without its options.

        Parameters
        ----------
        x : array_like, (batch, …)
        training : bool, default False
            Whether `x` is a batch of training: see `Layer.__call__`.

        Returns
        -------
        array, or a `cnet.autodiff.Tensor` on a running tape

        Notes
        -----
        A plain array of NumPy has no `numpy` method, which programs of Keras call: they leave it out here,
        or call ``np.asarray(model(x))``, which is right of both. A subclass of ndarray with such a method
        would hand it on to all that is computed from it, and cost each call of a small model 2 %.
        """
        if is_recorded(x):
            return self._recorded(x, training=bool(training))  # type: ignore[no-any-return] # a Tensor
        if training:
            return self._outputs(x, training=True)
        # A control loop calls this with one row at a time: microseconds count.
        if self._rows_network is not None:
            outputs = self._rows_network.try_predict(x)
            if outputs is not None:
                return outputs  # type: ignore[no-any-return] # the core's stub says what it is
        return self._outputs(x, training=False)

    @brief_traceback
    def _recorded(self, x: Any, *, training: bool) -> Any:
        """Return the output as a tensor, on the tapes that are running."""
        model = self._as_model()
        is_plain = type(x) is np.ndarray and x.ndim == 2 and x.dtype == model.dtype and len(x)
        if is_plain and self._rows_network is not None and x.shape[1] == model.input_shape[1]:
            return model.chain(training=training).record(x)  # microseconds count
        tensor = x.__tensor__() if hasattr(type(x), "__tensor__") else None
        with model.unbuilt_on_error():
            samples = self._samples(
                f"{type(self).__name__}: x", x if tensor is None else tensor.value
            )
            return model.chain(training=training).record(samples if tensor is None else tensor)

    @brief_traceback
    @_undoing
    def _outputs(self, x: Any, *, training: bool) -> FloatArray:
        samples, model = self._samples(f"{type(self).__name__}: x", x), self._as_model()
        if not training:
            return self._predict(samples)
        if model.in_engine:
            return self._shaped(model.network.predict_in_training(samples))
        return self._shaped(model.chain(training=True).predict(samples))

    @brief_traceback
    @_undoing
    def predict_on_batch(self, x: Any) -> FloatArray:
        """Return the model's output for a batch."""
        return self._predict(self._samples("predict_on_batch: x", x))

    @brief_traceback
    @alone
    @_undoing
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one step on one batch.

        Returns
        -------
        float, list of float, or dict
            As `evaluate`, of this batch alone, before its step.
        """
        return_dict = bool(return_dict)
        compiled = self._require_loss("train_on_batch")
        data = self._data("train_on_batch", x, y, sample_weight, class_weight)
        compiled.reset()
        batch = Stretch(data, len(data), compiled.shuffles.passes)
        hooks = CallbackList(None, self._as_model(), {}, "train_on_batch")
        silent = Progress(1, 0, "train_on_batch")
        compiled.totals = self._train("train_on_batch", batch, Totals(), silent, hooks)
        return _result(compiled.logs(compiled.totals), return_dict)

    @brief_traceback
    @alone_or_within
    @_undoing
    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return loss and metrics of one batch; see `train_on_batch`."""
        return_dict = bool(return_dict)
        compiled = self._require_loss("test_on_batch")
        data = self._data("test_on_batch", x, y, sample_weight)
        compiled.reset()
        compiled.totals = self._look(Stretch(data, len(data)), Totals())
        return _result(compiled.logs(compiled.totals), return_dict)

    def _validate(self, source: Source, steps: int | None, hooks: CallbackList) -> dict[str, Any]:
        """Return the figures of `fit`'s validation, none if its data has ended."""
        source.restart()
        hooks.call("on_test_begin", {})
        silent = Progress(steps, 0, "fit")
        totals = self._evaluate("fit: validation_data", source, steps, silent, hooks)
        if steps is None and totals.batches == 0:
            warn_of_end("fit: validation_data", "in an epoch before")
        logs = self.get_metrics_result() if totals.batches else {}
        hooks.call("on_test_end", logs)
        return logs


def _count(argument: str, value: int | None) -> int | None:
    return None if value is None else as_count(argument, value, least=1)


def _validation_parts(data: Any) -> tuple[Any, ...]:
    """Return validation data as x, y and weights."""
    if yields_batches(data):
        return (data, None, None)
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(
            "fit: validation_data: expected a tuple (x, y) or (x, y, sample_weight), or batches, "
            f"got {type(data).__name__}"
        )
    return tuple(data)


def _result(logs: dict[str, Any], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _epochs(argument: str, value: Any) -> Callable[[int], bool]:
    """Return what says of each epoch, counted from 1, if it is one of a validation_freq."""
    if isinstance(value, list):
        return {as_count(argument, epoch, least=1) for epoch in value}.__contains__
    every = as_count(argument, value, least=1)
    return lambda epoch: epoch % every == 0
