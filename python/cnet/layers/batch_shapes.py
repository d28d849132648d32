"""Shapes of batches and of samples."""

from __future__ import annotations

import math
from typing import Any

from .._data import Array, as_count, as_shape, shape_text
from .._errors import short_repr
from .._typing import Shape

__all__ = [
    "as_batch_shape",
    "as_data_format",
    "as_shaped",
    "check_input_shape",
    "check_shape",
    "feature_count",
    "is_open",
    "matches",
    "sample_size",
    "sample_sizes",
]


def check_shape(shape: Any, layer: str) -> tuple[int, ...]:
    """Return the shape of a sample as a tuple of positive integers; raise for anything else."""
    sizes = as_shape(f"'{layer}'", shape, least=1)
    if not sizes:
        raise ValueError(f"'{layer}': expected a shape of positive sizes, got {sizes}")
    return sizes


def check_input_shape(shape: Any, layer: str) -> Shape:
    """Return the shape of a sample of an input as a tuple: sizes may be None, and there may be none."""
    if not isinstance(shape, (tuple, list)):
        return check_shape(shape, layer)  # raises
    known = iter(as_shape(f"'{layer}'", [size for size in shape if size is not None], least=1))
    return tuple(None if size is None else next(known) for size in shape)


def as_data_format(call: str, data_format: Any) -> str:
    """Return "channels_last", the only order of axes; raise for other values than this and None."""
    if data_format is not None and data_format != "channels_last":
        raise ValueError(f"{call}: data_format is not supported, got {short_repr(data_format)}")
    return "channels_last"


def as_batch_shape(call: str, shape: Any) -> Shape:
    """Return the shape of a batch; raise unless all sizes but the first are positive, or None: not known."""
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"{call}: expected an input_shape (None, …), got {short_repr(shape)}")
    if not shape:
        raise ValueError(f"{call}: expected an input_shape (None, …), got {short_repr(shape)}")
    batch = None if shape[0] is None else as_count(f"{call}: input_shape", shape[0])
    return (batch, *check_input_shape(shape[1:], f"{call}: input_shape"))


def feature_count(call: str, shape: Shape) -> int:
    """Return the size of the last axis of (None, …); raise `ValueError` if there is none, or it is not known."""
    if len(shape) < 2 or shape[-1] is None:
        raise ValueError(
            f"{call}: expected input of shape (batch, …, features) with a known number of features, got "
            f"{shape_text(shape)}"
        )
    return shape[-1]


def is_open(shape: Shape) -> bool:
    """Return True if a size other than that of the batch is not known."""
    return None in shape[1:]


def matches(shape: Shape, other: Shape) -> bool:
    """Return True if the shapes of two batches may be those of one: sizes that both know are the same."""
    return len(shape) == len(other) and all(
        size == of_other or size is None or of_other is None
        for size, of_other in zip(shape[1:], other[1:], strict=True)
    )


def as_shaped(rows: Array, shape: Shape) -> Array:
    """Return the numbers of samples, from a row for each, in the shape (None, …); if that is open, they have it."""
    return rows if is_open(shape) else rows.reshape(len(rows), *sample_sizes(shape))


def sample_size(shape: Shape) -> int:
    """Return the number of elements of one sample, from the shape (None, …) of a batch."""
    return math.prod(sample_sizes(shape))


def sample_sizes(shape: Shape) -> tuple[int, ...]:
    """Return the shape of one sample, from the shape (None, …) of a batch."""
    return tuple(size or 0 for size in shape[1:])
