"""Categorical cross-entropies and their gradients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, floats, into
from .softmaxes import minus_maximum, softmax

__all__ = [
    "cross_entropy_backward",
    "cross_entropy_forward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
]

# Keras's epsilon(): probabilities are clipped to [EPSILON, 1 - EPSILON] before the logarithm.
EPSILON = 1e-7


def softmax_cross_entropy_forward(
    logits: npt.ArrayLike, labels: npt.ArrayLike, *, out: FloatArray | None = None
) -> tuple[float, FloatArray]:
    """Return the mean cross-entropy of `labels` and softmax(logits), and the softmax itself.

    With Z = Σⱼ exp(zⱼ), the loss of a row z of logits (batch, classes) is
    -Σⱼ yⱼ log pⱼ = Σⱼ yⱼ (log Z - zⱼ). The second form never takes the logarithm of a p that has
    underflowed to 0, so large logits stay finite. The mean of an empty batch is 0.

    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 6.2.2.3; and for
    log Z, Blanchard, Higham and Higham, IMA Journal of Numerical Analysis 41(4), 2021.
    """
    (logits,) = floats(logits)
    y = _one_hot(labels, logits)
    z = minus_maximum(logits)
    log_z = np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return _mean_loss(y, log_z - z), softmax(logits, out=out)


def softmax_cross_entropy_backward(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    out: FloatArray | None = None,
    divisor: float | None = None,
) -> FloatArray:
    """Return ``(p Σy - y) / batch``, the gradient of the logits (batch, classes).

    It follows from dlog Z/dzⱼ = pⱼ. Labels need not sum to 1: a row of zeros has neither loss nor
    gradient. A `divisor` replaces the batch size.

    Bridle, "Probabilistic interpretation of feedforward classification network outputs, with
    relationships to statistical pattern recognition", Neurocomputing, Springer 1990.
    """
    (p,) = floats(probabilities)
    y = _one_hot(labels, p)
    gradient = p * y.sum(axis=-1, keepdims=True) - y
    return into(out, gradient / (len(p) if divisor is None else divisor))


def cross_entropy_forward(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the mean cross-entropy of probabilities (batch, classes): the mean of ``-sum(y * log(q))``.

    Each row is normalized and clipped: q = clip(p / Σp, ε, 1 - ε), ε = 1e-7. The mean of an empty
    batch is 0.

    Keras 3, ``keras.ops.categorical_crossentropy`` with ``from_logits=False``.
    """
    (p,) = floats(probabilities)
    y = _one_hot(labels, p)
    q = np.clip(p / p.sum(axis=-1, keepdims=True), EPSILON, 1 - EPSILON)
    return _mean_loss(y, -np.log(q))


def cross_entropy_backward(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    out: FloatArray | None = None,
    divisor: float | None = None,
) -> FloatArray:
    """Return the gradient of the probabilities (batch, classes) in `cross_entropy_forward`.

    With r = p / Σp and gⱼ = -yⱼ / (batch rⱼ), or 0 where rⱼ was clipped:
    dL/dpᵢ = (gᵢ - Σⱼ gⱼ rⱼ) / Σp. A clipped probability still changes the others through Σp. A
    `divisor` replaces the batch size.
    """
    (p,) = floats(probabilities)
    y = _one_hot(labels, p)
    total = p.sum(axis=-1, keepdims=True)
    r = p / total
    q = np.clip(r, EPSILON, 1 - EPSILON)
    g = np.where(r == q, -y / q, 0) / (len(p) if divisor is None else divisor)
    return into(out, (g - (g * r).sum(axis=-1, keepdims=True)) / total)


def _one_hot(labels: npt.ArrayLike, rows: FloatArray) -> FloatArray:
    """Return `labels` as distributions of the shape and dtype of `rows`, (batch, classes)."""
    batch, classes = rows.shape
    labels = np.asarray(labels)
    if labels.shape not in ((batch,), (batch, classes)):
        raise ValueError(
            f"labels: expected shape ({batch},) or ({batch}, {classes}), got {labels.shape}"
        )
    if labels.ndim == 2:
        return labels.astype(rows.dtype)
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        row = outside.argmax()
        raise ValueError(f"labels: {labels[row]} at row {row} is outside [0, {classes})")
    one_hot: FloatArray = (labels[:, np.newaxis] == np.arange(classes)).astype(rows.dtype)
    return one_hot


def _mean_loss(y: FloatArray, minus_log_p: FloatArray) -> float:
    """Return the mean of -Σ y log p over the rows, summed in float64; 0 log 0 counts as 0."""
    losses = (y * np.where(y == 0, 0, minus_log_p)).sum(axis=-1)
    return float(losses.sum(dtype=np.float64) / max(len(losses), 1))
