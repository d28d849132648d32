"""Takes an engine through data: epochs, evaluations and predictions, with their callbacks and progress bar."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from .._data import Array, FloatArray
from .._progress import Progress
from .._typing import ModelProtocol
from ..callbacks import CallbackList, History
from .engine import Engine, Heads
from .setup import Setup, Totals
from .sources import Chunk, Source, warn_of_end
from .step_engine import StepEngine

__all__ = ["Loop", "predict"]

# Samples by which metrics are updated in an evaluation, whatever the batch size and the number of threads.
METRIC_BLOCK = 8192


@dataclass
class Loop:
    """One call of a model, with its callbacks and its progress bar."""

    model: ModelProtocol
    setup: Setup
    callbacks: CallbackList
    progress: Progress

    def fit(
        self,
        source: Source,
        epochs: range,
        steps: int | None,
        validation: Source | None,
        validation_steps: int | None,
        is_validated: Callable[[int], bool],
    ) -> History:
        """Train for some epochs; validate after those, counted from 1, for which `is_validated` is true."""
        model, setup, callbacks, progress = self.model, self.setup, self.callbacks, self.progress
        if epochs.start == 0:
            setup.shuffles.taken = 0
        # First, so that a callback that saves the model saves the epoch's figures with it.
        history = model.history = History()
        callbacks.prepend(history)
        model.stop_training = False
        logs: dict[str, Any] = {}
        callbacks.call("on_train_begin", {})
        callbacks.call("_on_train_ready", callbacks.callbacks)
        if history.epoch:  # restored from an interrupted fit
            next_epoch, logs = history.epoch[-1] + 1, history.latest()
            epochs = range(next_epoch, next_epoch if model.stop_training else epochs.stop)
        try:
            for epoch in epochs:
                call = f"fit: epoch {epoch + 1}"
                callbacks.call("on_epoch_begin", epoch, {})
                progress.begin(f"Epoch {epoch + 1}/{epochs.stop}")
                totals = self._train_epoch(call, source, steps)
                if totals.batches == 0:
                    break
                logs = setup.logs(totals)
                if validation is not None and is_validated(epoch + 1):
                    figures = self._validate(validation, validation_steps)
                    logs |= {f"val_{name}": value for name, value in figures.items()}
                progress.end(logs, totals.batches)
                callbacks.call("on_epoch_end", epoch, logs)
                history.refresh_latest()
                callbacks.call("_on_epoch_complete", callbacks.callbacks)
                if model.stop_training:
                    break
                if source.exhausted:
                    if steps is None and epoch + 1 < epochs.stop:
                        warn_of_end(call, "before the last epoch")
                    break
        finally:
            progress.close()
            history.drop_incomplete_epoch()
            if setup.engine is not None:  # an interrupt may precede a batch's own count
                setup.optimizer.batches = setup.engine.steps
        if setup.engine is not None or setup.pending_state is not None:
            setup.engine_for(model).finish()
        callbacks.call("on_train_end", logs)
        return history

    def _train_epoch(self, call: str, source: Source, steps: int | None) -> Totals:
        """Train for one epoch; return its totals."""
        self.reset()
        totals = Totals()
        for chunk in source.epoch(call, steps):
            if self.callbacks.wants_batches("train"):
                self.callbacks.call("on_train_batch_begin", totals.batches, {})
            totals = self.train(call, chunk, totals)
            if self.model.stop_training:
                break
        self.setup.totals = totals
        return totals

    def reset(self) -> None:
        self.setup.reset()
        if self.setup.has_steps:
            for metric in self.model.metrics:
                metric.reset_state()

    def _engine_for(self, chunk: Chunk) -> Engine:
        engine = self.setup.engine_for(self.model)
        if isinstance(engine, StepEngine):
            engine.nesting = chunk.data.nesting
        return engine

    def train(self, call: str, chunk: Chunk, before: Totals) -> Totals:
        """Train on a chunk, whose first batch has begun; return the totals so far."""
        model, setup, callbacks, progress = self.model, self.setup, self.callbacks, self.progress
        engine, data, size = self._engine_for(chunk), chunk.data, chunk.batch_size
        has_hooks, has_metrics = callbacks.wants_batches("train"), bool(setup.python_metrics)
        every_batch = has_hooks or has_metrics
        order: Array | None = None
        if has_metrics and chunk.shuffled:
            order = setup.shuffles.order(chunk.pass_number, len(data))

        def end_batch(totals: Totals) -> None:
            if not has_hooks and not progress.live:
                return
            logs = setup.logs(totals)
            progress.update(totals.batches, logs)
            if has_hooks:
                setup.optimizer.batches = engine.steps
                callbacks.call("on_train_batch_end", totals.batches - 1, logs)

        def on_progress(rows: int, batches: int, loss: float, heads: Heads) -> bool:
            if has_metrics:
                batch_rows = slice((batches - 1) * size, min(batches * size, len(data)))
                setup.update_metrics(
                    data, batch_rows if order is None else order[batch_rows], engine.outputs()
                )
            totals = before + Totals(rows, batches, loss, heads)
            end_batch(totals)
            if has_hooks and not model.stop_training and rows < len(data):
                callbacks.call("on_train_batch_begin", totals.batches, {})
            return every_batch and model.stop_training

        optimizer, steps = setup.optimizer, engine.steps
        optimizer.batches = steps  # it may train other models, too
        try:
            options = _core.EpochOptions(
                batch_size=size,
                shuffle=chunk.shuffled,
                seed=setup.shuffles.seed,
                epoch=chunk.pass_number,
                optimizer=optimizer.rule(),
                learning_rates=optimizer.learning_rates(chunk.batches, steps),
                first_batch=before.batches,
            )
            rows, loss, heads = engine.train_epoch(
                data.x,
                data.y,
                options,
                on_progress if every_batch or progress.live else None,
                data.sample_weight,
                every_batch,
            )
        except FloatingPointError as error:
            named = FloatingPointError(f"{call}: {error}")
            if not callbacks.handles_nan(named):
                raise named from None
            batches = before.batches + engine.steps - steps + 1
            totals = Totals(before.rows, batches, math.nan, [(math.nan, math.nan)] * len(data.y))
            end_batch(totals)
            return totals
        finally:
            optimizer.batches = engine.steps
        totals = before + Totals(rows, math.ceil(rows / size), loss, heads)
        if not every_batch:
            end_batch(totals)
        return totals

    def _validate(self, source: Source, steps: int | None) -> dict[str, Any]:
        """Return the figures of validation, none if its data has ended."""
        source.restart()
        silent = Loop(self.model, self.setup, self.callbacks, Progress(steps, 0, "fit"))
        logs = silent.evaluate("fit: validation_data", source, steps)
        if steps is None and not logs:
            warn_of_end("fit: validation_data", "in an earlier epoch")
        return logs

    def evaluate(self, call: str, source: Source, steps: int | None) -> dict[str, Any]:
        """Return the loss and metrics of a source, none if its data has ended."""
        model, setup, callbacks, progress = self.model, self.setup, self.callbacks, self.progress
        model.stop_evaluating = False
        has_hooks = callbacks.wants_batches("test")
        totals = Totals()
        callbacks.call("on_test_begin", {})
        self.reset()
        progress.begin("Evaluate")
        try:
            for chunk in source.epoch(call, steps, one_by_one=has_hooks):
                if has_hooks:
                    callbacks.call("on_test_batch_begin", totals.batches, {})
                totals = self.test(chunk, totals)
                if has_hooks:
                    callbacks.call("on_test_batch_end", totals.batches - 1, setup.logs(totals))
                if model.stop_evaluating:
                    break
            setup.totals = totals
            logs = setup.logs(totals) if totals.batches else {}
            progress.end(logs, totals.batches)
        finally:
            progress.close()
        callbacks.call("on_test_end", logs)
        return logs

    def test(self, chunk: Chunk, before: Totals) -> Totals:
        """Evaluate a chunk; return the totals so far."""
        setup, progress, data = self.setup, self.progress, chunk.data
        engine = self._engine_for(chunk)
        has_metrics, size = bool(setup.python_metrics), chunk.batch_size
        updated_rows, pending_outputs = 0, list[list[FloatArray]]()

        def update_metrics(rows: int) -> None:
            """Update the metrics with each complete block, and with the rest at the end."""
            nonlocal updated_rows, pending_outputs
            pending_outputs.append(engine.outputs())
            while rows - updated_rows >= METRIC_BLOCK or updated_rows < rows == len(data):
                outputs = [np.concatenate(parts) for parts in zip(*pending_outputs, strict=True)]
                block = slice(updated_rows, min(updated_rows + METRIC_BLOCK, rows))
                setup.update_metrics(data, block, [each[:METRIC_BLOCK] for each in outputs])
                updated_rows = block.stop
                pending_outputs = [[each[METRIC_BLOCK:] for each in outputs]]

        def show(totals: Totals) -> None:
            if progress.live:
                progress.update(totals.batches, setup.logs(totals))

        def on_progress(rows: int, _: int, loss: float, heads: Heads) -> None:
            if has_metrics:
                update_metrics(rows)
            show(before + Totals(rows, rows // size, loss, heads))

        in_blocks = has_metrics and not engine.depends_on_batch
        rows, loss, heads = engine.evaluate(
            data.x,
            data.y,
            max(size, METRIC_BLOCK) if in_blocks else size,
            on_progress if has_metrics or progress.live else None,
            data.sample_weight,
            has_metrics,
        )
        totals = before + Totals(rows, chunk.batches, loss, heads)
        show(totals)
        return totals


def predict(
    model: ModelProtocol,
    source: Source,
    steps: int | None,
    callbacks: CallbackList,
    progress: Progress,
) -> Any:
    """Return the outputs for a source."""
    model.stop_predicting = False
    has_hooks = callbacks.wants_batches("predict")
    outputs: list[list[FloatArray]] = []
    batches = 0
    callbacks.call("on_predict_begin", {})
    if progress.live:
        progress.begin("Predict")
    try:
        for chunk in source.epoch("predict", steps, one_by_one=has_hooks):
            before, size = batches, chunk.batch_size

            def on_progress(rows: int, *_: Any, before: int = before, size: int = size) -> None:
                progress.update(before + math.ceil(rows / size), {})

            if has_hooks:
                callbacks.call("on_predict_batch_begin", batches, {})
            on_rows = on_progress if progress.live else None
            outputs.append(model._predict_by_step(chunk.data.x, on_rows))
            batches += chunk.batches
            if has_hooks:
                shaped = model._shaped(outputs[-1])
                callbacks.call("on_predict_batch_end", before, {"outputs": shaped})
            if model.stop_predicting:
                break
        if progress.live:
            progress.end({}, batches)
    finally:
        progress.close()
    callbacks.call("on_predict_end", {})
    if len(outputs) == 1:
        return model._shaped(outputs[0])
    return model._shaped([np.concatenate(parts) for parts in zip(*outputs, strict=True)])
