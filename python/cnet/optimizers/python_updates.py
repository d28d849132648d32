"""Steps that are not the engine's alone: of optimizers of one's own, and with constraints of one's own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import _core
from .._data import FloatArray
from .._updates import engine_shape
from ..constraints import engine_projection

__all__ = ["ProjectedUpdates", "PythonUpdates", "with_projections"]


def with_projections(engine: Any, variables: Sequence[Any]) -> Any:
    """Return an `update_engine`, with steps that also apply the constraints that it cannot compute."""
    updates = ProjectedUpdates(engine, variables)
    return updates if updates.projected else engine


@contextmanager
def _undone_on_error(variables: Iterable[Any]) -> Iterator[None]:
    """Give variables their numbers back if an error is raised within."""
    before = [(variable, variable.numpy()) for variable in variables]
    try:
        yield
    except BaseException:
        for variable, value in before:
            variable.assign(value)
        raise


def _project(variables: Iterable[Any]) -> None:
    """Apply the constraints of variables."""
    for variable in variables:
        if (constraint := getattr(variable, "constraint", None)) is not None:
            variable.assign(constraint(variable))


class ProjectedUpdates:
    """Steps of the engine, and after each of them constraints of one's own.

    Attributes
    ----------
    projected : list of Weight
        Those that have such a constraint.
    """

    def __init__(self, engine: Any, variables: Sequence[Any]) -> None:
        self._engine, self._variables = engine, variables
        self.projected = [
            variable
            for variable in variables
            if engine_projection(getattr(variable, "constraint", None)) is None
        ]

    @property
    def steps(self) -> int:
        """Number of batches trained on."""
        return int(self._engine.steps)

    def slots(self) -> tuple[list[str], list[FloatArray]]:
        """Return the names of the optimizer's slots and the slots of each weight."""
        return self._engine.slots()  # type: ignore[no-any-return] # typed in _core.pyi

    def set_slots(self, rule: _core.Optimizer, batches: int, arrays: list[FloatArray]) -> None:
        """Continue from the slots of another engine."""
        self._engine.set_slots(rule, batches, arrays)

    def finish(self) -> None:
        """Replace the weights by their running mean, if the optimizer keeps one."""
        self._engine.finish()

    def apply(
        self,
        gradients: Sequence[FloatArray],
        rule: _core.Optimizer,
        learning_rate: float | None,
    ) -> None:
        """Take a step; if a constraint raises, nothing changes."""
        steps, (names, slots) = self._engine.steps, self._engine.slots()
        try:
            with _undone_on_error(self._variables):
                self._engine.apply(gradients, rule, learning_rate)
                _project(self.projected)
        except BaseException:
            self._engine.set_slots(rule, steps, slots if names else [])
            raise


class PythonUpdates:
    """Steps of an optimizer of one's own, whose variables hold its state."""

    def __init__(self, optimizer: Any, variables: Sequence[Any]) -> None:
        self._optimizer, self._variables = optimizer, list(variables)

    @property
    def steps(self) -> int:
        """Number of batches that the optimizer has seen."""
        return int(self._optimizer.batches)

    def slots(self) -> tuple[list[str], list[FloatArray]]:
        """Return the names of the optimizer's variables, and their numbers."""
        slots = self._optimizer._slots
        arrays = [
            slot.variable.numpy().reshape(engine_shape(slot.variable.shape)) for slot in slots
        ]
        return [slot.name for slot in slots], arrays

    def set_slots(self, _: _core.Optimizer, batches: int, arrays: list[FloatArray]) -> None:
        """Continue from the numbers that `slots` returned; an empty list keeps those of the optimizer."""
        self._optimizer.prepare(self._variables)
        if arrays:
            for variable, array in zip(self._optimizer.variables, arrays, strict=True):
                variable.assign(array.reshape(variable.shape))
        self._optimizer.batches = batches

    def finish(self) -> None:
        """Replace the weights by their running means, if the optimizer keeps them."""
        optimizer = self._optimizer
        if optimizer.use_ema and optimizer.batches:
            optimizer.prepare(self._variables)
            for variable, average in zip(optimizer._trained, optimizer._averages, strict=True):
                variable.assign(average.numpy())

    def apply(
        self,
        gradients: Sequence[FloatArray],
        _: _core.Optimizer,
        learning_rate: float | None,
    ) -> None:
        """Take a step; if the optimizer or a constraint raises, nothing changes."""
        optimizer = self._optimizer
        optimizer.prepare(self._variables)
        rate = float(optimizer.learning_rate) if learning_rate is None else learning_rate
        shaped = [
            gradient.reshape(variable.shape)
            for gradient, variable in zip(gradients, self._variables, strict=True)
        ]
        with _undone_on_error([*optimizer._trained, *optimizer.variables]):
            self._take_step(self._accumulated(shaped), rate)
            if optimizer.use_ema:
                self._average()
            _project(self._variables)
        optimizer.batches += 1

    def _accumulated(self, gradients: list[FloatArray]) -> list[FloatArray] | None:
        """Return the mean gradients of the batches of a step, None if the step needs more batches."""
        optimizer = self._optimizer
        count = optimizer.gradient_accumulation_steps
        if count is None:
            return gradients
        ends_step = (optimizer.batches + 1) % count == 0
        means = []
        for gradient, variable in zip(gradients, self._variables, strict=True):
            accumulator = optimizer._accumulators[optimizer._get_variable_index(variable)]
            total = gradient + accumulator.numpy()
            accumulator.assign(np.zeros_like(total) if ends_step else total)
            means.append(total * total.dtype.type(1 / count))
        return means if ends_step else None

    def _take_step(self, gradients: list[FloatArray] | None, learning_rate: float) -> None:
        """Decay the weights, and call `update_step` for each."""
        from ..autodiff import Tensor

        if gradients is None:
            return
        optimizer = self._optimizer
        if optimizer.weight_decay:
            for variable in self._variables:
                value = variable.numpy()
                decay = value.dtype.type(learning_rate * optimizer.weight_decay)
                variable.assign(value - decay * value)
        for gradient, variable in zip(self._clipped(gradients), self._variables, strict=True):
            optimizer.update_step(Tensor(gradient), variable, learning_rate)

    def _clipped(self, gradients: list[FloatArray]) -> list[FloatArray]:
        """Return gradients within the optimizer's limits."""
        optimizer = self._optimizer
        if (limit := optimizer.clipvalue) is not None:
            return [np.clip(gradient, -limit, limit) for gradient in gradients]
        norms = [
            math.sqrt(np.square(gradient, dtype=np.float64).sum().item()) for gradient in gradients
        ]
        limit = optimizer.clipnorm
        if optimizer.global_clipnorm is not None:
            limit, norms = optimizer.global_clipnorm, [math.hypot(*norms)] * len(norms)
        if limit is None:
            return gradients
        return [
            gradient * gradient.dtype.type(limit / max(norm, limit))
            for gradient, norm in zip(gradients, norms, strict=True)
        ]

    def _average(self) -> None:
        """Update the running means of all weights, and replace the weights by them if this step is to do so."""
        optimizer = self._optimizer
        frequency = optimizer.ema_overwrite_frequency
        for variable, average in zip(optimizer._trained, optimizer._averages, strict=True):
            value, mean = variable.numpy(), average.numpy()
            rate = mean.dtype.type(1 - optimizer.ema_momentum)
            average.assign(value if optimizer.iterations == 0 else mean + rate * (value - mean))
            if frequency and (optimizer.iterations + 1) % frequency == 0:
                variable.assign(average.numpy())
