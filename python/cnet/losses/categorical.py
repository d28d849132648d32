"""Losses for exclusive classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._data import Array, FloatArray, as_array, as_count, as_floats, as_ids
from .._errors import missing, short_repr
from .._tapes import is_explicitly_watched, running
from .arguments import as_focal_parameters, as_rows, last_axis, smoothing_in_range
from .loss import GradientFunction, Loss, PointwiseLoss, Reduction

__all__ = [
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "SparseCategoricalCrossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "sparse_categorical_crossentropy",
]


class CrossEntropy(Loss):
    """Common base of the cross-entropies.

    For probabilities of a final softmax, the engine computes with the logits instead, as Keras does.
    Other probabilities are normalized to a sum of one and clipped to [1e-7, 1 − 1e-7], for both class
    ids and one-hot labels (Keras's backends differ here).
    """

    categorical = True

    def __init__(
        self,
        from_logits: bool,
        axis: int,
        reduction: Reduction | None,
        name: str | None,
        dtype: None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = last_axis(type(self).__name__, axis)
        self.from_logits = bool(from_logits)
        self.rule = "cross_entropy" + "_from_logits" * self.from_logits

    def labels(self, y_true: npt.ArrayLike, predictions: FloatArray) -> Array:
        """Return labels for the core: ids (batch,) or rows (batch, classes)."""
        raise NotImplementedError(missing(self, "call(y_true, y_pred)"))

    def for_tensor(self, predictions: Any) -> tuple[Loss, Any]:
        logits = getattr(predictions, "logits", None)
        if self.from_logits or logits is None:
            return self, predictions
        if is_explicitly_watched(predictions):
            return self, predictions  # the gradient by the probabilities may be requested
        for tape in running.tapes:
            tape.bypassed.add(id(predictions))
        of_logits = object.__new__(type(self))
        vars(of_logits).update(vars(self), from_logits=True)
        return of_logits, logits

    def losses(self, predictions: FloatArray, targets: Array) -> FloatArray:
        if self.from_logits:
            return _core.softmax_cross_entropy_forward(predictions, targets, None)[0]
        return _core.cross_entropy_forward(predictions, targets)

    def with_gradient(
        self, predictions: FloatArray, targets: Array
    ) -> tuple[FloatArray, GradientFunction]:
        if not self.from_logits:
            return self.losses(predictions, targets), lambda divisor: _core.cross_entropy_backward(
                predictions, targets, None, divisor
            )
        losses, probabilities = _core.softmax_cross_entropy_forward(predictions, targets, None)
        return losses, lambda divisor: _core.softmax_cross_entropy_backward(
            probabilities, targets, None, divisor
        )

    def prepared(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike
    ) -> tuple[FloatArray, Array, tuple[int, ...]]:
        call = type(self).__name__
        (predictions,) = as_floats(call, y_pred=y_pred)
        if predictions.ndim == 0:
            raise ValueError(
                f"{call}: y_pred: expected an array, got the single number {short_repr(y_pred)}"
            )
        labels = self.labels(y_true, predictions)
        return as_rows(predictions), labels, predictions.shape[:-1]


class SparseCategoricalCrossentropy(CrossEntropy):
    """−log p of the true class, which is given as an integer id.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits, not probabilities.
    ignore_class : int, optional
        Label of samples to ignore, which need not be a class: they have no loss and no gradient, and the
        mean is over the others. Metrics include them, as in Keras.
    axis : int, default -1
        The classes. Other axes are not supported.
    reduction, name, dtype
        See `Loss`.

    Notes
    -----
    Probabilities that aren't from a softmax are normalized, see `CategoricalCrossentropy`.

    Examples
    --------
    >>> from cnet import losses
    >>> round(losses.SparseCategoricalCrossentropy()([1], [[0.2, 0.8]]), 4)
    0.2231
    >>> loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    >>> round(loss([1, -1], [[0.2, 0.8], [0.9, 0.1]]), 4)
    0.2231
    """

    name = "sparse_categorical_crossentropy"
    sparse = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: Reduction | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        super().__init__(from_logits, axis, reduction, name, dtype)
        if ignore_class is not None:
            argument = f"{type(self).__name__}: ignore_class"
            ignore_class = as_count(argument, ignore_class, least=-(2**63))
        self.ignore_class = ignore_class

    def labels(self, y_true: npt.ArrayLike, predictions: FloatArray) -> Array:
        argument = f"{type(self).__name__}: y_true"
        array, shape = as_array(y_true, argument), predictions.shape[:-1]
        if array.shape not in (shape, (*shape, 1)):
            raise ValueError(
                f"{argument}: expected integer class ids of shape {shape}, got shape {array.shape}; "
                "for one-hot labels use categorical_crossentropy"
            )
        ids = as_ids(array.reshape(-1), argument)
        mask = self.sample_mask(ids)
        return ids if mask is None else np.where(mask, ids, 0)

    def sample_mask(self, y_true: npt.ArrayLike) -> Array | None:
        if self.ignore_class is None:
            return None
        return np.not_equal(y_true, self.ignore_class)

    def engine_options(self) -> dict[str, Any]:
        return {"ignored_class": self.ignore_class}


class CategoricalCrossentropy(CrossEntropy):
    """−Σ y log p over the classes, for one-hot or soft labels y.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits, not probabilities. For probabilities of a final softmax, the
        engine computes with the logits instead, as Keras does.
    label_smoothing : float in [0, 1], default 0
        Labels become ``y * (1 - label_smoothing) + label_smoothing / classes``.
    axis : int, default -1
        The classes. Other axes are not supported.
    reduction, name, dtype
        See `Loss`.

    Notes
    -----
    Other probabilities are normalized to a sum of one and clipped to [1e-7, 1 − 1e-7].

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
        axis: int = -1,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        super().__init__(from_logits, axis, reduction, name, dtype)
        self.label_smoothing = smoothing_in_range(type(self).__name__, label_smoothing)

    def labels(self, y_true: npt.ArrayLike, predictions: FloatArray) -> Array:
        argument = f"{type(self).__name__}: y_true"
        array = as_array(y_true, argument)
        if array.shape != predictions.shape:
            raise ValueError(
                f"{argument}: expected one-hot labels of shape {predictions.shape}, got shape "
                f"{array.shape}; for integer ids use sparse_categorical_crossentropy"
            )
        return self.smoothed(array.reshape(as_rows(predictions).shape), predictions.dtype)


class CategoricalFocalCrossentropy(PointwiseLoss):
    """−alpha Σ y (1 − p)ᵞ log p over the classes, for one-hot or soft labels y.

    Well-predicted samples have little weight, which focuses training on the others.

    Parameters
    ----------
    alpha : float, default 0.25
        Factor for all classes.
    gamma : float of at least 0, default 2
        With 0 the loss is alpha times `CategoricalCrossentropy`.
    from_logits, label_smoothing
        See `CategoricalCrossentropy`.
    axis : int, default -1
        The classes. Other axes are not supported.
    reduction, name, dtype
        See `Loss`.

    Notes
    -----
    Probabilities are normalized to a sum of one and clipped to [1e-7, 1 − 1e-7], those of logits too,
    as in Keras.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", ICCV 2017.

    Examples
    --------
    >>> from cnet import losses
    >>> round(losses.CategoricalFocalCrossentropy()([[0, 1]], [[0.2, 0.8]]), 4)
    0.0022
    """

    name = "categorical_focal_crossentropy"
    categorical = True

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = last_axis(type(self).__name__, axis)
        self.alpha, self.gamma = as_focal_parameters(type(self).__name__, alpha, gamma)
        self.from_logits = bool(from_logits)
        self.rule = type(self).name + "_from_logits" * self.from_logits
        self.label_smoothing = smoothing_in_range(type(self).__name__, label_smoothing)

    def engine_options(self) -> dict[str, Any]:
        return {"gamma": self.gamma, "positive_weight": self.alpha}


def sparse_categorical_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> FloatArray:
    """Return the loss of each sample, (batch,); see `SparseCategoricalCrossentropy`."""
    return SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).call(y_true, y_pred)


def categorical_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> FloatArray:
    """Return the loss of each sample, (batch,); see `CategoricalCrossentropy`."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> FloatArray:
    """Return the loss of each sample, (batch,); see `CategoricalFocalCrossentropy`."""
    loss = CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)
