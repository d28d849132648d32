"""Categorical cross-entropies and their gradients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _core
from .._data import Array, FloatArray, as_array, as_floats, as_ids, as_type

__all__ = [
    "cross_entropy_backward",
    "cross_entropy_forward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
]


def softmax_cross_entropy_forward(
    logits: npt.ArrayLike, labels: npt.ArrayLike, *, out: FloatArray | None = None
) -> tuple[float, FloatArray]:
    """Return the mean cross-entropy of the batch, and the probabilities.

    Parameters
    ----------
    logits : array_like, (batch, classes)
    labels : array_like, (batch,) of int or (batch, classes)
    out : array, (batch, classes), optional
        Receives the probabilities.

    Returns
    -------
    loss : float
        Summed in float64, in row order; 0 for an empty batch.
    probabilities : array, (batch, classes)

    Examples
    --------
    >>> from cnet import ops
    >>> loss, probabilities = ops.softmax_cross_entropy_forward([[0.0, 0.0]], [1])
    >>> round(loss, 4)
    0.6931
    """
    call = "softmax_cross_entropy_forward"
    (logits,) = as_floats(call, logits=logits)
    labels = _labels(call, labels, logits)
    losses, probabilities = _core.softmax_cross_entropy_forward(logits, labels, out)
    return _mean(losses), probabilities


def softmax_cross_entropy_backward(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    out: FloatArray | None = None,
    divisor: float | None = None,
) -> FloatArray:
    """Return the gradient of the logits under the mean loss.

    Parameters
    ----------
    probabilities : array_like, (batch, classes)
        The second result of the forward pass.
    labels : array_like, (batch,) of int or (batch, classes)
        Rows need not sum to 1: a row of zeros has neither loss nor gradient.
    out : array, (batch, classes), optional
    divisor : float, optional
        Divides the sum of the losses, instead of the batch size.

    Returns
    -------
    array, (batch, classes)

    Examples
    --------
    >>> from cnet import ops
    >>> ops.softmax_cross_entropy_backward([[0.25, 0.75], [0.5, 0.5]], labels=[1, 0])
    array([[ 0.125, -0.125],
           [-0.25 ,  0.25 ]], dtype=float32)
    """
    call = "softmax_cross_entropy_backward"
    (probabilities,) = as_floats(call, probabilities=probabilities)
    labels = _labels(call, labels, probabilities)
    return _core.softmax_cross_entropy_backward(probabilities, labels, out, divisor)


def cross_entropy_forward(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the mean cross-entropy of probabilities (batch, classes), normalized and clipped first.

    Examples
    --------
    >>> from cnet import ops
    >>> round(ops.cross_entropy_forward([[0.25, 0.75]], labels=[0]), 4)  # log 4
    1.3863
    """
    call = "cross_entropy_forward"
    (probabilities,) = as_floats(call, probabilities=probabilities)
    return _mean(_core.cross_entropy_forward(probabilities, _labels(call, labels, probabilities)))


def cross_entropy_backward(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    out: FloatArray | None = None,
    divisor: float | None = None,
) -> FloatArray:
    """Return the gradient of the probabilities under the mean loss of `cross_entropy_forward`.

    `out` and `divisor` are as for `softmax_cross_entropy_backward`.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.cross_entropy_backward([[0.25, 0.75]], labels=[0])
    array([[-3.,  1.]], dtype=float32)
    """
    call = "cross_entropy_backward"
    (probabilities,) = as_floats(call, probabilities=probabilities)
    labels = _labels(call, labels, probabilities)
    return _core.cross_entropy_backward(probabilities, labels, out, divisor)


def _labels(call: str, labels: npt.ArrayLike, rows: FloatArray) -> Array:
    array = as_array(labels, f"{call}: labels")
    if array.ndim == 2:
        return as_type(array, rows.dtype)
    return as_ids(array, f"{call}: labels")


def _mean(losses: FloatArray) -> float:
    """Return the mean, summed in float64 in order; 0 for no losses."""
    return float(np.cumsum(losses, dtype=np.float64)[-1]) / len(losses) if len(losses) else 0.0
