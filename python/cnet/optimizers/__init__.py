"""Optimizers, by Keras's names. The engine computes their steps, except of those of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._absent import absent
from .._errors import missing
from .._objects import deserializer, serialize
from .._serialization import get_by_name
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
    "deserialize",
    "get",
    "schedules",
    "serialize",
]


def __dir__() -> list[str]:
    return __all__


_CLASSES: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): cls for cls in (Adadelta, Adagrad, Adam, AdamW, Lion, Nadam, RMSprop, SGD)
}
_NAMES = _CLASSES | {cls.__name__: cls for cls in _CLASSES.values()}


def get(identifier: Any) -> Any:
    """Return an optimizer by its name, class or configuration, or the object itself.

    A dict is ``{"class_name": …, "config": {…}}``.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` has another type, or is an optimizer that doesn't define `update_step`.
    """
    if isinstance(identifier, str):
        identifier = identifier.lower()
    optimizer = get_by_name("optimizer", Optimizer, _NAMES, identifier)
    if optimizer.in_engine and not optimizer.has_rule:
        lacks = missing(optimizer, "update_step(gradient, variable, learning_rate)")
        raise TypeError(f"optimizer: {lacks}")
    return optimizer


deserialize = deserializer(get)


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
