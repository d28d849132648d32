"""The base class of metrics, and means of values and of functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import initializers
from .._data import Array, as_array, as_samples, as_text
from .._errors import missing, short_repr
from .._names import snake_case
from .._serialization import Configurable
from .._tracebacks import brief_traceback
from ..autodiff import Variable
from ..config import floatx, standardize_dtype

__all__ = ["Mean", "MeanMetricWrapper", "Metric"]

Float64Array = npt.NDArray[np.float64]


class Metric(Configurable):
    """Base of metrics, which accumulate over batches.

    A subclass defines `update_state` and `result`, and `reset_state` unless its numbers are those of `add_weight`.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Type that predictions are rounded to; default: not rounded. Sums are always in float64 (in Keras
        they have this type).
    name : str, optional
        Key in `History`. Default: the name of the class, without a number (Keras numbers some).

    Attributes
    ----------
    direction : {"up", "down"} or None
        Whether more or less is better, None if unknown.

    Examples
    --------
    >>> from cnet import metrics
    >>> class Positives(metrics.Metric):
    ...     name = "positives"
    ...     def reset_state(self):
    ...         self.count = 0
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.count += int((y_pred > 0.5).sum())
    ...     def result(self):
    ...         return self.count
    """

    name = "metric"
    direction: str | None = None
    # Whether labels are class ids (True), rows like the predictions (False), or both work (None).
    sparse: ClassVar[bool | None] = None
    _set_by_init: ClassVar = "_variables"

    def __init__(self, dtype: str | None = None, name: str | None = None) -> None:
        cls = type(self)
        default = snake_case(cls.__name__) if cls.name == Metric.name else cls.name
        self.name = default if name is None else as_text(f"{cls.__name__}: name", name)
        self.dtype = None if dtype is None else standardize_dtype(dtype, type(self).__name__)
        self._variables: list[Variable] = []
        if type(self).reset_state is not Metric.reset_state:
            try:
                self.reset_state()
            except AttributeError as error:
                if (
                    error.obj is not self
                ):  # else a variable that its constructor adds after this one
                    raise

    @property
    def variables(self) -> list[Variable]:
        """What `add_weight` returned."""
        return list(self._variables)

    def add_weight(
        self,
        shape: int | Sequence[int] = (),
        initializer: Any = None,
        dtype: str | None = None,
        name: str | None = None,
    ) -> Variable:
        """Return a variable that `update_state` changes, and `reset_state` sets to 0.

        Parameters
        ----------
        shape : tuple of int, default ()
        initializer : str, Initializer or function, default "zeros"
        dtype : {"float32", "float64"}, optional
            Default: the metric's, else `cnet.config.floatx()`.
        name : str, optional
        """
        dtype = standardize_dtype(dtype or self.dtype or floatx(), type(self).__name__)
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        make = initializers.get("zeros" if initializer is None else initializer)
        variable = Variable(initializers.make(make, sizes, dtype), trainable=False, name=name)
        self._variables.append(variable)
        return variable

    def reset_state(self) -> None:
        """Discard all samples."""
        if not self._variables:
            raise NotImplementedError(missing(self, "reset_state()"))
        for variable in self._variables:
            variable.assign(np.zeros(variable.shape))

    @brief_traceback
    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of labels and predictions.

        Parameters
        ----------
        y_true, y_pred : array_like, (samples, …)
            One dimension means samples of one number.
        sample_weight : array_like, (samples,) or like `y_pred`, optional
            Default: 1 for each.

        Raises
        ------
        TypeError, ValueError
            If an argument isn't numeric, or the shapes don't match; the metric is unchanged.
        """
        raise NotImplementedError(missing(self, "update_state(y_true, y_pred, sample_weight)"))

    def result(self) -> Any:
        """Return the value so far; before the first sample, the value that Keras returns."""
        raise NotImplementedError(missing(self, "result()"))

    def figure(self) -> Any:
        """Return `result` as `History` has it: numbers of a tensor that a subclass returns."""
        value = self.result()
        if not hasattr(type(value), "__tensor__"):
            return value
        numbers = value.__tensor__().value
        return numbers if numbers.ndim else float(numbers)

    @brief_traceback
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch as in `update_state`, and return the value so far."""
        self.update_state(*args, **kwargs)
        return self.result()


class Mean(Metric):
    """The mean of values.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.Mean()([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    2.0
    """

    name = "mean"

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(dtype, name)

    def reset_state(self) -> None:
        self.total, self.count = 0.0, 0.0

    @brief_traceback
    def update_state(  # type: ignore[override] # takes values, as in Keras
        self, values: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        """Add values (samples, …); several values of a sample are averaged."""
        call = type(self).__name__
        array = as_array(values, f"{call}: values")
        self._add(np.atleast_1d(array), sample_weight)

    def result(self) -> float:
        """Return the mean so far, 0 before the first sample."""
        return self.total / self.count if self.count else 0.0

    def _add(self, values: Array, sample_weight: npt.ArrayLike | None) -> None:
        rows = as_rows(values).astype(np.float64)
        weights = as_weights(type(self).__name__, sample_weight, rows.shape)
        if rows.size:
            with np.errstate(over="ignore", invalid="ignore"):
                self.total += float((rows * weights).mean(axis=1).sum())
            self.count += float(weights.mean(axis=1).sum())


class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions.

    Parameters
    ----------
    fn : function (y_true, y_pred, **kwargs)
        Returns a number for each sample (or several, which are averaged), or one for the whole batch, as
        a `Loss` does.
    name : str, optional
        Default: the name of the function.
    dtype : str, optional
        See `Metric`.
    **kwargs
        Further arguments of `fn`.

    Examples
    --------
    >>> from cnet import metrics
    >>> bias = metrics.MeanMetricWrapper(lambda y_true, y_pred: y_pred - y_true, name="bias")
    >>> bias([1, 2], [2, 2])
    0.5
    """

    def __init__(
        self,
        fn: Callable[..., npt.ArrayLike],
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not callable(fn):
            raise TypeError(f"{type(self).__name__}: fn: expected a function, got {short_repr(fn)}")
        own_name = getattr(fn, "name", None) or getattr(fn, "__name__", type(fn).__name__)
        super().__init__(name=name or own_name, dtype=dtype)
        self.fn = fn
        self.fn_kwargs = kwargs

    @brief_traceback
    def update_state(  # type: ignore[override] # takes labels and predictions again
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of labels and predictions; see `Metric.update_state`."""
        call = type(self).__name__
        labels = as_array(y_true, f"{call}: y_true")
        predictions = rounded(as_array(y_pred, f"{call}: y_pred"), self.dtype)
        values = as_array(self.fn(labels, predictions, **self.fn_kwargs), f"{call}: '{self.name}'")
        samples = len(np.atleast_1d(predictions))
        if values.ndim == 0:
            values = np.broadcast_to(values, samples)
        if len(values) != samples:
            raise ValueError(
                f"{call}: '{self.name}': expected a number for each of {samples} samples, "
                f"got shape {values.shape}"
            )
        self._add(values, sample_weight)


def rounded(array: Array, dtype: str | None) -> Array:
    """Return an array in a metric's dtype, unchanged if that is None."""
    return array if dtype is None else array.astype(dtype, copy=False)


def as_rows(array: Array) -> Array:
    """Return (samples, …) as (samples, numbers)."""
    return array.reshape(len(array), -1) if array.size else array.reshape(len(array), 1)


def as_weights(call: str, sample_weight: Any, shape: tuple[int, ...]) -> Float64Array:
    """Return weights broadcast to `shape` (samples, numbers), ones for None."""
    if sample_weight is None:
        return np.ones(shape)
    weights = as_array(sample_weight, f"{call}: sample_weight").astype(np.float64)
    if not np.isfinite(weights).all():
        raise ValueError(
            f"{call}: sample_weight: expected finite numbers, got NaN or inf among them"
        )
    if weights.ndim == 1:
        weights = weights[:, np.newaxis]
    if weights.ndim and (len(weights) != shape[0] or weights[0:1].size not in (1, shape[1])):
        raise ValueError(
            f"{call}: sample_weight: expected shape ({shape[0]},) or {shape}, "
            f"got {np.shape(sample_weight)}"
        )
    if weights.ndim > 1:
        weights = as_rows(weights)
    return np.broadcast_to(weights, shape)


def as_pair(
    call: str, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, dtype: str | None
) -> tuple[Array, Array]:
    """Return labels and predictions of one shape as (samples, numbers)."""
    predictions = rounded(as_samples(y_pred, f"{call}: y_pred"), dtype)
    labels = as_samples(y_true, f"{call}: y_true")
    if labels.shape != predictions.shape:
        raise ValueError(
            f"{call}: y_true: expected shape {np.shape(y_pred)} as y_pred, got {np.shape(y_true)}"
        )
    return as_rows(labels), as_rows(predictions)
