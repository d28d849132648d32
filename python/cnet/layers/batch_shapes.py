"""Shapes of batches and of samples."""

from __future__ import annotations

import math
from typing import Any

from .._data import as_count, as_shape
from .._errors import short_repr
from .._typing import Shape

__all__ = ["as_batch_shape", "as_data_format", "check_shape", "sample_size", "sample_sizes"]


def check_shape(shape: Any, layer: str) -> tuple[int, ...]:
    """Return the shape of a sample as a tuple of positive integers; raise for anything else."""
    sizes = as_shape(f"'{layer}'", shape, least=1)
    if not sizes:
        raise ValueError(f"'{layer}': expected a shape of positive sizes, got {sizes}")
    return sizes


def as_data_format(call: str, data_format: Any) -> str:
    """Return "channels_last", the only order of axes; raise for other values than this and None."""
    if data_format is not None and data_format != "channels_last":
        raise ValueError(f"{call}: data_format is not supported, got {short_repr(data_format)}")
    return "channels_last"


def as_batch_shape(call: str, shape: Any) -> Shape:
    """Return the shape of a batch; raise unless all sizes but the first are known and positive."""
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"{call}: expected an input_shape (None, …), got {short_repr(shape)}")
    if len(shape) < 2 or any(size is None for size in shape[1:]):
        raise ValueError(
            f"{call}: expected an input_shape (None, …) of known sizes, got {short_repr(shape)}"
        )
    batch = None if shape[0] is None else as_count(f"{call}: input_shape", shape[0])
    return (batch, *as_shape(f"{call}: input_shape", shape[1:], least=1))


def sample_size(shape: Shape) -> int:
    """Return the number of elements of one sample, from the shape (None, …) of a batch."""
    return math.prod(sample_sizes(shape))


def sample_sizes(shape: Shape) -> tuple[int, ...]:
    """Return the shape of one sample, from the shape (None, …) of a batch."""
    return tuple(size or 0 for size in shape[1:])
