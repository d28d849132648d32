"""Random numbers that are the same on every machine: Philox4x32-10, keyed by seed and element.

NumPy's global generator is neither read nor advanced. `cnet.reference.random` is the same in NumPy.

References
----------
Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._absent import absent
from ._data import as_number, as_shape, as_type, is_integer
from ._errors import short_repr
from .config import standardize_dtype

__all__ = ["next_seed", "normal", "truncated_normal", "uniform"]


def __dir__() -> list[str]:
    return __all__


FloatArray = npt.NDArray[np.floating[Any]]

# Distinct Philox streams of a seed: numbers drawn here, and further seeds.
_NUMBERS = 0
_SEEDS = 2**32 - 1


# The seeds of a context, if it doesn't use the global sequence.
_separate_seeds: ContextVar[Iterator[int] | None] = ContextVar("_separate_seeds", default=None)


def _seeds_from(seed: int) -> Iterator[int]:
    # Unlike a generator, map and count can be advanced by several threads at once.
    return map(
        _core.random_bits, itertools.repeat(seed), itertools.repeat(_SEEDS), itertools.count()
    )


def _fresh_seeds() -> Iterator[int]:
    return _seeds_from(int.from_bytes(os.urandom(8), "little"))


_seeds = _fresh_seeds()


def set_global_seed(seed: int) -> None:
    """Restart the sequence behind `next_seed`; `cnet.utils.set_random_seed` calls this."""
    global _seeds
    _seeds = _seeds_from(seed)


def next_seed() -> int:
    """Return the next 64-bit seed of the sequence that `cnet.utils.set_random_seed` starts."""
    return next(_separate_seeds.get() or _seeds)


@contextmanager
def separate_seeds() -> Iterator[None]:
    """Draw seeds within from another sequence, so that the global one doesn't advance."""
    token = _separate_seeds.set(_fresh_seeds())
    try:
        yield
    finally:
        _separate_seeds.reset(token)


def uniform(
    shape: tuple[int, ...],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> FloatArray:
    """Return numbers uniform in [minval, maxval), rounded to `dtype`.

    Parameters
    ----------
    shape : tuple of int
    minval, maxval : float, default 0 and 1
    dtype : {"float32", "float64"}, default `cnet.config.floatx()`
    seed : int in [0, 2⁶⁴), optional
        Equal seeds and shapes give equal numbers on every machine. Default: a new seed.

    Returns
    -------
    array of `shape` and `dtype`

    Examples
    --------
    >>> from cnet import random
    >>> random.uniform((2,), seed=1).round(4)
    array([0.8903, 0.672 ], dtype=float32)
    """
    low = as_number("random.uniform: minval", minval)
    width = as_number("random.uniform: maxval", maxval) - low
    return _draw("random.uniform", _core.random_uniform, shape, low, width, dtype, seed)


def normal(
    shape: tuple[int, ...],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> FloatArray:
    """Return normally distributed numbers; parameters as for `uniform`."""
    return _draw("random.normal", _core.random_normal, shape, mean, stddev, dtype, seed)


def truncated_normal(
    shape: tuple[int, ...],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> FloatArray:
    """Return normal numbers, redrawn if two or more `stddev` from the mean; see `uniform`."""
    call, fill = "random.truncated_normal", _core.random_truncated_normal
    return _draw(call, fill, shape, mean, stddev, dtype, seed)


def _draw(
    call: str,
    fill: Callable[[int, int, int], FloatArray],
    shape: tuple[int, ...],
    offset: float,
    scale: float,
    dtype: str | None,
    seed: int | None,
) -> FloatArray:
    shape = as_shape(f"{call}: shape", shape)
    offset, scale = (as_number(f"{call}: range", number) for number in (offset, scale))
    dtype = standardize_dtype(dtype, call)
    seed = next_seed() if seed is None else check_seed(seed, f"{call}: seed")
    numbers = fill(seed, _NUMBERS, math.prod(shape)).reshape(shape)
    with np.errstate(over="ignore", invalid="ignore"):
        return as_type(offset + scale * numbers, dtype)


def check_seed(seed: int, argument: str = "seed") -> int:
    """Return `seed` as an int; raise unless it is an integer in [0, 2⁶⁴)."""
    if not is_integer(seed):
        raise TypeError(f"{argument}: expected an integer, got {type(seed).__name__}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"{argument}: expected an integer in [0, 2**64), got {short_repr(seed)}")
    return int(seed)


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
