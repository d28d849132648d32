"""What users pass as data, and which kind of source it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from .._data import (
    Array,
    as_number,
    as_samples,
    as_weights,
    is_dataset,
    unwrap_single_input,
    yields_batches,
)
from .._errors import short_repr
from .._input_errors import describe_non_array
from .sources import Arrays, Batches, Data, DatasetBatches, Shuffles, Source

__all__ = ["DEFAULT_BATCH_SIZE", "raise_without_labels", "source_of", "split"]

DEFAULT_BATCH_SIZE = 32


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
    if not yields_batches(x):
        arrays = prepare(call, *data)
        if batch_size is None:
            batch_size = math.ceil(len(arrays) / steps) if steps else DEFAULT_BATCH_SIZE
        return Arrays(arrays, max(batch_size, 1), shuffles, shuffle=shuffle)
    for name, other in zip(("y", "sample_weight"), others, strict=False):
        if other is not None:
            raise ValueError(
                f"{call}: {name}: expected None beside x, a {type(x).__name__}, whose batches bring their own "
                f"(x, y, sample_weight), got {type(other).__name__}"
            )
    if not is_dataset(x):
        return Batches(x, prepare, shuffles)
    for name, wanted in (("workers", 1), ("use_multiprocessing", False)):
        if getattr(x, name, wanted) not in (wanted, 0):
            raise ValueError(
                f"{call}: x: {name}: expected {wanted}, as batches are made where they are used, "
                f"got {short_repr(getattr(x, name))}"
            )
    return DatasetBatches(x, prepare, shuffles, shuffle=shuffle)


def raise_without_labels(call: str, x: Any) -> NoReturn:
    """Raise the error of samples that came without labels, which says what may have been meant."""
    kind = type(x).__name__
    if what := describe_non_array(x):
        raise TypeError(f"{call}: x: expected numbers, or batches of them, got {what}")
    if isinstance(x, (tuple, list)) and len(x) in (2, 3) and hasattr(x[0], "shape"):
        parts = "x, y" if len(x) == 2 else "x, y, sample_weight"
        raise ValueError(
            f"{call}: y: expected labels, and x is a {kind} of {len(x)} arrays; give them one by one: "
            f"{call.split(':')[0]}({parts})"
        )
    if isinstance(x, (tuple, list)) and x and all(isinstance(each, (tuple, list)) for each in x):
        raise ValueError(
            f"{call}: y: expected labels, and x is a {kind}, which is taken for samples; if it holds batches "
            "(x, y), join their arrays by numpy.concatenate, or give a generator of them"
        )
    shape = f" of shape {np.shape(x)}" if hasattr(x, "shape") else ""
    raise ValueError(
        f"{call}: y: expected labels beside x ({kind}{shape}), got None; batches bring their own as (x, y)"
    )


def split(x: Any, y: Any, sample_weight: Any, part: float) -> tuple[tuple[Any, ...], ...]:
    """Split off the last part of the data for validation."""
    part = as_number("fit: validation_split", part)
    if not 0 < part < 1:
        raise ValueError(f"fit: validation_split: expected a number in [0, 1), got {part}")
    if yields_batches(x):
        raise ValueError(
            f"fit: validation_split: expected arrays to split, got batches of {type(x).__name__}"
        )
    if y is None:
        raise_without_labels("fit", x)
    samples, labels = as_samples(unwrap_single_input(x), "fit: x"), as_samples(y, "fit: y")
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
