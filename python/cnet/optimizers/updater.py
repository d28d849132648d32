"""Steps of `apply_gradients`, and an optimizer's state for its variables."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import _core
from .._data import FloatArray, as_array, as_type, shape_text
from .._errors import short_repr
from .._updates import engine_shape, update_engine
from .python_updates import PythonUpdates, with_projections

__all__ = ["Updater", "as_variables", "is_variable"]


class Updater:
    """Applies gradients to one list of variables at a time."""

    def __init__(self) -> None:
        # The current variables, with the shape and dtype of gradients that need no conversion.
        self._expected: list[tuple[Any, tuple[int, ...], np.dtype[Any]]] = []
        # `autodiff.Variable`s and the engine's variables that stand in for them.
        self._stand_ins: list[tuple[Any, Any]] = []
        self._engine: Any = None
        # Slots of variables that aren't in the current list, by `id`, until the variable is deleted.
        self._saved_slots: dict[int, tuple[Any, list[FloatArray]]] = {}

    def apply(
        self,
        optimizer: Any,
        learning_rate: float | None,
        given: Sequence[Any],
    ) -> int:
        """Take a step and return the number of batches; `learning_rate` None means the optimizer's."""
        gradients = self._known_gradients(given)
        if gradients is None or self._engine is None:
            pairs = _pairs(given)
            gradients = [_gradient(gradient, variable) for gradient, variable in pairs]
            variables = [variable for _, variable in pairs]
            known = [variable for variable, _, _ in self._expected]
            if list(map(id, variables)) != list(map(id, known)):
                self._set_variables(optimizer, variables)
        for variable, stand_in in self._stand_ins:
            stand_in.assign(variable.value.reshape(engine_shape(variable.shape)))
        self._engine.apply(gradients, optimizer.rule(), learning_rate)
        self._write_back()
        return self.batches

    def prepare(self, optimizer: Any, variables: list[Any]) -> None:
        """Make room for the state of these variables."""
        if list(map(id, variables)) != [id(variable) for variable, _, _ in self._expected]:
            self._set_variables(optimizer, variables)

    def slots(self) -> tuple[list[str], list[FloatArray]]:
        """Return the names of the slots, and those of the current variables."""
        return self._engine.slots()  # type: ignore[no-any-return] # typed in _core.pyi

    def set_slots(self, rule: _core.Optimizer, batches: int, arrays: list[FloatArray]) -> None:
        """Continue from the slots of another one."""
        self._engine.set_slots(rule, batches, arrays)

    @property
    def variables(self) -> list[Any]:
        """The current variables."""
        return [variable for variable, *_ in self._expected]

    @property
    def batches(self) -> int:
        """Number of gradients applied to each variable; several may be accumulated to a step."""
        return self._engine.steps if self._engine else 0

    def _known_gradients(self, given: Sequence[Any]) -> list[FloatArray] | None:
        """Return the gradients if variables, shapes and dtypes are those of the last step, else None.

        This is the fast path of training loops.
        """
        if len(given) != len(self._expected):
            return None
        gradients = []
        for pair, (variable, shape, dtype) in zip(given, self._expected, strict=True):
            if type(pair) is not tuple or len(pair) != 2 or pair[1] is not variable:
                return None
            gradient = getattr(pair[0], "value", None)
            if type(gradient) is not np.ndarray:
                return None
            if gradient.shape != shape or gradient.dtype != dtype:
                return None
            gradients.append(gradient)
        return gradients

    def finish(self) -> None:
        """Replace the variables by their running means, if the optimizer maintains them."""
        if self._engine is not None:
            self._engine.finish()
            self._write_back()

    def _write_back(self) -> None:
        """Copy the numbers of stand-ins back to their variables."""
        for variable, stand_in in self._stand_ins:
            variable.assign(stand_in.numpy().reshape(variable.shape))

    def _set_variables(self, optimizer: Any, variables: list[Any]) -> None:
        """Create an engine for these variables, with the saved slots of previous ones."""
        dtypes = {str(variable.dtype) for variable in variables}
        if len(dtypes) > 1 or not dtypes <= set(_core.Variable):
            raise ValueError(
                "apply_gradients: expected variables of one dtype, float32 or float64, got "
                f"{', '.join(sorted(dtypes))}"
            )
        (dtype,) = dtypes
        expected = [
            (variable, engine_shape(variable.shape), np.dtype(dtype)) for variable in variables
        ]
        if not optimizer.in_engine:
            self._engine, self._expected = PythonUpdates(optimizer, variables), expected
            return
        rule, batches = optimizer.rule(), self.batches
        self._save_slots()
        stand_ins, owned = [], []
        for variable in variables:
            own = getattr(variable, "variable", None)
            if own is None:
                shape = engine_shape(variable.shape)
                own = _core.Variable[dtype](list(shape))
                own.assign(variable.value.reshape(shape))
                stand_ins.append((variable, own))
            owned.append(own)
        engine = with_projections(update_engine(owned, dtype), variables)
        engine.set_slots(rule, batches, [])
        names, slots = engine.slots()
        for index, variable in enumerate(variables):
            _, saved = self._saved_slots.pop(id(variable), (None, []))
            if len(saved) == len(names):
                slots[index * len(names) : (index + 1) * len(names)] = saved
        engine.set_slots(rule, batches, slots)
        self._engine, self._stand_ins, self._expected = engine, stand_ins, expected

    def _save_slots(self) -> None:
        """Save the engine's slots of the current variables."""
        if self._engine is None:
            return
        names, slots = self._engine.slots()
        for index, (variable, _, _) in enumerate(self._expected):
            of_variable = slots[index * len(names) : (index + 1) * len(names)]
            forget = partial(self._saved_slots.pop, id(variable))
            self._saved_slots[id(variable)] = weakref.ref(variable, forget), of_variable


def _gradient(gradient: Any, variable: Any) -> FloatArray:
    """Return a gradient as an array for the engine."""
    array = as_array(getattr(gradient, "value", gradient), "apply_gradients: gradient")
    if array.shape != tuple(variable.shape):
        raise ValueError(
            f"apply_gradients: expected a gradient of shape {shape_text(tuple(variable.shape))} for "
            f"{getattr(variable, 'path', variable.name)}, got {shape_text(array.shape)}"
        )
    array = as_type(array, variable.dtype)
    return array if array.ndim in (1, 2) else array.reshape(engine_shape(array.shape))


def is_variable(thing: Any) -> bool:
    """Whether an optimizer can train an object: it is a weight or a variable."""
    return hasattr(thing, "trainable") and hasattr(thing, "assign") and hasattr(thing, "dtype")


def as_variables(call: str, variables: Any) -> list[Any]:
    """Return weights and variables as a list; raise `TypeError` for anything else."""
    if not isinstance(variables, Iterable):
        raise TypeError(
            f"{call}: expected a list of weights or Variables, got {short_repr(variables)}"
        )
    found = list(variables)
    for each in found:
        if not is_variable(each):
            raise TypeError(f"{call}: expected weights or Variables, got {short_repr(each)}")
    return found


def _pairs(given: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return the pairs whose gradient isn't None."""
    call = "apply_gradients: grads_and_vars"
    pairs = []
    for pair in given:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"{call}: expected pairs (gradient, variable), got {short_repr(pair)}")
        gradient, variable = pair
        if not is_variable(variable):
            raise TypeError(
                f"{call}: expected pairs of a gradient and a weight or Variable, got {short_repr(variable)}"
            )
        if gradient is not None:
            pairs.append((gradient, variable))
    if not pairs:
        raise ValueError(f"{call}: no variable has a gradient")
    if len({id(variable) for _, variable in pairs}) < len(pairs):
        raise ValueError(f"{call}: a variable occurs twice")
    return pairs
