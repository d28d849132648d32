"""Learning-rate schedules, by Keras's names.

A schedule is called with the number of batches that the optimizer has seen. Rates are rounded to
float32, as in Keras. This hides differences between C libraries in the last bits of powers and cosines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._absent import absent
from .._data import as_array, as_number, as_numbers
from .._errors import missing, short_repr
from .._objects import deserializer, serialize
from .._serialization import HasOptions, get_by_name

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]


def __dir__() -> list[str]:
    return __all__


class LearningRateSchedule(HasOptions):
    """Base of schedules; a subclass overrides ``__call__(self, step)``."""

    name = "LearningRateSchedule"

    def __call__(self, step: Any) -> Any:
        """Return the learning rate after `step` batches.

        Parameters
        ----------
        step : float or array_like

        Returns
        -------
        float, or an array of float32 for an array

        Examples
        --------
        >>> ExponentialDecay(0.5, decay_steps=10, decay_rate=0.5)([0, 10, 20])
        array([0.5  , 0.25 , 0.125], dtype=float32)
        """
        if np.ndim(step) == 0:
            return _rounded(self._at(as_number(f"{type(self).__name__}: step", step)))
        steps = as_array(step, f"{type(self).__name__}: step")
        rates = [_rounded(self._at(each)) for each in steps.ravel().tolist()]
        return np.array(rates, np.float32).reshape(steps.shape)

    def _at(self, step: float) -> float:
        """Return the rate before it is rounded."""
        raise NotImplementedError(missing(self, "__call__(self, step)"))

    def rate(self, step: int) -> float:
        """Return the learning rate at a step, checked to be in [0, inf)."""
        call = f"learning_rate: {type(self).__name__}({step})"
        value = _rounded(as_number(call, self(step)))
        if not 0 <= value < math.inf:
            raise ValueError(f"{call}: expected a number in [0.0, inf], got {short_repr(value)}")
        return value

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """Return a schedule made from the result of `get_config`."""
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
        If an argument isn't a number, or `decay_steps` is not above 0.

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
        self.decay_steps = as_number("decay_steps", decay_steps, above=0)
        self.decay_rate = as_number("decay_rate", decay_rate)
        self.staircase = bool(staircase)
        self.name = name

    def _at(self, step: float) -> float:
        progress = _progress(step, self.decay_steps, self.staircase)
        return self.initial_learning_rate * _power(self.decay_rate, progress)


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
        If an argument isn't a number, or `decay_steps` is not above 0.

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
        self.decay_steps = as_number("decay_steps", decay_steps, above=0)
        self.decay_rate = as_number("decay_rate", decay_rate)
        self.staircase = bool(staircase)
        self.name = name

    def _at(self, step: float) -> float:
        progress = _progress(step, self.decay_steps, self.staircase)
        return self.initial_learning_rate / (1 + self.decay_rate * progress)


class PolynomialDecay(LearningRateSchedule):
    """``(initial - end) * (1 - step / decay_steps) ** power + end``, and ``end`` after `decay_steps`.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
        More than 0.
    end_learning_rate : float, default 0.0001
    power : float, default 1
    cycle : bool, default False
        Whether to use the smallest multiple of `decay_steps` that is at least `step` instead.
    name : str, default "PolynomialDecay"

    Raises
    ------
    TypeError, ValueError
        If an argument isn't a number, or `decay_steps` is not above 0.

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
        self.decay_steps = as_number("decay_steps", decay_steps, above=0)
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
        return span * _power(1 - progress, self.power) + self.end_learning_rate


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to step ``boundaries[0]`` inclusive, then ``values[1]``, and so on.

    Parameters
    ----------
    boundaries : list of float
        Increasing.
    values : list of float
        One more than boundaries.
    name : str, default "PiecewiseConstant"

    Raises
    ------
    TypeError, ValueError
        If an argument isn't numeric, the boundaries don't increase, or the lengths don't match.

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
        return self.values[sum(step > boundary for boundary in self.boundaries)]


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate to `alpha` times it, optionally after a linear warm-up.

    ``initial * ((1 - alpha) * (1 + cos(π * step / decay_steps)) / 2 + alpha)``, constant after
    `decay_steps` (Loshchilov and Hutter, "SGDR", ICLR 2017). With a `warmup_target`, the rate first
    rises linearly to the target, and the cosine starts there.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
        More than 0; excludes the warm-up.
    alpha : float, default 0
    name : str, default "CosineDecay"
    warmup_target : float, optional
    warmup_steps : float, default 0

    Raises
    ------
    TypeError, ValueError
        If an argument isn't a number, or `decay_steps` is not above 0.

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
        self.decay_steps = as_number("decay_steps", decay_steps, above=0)
        self.alpha = as_number("alpha", alpha)
        self.name = name
        self.warmup_target = (
            None if warmup_target is None else as_number("warmup_target", warmup_target)
        )
        self.warmup_steps = as_number("warmup_steps", warmup_steps)

    def _at(self, step: float) -> float:
        start = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return start + (self.warmup_target - start) * step / self.warmup_steps
            start, step = self.warmup_target, step - self.warmup_steps
        cosine = _half_cosine(min(step / self.decay_steps, 1.0))
        return start * ((1 - self.alpha) * cosine + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines with restarts, each `t_mul` times as long and `m_mul` times as high as the last.

    With f the completed fraction of cosine i,
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
        If an argument isn't a number, or is out of range.

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
        self.first_decay_steps = as_number("first_decay_steps", first_decay_steps, above=0)
        self.t_mul = as_number("t_mul", t_mul, least=1)
        self.m_mul = as_number("m_mul", m_mul)
        self.alpha = as_number("alpha", alpha)
        self.name = name

    def _at(self, step: float) -> float:
        if self.t_mul == 1:
            restarts, done = divmod(step, self.first_decay_steps)
            fraction = done / self.first_decay_steps
        else:
            # A loop rather than a logarithm, whose rounding could miss the step of a restart.
            restarts, start, length = 0, 0.0, self.first_decay_steps
            while step >= start + length:
                restarts, start, length = restarts + 1, start + length, length * self.t_mul
            fraction = (step - start) / length
        height = _power(self.m_mul, restarts)
        factor = (1 - self.alpha) * height * _half_cosine(fraction) + self.alpha
        return self.initial_learning_rate * factor


def _progress(step: float, steps: float, staircase: bool) -> float:
    progress = step / steps
    return math.floor(progress) if staircase and math.isfinite(progress) else progress


def _power(base: float, exponent: float) -> float:
    """Return the power, inf if it overflows."""
    try:
        return float(base**exponent)
    except (OverflowError, ZeroDivisionError):
        return math.inf


def _half_cosine(fraction: float) -> float:
    """Return the cosine that falls from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * fraction))


def _rounded(rate: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(rate))


def _get(identifier: Any) -> Any:
    known = {name: globals()[name] for name in __all__ if name[0].isupper()}
    return get_by_name("schedule", LearningRateSchedule, known, identifier)


deserialize = deserializer(_get)


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
