"""The engine for models with steps of their own, such as `train_step`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._data import Array, FloatArray
from .._typing import ModelProtocol
from ..autodiff.nested import map_leaves
from .engine import BatchEngine
from .sources import Data

__all__ = ["StepEngine", "pack_x_y_sample_weight", "unpack_x_y_sample_weight"]


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, ...]:
    """Return a batch as a tuple, without what is None at its end.

    Examples
    --------
    >>> from cnet.utils import pack_x_y_sample_weight
    >>> pack_x_y_sample_weight([1.0], [2.0])
    ([1.0], [2.0])
    """
    if y is None:
        return (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Return x, y and sample_weight of a batch, None for what it lacks.

    Raises
    ------
    ValueError
        If `data` is a tuple of other than one to three parts.

    Examples
    --------
    >>> from cnet.utils import unpack_x_y_sample_weight
    >>> unpack_x_y_sample_weight(([1.0], [2.0]))
    ([1.0], [2.0], None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"expected a batch (x,), (x, y) or (x, y, sample_weight), got {len(data)} parts"
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


class StepEngine(BatchEngine):
    """Trains and evaluates batch by batch, by a model's `train_step` and `test_step`.

    The optimizer's state is that of its `apply_gradients` for the trainable weights.
    """

    def __init__(self, model: ModelProtocol, setup: Any) -> None:
        self._model, self._setup = model, setup
        self._batches = 0

    @property
    def steps(self) -> int:
        optimizer = self._setup.optimizer
        # An optimizer of one's own counts its steps itself.
        return self._batches if optimizer.in_engine else int(optimizer.batches)

    def slots(self) -> tuple[list[str], list[FloatArray]]:
        updater = self._setup.optimizer.updater_of(self._model.trainable_weights)
        return updater.slots()  # type: ignore[no-any-return] # typed there

    def set_slots(self, optimizer: _core.Optimizer, batches: int, arrays: list[FloatArray]) -> None:
        updater = self._setup.optimizer.updater_of(self._model.trainable_weights)
        updater.set_slots(optimizer, batches, arrays)
        self._batches = batches

    def finish(self) -> None:
        self._setup.optimizer.finalize_variable_values()

    def outputs(self) -> list[FloatArray]:
        return []

    def check(self, x: Sequence[Array], y: Sequence[Array]) -> None:
        """Do nothing: what labels mean is up to the step."""

    def _train_on(
        self, batch: Data, number: int, options: _core.EpochOptions
    ) -> tuple[float, list[float]]:
        loss = self._loss_of("train_step", batch)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the loss is not finite at batch {options.first_batch + number + 1}: train_step gave {loss}"
            )
        self._batches += 1
        return loss, []

    def _test_on(self, batch: Data) -> tuple[float, list[float]]:
        return self._loss_of("test_step", batch), []

    def _loss_of(self, name: str, batch: Data) -> float:
        """Call a step; return the loss among its figures, 0 if there is none."""
        step: Callable[[Any], Any] = getattr(self._model, name)
        logs = step(self._given(batch))
        if not isinstance(logs, dict):
            raise TypeError(
                f"{name}: expected a dict of figures by name, got {type(logs).__name__}"
            )
        self._setup.step_logs = {key: _number(value) for key, value in logs.items()}
        loss: float = self._setup.step_logs.get("loss", 0.0)
        return loss

    def _given(self, batch: Data) -> tuple[Any, ...]:
        """Return a batch as a step takes it, nested as the user's data."""
        labels, weights = batch.nesting or (None, None)
        return pack_x_y_sample_weight(
            self._model.nested_inputs(batch.x),
            None if labels is None else _nested(labels, batch.y),
            None if weights is None else _nested(weights, batch.sample_weight or ()),
        )


def _nested(structure: Any, leaves: Sequence[Any]) -> Any:
    remaining = iter(leaves)
    return map_leaves(lambda _: next(remaining), structure)


def _number(value: Any) -> Any:
    array = np.asarray(getattr(value, "value", value))
    return float(array) if array.ndim == 0 else array
