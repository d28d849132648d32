"""Training, evaluation and prediction of a model: Keras's calls, over epochs that run in the core."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _core, losses, metrics, optimizers, random
from ._data import (
    Array,
    FloatArray,
    as_class_weights,
    as_count,
    as_labels,
    as_number,
    as_samples,
    as_weights,
)
from ._progress import Progress
from .callbacks import Callback, CallbackList, History
from .metrics import Metric
from .metrics.accuracy import AccuracyByShape

if TYPE_CHECKING:
    from .models import Sequential

__all__ = ["Trainer"]

DEFAULT_BATCH_SIZE = 32


@dataclass
class Totals:
    """Sums over the samples seen, as the core counts them."""

    rows: int = 0
    loss: float = 0.0
    correct: float = 0

    def add(self, rows: int, loss: float, correct: float) -> None:
        """Add the sums of more samples."""
        self.rows += rows
        self.loss += loss
        self.correct += correct


@dataclass(frozen=True)
class Data:
    """Samples with their labels, and how much each counts, as the core takes them."""

    x: Array
    y: Array
    sample_weight: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice) -> Data:
        weights = None if self.sample_weight is None else self.sample_weight[rows]
        return Data(self.x[rows], self.y[rows], weights)


@dataclass
class Compiled:
    """What `compile` was told, and what grows out of it."""

    optimizer: Any
    loss: losses.Loss | None
    metrics: list[Metric]
    engine: Any = None
    epochs_trained: int = 0
    seed: int = field(default_factory=random.next_seed)
    totals: Totals = field(default_factory=Totals)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"engine": None}  # which is made again when needed

    def settle(self, labels: tuple[int, ...], outputs: tuple[int | None, ...]) -> None:
        """Resolve "accuracy" by the shapes of labels and outputs."""
        self.metrics = [
            metric.settle(labels, outputs) if isinstance(metric, AccuracyByShape) else metric
            for metric in self.metrics
        ]

    def is_counted(self, metric: Metric) -> bool:
        """Whether the engine counts what a metric says."""
        return type(metric) is _COUNTED.get(type(self.loss))

    @property
    def fed(self) -> list[Metric]:
        """The metrics that need to see predictions: the engine does not count them."""
        return [metric for metric in self.metrics if not self.is_counted(metric)]

    def feed(self, labels: Array, predictions: FloatArray) -> None:
        """Show a batch to these metrics."""
        for metric in self.fed:
            metric.update_state(labels, predictions)

    def logs(self, totals: Totals) -> dict[str, Any]:
        """Return the means of the loss and the metrics."""
        rows = max(totals.rows, 1)
        logs: dict[str, Any] = {"loss": totals.loss / rows}
        for metric in self.metrics:
            name, number = metric.name, 0
            while name in logs:
                name, number = f"{metric.name}_{number + 1}", number + 1
            logs[name] = totals.correct / rows if self.is_counted(metric) else metric.result()
        return logs


# What the engine counts beside a loss: an accuracy that is not here needs the predictions.
_COUNTED: dict[type[Any], type[Metric]] = {
    losses.SparseCategoricalCrossentropy: metrics.SparseCategoricalAccuracy,
    losses.CategoricalCrossentropy: metrics.CategoricalAccuracy,
}


class Trainer:
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
    stop_training: bool = False
    stop_evaluating: bool = False
    stop_predicting: bool = False
    _compiled: Compiled | None = None
    # The core's network, where samples are rows of numbers to the user as well.
    _rows_network: Any = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: None = None,
        metrics: Iterable[Any] | None = None,
        weighted_metrics: None = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose how to train; layers' `trainable` is read here.

        Parameters
        ----------
        optimizer : str or Optimizer, default "rmsprop"
        loss : str or Loss, optional
            Without one the model can only predict.
        metrics : list of str, Metric or function, optional
            "accuracy" becomes the one that fits the shapes of labels and outputs. The engine counts
            categorical accuracies as it trains. All others see the predictions: `fit` makes those
            of each batch once more, before its step, and `evaluate` those of all samples.
        steps_per_execution, jit_compile, auto_scale_loss
            Of no effect: an epoch always is one call of compiled code.
        loss_weights, weighted_metrics, run_eagerly
            Not supported: leave them as they are.

        Raises
        ------
        ValueError
            For a name that is unknown, or metrics that don't fit the loss.
        """
        del steps_per_execution, jit_compile, auto_scale_loss
        _refuse(
            "compile",
            loss_weights=loss_weights,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
        )
        if isinstance(metrics, str) or not isinstance(metrics or [], Iterable):
            raise TypeError(f"compile: expected a list of metrics, got {metrics!r}")
        try:
            chosen_loss = None if loss is None else losses.get(loss)
            sparse = chosen_loss is not None and chosen_loss.sparse
            chosen_metrics = [_metric(metric, sparse=sparse) for metric in metrics or []]
            chosen_optimizer = optimizers.get(optimizer)
        except ValueError as error:
            raise ValueError(f"compile: {error}") from None
        self._compiled = Compiled(chosen_optimizer, chosen_loss, chosen_metrics)
        self._freeze()

    @property
    def optimizer(self) -> Any:
        """The optimizer, None before `compile`."""
        return self._compiled.optimizer if self._compiled else None

    @property
    def loss(self) -> losses.Loss | None:
        """The loss, None before `compile`."""
        return self._compiled.loss if self._compiled else None

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, none before `compile`."""
        return list(self._compiled.metrics) if self._compiled else []

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` returns, in its order."""
        return list(self._require_compiled("metrics_names").logs(Totals()))

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
        steps_per_epoch: None = None,
        validation_steps: None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train for a number of epochs, each one native call that needs no GIL.

        Parameters
        ----------
        x : array_like, (samples, …)
            Of any numeric dtype and stride; converted a batch at a time. Copied whole only where
            the features of a sample are not evenly spaced in memory.
        y : array_like
            Class ids (samples,) or one-hot rows (samples, classes), as the loss wants them.
        batch_size : int, default 32
        epochs : int, default 1
            Number of the last epoch, counting from `initial_epoch`.
        verbose : {"auto", 0, 1, 2}, default "auto"
            Silent, a live bar, a line an epoch; "auto" is a bar on a terminal and in a notebook.
        callbacks : list of Callback, optional
        validation_split : float in [0, 1), default 0
            The last part of the data, taken before shuffling, to validate on.
        validation_data : tuple (x, y) or (x, y, sample_weight), optional
            Data to validate on after epochs.
        shuffle : bool, default True
            Whether every epoch takes the samples in a new order.
        class_weight : dict of int to float, optional
            How much the samples of a class count, 1 where nothing is said. Not in validation.
        sample_weight : array_like, (samples,), optional
            How much each sample's loss counts; with `class_weight`, their product. The sum over a
            batch is still divided by its size, as Keras does. Metrics count all samples alike.
        initial_epoch : int, default 0
        validation_batch_size : int, default `batch_size`
        validation_freq : int, default 1
            Validate after every so many epochs.
        steps_per_epoch, validation_steps
            Not supported yet: leave them as they are.

        Returns
        -------
        History
            Its `history` holds the loss and metrics of each epoch.

        Raises
        ------
        TypeError, ValueError
            If an argument is not of its kind; the model is as it was.
        FloatingPointError
            If the loss is inf or NaN, before the update that it would have led to; with a
            `TerminateOnNaN` among the callbacks training ends instead.
        KeyboardInterrupt
            On Ctrl-C, after a whole step; ``model.history`` holds the epochs before.
        """
        _refuse(
            "fit",
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
        )
        compiled = self._require_loss("fit")
        batch_size = _count("fit: batch_size", batch_size, DEFAULT_BATCH_SIZE)
        validation_batch_size = _count(
            "fit: validation_batch_size", validation_batch_size, batch_size
        )
        validation_freq = _count("fit: validation_freq", validation_freq, 1)
        epochs = as_count("fit: epochs", epochs)
        initial_epoch = as_count("fit: initial_epoch", initial_epoch)
        if not isinstance(shuffle, (bool, np.bool_)):
            raise TypeError(f"fit: shuffle: expected True or False, got {shuffle!r}")
        with self._as_model().unbuilt_on_error():
            if validation_data is None and validation_split != 0:
                (x, y, sample_weight), validation_data = _split(
                    x, y, sample_weight, validation_split
                )
            data = self._dataset("fit", x, y, sample_weight, class_weight)
            validation: Data | None = None
            if validation_data is not None:
                if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (
                    2,
                    3,
                ):
                    raise ValueError(
                        "fit: validation_data: expected a tuple (x, y) or (x, y, sample_weight)"
                    )
                validation = self._dataset("fit: validation_data", *validation_data)

            steps = math.ceil(len(data) / batch_size)
            progress = Progress(steps, verbose, "fit")
            history = History()
            params = {"epochs": epochs, "steps": steps, "verbose": progress.verbose}
            # The history comes last, so that it keeps what callbacks add to the logs.
            hooks = CallbackList(callbacks, self._as_model(), params, "fit")
            hooks.callbacks.append(history)
        self.history = history
        self.stop_training = False
        epoch_logs: dict[str, Any] = {}
        hooks.call("on_train_begin", {})
        try:
            for epoch in range(initial_epoch, epochs):
                hooks.call("on_epoch_begin", epoch, {})
                progress.begin(f"Epoch {epoch + 1}/{epochs}")
                totals = self._train_epoch(data, batch_size, shuffle, epoch, progress, hooks)
                epoch_logs = compiled.logs(totals)
                if validation is not None and (epoch + 1) % validation_freq == 0:
                    hooks.call("on_test_begin", {})
                    sums = self._evaluate(validation, validation_batch_size, hooks=hooks)
                    logs = compiled.logs(sums)
                    hooks.call("on_test_end", logs)
                    epoch_logs |= {f"val_{name}": value for name, value in logs.items()}
                progress.end(epoch_logs, math.ceil(totals.rows / batch_size))
                hooks.call("on_epoch_end", epoch, epoch_logs)
                if self.stop_training:
                    break
        finally:
            progress.close()
        if epochs > initial_epoch:
            self._engine().finish()  # puts the weights' running mean in their place, if there is one
        hooks.call("on_train_end", epoch_logs)
        return history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: npt.ArrayLike | None = None,
        steps: None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and metrics over data, without training.

        Parameters
        ----------
        x, y, sample_weight : array_like
            As for `fit`.
        batch_size : int, default 32
            Has no influence on the result.
        verbose, callbacks
            As for `fit`.
        return_dict : bool, default False
        steps
            Not supported yet: leave it as it is.

        Returns
        -------
        float, list of float, or dict
            The loss; with metrics ``[loss, metric, …]``; with `return_dict` by name.

        Raises
        ------
        TypeError, ValueError
            As for `fit`.
        """
        _refuse("evaluate", steps=steps)
        compiled = self._require_loss("evaluate")
        batch_size = _count("evaluate: batch_size", batch_size, DEFAULT_BATCH_SIZE)
        with self._as_model().unbuilt_on_error():
            data = self._dataset("evaluate", x, y, sample_weight)
            progress = Progress(math.ceil(len(data) / batch_size), verbose, "evaluate")
            params = {"steps": progress.steps, "verbose": progress.verbose}
            hooks = CallbackList(callbacks, self._as_model(), params, "evaluate")
        hooks.call("on_test_begin", {})
        progress.begin("Evaluate")
        try:
            compiled.totals = self._evaluate(data, batch_size, progress, hooks)
            logs = compiled.logs(compiled.totals)
            progress.end(logs)
        finally:
            progress.close()
        hooks.call("on_test_end", logs)
        return _result(logs, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
    ) -> FloatArray:
        """Return the model's output for each sample.

        Parameters
        ----------
        x : array_like, (samples, …)
        batch_size : int, default 32
            Has no influence on the result: ``predict(x)[i]`` has the bits of
            ``predict(x[i:i+1])[0]``.
        verbose : {"auto", 0, 1, 2}, default "auto"
            "auto" shows a bar on a terminal when it takes longer than half a second.
        callbacks : list of Callback, optional
        steps
            Not supported yet: leave it as it is.

        Returns
        -------
        array, (samples, …) of the model's dtype

        Raises
        ------
        TypeError, ValueError
            If `x` isn't such data.
        """
        _refuse("predict", steps=steps)
        batch_size = _count("predict: batch_size", batch_size, DEFAULT_BATCH_SIZE)
        with self._as_model().unbuilt_on_error():
            samples = self._samples("predict: x", x)
            progress = Progress(math.ceil(len(samples) / batch_size), verbose, "predict", delay=0.5)
            params = {"steps": progress.steps, "verbose": progress.verbose}
            hooks = CallbackList(callbacks, self._as_model(), params, "predict")
        hooks.call("on_predict_begin", {})
        if hooks.wants_batches("predict"):
            outputs = self._predict_batches(samples, batch_size, hooks)
        elif not progress.live:
            outputs = self._predict(samples)
        else:
            progress.begin("Predict")
            try:
                outputs = self._predict(
                    samples, lambda rows, *_: progress.update(math.ceil(rows / batch_size), {})
                )
                progress.end({})
            finally:
                progress.close()
        hooks.call("on_predict_end", {})
        return outputs

    def __call__(self, x: Any, training: bool | None = None) -> FloatArray:
        """Return the model's output for a batch: `predict` without its options."""
        del training  # no layer behaves otherwise when it trains
        # A control loop calls this with one row at a time: microseconds count.
        if self._rows_network is not None:
            outputs = self._rows_network.try_predict(x)
            if outputs is not None:
                return outputs  # type: ignore[no-any-return] # the core's stub says what it is
        return self._predict(self._samples(f"{type(self).__name__}: x", x))

    def predict_on_batch(self, x: Any) -> FloatArray:
        """Return the model's output for a batch."""
        return self._predict(self._samples("predict_on_batch: x", x))

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
        compiled = self._require_loss("train_on_batch")
        with self._as_model().unbuilt_on_error():
            data = self._dataset("train_on_batch", x, y, sample_weight, class_weight)
        totals = Totals()
        self._feed_anew(data, len(data))
        self._run_epoch("train_on_batch", totals, data, len(data), shuffle=False)
        compiled.totals = totals
        return _result(compiled.logs(totals), return_dict)

    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return loss and metrics of one batch; see `train_on_batch`."""
        compiled = self._require_loss("test_on_batch")
        with self._as_model().unbuilt_on_error():
            data = self._dataset("test_on_batch", x, y, sample_weight)
        compiled.totals = self._evaluate(data, len(data))
        return _result(compiled.logs(compiled.totals), return_dict)

    def reset_metrics(self) -> None:
        """Forget the figures of the latest call; each call begins with none of its own accord."""
        self._require_compiled("reset_metrics").totals = Totals()

    def _train_epoch(
        self,
        data: Data,
        batch_size: int,
        shuffle: bool,
        epoch: int,
        progress: Progress,
        hooks: CallbackList,
    ) -> Totals:
        """Run one epoch with its bar and its callbacks' batch hooks."""
        compiled = self._require_compiled("fit")
        totals = Totals()
        has_hooks, has_fed = hooks.wants_batches("train"), bool(compiled.fed)
        every_batch = has_hooks or has_fed
        order = self._order(len(data), shuffle) if has_fed else None
        for metric in compiled.fed:
            metric.reset_state()
        begun = 0

        def begin_batch() -> None:
            nonlocal begun
            if has_hooks:
                hooks.call("on_train_batch_begin", begun, {})
            if order is not None:  # what the batch's step is about to learn from
                rows = order[begun * batch_size : (begun + 1) * batch_size]
                compiled.feed(data.y[rows], self._predict(data.x[rows]))
            begun += 1

        def end_batch(sums: Totals) -> None:
            logs = compiled.logs(sums)
            progress.update(begun if every_batch else sums.rows // batch_size, logs)
            if has_hooks:
                hooks.call("on_train_batch_end", begun - 1, logs)

        def on_progress(rows: int, _: int, loss: float, correct: int) -> bool:
            end_batch(Totals(rows, loss, correct))
            if every_batch and not self.stop_training and rows < len(data):
                begin_batch()
            return every_batch and self.stop_training

        if every_batch:
            begin_batch()
        try:
            self._run_epoch(
                f"fit: epoch {epoch + 1}",
                totals,
                data,
                batch_size,
                shuffle=shuffle,
                on_progress=on_progress if every_batch or progress.live else None,
                every_batch=every_batch,
            )
        except FloatingPointError as error:
            if not hooks.forgive(error):
                raise
            totals = Totals(0, math.nan, math.nan)
            end_batch(totals)
        compiled.epochs_trained += 1
        compiled.totals = totals
        return totals

    def _order(self, samples: int, shuffle: bool) -> Array:
        """Return the order in which the core will take the samples of the next epoch."""
        compiled = self._require_compiled("fit")
        if not shuffle:
            return np.arange(samples)
        return _core.random_permutation(compiled.seed, compiled.epochs_trained, samples)

    def _feed_anew(self, data: Data, batch_size: int) -> None:
        """Show all predictions to the metrics that the engine does not count, after a reset."""
        compiled = self._require_compiled("evaluate")
        fed = compiled.fed
        for metric in fed:
            metric.reset_state()
        # Blocks large enough for the engine, small enough for the memory.
        block = max(batch_size, 8192)
        for first in range(0, len(data) if fed else 0, block):
            part = data[first : first + block]
            compiled.feed(part.y, self._predict(part.x))

    def _run_epoch(
        self,
        call: str,
        totals: Totals,
        data: Data,
        batch_size: int,
        *,
        shuffle: bool,
        on_progress: Any = None,
        every_batch: bool = False,
    ) -> None:
        """One pass of the core over the data, training; `call` begins its errors."""
        compiled = self._require_compiled(call)
        optimizer, engine = compiled.optimizer, self._engine()
        try:
            sums = engine.train_epoch(
                data.x,
                data.y,
                batch_size,
                shuffle,
                compiled.seed,
                compiled.epochs_trained,
                optimizer.rule(),
                on_progress,
                every_batch,
                data.sample_weight,
                learning_rates=optimizer.learning_rates(math.ceil(len(data) / max(batch_size, 1))),
            )
        except FloatingPointError as error:
            raise FloatingPointError(f"{call}: {error}") from None
        finally:
            optimizer.batches = engine.steps
        totals.add(*sums)

    def _evaluate(
        self,
        data: Data,
        batch_size: int,
        progress: Progress | None = None,
        hooks: CallbackList | None = None,
    ) -> Totals:
        compiled = self._require_compiled("evaluate")
        if hooks is not None and hooks.wants_batches("test"):
            return self._evaluate_batches(data, batch_size, progress, hooks)
        self._feed_anew(data, batch_size)

        def on_progress(rows: int, _: int, loss: float, correct: int) -> None:
            if progress is not None:
                logs = compiled.logs(Totals(rows, loss, correct))
                progress.update(rows // batch_size, logs)

        sums = self._engine().evaluate(data.x, data.y, batch_size, on_progress, data.sample_weight)
        return Totals(*sums)

    def _evaluate_batches(
        self, data: Data, batch_size: int, progress: Progress | None, hooks: CallbackList
    ) -> Totals:
        """Evaluate one batch after the other, with their hooks between."""
        compiled, engine, totals = self._require_compiled("evaluate"), self._engine(), Totals()
        for metric in compiled.fed:
            metric.reset_state()
        self.stop_evaluating = False
        for batch, first in enumerate(range(0, len(data), batch_size)):
            part = data[first : first + batch_size]
            hooks.call("on_test_batch_begin", batch, {})
            totals.add(*engine.evaluate(part.x, part.y, batch_size, None, part.sample_weight))
            if compiled.fed:
                compiled.feed(part.y, self._predict(part.x))
            logs = compiled.logs(totals)
            if progress is not None:
                progress.update(batch + 1, logs)
            hooks.call("on_test_batch_end", batch, logs)
            if self.stop_evaluating:
                break
        return totals

    def _predict_batches(self, samples: Array, batch_size: int, hooks: CallbackList) -> FloatArray:
        """Predict one batch after the other, with their hooks between."""
        outputs = []
        self.stop_predicting = False
        for batch, first in enumerate(range(0, len(samples), batch_size)):
            hooks.call("on_predict_batch_begin", batch, {})
            outputs.append(self._predict(samples[first : first + batch_size]))
            hooks.call("on_predict_batch_end", batch, {"outputs": outputs[-1]})
            if self.stop_predicting:
                break
        return np.concatenate(outputs) if outputs else self._predict(samples)

    def _predict(self, samples: Array, on_progress: Any = None) -> FloatArray:
        model = self._as_model()
        outputs: FloatArray = model.network.predict(samples, on_progress)
        return outputs.reshape(len(samples), *(size or 0 for size in model.output_shape[1:]))

    def _samples(self, argument: str, x: Any) -> Array:
        """Return data as rows of numbers; build the model from it if it isn't built."""
        model = self._as_model()
        samples = as_samples(x, argument)
        if not model.built:
            model.build((None, *samples.shape[1:]))
        sample_shape = tuple(size or 0 for size in model.input_shape[1:])
        return as_samples(samples, argument, sample_shape)

    def _dataset(
        self,
        call: str,
        x: Any,
        y: npt.ArrayLike | None,
        sample_weight: npt.ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> Data:
        """Return data and labels as the core takes them, all labels checked."""
        if y is None:
            raise ValueError(f"{call}: y: expected labels, got None (generators are not supported)")
        loss = self._require_loss(call).loss
        assert loss is not None
        samples = self._samples(f"{call}: x", x)
        classes = self._as_model().output_shape[-1]
        assert classes is not None
        labels = as_labels(y, f"{call}: y", classes, sparse=loss.sparse)
        if len(samples) != len(labels):
            raise ValueError(f"{call}: x has {len(samples)} samples, y has {len(labels)}")
        if len(samples) == 0:
            raise ValueError(f"{call}: x holds no samples")
        self._require_compiled(call).settle(labels.shape, self._as_model().output_shape)
        if loss.sparse:
            try:
                self._engine().check(samples, labels)
            except ValueError as error:
                raise ValueError(f"{call}: y: {error}") from None
        dtype = self._as_model().dtype
        weights = None
        if sample_weight is not None:
            weights = as_weights(sample_weight, f"{call}: sample_weight", len(samples), dtype)
        if class_weight is not None:
            ids = labels[:, 0] if loss.sparse else labels.argmax(axis=1)
            by_class = as_class_weights(class_weight, f"{call}: class_weight", classes, dtype)[ids]
            weights = by_class if weights is None else by_class * weights
        return Data(samples, labels, weights)

    def _engine(self) -> Any:
        """Return the core's trainer of this model, made when first needed."""
        compiled = self._require_loss("fit")
        assert compiled.loss is not None
        if compiled.engine is None:
            model = self._as_model()
            if len(model.output_shape) != 2:
                raise ValueError(
                    f"{type(self).__name__}: expected an output of shape (batch, classes) for "
                    f"'{compiled.loss.name}', got {model.output_shape}; add layers.Flatten()"
                )
            loss = compiled.loss.engine_loss(model.output_shape[1] or 0)
            compiled.engine = _core.Trainer[model.dtype](model.network, loss, compiled.loss.sparse)
        return compiled.engine

    def _require_compiled(self, call: str) -> Compiled:
        if self._compiled is None:
            raise ValueError(f"{call}: call compile() first")
        return self._compiled

    def _require_loss(self, call: str) -> Compiled:
        compiled = self._require_compiled(call)
        if compiled.loss is None:
            raise ValueError(f"{call}: the model was compiled without a loss")
        return compiled

    def _as_model(self) -> Sequential:
        raise NotImplementedError

    def _freeze(self) -> None:
        """Note which layers are trainable now."""
        raise NotImplementedError


def _metric(identifier: Any, *, sparse: bool) -> Metric:
    return metrics.for_model(identifier, sparse=sparse)


def _refuse(call: str, **arguments: Any) -> None:
    """Raise for arguments of Keras's that cnet doesn't have, unless they are left as they are."""
    for name, value in arguments.items():
        if value is not None and value is not False:
            raise ValueError(f"{call}: {name} is not supported yet, got {value!r}")


def _count(argument: str, value: int | None, default: int) -> int:
    if value is None:
        return default
    return as_count(argument, value, least=1)


def _split(x: Any, y: Any, sample_weight: Any, part: float) -> tuple[tuple[Any, ...], ...]:
    """Split off the last part of the data for validation."""
    part = as_number("fit: validation_split", part)
    if not 0 < part < 1:
        raise ValueError(f"fit: validation_split: expected a number in [0, 1), got {part}")
    samples, labels = as_samples(x, "fit: x"), as_samples(y, "fit: y")
    if len(samples) != len(labels):
        raise ValueError(f"fit: x has {len(samples)} samples, y has {len(labels)}")
    at = math.floor(len(samples) * (1 - part))
    if at in (0, len(samples)):
        raise ValueError(
            f"fit: validation_split={part} of {len(samples)} samples leaves one side empty"
        )
    weights: Array | None = None
    if sample_weight is not None:
        weights = as_weights(sample_weight, "fit: sample_weight", len(samples), "float64")
    return tuple(
        (samples[side], labels[side], None if weights is None else weights[side])
        for side in (slice(at), slice(at, None))
    )


def _result(logs: dict[str, Any], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
