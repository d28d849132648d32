"""Checks and conversions of the arguments of losses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .._data import Array, FloatArray, as_array, as_fraction, as_number
from .._errors import short_repr
from .._tapes import is_watched

__all__ = [
    "as_focal_parameters",
    "as_loss_weights",
    "as_rows",
    "last_axis",
    "reject_watched",
    "same_rank",
    "sequential_sum",
    "smoothing_in_range",
    "tensor_or_array",
]


def sequential_sum(weights: FloatArray) -> float:
    """Return the sum of weights, added in order in float64 like the engine does."""
    return float(np.cumsum(weights, dtype=np.float64)[-1]) if weights.size else 0.0


def tensor_or_array(value: Any, argument: str) -> Any:
    """Return tensors unchanged and everything else as an array."""
    return value if hasattr(value, "__tensor__") else as_array(value, argument)


def reject_watched(owner: object, name: str, value: Any) -> None:
    """Raise `NotImplementedError` if a running tape watches an argument that has no gradient."""
    if hasattr(type(value), "__tensor__") and is_watched(value.__tensor__()):
        raise NotImplementedError(
            f"{type(owner).__name__}: {name}: has no gradient; pass its numpy(), or write the "
            "formula with operations"
        )


def as_rows(predictions: FloatArray) -> FloatArray:
    """Return predictions (…, outputs) as a matrix."""
    if predictions.ndim == 2:
        return predictions
    return predictions.reshape(math.prod(predictions.shape[:-1]), predictions.shape[-1])


def last_axis(call: str, axis: Any) -> int:
    """Return the axis of the outputs, -1; raise for any other."""
    if np.ndim(axis) > 0 or isinstance(axis, bool) or axis != -1:
        raise ValueError(
            f"{call}: axis={short_repr(axis)} is not supported: the outputs are on axis=-1"
        )
    return -1


def smoothing_in_range(call: str, value: Any) -> float:
    """Return label_smoothing as a float in [0, 1]; raise if it is out of range."""
    return as_fraction(f"{call}: label_smoothing", value)


def same_rank(targets: Array, predictions: Any) -> tuple[Array, Any]:
    """Add or remove a last axis of size 1 that only one of them has."""
    if targets.ndim == predictions.ndim + 1 and targets.shape[-1] == 1:
        if predictions.ndim == 1:
            return targets, predictions[:, np.newaxis]
        return targets[..., 0], predictions
    if predictions.ndim == targets.ndim + 1 and predictions.shape[-1] == 1:
        if targets.ndim == 1:
            return targets[:, np.newaxis], predictions
        return targets, predictions[..., 0]
    return targets, predictions


def as_loss_weights(
    sample_weight: npt.ArrayLike, shape: tuple[int, ...], argument: str
) -> FloatArray:
    """Return sample weights in float64, broadcast to the shape of the losses."""
    weights = as_array(sample_weight, argument)
    if weights.shape == (*shape, 1):
        weights = weights[..., 0]
    if weights.shape not in ((), shape):
        raise ValueError(f"{argument}: expected shape {shape}, got {weights.shape}")
    return np.broadcast_to(weights.astype(np.float64), shape)


def as_focal_parameters(call: str, alpha: Any, gamma: Any) -> tuple[float, float]:
    """Return alpha and gamma of a focal loss as finite numbers; raise for anything else."""
    return as_number(f"{call}: alpha", alpha), as_number(f"{call}: gamma", gamma, least=0)
