"""Steps over the root of a mean or sum of squared gradients."""

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
    """Gradient descent with each step divided by the gradient's running root mean square.

    ``velocity = rho * velocity + (1 - rho) * grad**2``, and
    ``learning_rate * grad / sqrt(velocity + epsilon)`` is subtracted (Hinton, 2012).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.001
    rho : float in [0, 1], default 0.9
    momentum : float in [0, 1], default 0
        Subtract ``change = momentum * change + learning_rate * grad / sqrt(velocity + epsilon)``.
    epsilon : float, default 1e-7
    centered : bool, default False
        Divide by the gradient's running standard deviation: ``velocity - mean**2`` stands for
        ``velocity``, with ``mean = rho * mean + (1 - rho) * grad`` (Graves, 2013).
    **options
        As for `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or is out of its range.

    Notes
    -----
    Where rounding takes ``velocity - mean**2`` below 0, it counts as 0; in Keras the weight may
    then become NaN.
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
    """Gradient descent with each step divided by the root of the sum of all squares of gradients.

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
        If a number isn't one, or is out of its range.
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
    """Gradient descent with steps of the size that changes have had, relative to the gradient's.

    ``square = rho * square + (1 - rho) * grad**2``,
    ``change = grad * sqrt(square_change + epsilon) / sqrt(square + epsilon)``,
    ``square_change = rho * square_change + (1 - rho) * change**2``, and
    ``learning_rate * change`` is subtracted (Zeiler, 2012).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.001
        The paper's form of the rule is that of 1.
    rho : float in [0, 1], default 0.95
    epsilon : float, default 1e-7
    **options
        As for `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or is out of its range.
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
