"""Layers that regularize by random changes in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import _core, random
from .._data import as_fraction, require_default
from .core import Layer, LayerOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Dropout", "GaussianNoise"]

# 2⁶⁴ / φ, whose multiples spread evenly over the 64-bit integers.
_GOLDEN_RATIO = 0x9E3779B97F4A7C15


class _Random(Layer):
    """A layer that draws random numbers in training and is the identity elsewhere.

    The numbers are those of Philox4x32-10, keyed by the layer's seed, the number of batches trained
    on, the row of the batch and the column. They are the same on every machine and for any number of
    threads.
    """

    only_in_training = True
    keeps_shape = supports_masking = True

    _stored_as: ClassVar = {**Layer._stored_as, "seed": "_given_seed"}

    def __init__(self, seed: int | None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.seed = seed

    @property
    def seed(self) -> int | None:
        """Seed as passed by the user; assigning restarts the numbers, None draws a new seed."""
        return self._given_seed

    @seed.setter
    def seed(self, value: int | None) -> None:
        drawn = random.next_seed() if value is None else random.check_seed(value)
        #: The engine's generator: a seed, and the number of batches drawn so far.
        self.random_state = _core.RandomState(drawn)
        # The generators of repetitions of the layer in a model.
        self._occurrences: dict[int, _core.RandomState] = {}
        self._given_seed = value

    def occurrence(self, number: int) -> Layer:
        seed = (self.random_state.seed + number * _GOLDEN_RATIO) % 2**64
        state = self._occurrences.setdefault(number, _core.RandomState(seed))
        state.steps = self.random_state.steps
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), random_state=state)
        return copy

    def _arguments(self) -> dict[str, Any]:
        # Keeps a drawn seed.
        return super()._arguments() | {"seed": self.random_state.seed}

    @property
    def _state(self) -> frozenset[str]:
        return super()._state | {"random_state", "_occurrences", "_given_seed"}

    def __getstate__(self) -> dict[str, Any]:
        state = self.random_state
        return super().__getstate__() | {
            "random_state": (state.seed, state.steps),
            "_occurrences": {},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        seed, steps = state["random_state"]
        made = _core.RandomState(seed)
        made.steps = steps
        super().__setstate__(state | {"random_state": made})


class Dropout(_Random):
    """Sets each number to 0 with probability `rate` in training, and scales the others by 1 / (1 - rate).

    Parameters
    ----------
    rate : float
        In [0, 1].
    noise_shape : None
        Not supported: numbers are dropped independently.
    seed : int, optional
        Default: drawn from the sequence of `cnet.utils.set_random_seed`.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If `rate` is not a number in [0, 1], or `seed` not an integer in [0, 2**64).

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: A Simple Way to Prevent
    Neural Networks from Overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> from cnet import layers
    >>> dropout = layers.Dropout(0.5, seed=4)
    >>> dropout([[1.0, 2.0, 3.0, 4.0]], training=True)
    array([[0., 4., 0., 8.]], dtype=float32)
    >>> dropout([[1.0, 2.0, 3.0, 4.0]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    def __init__(
        self,
        rate: float,
        noise_shape: None = None,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed, **options)
        self.rate = as_fraction("Dropout: rate", rate)
        self.noise_shape = require_default("Dropout", "noise_shape", noise_shape)

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        if self.rate == 0:
            return x  # type: ignore[no-any-return] # an int
        return network.add_dropout(self.name, x, self.rate, self.random_state)  # type: ignore[no-any-return] # as above


class GaussianNoise(_Random):
    """Adds normal noise of mean 0 and standard deviation `stddev` in training.

    Parameters
    ----------
    stddev : float
        In [0, 1].
    seed : int, optional
        Default: drawn from the sequence of `cnet.utils.set_random_seed`.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If `stddev` is not a number in [0, 1], or `seed` not an integer in [0, 2**64).

    Notes
    -----
    Each number is made from 24 random bits, for float64 too, and lies within 5.4 standard deviations.

    Examples
    --------
    >>> from cnet import layers
    >>> noise = layers.GaussianNoise(0.5, seed=1)
    >>> noise([[1.0, 2.0, 3.0, 4.0]], training=True).round(2)
    array([[1.61, 2.02, 3.64, 4.68]], dtype=float32)
    >>> noise([[1.0, 2.0, 3.0, 4.0]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    def __init__(
        self, stddev: float, seed: int | None = None, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(seed, **options)
        self.stddev = as_fraction("GaussianNoise: stddev", stddev)

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        if self.stddev == 0:
            return x  # type: ignore[no-any-return] # an int
        return network.add_gaussian_noise(self.name, x, self.stddev, self.random_state)  # type: ignore[no-any-return] # as above
