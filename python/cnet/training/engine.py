"""The interface of an engine, which trains and evaluates; the base of those that call Python, and that for tapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from .. import _core, losses, optimizers
from .._data import Array, FloatArray, as_type
from .._typing import ModelProtocol
from .._updates import engine_shape
from ..autodiff import GradientTape
from ..autodiff.recording import paused
from ..layers.batch_shapes import as_shaped
from ..layers.calls import entered
from ..layers.weight import penalties_of
from ..optimizers.updates import updates_of
from .sources import Data, Weights, batches_of

__all__ = ["BatchEngine", "Engine", "TapeEngine"]

# The sums of the losses and right predictions of each output with a loss.
Heads = list[tuple[float, float]]
# Called with the samples and batches seen, and the sum of their losses, of all outputs and of each; True ends the call.
Progress = Callable[[int, int, float, Heads], Any]


class Engine(Protocol):
    """Trains and evaluates the weights of one model on arrays: ``_core.Trainer`` or a `BatchEngine`."""

    @property
    def depends_on_batch(self) -> bool:
        """Whether the loss of a sample depends on the others in its batch."""

    @property
    def steps(self) -> int:
        """Number of batches trained on."""

    def slots(self) -> tuple[list[str], list[FloatArray]]:
        """Return the names of the optimizer's slots and the slots of each trainable weight."""

    def set_slots(self, optimizer: _core.Optimizer, batches: int, arrays: list[FloatArray]) -> None:
        """Continue from the slots of another engine."""

    def finish(self) -> None:
        """Replace the weights by their running mean, if the optimizer keeps one."""

    def outputs(self) -> list[FloatArray]:
        """Return each output with a loss for the latest batch: a row of numbers, or several, for each sample."""

    def check(self, x: Sequence[Array], y: Sequence[Array]) -> None:
        """Raise `ValueError` if a label is not a class, or an id names no row of a table."""

    def train_epoch(
        self,
        x: Sequence[Array],
        y: Sequence[Array],
        options: _core.EpochOptions,
        on_progress: Progress | None,
        sample_weight: Weights | None,
        every_batch: bool,
    ) -> tuple[int, float, Heads]:
        """Train once on each sample; return the samples seen and the sums of `Progress`."""

    def evaluate(
        self,
        x: Sequence[Array],
        y: Sequence[Array],
        batch_size: int,
        on_progress: Progress | None,
        sample_weight: Weights | None,
        every_batch: bool,
    ) -> tuple[int, float, Heads]:
        """Evaluate without training; return the samples seen and the sums of `Progress`."""


class BatchEngine:
    """Base of engines that compute batch by batch in Python.

    Attributes
    ----------
    nesting
        How labels and weights were nested, for steps of the user.
    """

    depends_on_batch = True  # possibly
    nesting: Any = None
    # The outputs with a loss; none where the user's step computes it.
    _heads: Sequence[Any] = ()

    def _train_on(
        self, batch: Data, number: int, options: _core.EpochOptions
    ) -> tuple[float, list[float]]:
        """Take a step with the batch of a number in the call; return the loss before it, and that of each head."""
        raise NotImplementedError

    def _test_on(self, batch: Data) -> tuple[float, list[float]]:
        """Return the loss of a batch, and that of each head."""
        raise NotImplementedError

    def train_epoch(
        self,
        x: Sequence[Array],
        y: Sequence[Array],
        options: _core.EpochOptions,
        on_progress: Progress | None,
        sample_weight: Weights | None,
        every_batch: bool,  # noqa: ARG002 # always
    ) -> tuple[int, float, Heads]:
        data = Data(tuple(x), tuple(y), sample_weight, self.nesting)
        order = None
        if options.shuffle:
            order = _core.random_permutation(options.seed, options.epoch, len(data))

        def train(batch: Data, number: int) -> tuple[float, list[float]]:
            return self._train_on(batch, number, options)

        return self._run(train, data, order, options.batch_size, on_progress)

    def evaluate(
        self,
        x: Sequence[Array],
        y: Sequence[Array],
        batch_size: int,
        on_progress: Progress | None,
        sample_weight: Weights | None,
        every_batch: bool,  # noqa: ARG002 # always
    ) -> tuple[int, float, Heads]:
        data = Data(tuple(x), tuple(y), sample_weight, self.nesting)
        return self._run(lambda batch, _: self._test_on(batch), data, None, batch_size, on_progress)

    def _run(
        self,
        step: Callable[[Data, int], tuple[float, list[float]]],
        data: Data,
        order: Array | None,
        batch_size: int,
        on_progress: Progress | None,
    ) -> tuple[int, float, Heads]:
        """Call a step with each batch and its number; return the samples seen and the sums of `Progress`."""
        seen, total, heads = 0, 0.0, [(0.0, 0.0)] * len(self._heads)
        for number, rows in enumerate(batches_of(len(data), batch_size)):
            batch = data[rows if order is None else order[rows]]
            with paused():
                loss, parts = step(batch, number)
            seen += len(batch)
            total += loss * len(batch)
            heads = [
                (each + part * len(batch), 0.0)
                for (each, _), part in zip(heads, parts, strict=True)
            ]
            if on_progress is not None and on_progress(seen, number + 1, total, heads) is True:
                break
        return seen, total, heads


class TapeEngine(BatchEngine):
    """Trains on a tape, batch by batch, where losses, layers, optimizer, regularizers or constraints are in Python.

    The native engine still computes cnet's own layers, their gradients, and the update by cnet's own optimizers.
    """

    def __init__(
        self,
        model: ModelProtocol,
        heads: Sequence[tuple[int, losses.Loss, float]],
        frozen: set[Any],
        optimizer: optimizers.Optimizer,
    ) -> None:
        for _, loss, _ in heads:
            loss.training_reduction()  # raises if it has none
        self._model, self._heads, self._frozen = model, heads, frozen
        self._names = " + ".join(f"'{loss.name}'" for _, loss, _ in heads)
        learning = (layer for layer in model._flat_layers() if layer not in frozen)
        weights = (
            weight
            for layer in learning
            for weight in layer.weights
            if weight.learnable and weight.layer not in frozen
        )
        self._weights = list(dict.fromkeys(weights))
        self._updates = updates_of(optimizer, self._weights, model.dtype)
        self._outputs: Any = None

    @property
    def steps(self) -> int:
        return self._updates.steps  # type: ignore[no-any-return] # typed in each class

    def slots(self) -> tuple[list[str], list[FloatArray]]:
        return self._updates.slots()  # type: ignore[no-any-return] # as above

    def set_slots(self, optimizer: _core.Optimizer, batches: int, arrays: list[FloatArray]) -> None:
        self._updates.set_slots(optimizer, batches, arrays)

    def finish(self) -> None:
        self._updates.finish()

    def outputs(self) -> list[FloatArray]:
        return [each if each.ndim > 2 else each.reshape(len(each), -1) for each in self._outputs]

    def check(self, x: Sequence[Array], y: Sequence[Array]) -> None:
        for (number, loss, _), of_head in zip(self._heads, y, strict=True):
            shape = self._model.output_shapes[number]
            sizes = [
                of_head.shape[n] if shape[n] is None else shape[n] for n in range(1, len(shape))
            ]
            for rows in batches_of(len(x[0]), 8192):
                labels = of_head[rows]
                loss(labels, np.zeros((len(labels), *sizes), self._model.dtype))

    def _train_on(
        self, batch: Data, number: int, options: _core.EpochOptions
    ) -> tuple[float, list[float]]:
        with GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._weights)
            function = self._model.function(training=True, frozen=self._frozen)
            with entered(True) as call:
                outputs = function.record(self._inputs(batch))
            loss, parts = self._loss_of(batch, outputs, call.losses)
        number_in_epoch = options.first_batch + number + 1
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the loss is not finite at batch {number_in_epoch}: {self._names} gave {float(loss)}"
            )
        gradients = self._gradients(tape, loss, number_in_epoch)
        rates = options.learning_rates
        self._updates.apply(gradients, options.optimizer, rates[number] if rates else None)
        return float(loss), parts

    def _test_on(self, batch: Data) -> tuple[float, list[float]]:
        function = self._model.function(training=False)
        with entered(False) as call:
            outputs = self._shaped(function.predict(batch.x))
        loss, parts = self._loss_of(batch, outputs, call.losses)
        return float(loss), parts

    def _gradients(self, tape: Any, loss: Any, number: int) -> list[FloatArray]:
        """Return the gradients of the weights; raise if one is not finite."""
        found = tape.gradient(loss, self._weights) if hasattr(loss, "__tensor__") else []
        if all(gradient is None for gradient in found):
            raise ValueError(f"{self._names} does not depend on any weight that is trainable")
        gradients = []
        for gradient, weight in zip(found, self._weights, strict=True):
            value = np.zeros(weight.shape, weight.dtype) if gradient is None else gradient.value
            value = value.reshape(engine_shape(weight.shape))
            if not np.isfinite(value).all():
                raise FloatingPointError(
                    f"the gradient is not finite at batch {number}: that of {self._names} by {weight.path}"
                )
            gradients.append(value)
        return gradients

    def _inputs(self, batch: Data) -> list[Array]:
        """Return the samples of a batch in their shape, zeros for those of weight 0 that are not finite."""
        inputs = []
        weights = batch.sample_weight
        for x, shape in zip(batch.x, self._model.input_shapes, strict=True):
            if x.dtype.kind == "f":
                x = as_type(x, self._model.dtype)
                if weights is not None and all(each is not None for each in weights):
                    unused = [
                        np.equal(each, 0).reshape(len(x), -1).all(axis=1)
                        for each in weights
                        if each is not None
                    ]
                    without = np.all(unused, axis=0)
                    odd = without & ~np.isfinite(x.reshape(len(x), -1)).all(axis=1)
                    if odd.any():
                        x = x.copy()
                        x[odd] = 0
            inputs.append(as_shaped(x, shape))
        return inputs

    def _shaped(self, outputs: Sequence[FloatArray]) -> list[FloatArray]:
        """Return outputs in their shapes, from matrices."""
        return [
            as_shaped(rows, shape)
            for rows, shape in zip(outputs, self._model.output_shapes, strict=True)
        ]

    def _loss_of(
        self, batch: Data, predictions: Sequence[Any], added: Sequence[Any]
    ) -> tuple[Any, list[float]]:
        """Return the loss of a batch with what layers added and regularizers' penalties, and the loss of each head.

        Keeps the predictions.
        """
        weights = batch.sample_weight or (None,) * len(self._heads)
        self._outputs = [
            getattr(predictions[number], "value", predictions[number])
            for number, _, _ in self._heads
        ]
        parts = [
            loss(labels, predictions[number], weight)
            for (number, loss, _), labels, weight in zip(self._heads, batch.y, weights, strict=True)
        ]
        weighted = [
            part if factor == 1 else part * factor
            for part, (_, _, factor) in zip(parts, self._heads, strict=True)
        ]
        first, *others = [*weighted, *added, *penalties_of(self._weights)]
        return sum(others, first), [float(part) for part in parts]
