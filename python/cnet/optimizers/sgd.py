"""Stochastic gradient descent and Lion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _core
from .._errors import short_repr
from .optimizer import Optimizer, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .optimizer import LearningRate, Options

__all__ = ["SGD", "Lion"]


class SGD(Optimizer):
    """Gradient descent, optionally with momentum.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.01
    momentum : float in [0, 1], default 0
        With momentum, ``velocity = momentum * velocity - learning_rate * grad`` is added to the
        weights (Polyak, 1964).
    nesterov : bool, default False
        Add ``momentum * velocity - learning_rate * grad`` instead (Sutskever et al., 2013).
    **options
        As for `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If an argument isn't a number, or is out of range.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = in_range("momentum", momentum, 0.0, 1.0)
        self.nesterov = bool(nesterov)

    def rule(self) -> _core.Optimizer:
        if self.momentum == 0:
            return self._rule("sgd")
        return self._rule("sgd_momentum", momentum=self.momentum, nesterov=self.nesterov)


class Lion(Optimizer):
    """Steps along the sign of a running mean of the gradient (Chen et al., 2023).

    Subtracts ``learning_rate * sign(beta_1 * momentum + (1 - beta_1) * grad)``, then sets
    ``momentum = beta_2 * momentum + (1 - beta_2) * grad``.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function, default 0.001
    beta_1 : float in (0, 1], default 0.9
        At 0 the momentum would have no effect.
    beta_2 : float in [0, 1], default 0.99
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
        beta_2: float = 0.99,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = in_range("beta_1", beta_1, 0.0, 1.0)
        if self.beta_1 == 0:
            raise ValueError(f"beta_1: expected a number above 0, got {short_repr(beta_1)}")
        self.beta_2 = in_range("beta_2", beta_2, 0.0, 1.0)

    def rule(self) -> _core.Optimizer:
        return self._rule("lion", beta_1=self.beta_1, beta_2=self.beta_2)
