"""Losses as metrics: their means over all samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import losses
from .._data import as_samples
from .._tracebacks import brief_traceback
from ..losses import Loss
from .metric import Mean, as_weights, rounded

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
]


class _MeanOfLosses(Mean):
    """The mean of the samples' losses."""

    direction = "down"
    kind: type[Loss]

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self._loss = self.kind()

    def _set_loss(self, **options: Any) -> None:
        """Create the loss with options, and store them as attributes."""
        self._loss = self.kind(**options)
        vars(self).update(options)

    @brief_traceback
    def update_state(  # type: ignore[override] # takes labels and predictions again
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of labels and predictions; see `Metric.update_state`."""
        call = type(self).__name__
        labels = as_samples(y_true, f"{call}: y_true")
        predictions = rounded(as_samples(y_pred, f"{call}: y_pred"), self.dtype)
        values, mask = self._loss.call(labels, predictions), self._loss.sample_mask(labels)
        if mask is not None:
            counts = mask.reshape(values.shape).astype(np.float64)
            weights = as_weights(call, sample_weight, (len(values), 1))
            sample_weight = counts * weights[:, 0]
        self._add(values, sample_weight)


class MeanAbsolutePercentageError(_MeanOfLosses):
    """The mean of `losses.MeanAbsolutePercentageError`.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.MeanAbsolutePercentageError()([[1.0, 2.0]], [[2.0, 2.0]])
    50.0
    """

    name = "mean_absolute_percentage_error"
    kind = losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(_MeanOfLosses):
    """The mean of `losses.MeanSquaredLogarithmicError`."""

    name = "mean_squared_logarithmic_error"
    kind = losses.MeanSquaredLogarithmicError


class LogCoshError(_MeanOfLosses):
    """The mean of `losses.LogCosh`."""

    name = "logcosh"
    kind = losses.LogCosh


class Poisson(_MeanOfLosses):
    """The mean of `losses.Poisson`."""

    name = "poisson"
    kind = losses.Poisson


class KLDivergence(_MeanOfLosses):
    """The mean of `losses.KLDivergence`."""

    name = "kl_divergence"
    kind = losses.KLDivergence


class Hinge(_MeanOfLosses):
    """The mean of `losses.Hinge`."""

    name = "hinge"
    kind = losses.Hinge


class SquaredHinge(_MeanOfLosses):
    """The mean of `losses.SquaredHinge`."""

    name = "squared_hinge"
    kind = losses.SquaredHinge


class BinaryCrossentropy(_MeanOfLosses):
    """The mean of `losses.BinaryCrossentropy`.

    Parameters
    ----------
    name, dtype : str, optional
        See `Metric`.
    from_logits, label_smoothing
        As in the loss.

    Examples
    --------
    >>> from cnet import metrics
    >>> round(metrics.BinaryCrossentropy()([[1.0], [0.0]], [[0.8], [0.5]]), 4)
    0.4581
    """

    name = "binary_crossentropy"
    kind = losses.BinaryCrossentropy

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._set_loss(from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(_MeanOfLosses):
    """The mean of `losses.CategoricalCrossentropy`.

    Parameters
    ----------
    name, dtype : str, optional
        See `Metric`.
    from_logits, label_smoothing, axis
        As in the loss.
    """

    name = "categorical_crossentropy"
    kind = losses.CategoricalCrossentropy
    sparse = False

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._set_loss(from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class SparseCategoricalCrossentropy(_MeanOfLosses):
    """The mean of `losses.SparseCategoricalCrossentropy`.

    Parameters
    ----------
    name, dtype : str, optional
        See `Metric`.
    from_logits, ignore_class, axis
        As in the loss. Samples of the ignored class are left out of the mean. (Keras counts them as
        losses of 0 without sample weights, but not with weights of 1.)
    """

    name = "sparse_categorical_crossentropy"
    kind = losses.SparseCategoricalCrossentropy
    sparse = True

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._set_loss(from_logits=from_logits, ignore_class=ignore_class, axis=axis)
