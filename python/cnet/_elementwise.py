"""The engine's functions and layers for activations.

Names and defaults are Keras's. Several names may share a function of the engine.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ._data import as_number
from ._errors import short_repr

__all__ = ["NAMES", "add_activation", "engine_layer", "is_rowwise", "specification", "unwrapped"]

Specification = tuple[str, dict[str, float]]

# Klambauer et al., "Self-normalizing neural networks", NIPS 2017, equation 14.
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def _relu(
    negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Specification:
    parameters = {
        "negative_slope": as_number("relu: negative_slope", negative_slope),
        "threshold": as_number("relu: threshold", threshold, least=0),
    }
    if max_value is not None:
        parameters["max_value"] = as_number("relu: max_value", max_value, least=0, infinite=True)
    return "relu", parameters


def _leaky_relu(negative_slope: float = 0.2) -> Specification:
    return "relu", {"negative_slope": as_number("leaky_relu: negative_slope", negative_slope)}


def _elu(alpha: float = 1.0) -> Specification:
    return "elu", {"alpha": as_number("elu: alpha", alpha)}


def _gelu(approximate: bool = False) -> Specification:
    return ("gelu_tanh" if approximate else "gelu"), {}


def _without_parameters(function: str, **parameters: float) -> Callable[[], Specification]:
    def make() -> Specification:
        return function, parameters

    return make


_MAKERS: dict[str, Callable[..., Specification]] = {
    "relu": _relu,
    "relu6": _without_parameters("relu", max_value=6.0),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _without_parameters("elu", alpha=_SELU_SCALE * _SELU_ALPHA, scale=_SELU_SCALE),
    "gelu": _gelu,
    "silu": _without_parameters("silu"),
    "mish": _without_parameters("mish"),
    "tanh": _without_parameters("tanh"),
    "sigmoid": _without_parameters("sigmoid"),
    "hard_sigmoid": _without_parameters("hard_sigmoid"),
    "softplus": _without_parameters("softplus"),
    "softsign": _without_parameters("softsign"),
    "exponential": _without_parameters("exponential"),
}

NAMES = tuple(_MAKERS)


def specification(call: str, activation: Any, parameters: Mapping[str, Any]) -> Specification:
    """Return the engine's function and its parameters; `call` names the caller in errors.

    Raises
    ------
    ValueError
        If the activation is unknown, or a parameter is out of range.
    TypeError
        If the activation has no such parameter, or it isn't a number.
    """
    maker = _MAKERS.get(activation) if isinstance(activation, str) else None
    if maker is None:
        raise ValueError(
            f"{call}: activation: expected one of {', '.join(NAMES)}, got {short_repr(activation)}"
        )
    known = inspect.signature(maker).parameters
    for name in parameters:
        if name not in known:
            accepted = ", ".join(known) or "none"
            raise TypeError(
                f"{call}: {activation} has no parameter {short_repr(name)} (it has: {accepted})"
            )
    return maker(**parameters)


def add_activation(network: Any, x: int, function: Callable[..., Any], name: str) -> int:
    """Add the engine's node for an activation of tensor `x` to a network; linear needs none."""
    method, *arguments = engine_layer(function)
    return getattr(network, method)(name, x, *arguments) if method else x


def is_rowwise(function: Callable[..., Any]) -> bool:
    """Return True if an activation is a function of rows, not of single elements."""
    return unwrapped(function).__name__ in ("softmax", "log_softmax")


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of a partial, or the function itself."""
    return function.func if isinstance(function, partial) else function


def engine_layer(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Return the name of the network's method that adds an activation, and its arguments."""
    plain = unwrapped(function)
    name = plain.__name__
    parameters: dict[str, Any] = {}
    if isinstance(function, partial):
        if function.args:
            raise TypeError(f"activation: expected the parameters of {name} by name")
        parameters = function.keywords
    if name in NAMES:
        return ("add_activation", *specification("activation", name, parameters))
    if unknown := parameters.keys() - set(list(inspect.signature(plain).parameters)[1:]):
        raise TypeError(f"activation: {name} has no parameter {short_repr(min(unknown))}")
    if name == "linear":
        return ("",)
    axis = parameters.get("axis", -1)
    if axis not in (-1, 1):
        raise ValueError(
            f"activation: {name}: expected axis=-1, the classes, got {short_repr(axis)}; "
            "layers support no other axis"
        )
    return (f"add_{name}",)
