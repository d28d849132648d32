"""Optimizers, by Keras's names: how a gradient becomes a step. The steps are the engine's."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["SGD", "Optimizer", "get"]


class Optimizer:
    """What all optimizers have.

    Attributes
    ----------
    learning_rate : float
        May be changed at any time; the next epoch takes it up.
    iterations : int
        Steps taken.
    """

    def __init__(self, learning_rate: float, name: str | None) -> None:
        self.name = type(self).__name__ if name is None else str(name)
        self.learning_rate = learning_rate
        self.iterations = 0

    @property
    def learning_rate(self) -> float:
        """The step size."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = in_range("learning_rate", value, 0.0, math.inf)


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    Parameters
    ----------
    learning_rate : float, default 0.01
    momentum : float in [0, 1], default 0
        With momentum, ``velocity = momentum * velocity - learning_rate * grad`` is added to the
        weights (Polyak, 1964).
    nesterov : bool, default False
        Add ``momentum * velocity - learning_rate * grad`` instead (Sutskever et al., 2013).
    name : str, optional

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or is out of its range.
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(learning_rate, name)
        self.momentum = in_range("momentum", momentum, 0.0, 1.0)
        self.nesterov = bool(nesterov)


_CLASSES: dict[str, type[Optimizer]] = {"sgd": SGD}


def get(identifier: Any) -> Any:
    """Return an optimizer from its name, its class, or itself.

    Raises
    ------
    ValueError
        If there is no such optimizer.
    """
    if isinstance(identifier, str) and identifier.lower() in _CLASSES:
        return _CLASSES[identifier.lower()]()  # type: ignore[call-arg] # every class has defaults
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()  # type: ignore[call-arg] # every class has defaults
    if isinstance(identifier, Optimizer):
        return identifier
    known = ", ".join(_CLASSES)
    raise ValueError(f"optimizer: expected one of {known}, or an Optimizer, got {identifier!r}")


def in_range(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a float in [low, high]; raise if it isn't one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected a number, got {value!r}") from None
    if not low <= number <= high or math.isinf(number):
        raise ValueError(f"{name}: expected a number in [{low}, {high}], got {value!r}")
    return number
