"""Sources of batches: arrays, iterables, and data sets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _core, random
from .._data import Array, FloatArray
from .._tracebacks import warn

__all__ = [
    "Arrays",
    "Batches",
    "Chunk",
    "Data",
    "DatasetBatches",
    "Shuffles",
    "Source",
    "batches_of",
    "warn_of_end",
]

_END = object()


Weights = tuple[FloatArray | None, ...]


def batches_of(samples: int, batch_size: int) -> Iterator[slice]:
    """Yield the rows of each batch."""
    for first in range(0, samples, batch_size):
        yield slice(first, min(first + batch_size, samples))


@dataclass(frozen=True)
class Data:
    """Samples as the engine takes them, with labels and weights if they are needed.

    Attributes
    ----------
    x : tuple of array
        A matrix with a row per sample for each input of the model; where sizes of it are not known, an array in the
        shape of the samples.
    y : tuple of array
        Labels for each output with a loss.
    sample_weight : tuple of array or None, optional
        Weights for each of these.
    nesting : tuple, optional
        How labels and weights were nested, for steps of the user.
    """

    x: tuple[Array, ...]
    y: tuple[Array, ...] = ()
    sample_weight: Weights | None = None
    nesting: Any = None

    def __len__(self) -> int:
        return len(self.x[0])

    def __getitem__(self, rows: slice | Array) -> Data:
        weights = self.sample_weight
        if weights is not None:
            weights = tuple(None if each is None else each[rows] for each in weights)
        x, y = (tuple(array[rows] for array in arrays) for arrays in (self.x, self.y))
        return Data(x, y, weights, self.nesting)


@dataclass
class Shuffles:
    """The order of the samples in each pass over the data; a seed decides all of them.

    Attributes
    ----------
    passes : int
        Number of passes begun.
    taken : int
        Batches of the latest pass that earlier epochs have taken; 0 if the next epoch begins a new pass.
    """

    seed: int = field(default_factory=random.next_seed)
    passes: int = 0
    taken: int = 0

    def begin(self) -> int:
        """Return the number of a new pass."""
        self.passes += 1
        return self.passes - 1

    def order(self, number: int, samples: int) -> Array:
        """Return the order of a pass, as the engine computes it."""
        return _core.random_permutation(self.seed, number, samples)


@dataclass(frozen=True)
class Chunk:
    """Consecutive batches that the engine takes in one call.

    Attributes
    ----------
    pass_number : int
        The pass that they belong to. With `shuffled` it decides their order.
    """

    data: Data
    batch_size: int
    pass_number: int = 0
    shuffled: bool = False

    @property
    def batches(self) -> int:
        """Number of batches."""
        return math.ceil(len(self.data) / self.batch_size)


class Source:
    """Base of the sources of batches.

    Attributes
    ----------
    batches : int or None
        Number of batches in a pass over the data, None if unknown.
    exhausted : bool
        Whether there will be no further batches.
    """

    batches: int | None
    exhausted = False
    _has_given = False

    def epoch(self, call: str, steps: int | None, *, one_by_one: bool = False) -> Iterator[Chunk]:
        """Yield the batches of an epoch: a whole pass, or the next `steps` batches.

        Parameters
        ----------
        call : str
            Begins error messages; the number of the batch follows.
        steps : int, optional
            If the pass ends before, fewer batches come, and a warning.
        one_by_one : bool, default False
            Whether each chunk must be a single batch.

        Raises
        ------
        ValueError
            If there has never been a batch.
        """
        batches = 0
        for chunk in self._chunks(call, steps, one_by_one):
            self._has_given = True
            batches += chunk.batches
            yield chunk
        if not self._has_given:
            raise ValueError(f"{call}: x: expected batches, got none")
        if steps is not None and batches < steps:
            warn_of_end(call, f"after {batches} of {steps} batches")

    def restart(self) -> None:
        """Begin a new pass with the next epoch, if possible."""
        raise NotImplementedError

    def _chunks(self, call: str, steps: int | None, one_by_one: bool) -> Iterator[Chunk]:
        raise NotImplementedError


class Arrays(Source):
    """Batches of arrays: a pass is one chunk, unless it takes several epochs.

    Parameters
    ----------
    data : Data
    batch_size : int
    shuffles : Shuffles, optional
        In training: numbers the passes, and says where to continue.
    shuffle : bool, default False
    """

    def __init__(
        self,
        data: Data,
        batch_size: int,
        shuffles: Shuffles | None = None,
        *,
        shuffle: bool = False,
    ) -> None:
        self.batches: int = math.ceil(len(data) / batch_size)
        self._data = data
        self._batch_size = batch_size
        self._shuffles = shuffles or Shuffles(seed=0)
        self._shuffle = shuffle
        self._ordered = -1, np.empty(0, np.uint32)  # number and order of the latest pass

    def restart(self) -> None:
        self._shuffles.taken = 0

    def _chunks(self, call: str, steps: int | None, one_by_one: bool) -> Iterator[Chunk]:
        del call  # the data has been checked
        shuffles, size, samples = self._shuffles, self._batch_size, len(self._data)
        first = shuffles.taken if shuffles.taken < self.batches else 0
        number = shuffles.begin() if first == 0 else shuffles.passes - 1
        last = self.batches if steps is None else min(first + steps, self.batches)
        shuffles.taken = 0 if last == self.batches else last
        if (first, last) == (0, self.batches) and (not one_by_one or last <= 1):
            yield Chunk(self._data, size, number, self._shuffle)
            return
        if not one_by_one and not self._shuffle:
            yield Chunk(self._data[first * size : min(last * size, samples)], size, number)
            return
        if self._shuffle and self._ordered[0] != number:
            self._ordered = number, shuffles.order(number, samples)
        for batch in range(first, last):
            rows = slice(batch * size, min((batch + 1) * size, samples))
            batch_rows = self._ordered[1][rows] if self._shuffle else rows
            yield Chunk(self._data[batch_rows], size, number)


class Batches(Source):
    """Batches of an iterable, each a chunk.

    Parameters
    ----------
    source : iterable of (x,), (x, y) or (x, y, sample_weight); what is no tuple or list is x
        An iterator makes one pass; other iterables begin again with each pass.
    adapt : function (call, x[, y[, sample_weight]])
        Returns a batch as `Data`; `call` begins its error messages.
    shuffles : Shuffles, optional
        In training: numbers the passes.
    """

    def __init__(
        self, source: Any, adapt: Callable[..., Data], shuffles: Shuffles | None = None
    ) -> None:
        self._source = source
        self._adapt = adapt
        self._shuffles = shuffles
        self._number = 0
        self.batches = self._count()
        self.restart()

    def restart(self) -> None:
        self._iterator: Iterator[Any] | None = None

    def _chunks(self, call: str, steps: int | None, one_by_one: bool) -> Iterator[Chunk]:
        del one_by_one  # each chunk is one batch
        for number in itertools.count(1) if steps is None else range(1, steps + 1):
            batch = self._next(may_begin=number == 1)
            if batch is _END:
                return
            data = self._adapt(*_parts(f"{call}: batch {number}", batch))
            yield Chunk(data, max(len(data), 1), self._number)

    def _next(self, *, may_begin: bool) -> Any:
        """Return the next batch of the pass, the first of a new pass, or `_END`."""
        batch = _END if self._iterator is None else next(self._iterator, _END)
        if batch is _END and may_begin:
            if self._shuffles is not None:
                self._number = self._shuffles.begin()
            self._iterator = self._begin()
            batch = next(self._iterator, _END)
        if batch is _END:
            self.exhausted = self._iterator is self._source
            self._iterator = None
        return batch

    def _begin(self) -> Iterator[Any]:
        """Return the batches of a new pass."""
        return iter(self._source)

    def _count(self) -> int | None:
        try:
            return len(self._source)
        except TypeError:  # it has no length, or does not know it
            return None


class DatasetBatches(Batches):
    """Batches of a `PyDataset`, cnet's or Keras's, optionally in a new order in each pass."""

    def __init__(
        self,
        source: Any,
        adapt: Callable[..., Data],
        shuffles: Shuffles | None = None,
        *,
        shuffle: bool,
    ) -> None:
        super().__init__(source, adapt, shuffles)
        self._shuffle = shuffle

    def _chunks(self, call: str, steps: int | None, one_by_one: bool) -> Iterator[Chunk]:
        if hasattr(self._source, "on_epoch_begin"):
            self._source.on_epoch_begin()
        yield from super()._chunks(call, steps, one_by_one)
        self._source.on_epoch_end()

    def _begin(self) -> Iterator[Any]:
        batches = self._count()
        order: Iterable[int] = itertools.count() if batches is None else range(batches)
        if batches is not None and self._shuffle and self._shuffles is not None:
            order = self._shuffles.order(self._number, batches).tolist()
        return (self._source[index] for index in order)

    def _count(self) -> int | None:
        if hasattr(self._source, "num_batches"):
            count: int | None = self._source.num_batches
            return count
        return super()._count()


def warn_of_end(call: str, when: str) -> None:
    """Warn that the data ended too early."""
    warn(
        f"{call}: x ran out of data {when}; expected steps_per_epoch * epochs batches, or an "
        "iterable that can be iterated again"
    )


def _parts(call: str, batch: Any) -> tuple[Any, ...]:
    """Return the arguments of `adapt` for a batch."""
    parts = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(
            f"{call}: expected (x,), (x, y) or (x, y, sample_weight), got {len(parts)} of them"
        )
    return (call, *parts)
