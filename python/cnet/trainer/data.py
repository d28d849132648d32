"""What users pass as data, and which kind of source it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from .._data import Array, as_number, as_samples, as_weights
from .._errors import shown
from .sources import Arrays, Batches, Data, DatasetBatches, Shuffles, Source

__all__ = ["DEFAULT_BATCH_SIZE", "comes_in_batches", "source_of", "split"]

DEFAULT_BATCH_SIZE = 32


def is_dataset(x: Any) -> bool:
    """Whether `x` is a `PyDataset`, by what it has."""
    has_count = hasattr(x, "num_batches") or hasattr(x, "__len__")
    return has_count and hasattr(x, "__getitem__") and hasattr(x, "on_epoch_end")


def comes_in_batches(x: Any) -> bool:
    """Whether `x` gives batches, rather than being samples."""
    if is_dataset(x):
        return True
    if hasattr(x, "__array__") or hasattr(x, "__dlpack__"):
        return False
    return isinstance(x, Iterable) and not isinstance(x, (Sequence, Mapping, AbstractSet))


def source_of(
    call: str,
    data: Sequence[Any],
    prepare: Callable[..., Data],
    *,
    batch_size: int | None,
    steps: int | None = None,
    shuffles: Shuffles | None = None,
    shuffle: bool = False,
) -> Source:
    """Return what gives the batches of (x, y, sample_weight).

    Raises
    ------
    ValueError
        If `x` gives batches and there are labels or weights beside it, or it wants workers.
    """
    x, *others = data
    if not comes_in_batches(x):
        arrays = prepare(call, *data)
        if batch_size is None:
            batch_size = math.ceil(len(arrays) / steps) if steps else DEFAULT_BATCH_SIZE
        return Arrays(arrays, max(batch_size, 1), shuffles, shuffle=shuffle)
    for name, other in zip(("y", "sample_weight"), others, strict=False):
        if other is not None:
            raise ValueError(
                f"{call}: {name}: expected None beside batches of x, which bring their own "
                f"(x, y, sample_weight), got {type(other).__name__}"
            )
    if not is_dataset(x):
        return Batches(x, prepare, shuffles)
    for name, wanted in (("workers", 1), ("use_multiprocessing", False)):
        if getattr(x, name, wanted) not in (wanted, 0):
            raise ValueError(
                f"{call}: x: {name}: expected {wanted}, as batches are made where they are used, "
                f"got {shown(getattr(x, name))}"
            )
    return DatasetBatches(x, prepare, shuffles, shuffle=shuffle)


def split(x: Any, y: Any, sample_weight: Any, part: float) -> tuple[tuple[Any, ...], ...]:
    """Split off the last part of the data for validation."""
    part = as_number("fit: validation_split", part)
    if not 0 < part < 1:
        raise ValueError(f"fit: validation_split: expected a number in [0, 1), got {part}")
    if comes_in_batches(x):
        raise ValueError(
            f"fit: validation_split: expected arrays to split, got batches of {type(x).__name__}"
        )
    samples, labels = as_samples(x, "fit: x"), as_samples(y, "fit: y")
    if len(samples) != len(labels):
        raise ValueError(f"fit: x has {len(samples)} samples, y has {len(labels)}")
    at = math.floor(len(samples) * (1 - part))
    if at in (0, len(samples)):
        raise ValueError(
            f"fit: validation_split={part} of {len(samples)} samples leaves one side empty"
        )
    weights: Array | None = None
    if sample_weight is not None:
        weights = as_weights(sample_weight, "fit: sample_weight", len(samples), "float64")
    return tuple(
        (samples[side], labels[side], None if weights is None else weights[side])
        for side in (slice(at), slice(at, None))
    )
