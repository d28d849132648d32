"""Labels and weights for outputs with several rows for each sample, and classes of labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._data import Array, FloatArray, as_array, as_ids, as_weights, shape_text
from .._typing import Shape
from ..layers.batch_shapes import matches

__all__ = ["as_rows_of_samples", "classes_of", "labels_of_rows", "weights_of_rows"]


def labels_of_rows(argument: str, y: Any, sizes: Shape, *, sparse: bool) -> Array:
    """Return labels for an output with several rows, or one number, for each sample."""
    array = as_array(y, argument)
    expected = sizes[:-1] if sparse else sizes
    if not expected or array.shape[1:] == (*expected, 1):
        wanted: Shape = (None, *expected, 1)
    else:
        wanted = (None, *expected)
    if not expected and array.ndim == 1:
        array = array[:, np.newaxis]
    if expected[-1:] == (1,) and array.ndim == len(expected):
        array = array[..., np.newaxis]
    if not matches(array.shape, wanted):
        kind = "integer class ids" if sparse else "labels"
        raise ValueError(
            f"{argument}: expected {kind} of shape {shape_text((None, *expected))}, got shape {array.shape}"
        )
    return as_ids(array, argument) if sparse else array


def weights_of_rows(argument: str, value: Any, shape: tuple[int, ...], dtype: str) -> FloatArray:
    """Return weights for losses (batch, …): one for each, or one for each sample."""
    array = as_array(value, argument)
    samples = shape[0]
    if array.shape in ((samples,), (samples, 1)):
        array = array.reshape(samples, *[1] * (len(shape) - 1))
    elif array.shape != shape:
        raise ValueError(f"{argument}: expected shape ({samples},) or {shape}, got {array.shape}")
    weights = as_weights(
        np.broadcast_to(array, shape).reshape(-1), argument, math.prod(shape), dtype
    )
    return weights.reshape(shape)


def as_rows_of_samples(labels: Array, predicted: Array, weight: Any) -> tuple[Array, Array, Any]:
    """Return labels, predictions and weights of samples with several rows as rows."""
    if predicted.ndim <= 2:
        return labels, predicted, weight
    classes = predicted.shape[-1]
    columns = classes if labels.shape == predicted.shape else 1
    rows = predicted.reshape(predicted.size // max(classes, 1), classes)
    return labels.reshape(-1, columns), rows, None if weight is None else np.reshape(weight, -1)


def classes_of(labels: Array, outputs: int, *, sparse: bool) -> tuple[Array, int | None]:
    """Return the class of each sample, and the number of classes, None if unknown."""
    if sparse:
        return labels[:, 0], outputs
    if outputs > 1:
        return labels.argmax(axis=1), outputs
    # A single output is 0 or 1, or −1 or 1: rounded, as in Keras.
    with np.errstate(invalid="ignore"):
        return np.round(labels[:, 0]).astype(np.int64), None
