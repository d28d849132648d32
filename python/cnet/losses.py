"""Losses, by Keras's names: what training makes small."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core, ops
from ._data import as_labels, as_number, as_samples
from ._serialization import Configurable

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Hinge",
    "Huber",
    "KLDivergence",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "get",
]


class Loss(Configurable):
    """A loss; ``loss(y_true, y_pred)`` is its mean over the batch.

    Parameters
    ----------
    reduction : str, default "sum_over_batch_size"
        The mean over the batch, the only one there is.
    name : str, optional
    """

    name = "loss"
    sparse = False

    def __init__(self, reduction: str = "sum_over_batch_size", name: str | None = None) -> None:
        if reduction != "sum_over_batch_size":
            raise ValueError(
                f"{type(self).__name__}: reduction {reduction!r} is not supported, only "
                "'sum_over_batch_size'"
            )
        self.reduction = reduction
        if name is not None:
            self.name = str(name)

    def engine_loss(self, outputs: int) -> _core.Loss:
        """Return what the engine makes small, for a network of so many outputs."""
        raise NotImplementedError

    def __call__(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
        """Return the mean loss of predictions (batch, outputs)."""
        raise NotImplementedError


class CrossEntropy(Loss):
    """What both cross-entropies over classes have in common.

    With probabilities that a final softmax made, the engine goes back to the logits by itself, as
    Keras does. Other probabilities that don't sum to one are normalized and then kept 1e-7 away from
    0 and 1, for class ids as for one-hot labels (Keras's backends differ from each other here).
    """

    label_smoothing = 0.0

    def __init__(self, from_logits: bool, reduction: str, name: str | None) -> None:
        super().__init__(reduction, name)
        self.from_logits = bool(from_logits)

    def engine_loss(self, outputs: int) -> _core.Loss:
        return _core.Loss(
            "cross_entropy_from_logits" if self.from_logits else "cross_entropy",
            target_scale=1 - self.label_smoothing,
            target_offset=self.label_smoothing / outputs,
        )

    def __call__(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
        """Return the mean loss of predictions (batch, classes)."""
        call = type(self).__name__
        predictions = as_samples(y_pred, f"{call}: y_pred")
        classes = predictions.shape[-1]
        labels = as_labels(y_true, f"{call}: y_true", classes, sparse=self.sparse)
        if self.sparse:
            labels = labels[:, 0]
        elif self.label_smoothing:
            labels = labels * (1 - self.label_smoothing) + self.label_smoothing / classes
        if self.from_logits:
            return ops.softmax_cross_entropy_forward(predictions, labels)[0]
        return ops.cross_entropy_forward(predictions, labels)


class SparseCategoricalCrossentropy(CrossEntropy):
    """−log of the probability of the true class, given as an integer id.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits, not probabilities.
    reduction, name
        See `Loss`.

    Notes
    -----
    Probabilities that no softmax made are normalized, as `CategoricalCrossentropy` tells.

    Examples
    --------
    >>> from cnet import losses
    >>> round(losses.SparseCategoricalCrossentropy()([1], [[0.2, 0.8]]), 4)
    0.2231
    """

    name = "sparse_categorical_crossentropy"
    sparse = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: None = None,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        if ignore_class is not None:
            raise ValueError(
                f"{type(self).__name__}: ignore_class is not supported yet, got {ignore_class!r}"
            )
        self.ignore_class = ignore_class
        super().__init__(from_logits, reduction, name)


class CategoricalCrossentropy(CrossEntropy):
    """−Σ y log p over the classes, for one-hot or soft labels y.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits, not probabilities. With probabilities that a final softmax
        made, the engine goes back to the logits by itself, as Keras does.
    label_smoothing : float in [0, 1], default 0
        Labels become ``y * (1 - label_smoothing) + label_smoothing / classes``.
    reduction, name
        See `Loss`.

    Notes
    -----
    Probabilities that don't sum to one are normalized and then kept 1e-7 away from 0 and 1.

    Examples
    --------
    >>> from cnet import losses
    >>> round(losses.CategoricalCrossentropy(from_logits=True)([[0, 1]], [[0.0, 0.0]]), 4)
    0.6931
    """

    name = "categorical_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(from_logits, reduction, name)
        self.label_smoothing = smoothing(type(self).__name__, label_smoothing)


class PointwiseLoss(Loss):
    """A loss of each number by itself: the mean over the outputs, and then over the batch."""

    rule: str
    delta = 1.0
    label_smoothing = 0.0

    def engine_loss(self, outputs: int) -> _core.Loss:  # noqa: ARG002 # others depend on it
        return _core.Loss(
            self.rule,
            delta=self.delta,
            target_scale=1 - self.label_smoothing,
            target_offset=self.label_smoothing / 2,
        )

    def __call__(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
        """Return the mean loss of predictions (batch, outputs)."""
        call = type(self).__name__
        predictions = as_samples(y_pred, f"{call}: y_pred")
        targets = as_samples(y_true, f"{call}: y_true")
        if targets.shape != predictions.shape:
            raise ValueError(
                f"{call}: y_true: expected shape {predictions.shape}, got {targets.shape}"
            )
        if self.label_smoothing:
            targets = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        count = len(predictions)
        losses = ops.pointwise_loss_forward(
            self.rule, predictions.reshape(count, -1), targets.reshape(count, -1), self.delta
        )
        return float(losses.mean(dtype=np.float64)) if len(losses) else 0.0


class MeanSquaredError(PointwiseLoss):
    """(y_pred − y_true)². See `Loss`.

    Examples
    --------
    >>> from cnet import losses
    >>> losses.MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]])
    2.5
    """

    name = rule = "mean_squared_error"


class MeanAbsoluteError(PointwiseLoss):
    """|y_pred − y_true|. See `Loss`."""

    name = rule = "mean_absolute_error"


class MeanAbsolutePercentageError(PointwiseLoss):
    """100 |y_pred − y_true| / max(|y_true|, 1e-7). See `Loss`."""

    name = rule = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(PointwiseLoss):
    """(log(1 + y_pred) − log(1 + y_true))², of numbers that are at least 1e-7. See `Loss`."""

    name = rule = "mean_squared_logarithmic_error"


class Huber(PointwiseLoss):
    """½ d² where d = |y_pred − y_true| ≤ delta, else delta (d − ½ delta).

    Parameters
    ----------
    delta : float above 0, default 1
    reduction, name
        See `Loss`.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35(1), 1964.

    Examples
    --------
    >>> from cnet import losses
    >>> losses.Huber(delta=1.0)([[0.0, 0.0]], [[1.0, 3.0]])
    1.5
    """

    name = rule = "huber"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.delta = as_number("Huber: delta", delta)
        if not 0 < self.delta < float("inf"):
            raise ValueError(f"Huber: delta: expected a number above 0, got {delta!r}")


class Poisson(PointwiseLoss):
    """y_pred − y_true log(y_pred + 1e-7). See `Loss`."""

    name = rule = "poisson"


class KLDivergence(PointwiseLoss):
    """Σ y_true log(y_true / y_pred) over the outputs, of numbers kept in [1e-7, 1]. See `Loss`."""

    name = rule = "kl_divergence"


class Hinge(PointwiseLoss):
    """max(1 − y_true y_pred, 0), for labels −1 and 1, or 0 and 1. See `Loss`."""

    name = rule = "hinge"


class SquaredHinge(PointwiseLoss):
    """max(1 − y_true y_pred, 0)², for labels −1 and 1, or 0 and 1. See `Loss`."""

    name = rule = "squared_hinge"


class BinaryCrossentropy(PointwiseLoss):
    """−y log p − (1 − y) log(1 − p), for each output by itself.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits z with p = 1 / (1 + e⁻ᶻ); else p is kept in [1e-7, 1 − 1e-7].
    label_smoothing : float in [0, 1], default 0
        Labels become ``y * (1 - label_smoothing) + label_smoothing / 2``.
    reduction, name
        See `Loss`.

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
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.from_logits = bool(from_logits)
        self.rule = "binary_crossentropy" + "_from_logits" * self.from_logits
        self.label_smoothing = smoothing(type(self).__name__, label_smoothing)


def smoothing(call: str, value: Any) -> float:
    """Return a label_smoothing as a float in [0, 1]; raise if it isn't one."""
    number = as_number(f"{call}: label_smoothing", value)
    if not 0 <= number <= 1:
        raise ValueError(f"{call}: label_smoothing: expected a number in [0, 1], got {value!r}")
    return number


_CLASSES: dict[str, type[Loss]] = {
    cls.name: cls
    for cls in (
        SparseCategoricalCrossentropy,
        CategoricalCrossentropy,
        BinaryCrossentropy,
        MeanSquaredError,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError,
        Huber,
        Poisson,
        KLDivergence,
        Hinge,
        SquaredHinge,
    )
}
_ALIASES = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}
_CLASSES |= {name: cls for alias, cls in _ALIASES.items() for name in (alias, alias.upper())}


def get(identifier: Any) -> Loss:
    """Return a loss from its name, its class, or itself.

    Raises
    ------
    ValueError
        If there is no such loss.
    """
    if isinstance(identifier, str) and identifier in _CLASSES:
        return _CLASSES[identifier]()
    # Exactly these: of a subclass's own formula the engine would know nothing.
    if identifier in _CLASSES.values():
        return identifier()  # type: ignore[no-any-return] # a class of that table
    if isinstance(identifier, Loss) and type(identifier) in _CLASSES.values():
        return identifier
    known = ", ".join(name for name in _CLASSES if name.islower() and name not in _ALIASES)
    raise ValueError(f"loss: expected one of {known}, or a Loss, got {identifier!r}")
