"""How the core goes through data: epochs, evaluations and predictions, and who is told on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import losses
from .._data import (
    Array,
    FloatArray,
    as_array,
    as_class_weights,
    as_labels,
    as_samples,
    as_weights,
    unwrap_single_input,
)
from .._errors import short_repr
from .._frames import column_names
from .._progress import Progress
from ..callbacks import CallbackList
from .compilable import Compilable
from .compiled import Compiled, Totals
from .data import DEFAULT_BATCH_SIZE, raise_without_labels
from .sources import Data, Source, Stretch

__all__ = ["Loop"]

# Samples that metrics see at once in an evaluation, so that their figures don't depend on the batch
# size, nor on the number of threads.
BLOCK = 8192


class Loop(Compilable):
    """What the calls of `Trainer` have in common."""

    stop_training: bool = False
    stop_evaluating: bool = False
    stop_predicting: bool = False
    # The names of the data frame's columns that it was first fitted on.
    _columns: tuple[str, ...] | None = None

    def _train_epoch(
        self, call: str, source: Source, steps: int | None, progress: Progress, hooks: CallbackList
    ) -> Totals:
        """Run one epoch with its bar, its metrics and its callbacks' batch hooks."""
        compiled = self._require_compiled(call)
        compiled.reset()
        totals = Totals()
        for stretch in source.epoch(call, steps):
            if hooks.wants_batches("train"):
                hooks.call("on_train_batch_begin", totals.batches, {})
            totals = self._train(call, stretch, totals, progress, hooks)
            if self.stop_training:
                break
        compiled.totals = totals
        return totals

    def _train(
        self, call: str, stretch: Stretch, before: Totals, progress: Progress, hooks: CallbackList
    ) -> Totals:
        """Train on a stretch whose first batch has begun; return the totals with it."""
        compiled, engine, data = self._require_compiled(call), self._engine(), stretch.data
        has_hooks, has_fed = hooks.wants_batches("train"), bool(compiled.fed)
        every_batch = has_hooks or has_fed
        size = stretch.batch_size
        order: Array | None = None
        if has_fed and stretch.shuffled:
            order = compiled.shuffles.order(stretch.number, len(data))

        def end_batch(totals: Totals) -> None:
            if not has_hooks and not progress.live:
                return
            logs = compiled.logs(totals)
            progress.update(totals.batches, logs)
            if has_hooks:
                compiled.optimizer.batches = engine.steps
                hooks.call("on_train_batch_end", totals.batches - 1, logs)

        def on_progress(rows: int, batches: int, loss: float, correct: int) -> bool:
            if has_fed:
                own = slice((batches - 1) * size, min(batches * size, len(data)))
                compiled.feed(data, own if order is None else order[own], engine.outputs())
            totals = before + Totals(rows, batches, loss, correct)
            end_batch(totals)
            if has_hooks and not self.stop_training and rows < len(data):
                hooks.call("on_train_batch_begin", totals.batches, {})
            return every_batch and self.stop_training

        steps = engine.steps
        try:
            totals = before + self._run(
                stretch,
                on_progress if every_batch or progress.live else None,
                every_batch=every_batch,
                first_batch=before.batches,
            )
        except FloatingPointError as error:
            told = FloatingPointError(f"{call}: {error}")
            if not hooks.handles_nan(told):
                raise told from None
            done = before.batches + engine.steps - steps + 1
            totals = Totals(before.rows, done, math.nan, math.nan)
            end_batch(totals)
            return totals
        if not every_batch:
            end_batch(totals)
        return totals

    def _run(
        self,
        stretch: Stretch,
        on_progress: Any = None,
        *,
        every_batch: bool = False,
        first_batch: int = 0,
    ) -> Totals:
        """Let the core train on a stretch; return its totals."""
        compiled, engine, data = self._require_compiled("fit"), self._engine(), stretch.data
        optimizer, steps = compiled.optimizer, engine.steps
        optimizer.batches = steps  # it may train other models, too
        try:
            rows, loss, correct = engine.train_epoch(
                data.x,
                data.y,
                stretch.batch_size,
                stretch.shuffled,
                compiled.shuffles.seed,
                stretch.number,
                optimizer.rule(),
                on_progress,
                every_batch,
                data.sample_weight,
                False,
                optimizer.learning_rates(stretch.batches, engine.steps),
                first_batch,
            )
        finally:
            optimizer.batches = engine.steps
            if engine.steps != steps:
                self._as_model()._settle()  # nobody builds what has learnt anew
        return Totals(rows, math.ceil(rows / stretch.batch_size), loss, correct)

    def _evaluate(
        self,
        call: str,
        source: Source,
        steps: int | None,
        progress: Progress,
        hooks: CallbackList,
    ) -> Totals:
        """Go through data without training, with its bar, its metrics and its callbacks' hooks."""
        compiled = self._require_compiled(call)
        compiled.reset()
        self.stop_evaluating = False
        has_hooks = hooks.wants_batches("test")
        totals = Totals()
        for stretch in source.epoch(call, steps, one_by_one=has_hooks):
            if has_hooks:
                hooks.call("on_test_batch_begin", totals.batches, {})
            totals = self._look(stretch, totals, progress)
            if has_hooks:
                hooks.call("on_test_batch_end", totals.batches - 1, compiled.logs(totals))
            if self.stop_evaluating:
                break
        compiled.totals = totals
        return totals

    def _look(self, stretch: Stretch, before: Totals, progress: Progress | None = None) -> Totals:
        """Evaluate a stretch; return the totals with it."""
        compiled, engine, data = self._require_compiled("evaluate"), self._engine(), stretch.data
        has_fed, live = bool(compiled.fed), progress is not None and progress.live
        shown, kept = 0, list[FloatArray]()

        def show(rows: int) -> None:
            """Feed the metrics what is a block by now, or the rest."""
            nonlocal shown, kept
            kept.append(engine.outputs())
            while rows - shown >= BLOCK or shown < rows == len(data):
                outputs = np.concatenate(kept)
                block = slice(shown, min(shown + BLOCK, rows))
                compiled.feed(data, block, outputs[:BLOCK])
                shown, kept = block.stop, [outputs[BLOCK:]]

        def on_progress(rows: int, _: int, loss: float, correct: int) -> None:
            if has_fed:
                show(rows)
            tell(before + Totals(rows, rows // stretch.batch_size, loss, correct))

        def tell(totals: Totals) -> None:
            if progress is not None and live:
                progress.update(totals.batches, compiled.logs(totals))

        rows, loss, correct = engine.evaluate(
            data.x,
            data.y,
            max(stretch.batch_size, BLOCK)
            if has_fed and not engine.depends_on_batch
            else stretch.batch_size,
            on_progress if has_fed or live else None,
            data.sample_weight,
            has_fed,
        )
        totals = before + Totals(rows, stretch.batches, loss, correct)
        tell(totals)
        return totals

    def _predict_all(
        self,
        call: str,
        source: Source,
        steps: int | None,
        progress: Progress,
        hooks: CallbackList,
    ) -> list[FloatArray]:
        """Return the outputs of each stretch, with their bar and their callbacks' hooks."""
        self.stop_predicting = False
        has_hooks = hooks.wants_batches("predict")
        outputs: list[FloatArray] = []
        batches = 0
        for stretch in source.epoch(call, steps, one_by_one=has_hooks):
            done, size = batches, stretch.batch_size

            def on_progress(rows: int, *_: Any, done: int = done, size: int = size) -> None:
                progress.update(done + math.ceil(rows / size), {})

            if has_hooks:
                hooks.call("on_predict_batch_begin", batches, {})
            outputs.append(self._predict(stretch.data.x, on_progress if progress.live else None))
            batches += stretch.batches
            if has_hooks:
                hooks.call("on_predict_batch_end", done, {"outputs": outputs[-1]})
            if self.stop_predicting:
                break
        if progress.live:
            progress.end({}, batches)
        return outputs

    def _predict(self, samples: Array, on_progress: Any = None) -> FloatArray:
        model = self._as_model()
        if model.in_engine:
            return self._shaped(model.network.predict(samples, on_progress))
        return self._shaped(model.chain(training=False).predict(samples, on_progress))

    def _shaped(self, rows: FloatArray) -> FloatArray:
        """Return the engine's rows of numbers as the model's outputs."""
        shape = self._as_model().output_shape
        return rows.reshape(len(rows), *(size or 0 for size in shape[1:]))

    def _samples(self, argument: str, x: Any) -> Array:
        """Return data as rows of numbers; build the model from it if it isn't built."""
        model = self._as_model()
        self._check_columns(argument, x)
        if not model.built:
            x = as_samples(unwrap_single_input(x), argument)
            model.build((None, *x.shape[1:]))
        sample_shape = tuple(size or 0 for size in model.input_shape[1:])
        return as_samples(unwrap_single_input(x, 1 + len(sample_shape)), argument, sample_shape)

    def _data(
        self,
        call: str,
        x: Any,
        y: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> Data:
        """Return data and labels as the core takes them, all labels checked."""
        if y is None:
            raise_without_labels(call, x)
        with self._as_model().unbuilt_on_error():
            return self._built_data(call, x, y, sample_weight, class_weight)

    def _built_data(
        self,
        call: str,
        x: Any,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
        class_weight: Mapping[int, float] | None,
    ) -> Data:
        compiled = self._require_loss(call)
        loss = compiled.loss
        assert loss is not None
        samples = self._samples(f"{call}: x", x)
        if (
            isinstance(y, (list, tuple))
            and len(y) == 1
            and np.ndim(y[0])
            and len(y[0]) == len(samples)
        ):
            y = y[0]  # as Keras gives a model's one output its labels
        classes = self._as_model().output_shape[-1]
        assert classes is not None
        are_classes = not isinstance(loss, losses.PointwiseLoss)
        if loss.in_engine:
            labels = as_labels(
                y, f"{call}: y", classes, sparse=loss.sparse, are_classes=are_classes
            )
        else:  # of any shape, as its function takes them
            labels = np.atleast_1d(as_array(y, f"{call}: y"))
        if len(samples) != len(labels):
            raise ValueError(f"{call}: x has {len(samples)} samples, y has {len(labels)}")
        if len(samples) == 0:
            raise ValueError(f"{call}: x holds no samples")
        compiled.settle(labels.shape, self._as_model().output_shape)
        if loss.sparse:
            engine = self._engine()
            try:
                engine.check(samples, labels)
            except ValueError as error:
                raise ValueError(f"{call}: y: {error}") from None
        dtype = self._as_model().dtype
        weights = None
        if sample_weight is not None:
            weights = as_weights(sample_weight, f"{call}: sample_weight", len(samples), dtype)
        if class_weight is not None:
            labels_2d = as_samples(labels, f"{call}: y")
            are_ids = loss.sparse or (not loss.in_engine and labels_2d.shape[1:] == (1,))
            ids, known = _classes_of(labels_2d, classes, sparse=are_ids)
            by_class = as_class_weights(class_weight, f"{call}: class_weight", ids, known, dtype)
            weights = by_class if weights is None else by_class * weights
        data = Data(samples, labels, weights)
        self._rehearse(compiled, data)
        self._columns = self._columns or column_names(x)
        return data

    def _check_columns(self, argument: str, x: Any) -> None:
        """Raise `ValueError` for a data frame of other columns than the model was fitted on."""
        known, given = self._columns, column_names(x)
        if known is None or given is None or given == known:
            return
        differences = [
            f"{what} {', '.join(map(short_repr, names[:12]))}{', …' if len(names) > 12 else ''}"
            for what, names in (
                ("without", [name for name in known if name not in given]),
                ("with", [name for name in given if name not in known]),
            )
            if names
        ]
        raise ValueError(
            f"{argument}: expected the columns that the model was fitted on, got them "
            f"{' and '.join(differences) or 'in another order'}"
        )

    def _rehearse(self, compiled: Compiled, data: Data) -> None:
        """Show the metrics some samples, so that one that can't take them fails before a step."""
        if compiled.rehearsed or not compiled.fed:
            return
        some = slice(DEFAULT_BATCH_SIZE)
        self._engine()  # which knows whether the output is one that has a loss
        compiled.feed(data, some, self._predict(data.x[some]))
        compiled.reset()
        compiled.rehearsed = True


def _classes_of(labels: Array, outputs: int, *, sparse: bool) -> tuple[Array, int | None]:
    """Return the class of each sample, and how many there are, None if that is not known."""
    if sparse:
        return labels[:, 0], outputs
    if outputs > 1:
        return labels.argmax(axis=1), outputs
    # A single output says yes or no, or −1 or 1, as Keras takes it: rounded.
    with np.errstate(invalid="ignore"):
        return np.round(labels[:, 0]).astype(np.int64), None
