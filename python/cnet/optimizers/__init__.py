"""Optimizers, by Keras's names: how a gradient becomes a step. The steps are the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._serialization import find_class
from . import schedules
from .adam import Adam, AdamW, Nadam
from .optimizer import Optimizer
from .rmsprop import Adadelta, Adagrad, RMSprop
from .sgd import SGD, Lion

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "get",
    "schedules",
]

_CLASSES: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): cls for cls in (Adadelta, Adagrad, Adam, AdamW, Lion, Nadam, RMSprop, SGD)
}


def get(identifier: Any) -> Any:
    """Return an optimizer from its name, its class, its configuration, or itself.

    A dict is ``{"class_name": …, "config": {…}}``.

    Raises
    ------
    ValueError
        If there is no such optimizer.
    """
    if isinstance(identifier, str) and identifier.lower() in _CLASSES:
        return _CLASSES[identifier.lower()]()  # type: ignore[call-arg] # every class has defaults
    if isinstance(identifier, type) and identifier in _CLASSES.values():
        return identifier()
    if isinstance(identifier, Mapping):
        cls, config = find_class(
            identifier, {cls.__name__: cls for cls in _CLASSES.values()}, None, "optimizer"
        )
        return cls.from_config(config)
    if isinstance(identifier, Optimizer) and type(identifier).rule is not Optimizer.rule:
        return identifier
    known = ", ".join(_CLASSES)
    raise ValueError(f"optimizer: expected one of {known}, or an Optimizer, got {identifier!r}")
