"""Losses of two classes, or of labels each by itself."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .._data import FloatArray, as_number
from .loss import PointwiseLoss, Reduction, last_axis, smoothing_in_range

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
]


class BinaryCrossentropy(PointwiseLoss):
    """−y log p − (1 − y) log(1 − p), for each output by itself, their mean over the outputs.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits z with p = 1 / (1 + e⁻ᶻ); else p is kept in [1e-7, 1 − 1e-7].
    label_smoothing : float in [0, 1], default 0
        Labels become ``y * (1 - label_smoothing) + label_smoothing / 2``.
    axis : int, default -1
        The outputs; there is no other.
    reduction, name, dtype
        See `Loss`.

    Notes
    -----
    Of probabilities that a final sigmoid made, too, the loss is of what is kept in that range: where
    they leave it there is no gradient. (Keras goes back to the logits there.) A net whose outputs may
    be so certain and wrong trains better from logits, without the sigmoid.

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
    """Binary cross-entropy times mᵞ, m = y (1 − p) + (1 − y) p being how far p is from y.

    What is predicted well already counts little, so that the rest is heard.

    Parameters
    ----------
    apply_class_balancing : bool, default False
        Whether labels 1 weigh `alpha`, and labels 0 ``1 - alpha``.
    alpha : float, default 0.25
    gamma : float of at least 0, default 2
        With 0 this is `BinaryCrossentropy`.
    from_logits, label_smoothing
        See `BinaryCrossentropy`.
    axis : int, default -1
        The outputs; there is no other.
    reduction, name, dtype
        See `Loss`.

    Notes
    -----
    Probabilities are to be in [0, 1]: others have no power, and their loss is NaN. (In Keras they have
    one where `gamma` is a whole number.) From logits nothing is clipped, as by Keras on TensorFlow.

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


def as_focal_parameters(call: str, alpha: Any, gamma: Any) -> tuple[float, float]:
    """Return a focal loss's alpha and gamma as finite numbers; raise if they are none."""
    return as_number(f"{call}: alpha", alpha), as_number(f"{call}: gamma", gamma, least=0)


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
