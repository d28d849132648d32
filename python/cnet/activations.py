"""Activation functions, by Keras's names.

Each is a function of an array; as a layer's activation it runs in the engine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import ops
from ._data import FloatArray, as_floats

__all__ = ["get", "linear", "relu", "softmax"]

ActivationFunction: TypeAlias = Callable[[npt.ArrayLike], FloatArray]


def linear(x: npt.ArrayLike) -> FloatArray:
    """Return `x` as it is."""
    (x,) = as_floats("linear", x=x)
    return x


def relu(x: npt.ArrayLike) -> FloatArray:
    """Return max(x, 0), element by element.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.relu([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """
    return ops.relu_forward(x)


def softmax(x: npt.ArrayLike, axis: int = -1) -> FloatArray:
    """Return exp(x) over its sum along `axis`, for `x` of at least one dimension."""
    (x,) = as_floats("softmax", x=x)
    last = np.moveaxis(x, axis, -1)
    rows = ops.softmax(last.reshape(math.prod(last.shape[:-1]), last.shape[-1]))
    return np.moveaxis(rows.reshape(last.shape), -1, axis)


# What layers know: the function of each name, and the engine's layer that computes it.
_FUNCTIONS: dict[str, ActivationFunction] = {"linear": linear, "relu": relu, "softmax": softmax}


def get(identifier: str | ActivationFunction | None) -> ActivationFunction:
    """Return an activation function from its name, from itself, or `linear` from None.

    Raises
    ------
    ValueError
        If there is no such activation.
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str) and identifier in _FUNCTIONS:
        return _FUNCTIONS[identifier]
    if identifier in _FUNCTIONS.values():
        return identifier  # type: ignore[return-value] # a value of that table
    known = ", ".join(_FUNCTIONS)
    raise ValueError(f"activation: expected one of {known}, got {identifier!r}")


def add_to(network: Any, function: ActivationFunction, name: str) -> None:
    """Append the engine's layer for an activation to a network; linear is none."""
    if function is relu:
        network.add_relu(name)
    elif function is softmax:
        network.add_softmax(name)
