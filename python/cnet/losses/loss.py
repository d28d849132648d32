"""What all losses have in common: samples' losses, what becomes of them, and what the engine is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from .. import _core, ops
from .._data import (
    Array,
    FloatArray,
    as_array,
    as_floats,
    as_fraction,
    as_text,
    as_type,
    require_default,
)
from .._errors import missing, short_repr
from .._serialization import Configurable
from .._tapes import is_watched
from .._tracebacks import brief_traceback

__all__ = ["GradientFunction", "Loss", "PointwiseLoss", "Reduction", "reject_watched", "same_rank"]

Reduction = Literal["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"]
# From a divisor to the gradient, by the predictions, of the sum of rows' losses over it.
GradientFunction = Callable[[float], FloatArray]
REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


class Loss(Configurable):
    """A loss; ``loss(y_true, y_pred, sample_weight=None)`` reduces those of the samples to a number.

    Parameters
    ----------
    reduction : str, optional, default "sum_over_batch_size"
        "sum_over_batch_size" and "mean" divide the sum by the number of samples, whatever they weigh,
        "mean_with_sample_weight" by the sum of their weights, "sum" by nothing. "none" and None leave
        the samples' losses as they are: there is then no one number to train by, so that `fit` and
        `evaluate` refuse it with a `ValueError`. (Keras descends their sum, as "sum" does.)
    name : str, optional
    dtype
        Not supported, as a model computes its loss in its own: leave it None.

    Notes
    -----
    A weight of 0 leaves a sample out, be its loss infinite or NaN. In `fit` and `evaluate` each batch
    is reduced by itself; what they report is the mean over batches, weighted by their sizes.

    References
    ----------
    Keras 3, ``keras.losses``; where its backends differ from each other a loss says what it does.
    """

    _not_overridable: ClassVar = {
        "__call__": "override call(y_true, y_pred), the samples' losses, instead"
    }
    name = "loss"
    sparse = False
    # Whether a row is of classes, of which one is true; else each number is by itself.
    categorical = False
    # The engine's name for it, if it knows it.
    rule: str
    label_smoothing = 0.0
    axis = -1

    def __init__(
        self,
        name: str | None = None,
        reduction: Reduction | None = "sum_over_batch_size",
        dtype: None = None,
    ) -> None:
        given: Any = reduction
        if not isinstance(given, (str, type(None))) or given not in REDUCTIONS:
            known = ", ".join(map(repr, REDUCTIONS))
            raise ValueError(
                f"{type(self).__name__}: reduction: expected one of {known}, got {short_repr(reduction)}"
            )
        #: How often an option has been assigned.
        self.changes = 0
        self.reduction = reduction
        self.dtype = require_default(type(self).__name__, "dtype", dtype)
        self.name = (
            type(self).name if name is None else as_text(f"{type(self).__name__}: name", name)
        )

    @brief_traceback
    def call(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
        """Return the loss of each sample: predictions (…, outputs) give (…), of a tensor a tensor."""
        if not hasattr(y_pred, "__tensor__"):
            rows, targets, shape = self.prepared(y_true, y_pred)
            return self._without_ignored(self.losses(rows, targets).reshape(shape), y_true)[0]
        reject_watched(self, "y_true", y_true)
        loss, predictions = self.for_tensor(y_pred.__tensor__())
        rows, targets, shape = loss.prepared(y_true, predictions.value)
        losses, gradient_function = loss.with_gradient(rows, targets)
        losses, mask = loss._without_ignored(losses.reshape(shape), y_true)
        return loss._recorded(losses, gradient_function, predictions, mask, 1.0)  # type: ignore[no-any-return] # a Tensor

    @property
    def _state(self) -> frozenset[str]:
        return frozenset({"changes"})

    def _update_from(self, attribute: str, other: Any) -> None:
        super()._update_from(attribute, other)
        self.changes += 1

    def _without_ignored(
        self, losses: FloatArray, y_true: npt.ArrayLike
    ) -> tuple[FloatArray, Array | None]:
        """Return the losses, those of samples that don't count 0, and which do, None for all."""
        mask = self.sample_mask(y_true)
        if mask is None:
            return losses, None
        mask = mask.reshape(losses.shape)
        return np.where(mask, losses, 0), mask

    def prepared(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike
    ) -> tuple[FloatArray, Array, tuple[int, ...]]:
        """Return predictions and labels as rows, as the core takes them, and the samples' shape."""
        raise NotImplementedError(missing(self, "call(y_true, y_pred)"))

    def losses(self, predictions: FloatArray, targets: Array) -> FloatArray:
        """Return the loss of each row."""
        raise NotImplementedError(missing(self, "losses(predictions, targets)"))

    def with_gradient(
        self, predictions: FloatArray, targets: Array
    ) -> tuple[FloatArray, GradientFunction]:
        """Return the loss of each row, and what gives the gradient of their sum over a divisor."""
        raise NotImplementedError(missing(self, "with_gradient(predictions, targets)"))

    @property
    def in_engine(self) -> bool:
        """Whether the engine knows its formula; a tape follows others."""
        return hasattr(self, "rule") and type(self).call is Loss.call

    def for_tensor(self, predictions: Any) -> tuple[Loss, Any]:
        """Return what a tape is to record for predictions: another loss of what they were made of, maybe."""
        return self, predictions

    def _recorded(
        self,
        result: Any,
        gradient_function: GradientFunction,
        predictions: Any,
        weights: FloatArray | None,
        divisor: float,
    ) -> Any:
        """Return a tensor of the samples' losses, or their sum, times their weights, over a divisor."""

        def vjp(gradient: Any) -> list[FloatArray]:
            by_rows = gradient_function(divisor)
            factors = gradient if weights is None else gradient * weights.astype(by_rows.dtype)
            if factors.ndim:
                factors = factors.reshape(-1, 1)
                by_rows = np.where(factors == 0, 0, by_rows * factors)
            elif factors != 1:
                by_rows = by_rows * factors
            return [by_rows.reshape(predictions.shape)]

        dtype = predictions.value.dtype
        value = result.astype(dtype)[()] if isinstance(result, np.ndarray) else dtype.type(result)
        return predictions.derived(value, vjp, type(self).__name__)

    def sample_mask(self, y_true: npt.ArrayLike) -> Array | None:  # noqa: ARG002 # others ask the labels
        """Return which samples count at all, None for all of them."""
        return None

    @brief_traceback
    def __call__(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Any:
        """Return the reduced loss of predictions (batch, outputs), summed in float64.

        Parameters
        ----------
        y_true, y_pred : array_like
        sample_weight : array_like, (batch,) or (batch, 1) or one number, optional

        Returns
        -------
        float, or an array (batch,) for the reductions "none" and None
            Of predictions of a tape a `cnet.autodiff.Tensor`, in their dtype, that it records.

        Raises
        ------
        TypeError
            For what isn't numbers.
        ValueError
            For shapes that don't fit, or labels that are no classes.
        """
        reject_watched(self, "sample_weight", sample_weight)
        if not self.in_engine:
            return self._reduced_by_operations(y_true, y_pred, sample_weight)
        reject_watched(self, "y_true", y_true)
        if not hasattr(y_pred, "__tensor__"):
            return self._reduced(y_true, y_pred, sample_weight, None)
        loss, predictions = self.for_tensor(y_pred.__tensor__())
        return loss._reduced(y_true, predictions.value, sample_weight, predictions)

    def _reduced(
        self, y_true: npt.ArrayLike, y_pred: Any, sample_weight: Any, predictions: Any
    ) -> Any:
        """Return the reduced loss, recorded if `predictions` is a tensor, whose numbers are `y_pred`."""
        rows, targets, shape = self.prepared(y_true, y_pred)
        if predictions is None:
            losses = self.losses(rows, targets)
        else:
            losses, gradient_function = self.with_gradient(rows, targets)
        losses, mask = self._without_ignored(losses.reshape(shape), y_true)
        weights: FloatArray | None = None if mask is None else mask.astype(np.float64)
        divisor = losses.size if weights is None else weights.sum()
        if sample_weight is not None:
            given = _as_loss_weights(
                sample_weight, losses.shape, f"{type(self).__name__}: sample_weight"
            )
            weights = given if mask is None else np.where(mask, given, 0.0)
        weighted = losses.astype(np.float64)
        if weights is not None:
            with np.errstate(invalid="ignore"):
                weighted = np.where(weights == 0, 0, weights * weighted)
        if self.reduction in ("none", None, "sum"):
            divisor = 1
        elif self.reduction == "mean_with_sample_weight" and weights is not None:
            with np.errstate(invalid="ignore"):
                divisor = sequential_sum(weights)
        result: Any
        if self.reduction in ("none", None):
            with np.errstate(over="ignore"):  # to inf, as weights can make it
                result = weighted.astype(losses.dtype)
        else:
            with np.errstate(invalid="ignore"):  # of infinite weights of both signs
                total = float(np.add.reduce(weighted, axis=None))
            result = total / float(divisor) if divisor else 0.0
        if predictions is None:
            return result
        return self._recorded(
            result, gradient_function, predictions, weights, float(divisor) or math.inf
        )

    def _reduced_by_operations(
        self, y_true: npt.ArrayLike, y_pred: Any, sample_weight: npt.ArrayLike | None
    ) -> Any:
        """Return the reduced loss of a formula of one's own, by operations that a tape sees."""
        call = f"{type(self).__name__}: '{self.name}'"
        samples, weights = len(y_pred), None
        if sample_weight is not None:
            weights = as_array(sample_weight, f"{call}: sample_weight")
            if weights.shape not in ((), (samples,), (samples, 1)):
                raise ValueError(
                    f"{call}: sample_weight: expected shape ({samples},), got {weights.shape}"
                )
            weights = np.broadcast_to(weights.reshape(-1), samples)
            kept = np.flatnonzero(weights)
            if 0 < len(kept) < samples:  # the others may be NaN
                y_pred = tensor_or_array(y_pred, call)[kept]
                y_true = tensor_or_array(y_true, f"{call}: y_true")[kept]
                weights = weights[kept]
        from ..autodiff import reduce_mean, reduce_sum, where

        losses = tensor_or_array(self.call(y_true, y_pred), call)
        divisor = 1 if self.reduction == "sum" else losses.size
        if weights is not None:
            if losses.shape[:1] != weights.shape:
                raise ValueError(
                    f"{call}: expected a number for each sample, which sample weights are for, got shape "
                    f"{losses.shape}"
                )
            weights = weights.astype(losses.dtype).reshape(-1, *[1] * (losses.ndim - 1))
            losses = where(weights == 0, 0, losses) * weights
            per_sample = losses.size // len(weights)
            if self.reduction == "mean_with_sample_weight":
                divisor = sequential_sum(weights) * per_sample or 1
            elif self.reduction != "sum":
                divisor = samples * per_sample
        if self.reduction in ("none", None):
            return losses
        is_mean = divisor == losses.size
        result = reduce_mean(losses) if is_mean else reduce_sum(losses) / divisor
        return result if hasattr(result, "__tensor__") else float(result)

    def training_reduction(self) -> str:
        """Return the reduction; raise `ValueError` if the losses of samples have none: to train by."""
        if self.reduction is None or self.reduction == "none":
            raise ValueError(
                f"{type(self).__name__}: reduction: expected one that gives a single number to train "
                f"and evaluate by, got {short_repr(self.reduction)}; 'sum' has the gradient that Keras gives it"
            )
        return self.reduction

    def engine_loss(self, outputs: int) -> _core.Loss:
        """Return what the engine makes small, for a network of so many outputs.

        Raises
        ------
        ValueError
            If the losses of samples are not reduced.
        """
        scale, offset = self.smoothing(outputs)
        return _core.Loss(
            self.rule,
            target_scale=scale,
            target_offset=offset,
            reduction=self.training_reduction(),
            **self.engine_options(),
        )

    def engine_options(self) -> dict[str, Any]:
        """Return what else the engine is told, by its names."""
        return {}

    def smoothing(self, outputs: int) -> tuple[float, float]:
        """Return what labels are multiplied by and what is then added to them."""
        among = outputs if self.categorical else 2
        return 1 - self.label_smoothing, self.label_smoothing / max(among, 1)

    def smoothed(self, targets: Array, dtype: np.dtype[Any]) -> FloatArray:
        """Return targets (batch, outputs) as the engine makes them."""
        floats = as_type(targets, dtype)
        if not self.label_smoothing:
            return floats
        return ops.rescaling_forward(floats, *self.smoothing(floats.shape[-1]))


class PointwiseLoss(Loss):
    """A loss that compares predictions with targets of the same shape, in the engine's table of them."""

    def __init__(
        self,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def losses(self, predictions: FloatArray, targets: Array) -> FloatArray:
        return ops.pointwise_loss_forward(self.rule, predictions, targets, **self.engine_options())

    def with_gradient(
        self, predictions: FloatArray, targets: Array
    ) -> tuple[FloatArray, GradientFunction]:
        backward, options = ops.pointwise_loss_backward, self.engine_options()
        return self.losses(predictions, targets), lambda divisor: backward(
            self.rule, predictions, targets, divisor=divisor, **options
        )

    def prepared(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike
    ) -> tuple[FloatArray, Array, tuple[int, ...]]:
        call = type(self).__name__
        (predictions,) = as_floats(call, y_pred=y_pred)
        targets, predictions = same_rank(as_array(y_true, f"{call}: y_true"), predictions)
        if predictions.ndim == 0:
            raise ValueError(
                f"{call}: y_pred: expected an array, got the single number {short_repr(y_pred)}"
            )
        if targets.shape != predictions.shape:
            raise ValueError(
                f"{call}: y_true: expected shape {predictions.shape}, got {targets.shape}"
            )
        rows = as_rows(predictions)
        return rows, self.smoothed(targets.reshape(rows.shape), rows.dtype), predictions.shape[:-1]


def sequential_sum(weights: FloatArray) -> float:
    """Return the sum of weights, one after the other in float64, as the engine adds them."""
    return float(np.cumsum(weights, dtype=np.float64)[-1]) if weights.size else 0.0


def tensor_or_array(value: Any, argument: str) -> Any:
    """Return what a tape sees as it is, and an array of all else."""
    return value if hasattr(value, "__tensor__") else as_array(value, argument)


def reject_watched(owner: object, name: str, value: Any) -> None:
    """Raise `NotImplementedError` for an argument that a tape would look for a gradient of."""
    if hasattr(type(value), "__tensor__") and is_watched(value.__tensor__()):
        raise NotImplementedError(
            f"{type(owner).__name__}: {name}: no gradient goes there; give its numpy(), or write the "
            "formula with operations"
        )


def as_rows(predictions: FloatArray) -> FloatArray:
    """Return predictions (…, outputs) as a matrix."""
    if predictions.ndim == 2:
        return predictions
    return predictions.reshape(math.prod(predictions.shape[:-1]), predictions.shape[-1])


def last_axis(call: str, axis: Any) -> int:
    """Return the axis of the outputs; raise for any but the last."""
    if np.ndim(axis) > 0 or isinstance(axis, bool) or axis != -1:
        raise ValueError(
            f"{call}: axis={short_repr(axis)} is not supported: the outputs are the last, axis=-1"
        )
    return -1


def smoothing_in_range(call: str, value: Any) -> float:
    """Return a label_smoothing as a float in [0, 1]; raise if it isn't one."""
    return as_fraction(f"{call}: label_smoothing", value)


def same_rank(targets: Array, predictions: Any) -> tuple[Array, Any]:
    """Add or take away a last axis of one number, where one of both has it."""
    if targets.ndim == predictions.ndim + 1 and targets.shape[-1] == 1:
        if predictions.ndim == 1:
            return targets, predictions[:, np.newaxis]
        return targets[..., 0], predictions
    if predictions.ndim == targets.ndim + 1 and predictions.shape[-1] == 1:
        if targets.ndim == 1:
            return targets[:, np.newaxis], predictions
        return targets, predictions[..., 0]
    return targets, predictions


def _as_loss_weights(
    sample_weight: npt.ArrayLike, shape: tuple[int, ...], argument: str
) -> FloatArray:
    """Return weights for losses of that shape, in float64."""
    weights = as_array(sample_weight, argument)
    if weights.shape == (*shape, 1):
        weights = weights[..., 0]
    if weights.shape not in ((), shape):
        raise ValueError(f"{argument}: expected shape {shape}, got {weights.shape}")
    return np.broadcast_to(weights.astype(np.float64), shape)
