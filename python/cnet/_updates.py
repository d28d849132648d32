"""An engine that only updates variables, with gradients that others compute."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from . import _core

__all__ = ["engine_shape", "parameters", "update_engine"]


def engine_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an array in the engine, which has only vectors and matrices."""
    if len(shape) in (1, 2):
        return tuple(shape)
    return (math.prod(shape[:-1]), shape[-1]) if shape else (1,)


def parameters(variables: Iterable[Any], dtype: str) -> Any:
    """Return a network of the engine that holds variables, without nodes to compute."""
    network = _core.Network[dtype]()
    tensor = network.add_input(1)
    for number, variable in enumerate(variables):
        tensor = network.add_parameters(str(number), tensor, variable, True)
    network.finish([tensor])
    return network


def update_engine(variables: Iterable[Any], dtype: str) -> _core.TrainerFloat32:
    """Return an engine whose `apply` takes the gradients of these variables."""
    return _core.Trainer[dtype](
        parameters(variables, dtype), [_core.Head(0, _core.Loss("external"))]
    )
