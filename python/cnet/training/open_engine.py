"""The engine of models with inputs of open sizes: a native trainer for each shape of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import _core
from .._data import Array, FloatArray
from .._typing import ModelProtocol
from .._updates import update_engine
from .engine import Heads, Progress
from .sources import Weights

__all__ = ["OpenEngine"]

# Trainers that are kept, for as many shapes.
_MOST = 16


class OpenEngine:
    """Trains in native code, by a network for each shape of the data.

    All share the weights; the state of the optimizer moves from one to the next.

    Parameters
    ----------
    model : ModelProtocol
    heads : function
        Returns the heads of a trainer.
    """

    depends_on_batch = True  # possibly

    def __init__(self, model: ModelProtocol, heads: Callable[[], list[_core.Head]]) -> None:
        self._dtype, self._heads = model.dtype, heads
        self._function = model.function(training=None, frozen=model._frozen)
        learning = (layer for layer in model._flat_layers() if layer not in model._frozen)
        weights = (w for layer in learning for w in layer.weights if w.learnable)
        variables = (weight.variable for weight in dict.fromkeys(weights))
        # The one that has the state, and the one that computed the latest outputs.
        self._current: _core.TrainerFloat32 = update_engine(variables, model.dtype)
        self._latest = self._current
        self._trainers: dict[Any, _core.TrainerFloat32] = {}

    @property
    def steps(self) -> int:
        return self._current.steps

    def slots(self) -> tuple[list[str], list[FloatArray]]:
        return self._current.slots()

    def set_slots(self, optimizer: _core.Optimizer, batches: int, arrays: list[FloatArray]) -> None:
        self._current.set_slots(optimizer, batches, arrays)

    def finish(self) -> None:
        self._current.finish()

    def outputs(self) -> list[FloatArray]:
        return self._latest.outputs()

    def check(self, x: Sequence[Array], y: Sequence[Array]) -> None:
        trainer, arrays = self._trainer_for(x)
        trainer.check(arrays, y)

    def train_epoch(
        self,
        x: Sequence[Array],
        y: Sequence[Array],
        options: _core.EpochOptions,
        on_progress: Progress | None,
        sample_weight: Weights | None,
        every_batch: bool,
    ) -> tuple[int, float, Heads]:
        trainer, arrays = self._trainer_for(x)
        if trainer is not self._current:
            if self._current.steps:
                _, slots = self._current.slots()
                trainer.set_slots(options.optimizer, self._current.steps, slots)
            self._current = trainer
        return trainer.train_epoch(arrays, y, options, on_progress, sample_weight, every_batch)

    def evaluate(
        self,
        x: Sequence[Array],
        y: Sequence[Array],
        batch_size: int,
        on_progress: Progress | None,
        sample_weight: Weights | None,
        every_batch: bool,
    ) -> tuple[int, float, Heads]:
        trainer, arrays = self._trainer_for(x)
        return trainer.evaluate(arrays, y, batch_size, on_progress, sample_weight, every_batch)

    def _trainer_for(self, x: Sequence[Array]) -> tuple[_core.TrainerFloat32, list[Array]]:
        """Return the trainer for samples, and the arrays that its network takes."""
        function = self._function.of(x)
        trainer = self._trainers.get(function)
        if trainer is None:
            trainer = _core.Trainer[self._dtype](function.network, self._heads())
            if len(self._trainers) >= _MOST:
                del self._trainers[next(iter(self._trainers))]
            self._trainers[function] = trainer
        self._latest = trainer
        return trainer, function.engine_arrays(x)
