"""A step of one of cnet's optimizers for one weight, which a subclass's `update_step` may call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._data import FloatArray, as_type
from .._updates import engine_shape, update_engine

__all__ = ["constant", "first_slots", "take_step"]


def constant(value: FloatArray) -> Callable[..., FloatArray]:
    """Return an initializer that gives this array."""
    return lambda *_, **__: value


def first_slots(rule: _core.Optimizer, variable: Any) -> dict[str, FloatArray]:
    """Return the slots that the engine has for a weight before the first step, by their names."""
    engine, _ = _engine_of(variable)
    engine.set_slots(rule, 0, [])
    names, arrays = engine.slots()
    return {n: array.reshape(variable.shape) for n, array in zip(names, arrays, strict=True)}


def take_step(
    rule: _core.Optimizer,
    steps: int,
    slots: Sequence[Any],
    gradient: Any,
    variable: Any,
    learning_rate: float,
) -> None:
    """Change a weight and its slots, variables, by a rule of the engine.

    Parameters
    ----------
    rule : Optimizer of the engine
    steps : int
        Number of steps before this one.
    slots : list of Variable
        In the order of the rule.
    gradient : array_like
    variable : Weight or Variable
    learning_rate : float
    """
    engine, stand_in = _engine_of(variable)
    shape = engine_shape(variable.shape)
    engine.set_slots(rule, steps, [slot.numpy().reshape(shape) for slot in slots])
    array = as_type(np.asarray(gradient), variable.dtype)
    engine.apply([array.reshape(shape)], rule, float(learning_rate))
    variable.assign(stand_in.numpy().reshape(variable.shape))
    for slot, values in zip(slots, engine.slots()[1], strict=True):
        slot.assign(values.reshape(variable.shape))


def _engine_of(variable: Any) -> tuple[Any, Any]:
    """Return an engine that updates a copy of a weight, and the copy."""
    dtype = str(variable.dtype)
    stand_in = _core.Variable[dtype](list(engine_shape(variable.shape)))
    stand_in.assign(variable.numpy().reshape(engine_shape(variable.shape)))
    return update_engine([stand_in], dtype), stand_in
