"""Learning-rate schedules, by Keras's names: the step size as a function of the batches so far.

A schedule is called with the number of batches that the optimizer has seen. The rates are rounded
to float32, as Keras has them: that hides the last bits of the C library's powers and cosines, so
that training does not depend on whose library it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._absent import absent
from .._data import as_array, as_number, as_numbers
from .._errors import missing, short_repr
from .._serialization import HasOptions

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
]


class LearningRateSchedule(HasOptions):
    """What all schedules have; one of your own overrides ``__call__(self, step)``."""

    name = "LearningRateSchedule"

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of the batch that `step` batches came before.

        Parameters
        ----------
        step : float or array_like

        Returns
        -------
        float, or for an array one of the same shape, of float32

        Examples
        --------
        >>> ExponentialDecay(0.5, decay_steps=10, decay_rate=0.5)([0, 10, 20])
        array([0.5  , 0.25 , 0.125], dtype=float32)
        """
        if np.ndim(step) == 0:
            return self._at(as_number(f"{type(self).__name__}: step", step))
        steps = as_array(step, f"{type(self).__name__}: step")
        rates = [self._at(each) for each in steps.ravel().tolist()]
        return np.array(rates, np.float32).reshape(steps.shape)

    def _at(self, step: float) -> float:  # others ask it
        raise NotImplementedError(missing(self, "__call__(self, step)"))

    def rate(self, step: int) -> float:
        """Return what the schedule is called for, checked to be a learning rate."""
        call = f"learning_rate: {type(self).__name__}({step})"
        value = _rounded(as_number(call, self(step)))
        if not 0 <= value < math.inf:
            raise ValueError(f"{call}: expected a number in [0.0, inf], got {short_repr(value)}")
        return value

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make another like this."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """Return the schedule that `get_config` described."""
        return cls(**config)


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
        More than 0.
    decay_rate : float
    staircase : bool, default False
        Round ``step / decay_steps`` down.
    name : str, default "ExponentialDecay"

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or `decay_steps` is not above 0.

    Examples
    --------
    >>> ExponentialDecay(0.5, decay_steps=10, decay_rate=0.5)(20)
    0.125
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = as_number("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.decay_rate = as_number("decay_rate", decay_rate)
        self.staircase = bool(staircase)
        self.name = name

    def _at(self, step: float) -> float:
        return _rounded(
            self.initial_learning_rate
            * _power(self.decay_rate, _progress(step, self.decay_steps, self.staircase))
        )


class InverseTimeDecay(LearningRateSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
        More than 0.
    decay_rate : float
    staircase : bool, default False
        Round ``step / decay_steps`` down.
    name : str, default "InverseTimeDecay"

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or `decay_steps` is not above 0.

    Examples
    --------
    >>> InverseTimeDecay(0.5, decay_steps=10, decay_rate=0.5)(20)
    0.25
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = as_number("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.decay_rate = as_number("decay_rate", decay_rate)
        self.staircase = bool(staircase)
        self.name = name

    def _at(self, step: float) -> float:
        progress = _progress(step, self.decay_steps, self.staircase)
        return _rounded(self.initial_learning_rate / (1 + self.decay_rate * progress))


class PolynomialDecay(LearningRateSchedule):
    """``(initial - end) * (1 - step / decay_steps) ** power + end``, and ``end`` from then on.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
        More than 0.
    end_learning_rate : float, default 0.0001
    power : float, default 1
    cycle : bool, default False
        Instead of ending, stretch `decay_steps` to its next multiple that `step` is within.
    name : str, default "PolynomialDecay"

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or `decay_steps` is not above 0.

    Examples
    --------
    >>> schedule = PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.25)
    >>> schedule(0), schedule(5), schedule(100)
    (0.5, 0.375, 0.25)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = as_number("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.end_learning_rate = as_number("end_learning_rate", end_learning_rate)
        self.power = as_number("power", power)
        self.cycle = bool(cycle)
        self.name = name

    def _at(self, step: float) -> float:
        steps = self.decay_steps
        if self.cycle:
            steps *= max(math.ceil(step / steps), 1)
        progress = min(step / steps, 1.0)
        span = self.initial_learning_rate - self.end_learning_rate
        return _rounded(span * _power(1 - progress, self.power) + self.end_learning_rate)


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to step ``boundaries[0]`` inclusive, then ``values[1]``, and so on.

    Parameters
    ----------
    boundaries : list of float
        Increasing.
    values : list of float
        One more than there are boundaries.
    name : str, default "PiecewiseConstant"

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, the boundaries don't increase, or there aren't as many values.

    Examples
    --------
    >>> schedule = PiecewiseConstantDecay([10, 20], [0.5, 0.25, 0.125])
    >>> schedule(10), schedule(11), schedule(21)
    (0.5, 0.25, 0.125)
    """

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ) -> None:
        self.boundaries = as_numbers("boundaries", boundaries)
        self.values = as_numbers("values", values)
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values: expected {len(self.boundaries) + 1}, one more than boundaries, "
                f"got {len(self.values)}"
            )
        if any(b <= a for a, b in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise ValueError(f"boundaries: expected increasing numbers, got {self.boundaries}")
        self.name = name

    def _at(self, step: float) -> float:
        return _rounded(self.values[sum(step > boundary for boundary in self.boundaries)])


class CosineDecay(LearningRateSchedule):
    """Half a cosine, from the initial rate to `alpha` times it, after a linear warm-up if wanted.

    ``initial * ((1 - alpha) * (1 + cos(π * step / decay_steps)) / 2 + alpha)``, constant after
    `decay_steps` (Loshchilov and Hutter, "SGDR", ICLR 2017). With a `warmup_target`, the rate first
    rises in a line from the initial one to the target, and the cosine starts from there.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
        More than 0; those of the warm-up are not among them.
    alpha : float, default 0
    name : str, default "CosineDecay"
    warmup_target : float, optional
    warmup_steps : float, default 0

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or `decay_steps` is not above 0.

    Examples
    --------
    >>> schedule = CosineDecay(0.0, decay_steps=10, warmup_target=0.5, warmup_steps=4)
    >>> schedule(0), schedule(2), schedule(4), schedule(9), schedule(14)
    (0.0, 0.25, 0.5, 0.25, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = as_number("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.alpha = as_number("alpha", alpha)
        self.name = name
        self.warmup_target = (
            None if warmup_target is None else as_number("warmup_target", warmup_target)
        )
        self.warmup_steps = as_number("warmup_steps", warmup_steps)

    def _at(self, step: float) -> float:
        start, count = self.initial_learning_rate, float(step)
        if self.warmup_target is not None:
            if count < self.warmup_steps:
                rise = (self.warmup_target - start) * count / self.warmup_steps
                return _rounded(start + rise)
            start, count = self.warmup_target, count - self.warmup_steps
        cosine = _half_cosine(min(count / self.decay_steps, 1.0))
        return _rounded(start * ((1 - self.alpha) * cosine + self.alpha))


class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine after the other, each `t_mul` times as long as that before, `m_mul` as high.

    With f the fraction of cosine i that is done,
    ``initial * ((1 - alpha) * m_mul**i * (1 + cos(π * f)) / 2 + alpha)`` (Loshchilov and Hutter,
    "SGDR: stochastic gradient descent with warm restarts", ICLR 2017).

    Parameters
    ----------
    initial_learning_rate : float
    first_decay_steps : float
        More than 0.
    t_mul : float, default 2
        At least 1.
    m_mul : float, default 1
    alpha : float, default 0
    name : str, default "SGDRDecay"

    Raises
    ------
    TypeError, ValueError
        If a number isn't one, or out of its range.

    Examples
    --------
    >>> schedule = CosineDecayRestarts(0.5, first_decay_steps=10, m_mul=0.5)
    >>> schedule(0), schedule(5), schedule(10), schedule(20)
    (0.5, 0.25, 0.25, 0.125)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = as_number("initial_learning_rate", initial_learning_rate)
        self.first_decay_steps = _steps("first_decay_steps", first_decay_steps)
        self.t_mul = as_number("t_mul", t_mul, least=1)
        self.m_mul = as_number("m_mul", m_mul)
        self.alpha = as_number("alpha", alpha)
        self.name = name

    def _at(self, step: float) -> float:
        if self.t_mul == 1:
            restarts, done = divmod(step, self.first_decay_steps)
            fraction = done / self.first_decay_steps
        else:
            # Counted rather than by a logarithm, whose rounding could miss the step of a restart.
            restarts, start, length = 0, 0.0, self.first_decay_steps
            while step >= start + length:
                restarts, start, length = restarts + 1, start + length, length * self.t_mul
            fraction = (step - start) / length
        height = _power(self.m_mul, restarts)
        return _rounded(
            self.initial_learning_rate
            * ((1 - self.alpha) * height * _half_cosine(fraction) + self.alpha)
        )


def _steps(name: str, value: Any) -> float:
    return as_number(name, value, above=0)


def _progress(step: float, steps: float, staircase: bool) -> float:
    progress = step / steps
    return math.floor(progress) if staircase and math.isfinite(progress) else progress


def _power(base: float, exponent: float) -> float:
    """Return the power, infinite where it is too large for a float."""
    try:
        return float(base**exponent)
    except (OverflowError, ZeroDivisionError):
        return math.inf


def _half_cosine(fraction: float) -> float:
    """Return a fall from 1 to 0 along a cosine."""
    return 0.5 * (1 + math.cos(math.pi * fraction))


def _rounded(rate: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(rate))


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
