"""Losses for binary classification and independent labels."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .._data import FloatArray
from .arguments import as_focal_parameters, last_axis, smoothing_in_range
from .loss import PointwiseLoss, Reduction

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
]


class BinaryCrossentropy(PointwiseLoss):
    """Mean over the outputs of −y log p − (1 − y) log(1 − p).

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits z with p = 1 / (1 + e⁻ᶻ); else p is clipped to [1e-7, 1 − 1e-7].
    label_smoothing : float in [0, 1], default 0
        Labels become ``y * (1 - label_smoothing) + label_smoothing / 2``.
    axis : int, default -1
        The outputs. Other axes are not supported.
    reduction, name, dtype
        See `Loss`.

    Notes
    -----
    Probabilities of a final sigmoid are clipped too, and have no gradient outside that range. (Keras
    computes these from the logits.) If outputs may saturate at the wrong label, train from logits,
    without the sigmoid.

    Examples
    --------
    >>> from cnet import losses
    >>> round(losses.BinaryCrossentropy()([[1.0]], [[0.8]]), 4)
    0.2231
    """

    name = "binary_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = last_axis(type(self).__name__, axis)
        self.from_logits = bool(from_logits)
        self.rule = type(self).name + "_from_logits" * self.from_logits
        self.label_smoothing = smoothing_in_range(type(self).__name__, label_smoothing)


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """Binary cross-entropy times mᵞ, where m = y (1 − p) + (1 − y) p is the distance of p from y.

    Well-predicted samples have little weight, which focuses training on the others.

    Parameters
    ----------
    apply_class_balancing : bool, default False
        Whether labels 1 have the weight `alpha`, and labels 0 ``1 - alpha``.
    alpha : float, default 0.25
    gamma : float of at least 0, default 2
        With 0 the loss is `BinaryCrossentropy`.
    from_logits, label_smoothing
        See `BinaryCrossentropy`.
    axis : int, default -1
        The outputs. Other axes are not supported.
    reduction, name, dtype
        See `Loss`.

    Notes
    -----
    The loss of probabilities outside [0, 1] is NaN, as the power is undefined. (In Keras it is defined
    if `gamma` is a whole number.) Logits aren't clipped, as in Keras on TensorFlow.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", ICCV 2017,
    equations 4 and 5.

    Examples
    --------
    >>> from cnet import losses
    >>> loss = losses.BinaryFocalCrossentropy(apply_class_balancing=True)
    >>> round(loss([[1.0]], [[0.8]]), 4)  # 0.25 · 0.2² · 0.2231
    0.0022
    """

    name = "binary_focal_crossentropy"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.apply_class_balancing = bool(apply_class_balancing)
        self.alpha, self.gamma = as_focal_parameters(type(self).__name__, alpha, gamma)

    def engine_options(self) -> dict[str, Any]:
        positive, negative = (self.alpha, 1 - self.alpha) if self.apply_class_balancing else (1, 1)
        return {"gamma": self.gamma, "positive_weight": positive, "negative_weight": negative}


def binary_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `BinaryCrossentropy`."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def binary_focal_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> FloatArray:
    """Return the loss of each sample, (batch,) for (batch, outputs); see `BinaryFocalCrossentropy`."""
    loss = BinaryFocalCrossentropy(
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis
    )
    return loss.call(y_true, y_pred)
