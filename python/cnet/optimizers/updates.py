"""What takes the steps of an optimizer where a tape computes the gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _core
from .._data import FloatArray
from .._updates import update_engine
from .python_updates import PythonUpdates, with_projections
from .updater import Updater

__all__ = ["AppliedUpdates", "updates_of"]


def updates_of(optimizer: Any, variables: Sequence[Any], dtype: str) -> Any:
    """Return the object that applies an optimizer to weights: an `update_engine`, or one with its methods."""
    if optimizer.has_own_apply:
        return AppliedUpdates(optimizer, variables)
    if not optimizer.in_engine:
        return PythonUpdates(optimizer, variables)
    engine = update_engine((weight.variable for weight in variables), dtype)
    return with_projections(engine, variables)


class AppliedUpdates:
    """Steps of an optimizer whose `apply` or `apply_gradients` is the user's."""

    def __init__(self, optimizer: Any, variables: Sequence[Any]) -> None:
        self._optimizer, self._variables = optimizer, list(variables)

    @property
    def steps(self) -> int:
        """Number of batches that the optimizer has seen."""
        return self._updater().batches

    def _updater(self) -> Updater:
        updater: Updater = self._optimizer.updater_of(self._variables)
        return updater

    def slots(self) -> tuple[list[str], list[FloatArray]]:
        """Return the names of the optimizer's slots and their numbers."""
        return self._updater().slots()

    def set_slots(self, rule: _core.Optimizer, batches: int, arrays: list[FloatArray]) -> None:
        """Continue from the numbers that `slots` returned."""
        self._updater().set_slots(rule, batches, arrays)

    def finish(self) -> None:
        """Replace the weights by their running means, if the optimizer keeps them."""
        self._updater().finish()

    def apply(
        self,
        gradients: Sequence[FloatArray],
        _: _core.Optimizer,
        __: float | None,  # apply_gradients computes the rate
    ) -> None:
        """Call the optimizer's `apply`."""
        from ..autodiff import Tensor

        shaped = [
            Tensor(gradient.reshape(variable.shape))
            for gradient, variable in zip(gradients, self._variables, strict=True)
        ]
        self._optimizer.apply(shaped, self._variables)
