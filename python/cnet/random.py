"""Random numbers that are the same on every machine: Philox4x32-10, keyed by seed and element.

Nothing here reads or moves NumPy's stream. `cnet.reference.random` is the same in NumPy.

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

FloatArray = npt.NDArray[np.floating[Any]]

# Streams of one seed that never meet: numbers drawn here, orders of epochs, seeds of seeds.
_NUMBERS = 0
_SEEDS = 2**32 - 1


# Where a context draws its seeds from, if not from the sequence of all.
_separate_seeds: ContextVar[Iterator[int] | None] = ContextVar("_separate_seeds", default=None)


def _seeds_from(seed: int) -> Iterator[int]:
    # map and count, unlike a generator, may be asked by several threads at once
    return map(
        _core.random_bits, itertools.repeat(seed), itertools.repeat(_SEEDS), itertools.count()
    )


def _fresh_seeds() -> Iterator[int]:
    return _seeds_from(int.from_bytes(os.urandom(8), "little"))


_seeds = _fresh_seeds()


def set_global_seed(seed: int) -> None:
    """Start the sequence behind `next_seed` anew; `cnet.utils.set_random_seed` is its public face."""
    global _seeds
    _seeds = _seeds_from(seed)


def next_seed() -> int:
    """Return a fresh 64-bit seed, from the sequence that `cnet.utils.set_random_seed` starts."""
    return next(_separate_seeds.get() or _seeds)


@contextmanager
def separate_seeds() -> Iterator[None]:
    """Let what is made within leave the sequence of seeds as it is: a file says what they are."""
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
    seed : int in [0, 2⁶⁴), default a fresh one
        The same seed and shape give the same numbers on every machine.

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
    """Return normal numbers, those two or more `stddev` from the mean drawn anew; see `uniform`."""
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
    """Return `seed` if it is one; raise otherwise."""
    if not is_integer(seed):
        raise TypeError(f"{argument}: expected an integer, got {type(seed).__name__}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"{argument}: expected an integer in [0, 2**64), got {short_repr(seed)}")
    return int(seed)


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
