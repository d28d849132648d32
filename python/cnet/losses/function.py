"""Custom losses: functions of labels and predictions, differentiated on a tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .._data import as_array, shape_text
from .._errors import short_repr
from .arguments import same_rank
from .loss import Loss, Reduction

__all__ = ["LossFunctionWrapper"]


class LossFunctionWrapper(Loss):
    """The mean of a function of labels and predictions.

    Parameters
    ----------
    fn : function (y_true, y_pred, **kwargs)
        Returns the loss of each sample, an array of several numbers per sample, which are averaged, or
        one number for the batch. In training `y_pred` is a tensor, for the operations of `cnet.autodiff`,
        Python's operators and the functions of `cnet.losses`. `y_true` is an array of the same dtype. A
        last axis of size 1 that only one of them has is removed.
    reduction, name, dtype
        See `Loss`.
    **kwargs
        Further arguments of `fn`.

    Raises
    ------
    TypeError
        If `fn` is not callable, or doesn't return a tensor for a tensor.

    Examples
    --------
    >>> from cnet import autodiff, losses
    >>> def pinball(y_true, y_pred, quantile=0.9):
    ...     error = y_true - y_pred
    ...     return autodiff.maximum(quantile * error, (quantile - 1) * error)
    >>> loss = losses.LossFunctionWrapper(pinball, quantile=0.5)
    >>> loss.name, loss([1.0, 3.0], [1.5, 2.0])
    ('pinball', 0.375)
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
        **kwargs: Any,
    ) -> None:
        if not callable(fn):
            raise TypeError(f"{type(self).__name__}: fn: expected a function, got {short_repr(fn)}")
        own_name = getattr(fn, "__name__", type(fn).__name__)
        super().__init__(own_name if name is None else name, reduction, dtype)
        self.fn = fn
        self.fn_kwargs = kwargs

    def call(self, y_true: npt.ArrayLike, y_pred: Any) -> Any:
        """Return the result of the function."""
        call = f"{type(self).__name__}: '{self.name}'"
        is_tensor = hasattr(y_pred, "__tensor__")
        predictions = y_pred.__tensor__() if is_tensor else as_array(y_pred, f"{call}: y_pred")
        labels: Any = y_true
        if not hasattr(y_true, "__tensor__"):
            labels = as_array(y_true, f"{call}: y_true")
            if predictions.dtype.kind == "f":
                labels = labels.astype(predictions.dtype, copy=False)
        labels, predictions = same_rank(labels, predictions)
        losses = self.fn(labels, predictions, **self.fn_kwargs)
        if is_tensor and not hasattr(losses, "__tensor__"):
            raise TypeError(
                f"{call}: expected a tensor as the loss of a tensor, got {type(losses).__name__}: a tape records "
                "the operations of cnet.autodiff and Python's operators, not NumPy's functions"
            )
        losses = losses.__tensor__() if is_tensor else np.asarray(losses)
        if losses.ndim and len(losses) != len(predictions):
            raise ValueError(
                f"{call}: expected a number for each of {len(predictions)} samples, got shape "
                f"{shape_text(losses.shape)}"
            )
        return losses
