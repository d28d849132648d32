"""Cross-entropies of classes, and their gradients."""

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

# Keras's epsilon(): the distance that a probability keeps from 0 and 1 before its logarithm.
EPSILON = 1e-7


def softmax_cross_entropy_forward(
    logits: npt.ArrayLike, labels: npt.ArrayLike, *, out: FloatArray | None = None
) -> tuple[float, FloatArray]:
    """Return the negative log-likelihood of `labels` under softmax, and the probabilities.

    With Z = Σⱼ exp(zⱼ), the loss of a row is -Σⱼ yⱼ log pⱼ = Σⱼ yⱼ (log Z - zⱼ). The second form
    never takes the logarithm of a p that has underflowed to 0, so large logits stay finite.

    Parameters
    ----------
    logits : array_like, (batch, classes)
    labels : array_like, (batch,) or (batch, classes)
    out : array, (batch, classes), optional
        Takes the probabilities.

    Returns
    -------
    loss : float
        The mean over the batch, summed in float64; 0.0 for an empty batch.
    probabilities : array, (batch, classes)

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 6.2.2.3; and for
    log Z, Blanchard, Higham and Higham, IMA Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> softmax_cross_entropy_forward([[0.0, 1e4]], labels=[0])
    (10000.0, array([[0., 1.]], dtype=float32))
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
    """Return ``(p Σy - y) / batch``, the gradient of the mean loss with respect to the logits.

    Through dlog Z/dzⱼ = pⱼ. Labels need not sum to 1: a row of zeros has neither loss nor gradient.

    Parameters
    ----------
    probabilities : array_like, (batch, classes)
        The second result of the forward pass.
    labels : array_like, (batch,) or (batch, classes)
    out : array, (batch, classes), optional
    divisor : float, optional
        Of the sum of the losses, in the place of the batch's size.

    Returns
    -------
    array, (batch, classes)

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    References
    ----------
    Bridle, "Probabilistic interpretation of feedforward classification network outputs, with
    relationships to statistical pattern recognition", Neurocomputing, Springer 1990.

    Examples
    --------
    >>> softmax_cross_entropy_backward([[0.25, 0.75], [0.5, 0.5]], labels=[1, 0])
    array([[ 0.125, -0.125],
           [-0.25 ,  0.25 ]], dtype=float32)
    """
    (p,) = floats(probabilities)
    y = _one_hot(labels, p)
    gradient = p * y.sum(axis=-1, keepdims=True) - y
    return into(out, gradient / (len(p) if divisor is None else divisor))


def cross_entropy_forward(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return Keras's cross-entropy of plain probabilities: the mean of ``-sum(y * log(q))``.

    Each row is made to sum to 1 and kept away from 0 and 1: q = clip(p / Σp, ε, 1 - ε), ε = 1e-7.

    Parameters
    ----------
    probabilities : array_like, (batch, classes)
    labels : array_like, (batch,) or (batch, classes)

    Returns
    -------
    float
        The mean over the batch, summed in float64; 0.0 for an empty batch.

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    References
    ----------
    Keras 3, ``keras.ops.categorical_crossentropy`` with ``from_logits=False``.

    Examples
    --------
    >>> round(cross_entropy_forward([[0.25, 0.75]], labels=[0]), 4)  # log 4
    1.3863
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
    """Return the gradient of `cross_entropy_forward` with respect to `probabilities`.

    With r = p / Σp and gⱼ = -yⱼ / (batch rⱼ), or 0 where rⱼ was clipped:
    dL/dpᵢ = (gᵢ - Σⱼ gⱼ rⱼ) / Σp. A clipped probability still moves the others through Σp.

    Parameters
    ----------
    probabilities : array_like, (batch, classes)
    labels : array_like, (batch,) or (batch, classes)
    out : array, (batch, classes), optional
    divisor : float, optional
        Of the sum of the losses, in the place of the batch's size.

    Returns
    -------
    array, (batch, classes)

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    References
    ----------
    The chain rule on Keras 3's ``keras.ops.categorical_crossentropy``.

    Examples
    --------
    >>> cross_entropy_backward([[0.25, 0.75]], labels=[0])
    array([[-3.,  1.]], dtype=float32)
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
    """Return the mean of -Σ y log p over the rows; where y = 0, p = 0 does no harm."""
    losses = (y * np.where(y == 0, 0, minus_log_p)).sum(axis=-1)
    return float(losses.sum(dtype=np.float64) / max(len(losses), 1))
