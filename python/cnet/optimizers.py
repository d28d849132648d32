"""Optimizers, by Keras's names: how a gradient becomes a step. The steps are the engine's."""

from __future__ import annotations

import math
from typing import Any

from . import _core
from ._data import as_number

__all__ = ["SGD", "Adam", "Optimizer", "RMSprop", "get"]


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

    def rule(self) -> _core.Optimizer:
        """Return what the engine needs to know for its next steps."""
        raise NotImplementedError


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

    def rule(self) -> _core.Optimizer:
        if self.momentum == 0:
            return _core.Optimizer("sgd", learning_rate=self.learning_rate)
        return _core.Optimizer(
            "sgd_momentum",
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
        )


class RMSprop(Optimizer):
    """Gradient descent with each step divided by the gradient's running root mean square.

    ``velocity = rho * velocity + (1 - rho) * grad**2``, and
    ``learning_rate * grad / sqrt(velocity + epsilon)`` is subtracted (Hinton, 2012).

    Parameters
    ----------
    learning_rate : float, default 0.001
    rho : float in [0, 1], default 0.9
    epsilon : float, default 1e-7
    name : str, optional

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or is out of its range.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        epsilon: float = 1e-7,
        name: str | None = None,
    ) -> None:
        super().__init__(learning_rate, name)
        self.rho = in_range("rho", rho, 0.0, 1.0)
        self.epsilon = in_range("epsilon", epsilon, 0.0, math.inf)

    def rule(self) -> _core.Optimizer:
        return _core.Optimizer(
            "rmsprop", learning_rate=self.learning_rate, rho=self.rho, epsilon=self.epsilon
        )


class Adam(Optimizer):
    """Gradient descent with running means of the gradient and of its square.

    In step t, with ``momentum += (1 - beta_1) * (grad - momentum)`` and
    ``velocity += (1 - beta_2) * (grad**2 - velocity)``, it subtracts
    ``learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * momentum / (sqrt(velocity) + epsilon)``
    (Kingma and Ba, 2015, in the more efficient order that ends their section 2).

    Parameters
    ----------
    learning_rate : float, default 0.001
    beta_1 : float in [0, 1), default 0.9
    beta_2 : float in [0, 1), default 0.999
    epsilon : float, default 1e-7
    name : str, optional

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or is out of its range.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str | None = None,
    ) -> None:
        super().__init__(learning_rate, name)
        below_one = math.nextafter(1.0, 0.0)
        self.beta_1 = in_range("beta_1", beta_1, 0.0, below_one)
        self.beta_2 = in_range("beta_2", beta_2, 0.0, below_one)
        self.epsilon = in_range("epsilon", epsilon, 0.0, math.inf)

    def rule(self) -> _core.Optimizer:
        return _core.Optimizer(
            "adam",
            learning_rate=self.learning_rate,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )


_CLASSES: dict[str, type[Optimizer]] = {"adam": Adam, "rmsprop": RMSprop, "sgd": SGD}


def get(identifier: Any) -> Any:
    """Return an optimizer from its name, its class, or itself.

    Raises
    ------
    ValueError
        If there is no such optimizer.
    """
    if isinstance(identifier, str) and identifier.lower() in _CLASSES:
        return _CLASSES[identifier.lower()]()  # type: ignore[call-arg] # every class has defaults
    if isinstance(identifier, type) and identifier in _CLASSES.values():
        return identifier()
    if isinstance(identifier, Optimizer) and type(identifier).rule is not Optimizer.rule:
        return identifier
    known = ", ".join(_CLASSES)
    raise ValueError(f"optimizer: expected one of {known}, or an Optimizer, got {identifier!r}")


def in_range(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a float in [low, high]; raise if it isn't one."""
    number = as_number(name, value)
    if not low <= number <= high or math.isinf(number):
        raise ValueError(f"{name}: expected a number in [{low}, {high}], got {value!r}")
    return number
