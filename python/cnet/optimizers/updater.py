"""What an optimizer keeps for variables that it is given gradients of, and the engine that changes them."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import _core
from .._data import FloatArray, as_array, as_type, shape_text
from .._errors import short_repr

__all__ = ["Updater"]


class Updater:
    """The engine's, for one list of variables at a time."""

    def __init__(self) -> None:
        # Its variables, and what a gradient of each is that the engine takes as it is.
        self._expected: list[tuple[Any, tuple[int, ...], np.dtype[Any]]] = []
        # Variables that are not the engine's, and what it has in their place.
        self._stand_ins: list[tuple[Any, Any]] = []
        self._engine: Any = None
        # Of variables that are not in the list now, by `id`; a variable that goes takes it along.
        self._saved_slots: dict[int, tuple[Any, list[FloatArray]]] = {}

    def apply(
        self,
        rule: _core.Optimizer,
        learning_rate: float | None,
        given: Sequence[Any],
    ) -> int:
        """Take a step, without a rate at the rule's; return how many batches there were."""
        gradients = self._known_gradients(given)
        if gradients is None or self._engine is None:
            pairs = _pairs(given)
            gradients = [_gradient(gradient, variable) for gradient, variable in pairs]
            variables = [variable for _, variable in pairs]
            known = [variable for variable, _, _ in self._expected]
            if list(map(id, variables)) != list(map(id, known)):
                self._set_variables(rule, variables)
        for variable, stand_in in self._stand_ins:
            stand_in.assign(variable.value.reshape(_engine_shape(variable.shape)))
        self._engine.apply(gradients, rule, learning_rate)
        self._write_back()
        return self.batches

    @property
    def batches(self) -> int:
        """How many gradients there were of each variable, of which several may make a step."""
        return self._engine.steps if self._engine else 0

    def _known_gradients(self, given: Sequence[Any]) -> list[FloatArray] | None:
        """Return the gradients if the variables are those of before and all is as it was, else None.

        A loop asks for nothing else, for the shortest of steps.
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
        """Put the running means of the variables in their place, if the optimizer keeps them."""
        if self._engine is not None:
            self._engine.finish()
            self._write_back()

    def _write_back(self) -> None:
        """Put the engine's numbers in the place of those of variables that are not its own."""
        for variable, stand_in in self._stand_ins:
            variable.assign(stand_in.numpy().reshape(variable.shape))

    def _set_variables(self, rule: _core.Optimizer, variables: list[Any]) -> None:
        """Make an engine for these variables, which goes on where others have left them."""
        dtypes = {str(variable.dtype) for variable in variables}
        if len(dtypes) > 1 or not dtypes <= set(_core.Variable):
            raise ValueError(
                "apply_gradients: expected variables of one dtype, float32 or float64, got "
                f"{', '.join(sorted(dtypes))}"
            )
        (dtype,) = dtypes
        batches = self.batches
        self._save_slots()
        network, stand_ins = _core.Network[dtype](1), []
        for index, variable in enumerate(variables):
            own = getattr(variable, "variable", None)
            if own is None:
                shape = _engine_shape(variable.shape)
                own = _core.Variable[dtype](list(shape))
                own.assign(variable.value.reshape(shape))
                stand_ins.append((variable, own))
            network.add_parameters(str(index), own, True)
        engine = _core.Trainer[dtype](network, _core.Loss("elsewhere"), False)
        engine.set_slots(rule, batches, [])
        names, slots = engine.slots()
        for index, variable in enumerate(variables):
            _, kept = self._saved_slots.pop(id(variable), (None, []))
            if len(kept) == len(names):
                slots[index * len(names) : (index + 1) * len(names)] = kept
        engine.set_slots(rule, batches, slots)
        self._engine, self._stand_ins = engine, stand_ins
        self._expected = [
            (variable, _engine_shape(variable.shape), np.dtype(dtype)) for variable in variables
        ]

    def _save_slots(self) -> None:
        """Keep what the engine has kept for the variables of now."""
        if self._engine is None:
            return
        names, slots = self._engine.slots()
        for index, (variable, _, _) in enumerate(self._expected):
            of_variable = slots[index * len(names) : (index + 1) * len(names)]
            gone = partial(self._saved_slots.pop, id(variable))
            self._saved_slots[id(variable)] = weakref.ref(variable, gone), of_variable


def _gradient(gradient: Any, variable: Any) -> FloatArray:
    """Return a gradient as the engine takes it."""
    array = as_array(getattr(gradient, "value", gradient), "apply_gradients: gradient")
    if array.shape != tuple(variable.shape):
        raise ValueError(
            f"apply_gradients: expected a gradient of shape {shape_text(tuple(variable.shape))} for "
            f"{getattr(variable, 'path', variable.name)}, got {shape_text(array.shape)}"
        )
    array = as_type(array, variable.dtype)
    return array if array.ndim in (1, 2) else array.reshape(_engine_shape(array.shape))


def _engine_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of what the engine has in the place of an array: it knows vectors and matrices."""
    if len(shape) in (1, 2):
        return tuple(shape)
    return (math.prod(shape[:-1]), shape[-1]) if shape else (1,)


def _pairs(given: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return the pairs that have a gradient."""
    call = "apply_gradients: grads_and_vars"
    pairs = []
    for pair in given:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"{call}: expected pairs (gradient, variable), got {short_repr(pair)}")
        gradient, variable = pair
        if not hasattr(type(variable), "trainable") or not hasattr(variable, "assign"):
            raise TypeError(
                f"{call}: expected a weight or a Variable beside its gradient, got {short_repr(variable)}"
            )
        if gradient is not None:
            pairs.append((gradient, variable))
    if not pairs:
        raise ValueError(f"{call}: no variable has a gradient")
    if len({id(variable) for _, variable in pairs}) < len(pairs):
        raise ValueError(f"{call}: a variable comes twice")
    return pairs
