"""The base classes of losses."""

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
    as_text,
    as_type,
    require_default,
)
from .._errors import missing, short_repr
from .._serialization import Configurable
from .._tracebacks import brief_traceback
from .arguments import (
    as_loss_weights,
    as_rows,
    reject_watched,
    same_rank,
    sequential_sum,
    tensor_or_array,
)

__all__ = ["GradientFunction", "Loss", "PointwiseLoss", "Reduction"]

Reduction = Literal["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"]
# Takes a divisor, returns the gradient of the sum of the rows' losses / divisor by the predictions.
GradientFunction = Callable[[float], FloatArray]
REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


class Loss(Configurable):
    """Base of losses; ``loss(y_true, y_pred, sample_weight=None)`` returns the reduced loss.

    Parameters
    ----------
    reduction : str, optional, default "sum_over_batch_size"
        "sum_over_batch_size" and "mean" divide the sum by the number of samples, regardless of their
        weights; "mean_with_sample_weight" divides by the sum of the weights; "sum" doesn't divide.
        "none" and None return the losses of the samples; `fit` and `evaluate` need a single number
        and raise `ValueError` for these. (Keras minimizes the sum, as with "sum".)
    name : str, optional
    dtype
        Not supported, must be None: a model computes its loss in its own dtype.

    Notes
    -----
    Samples of weight 0 are left out, even if their loss is infinite or NaN. `fit` and `evaluate` reduce
    each batch separately and report the mean over batches, weighted by batch size.

    References
    ----------
    Keras 3, ``keras.losses``. Where its backends differ, the loss documents its choice.
    """

    _not_overridable: ClassVar = {
        "__call__": "override call(y_true, y_pred), the samples' losses, instead"
    }
    name = "loss"
    sparse = False
    # True if a row holds the probabilities of exclusive classes.
    categorical = False
    # The engine's name of the loss, if it has it.
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
        #: Number of assignments to options.
        self.changes = 0
        self.reduction = reduction
        self.dtype = require_default(type(self).__name__, "dtype", dtype)
        self.name = (
            type(self).name if name is None else as_text(f"{type(self).__name__}: name", name)
        )

    @brief_traceback
    def call(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
        """Return the loss of each sample, (…) for predictions (…, outputs); a tensor for a tensor."""
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
        """Return the losses with those of ignored samples set to 0, and `sample_mask`."""
        mask = self.sample_mask(y_true)
        if mask is None:
            return losses, None
        mask = mask.reshape(losses.shape)
        return np.where(mask, losses, 0), mask

    def prepared(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike
    ) -> tuple[FloatArray, Array, tuple[int, ...]]:
        """Return predictions and labels as rows for the core, and the shape of the samples."""
        raise NotImplementedError(missing(self, "call(y_true, y_pred)"))

    def losses(self, predictions: FloatArray, targets: Array) -> FloatArray:
        """Return the loss of each row."""
        raise NotImplementedError(missing(self, "losses(predictions, targets)"))

    def with_gradient(
        self, predictions: FloatArray, targets: Array
    ) -> tuple[FloatArray, GradientFunction]:
        """Return the loss of each row, and the function for their gradient."""
        raise NotImplementedError(missing(self, "with_gradient(predictions, targets)"))

    @property
    def in_engine(self) -> bool:
        """True if the engine computes the loss; others are recorded on a tape."""
        return hasattr(self, "rule") and type(self).call is Loss.call

    def for_tensor(self, predictions: Any) -> tuple[Loss, Any]:
        """Return the loss and the tensor to record: a subclass may replace probabilities by logits."""
        return self, predictions

    def _recorded(
        self,
        result: Any,
        gradient_function: GradientFunction,
        predictions: Any,
        weights: FloatArray | None,
        divisor: float,
    ) -> Any:
        """Return `result` as a tensor whose gradient takes the weights and the divisor into account."""

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

    def sample_mask(self, y_true: npt.ArrayLike) -> Array | None:  # noqa: ARG002 # subclasses use it
        """Return which samples are not ignored, None for all."""
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
            For a `cnet.autodiff.Tensor` a tensor of its dtype, which tapes record.

        Raises
        ------
        TypeError
            If an argument isn't numeric.
        ValueError
            If shapes don't match, or labels are not classes.
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
        """Return the reduced loss, recorded if `predictions` is a tensor, whose value is `y_pred`."""
        rows, targets, shape = self.prepared(y_true, y_pred)
        if predictions is None:
            losses = self.losses(rows, targets)
        else:
            losses, gradient_function = self.with_gradient(rows, targets)
        losses, mask = self._without_ignored(losses.reshape(shape), y_true)
        weights: FloatArray | None = None if mask is None else mask.astype(np.float64)
        divisor = losses.size if weights is None else weights.sum()
        if sample_weight is not None:
            given = as_loss_weights(
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
            with np.errstate(over="ignore"):  # large weights can overflow
                result = weighted.astype(losses.dtype)
        else:
            with np.errstate(invalid="ignore"):  # inf - inf
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
        """Return the reduced loss of a custom formula, by operations that tapes record."""
        call = f"{type(self).__name__}: '{self.name}'"
        samples, weights = len(y_pred), None
        if sample_weight is not None:
            weights = as_array(sample_weight, f"{call}: sample_weight")
            if weights.shape not in ((), (samples,), (samples, 1)):
                raise ValueError(
                    f"{call}: sample_weight: expected shape ({samples},), got {weights.shape}"
                )
            weights = np.broadcast_to(weights.reshape(-1), samples)
            weighted = np.flatnonzero(weights)
            if 0 < len(weighted) < samples:  # the others may be NaN
                y_pred = tensor_or_array(y_pred, call)[weighted]
                y_true = tensor_or_array(y_true, f"{call}: y_true")[weighted]
                weights = weights[weighted]
        from ..autodiff import reduce_mean, reduce_sum, where

        losses = tensor_or_array(self.call(y_true, y_pred), call)
        divisor = 1 if self.reduction == "sum" else losses.size
        if weights is not None:
            if losses.shape[:1] != weights.shape:
                raise ValueError(
                    f"{call}: sample weights need a loss for each sample, got shape {losses.shape}"
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
        """Return the reduction; raise `ValueError` if it is "none" or None."""
        if self.reduction is None or self.reduction == "none":
            raise ValueError(
                f"{type(self).__name__}: reduction: training and evaluation need a single number, got "
                f"{short_repr(self.reduction)}; 'sum' has the gradient that Keras uses for it"
            )
        return self.reduction

    def engine_loss(self, outputs: int) -> _core.Loss:
        """Return the engine's loss for a network with this number of outputs.

        Raises
        ------
        ValueError
            If the reduction is "none" or None.
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
        """Return further options of the engine's loss."""
        return {}

    def smoothing(self, outputs: int) -> tuple[float, float]:
        """Return the scale and the offset that label smoothing applies to labels."""
        classes = outputs if self.categorical else 2
        return 1 - self.label_smoothing, self.label_smoothing / max(classes, 1)

    def smoothed(self, targets: Array, dtype: np.dtype[Any]) -> FloatArray:
        """Return targets (batch, outputs) with label smoothing, computed as in the engine."""
        floats = as_type(targets, dtype)
        if not self.label_smoothing:
            return floats
        return ops.rescaling_forward(floats, *self.smoothing(floats.shape[-1]))


class PointwiseLoss(Loss):
    """A loss of predictions and targets of the same shape, as in the engine's table."""

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
