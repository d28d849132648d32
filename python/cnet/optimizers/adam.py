"""Adam and its variants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import _core
from .._data import as_number
from .optimizer import BELOW_1, Optimizer, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .optimizer import BaseOptions, LearningRate, Options

__all__ = ["Adam", "AdamW", "Nadam"]


class Adam(Optimizer):
    """Gradient descent with running means of the gradient and its square.

    Step t computes ``momentum += (1 - beta_1) * (grad - momentum)`` and
    ``velocity += (1 - beta_2) * (grad**2 - velocity)``, then subtracts
    ``learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * momentum / (sqrt(velocity) + epsilon)``
    (Kingma and Ba, 2015, in the more efficient order at the end of their section 2).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.001
    beta_1 : float in [0, 1), default 0.9
    beta_2 : float in [0, 1), default 0.999
    epsilon : float, default 1e-7
    amsgrad : bool, default False
        Whether to use the largest velocity so far (Reddi, Kale and Kumar, 2018).
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
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = in_range("beta_1", beta_1, 0.0, BELOW_1)
        self.beta_2 = in_range("beta_2", beta_2, 0.0, BELOW_1)
        self.epsilon = in_range("epsilon", epsilon, 0.0, math.inf)
        self.amsgrad = bool(amsgrad)

    def rule(self) -> _core.Optimizer:
        return self._rule(
            "adam_amsgrad" if self.amsgrad else "adam",
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )


class AdamW(Adam):
    """Adam with weight decay (Loshchilov and Hutter, 2019).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.001
    weight_decay : float, default 0.004
    beta_1, beta_2, epsilon, amsgrad
        As for `Adam`.
    **options
        As for `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If an argument isn't a number, or is out of range; `weight_decay` can't be None.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[BaseOptions],
    ) -> None:
        decay = as_number("weight_decay", weight_decay, least=0.0, most=math.inf)
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=decay, **options
        )


class Nadam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016).

    With momentum and velocity as in `Adam`, ``u(t) = beta_1 * (1 - 0.96**t / 2)`` and
    ``p(t) = u(1) * u(2) * … * u(t)``, step t subtracts
    ``learning_rate * mean / (sqrt(velocity / (1 - beta_2**t)) + epsilon)``, where
    ``mean = u(t + 1) / (1 - p(t + 1)) * momentum + (1 - u(t)) / (1 - p(t)) * grad``.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.001
    beta_1 : float in [0, 1), default 0.9
    beta_2 : float in [0, 1), default 0.999
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
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = in_range("beta_1", beta_1, 0.0, BELOW_1)
        self.beta_2 = in_range("beta_2", beta_2, 0.0, BELOW_1)
        self.epsilon = in_range("epsilon", epsilon, 0.0, math.inf)

    def rule(self) -> _core.Optimizer:
        return self._rule("nadam", beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)
