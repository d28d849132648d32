"""Optimizers that divide by the root of a mean or sum of squared gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import _core
from .optimizer import Optimizer, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .optimizer import LearningRate, Options

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


class RMSprop(Optimizer):
    """Gradient descent with steps divided by the running root mean square of the gradient.

    ``velocity = rho * velocity + (1 - rho) * grad**2``, and
    ``learning_rate * grad / sqrt(velocity + epsilon)`` is subtracted (Hinton, 2012).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.001
    rho : float in [0, 1], default 0.9
    momentum : float in [0, 1], default 0
        If not 0, subtract
        ``change = momentum * change + learning_rate * grad / sqrt(velocity + epsilon)`` instead.
    epsilon : float, default 1e-7
    centered : bool, default False
        Whether to divide by the running standard deviation: ``velocity - mean**2`` replaces
        ``velocity``, with ``mean = rho * mean + (1 - rho) * grad`` (Graves, 2013).
    **options
        As for `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If an argument isn't a number, or is out of range.

    Notes
    -----
    If ``velocity - mean**2`` is negative due to rounding, 0 is used; in Keras the weight can become
    NaN.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = in_range("rho", rho, 0.0, 1.0)
        self.momentum = in_range("momentum", momentum, 0.0, 1.0)
        self.epsilon = in_range("epsilon", epsilon, 0.0, math.inf)
        self.centered = bool(centered)

    def rule(self) -> _core.Optimizer:
        if self.centered:
            name = "rmsprop_centered"
        else:
            name = "rmsprop_momentum" if self.momentum > 0 else "rmsprop"
        return self._rule(name, rho=self.rho, momentum=self.momentum, epsilon=self.epsilon)


class Adagrad(Optimizer):
    """Gradient descent with steps divided by the root of the sum of all squared gradients.

    ``accumulator += grad**2``, and ``learning_rate * grad / sqrt(accumulator + epsilon)`` is
    subtracted (Duchi, Hazan and Singer, 2011).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.001
    initial_accumulator_value : float, default 0.1
    epsilon : float, default 1e-7
    **options
        As for `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If an argument isn't a number, or is out of range.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = in_range(
            "initial_accumulator_value", initial_accumulator_value, 0.0, math.inf
        )
        self.epsilon = in_range("epsilon", epsilon, 0.0, math.inf)

    def rule(self) -> _core.Optimizer:
        return self._rule(
            "adagrad", initial_slot=self.initial_accumulator_value, epsilon=self.epsilon
        )


class Adadelta(Optimizer):
    """Gradient descent with steps scaled by the running root mean square of previous steps.

    ``square = rho * square + (1 - rho) * grad**2``,
    ``change = grad * sqrt(square_change + epsilon) / sqrt(square + epsilon)``,
    ``square_change = rho * square_change + (1 - rho) * change**2``, and
    ``learning_rate * change`` is subtracted (Zeiler, 2012).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.001
        Use 1 for the rule of the paper.
    rho : float in [0, 1], default 0.95
    epsilon : float, default 1e-7
    **options
        As for `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If an argument isn't a number, or is out of range.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = in_range("rho", rho, 0.0, 1.0)
        self.epsilon = in_range("epsilon", epsilon, 0.0, math.inf)

    def rule(self) -> _core.Optimizer:
        return self._rule("adadelta", rho=self.rho, epsilon=self.epsilon)
