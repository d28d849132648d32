"""Metrics, by Keras's names."""

from __future__ import annotations

from typing import Any

from .. import losses
from .._absent import absent
from .._objects import deserializer, serialize
from .._serialization import get_by_name, named_object
from .accuracy import (
    Accuracy,
    AccuracyByShape,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .area import AUC
from .confusion import (
    F1Score,
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from .loss import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from .metric import Mean, MeanMetricWrapper, Metric
from .regression import MeanAbsoluteError, MeanSquaredError, R2Score, RootMeanSquaredError

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "F1Score",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "Poisson",
    "Precision",
    "R2Score",
    "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SquaredHinge",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "categorical_accuracy",
    "deserialize",
    "get",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


def __dir__() -> list[str]:
    return __all__


# By class names in snake case, as in Keras.
_CLASSES: dict[str, type[Metric]] = {
    "log_cosh_error" if cls is LogCoshError else cls.name: cls
    for cls in (
        *(Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy),
        *(TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy),
        *(Precision, Recall, F1Score, AUC),
        *(TruePositives, TrueNegatives, FalsePositives, FalseNegatives),
        *(MeanSquaredError, MeanAbsoluteError, RootMeanSquaredError, R2Score, Mean),
        *(MeanAbsolutePercentageError, MeanSquaredLogarithmicError, LogCoshError, Poisson),
        *(KLDivergence, Hinge, SquaredHinge, BinaryCrossentropy, CategoricalCrossentropy),
        SparseCategoricalCrossentropy,
    )
}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}
_ALIASES: dict[str, type[Metric]] = {
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_ACCURACIES = (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    top_k_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
)
_CLASSES |= _ALIASES | {alias.upper(): cls for alias, cls in _ALIASES.items()}


def get(identifier: Any) -> Metric:
    """Return a metric by its name, class, configuration or function, or the object itself.

    Parameters
    ----------
    identifier : str, type, dict, Metric or function
        Short names are "mse", "mae", "mape", "msle" and "bce". A dict is
        ``{"class_name": …, "config": {…}}``. A function (y_true, y_pred) that returns a number for each
        sample, such as `cnet.losses.huber`, is averaged.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` has another type.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.get("mse")
    MeanSquaredError()
    """
    identifier = named_object(identifier)
    if callable(identifier) and not isinstance(identifier, (type, Metric)):
        for function in _ACCURACIES:
            if identifier is function:
                return _CLASSES[function.__name__]()
        return MeanMetricWrapper(identifier)
    metric: Metric = get_by_name("metrics", Metric, _CLASSES, identifier)
    return metric


def for_model(identifier: Any, *, sparse: bool | None) -> Metric:
    """Return a metric for `compile`, named as in the call.

    Parameters
    ----------
    identifier
        As for `get`; "accuracy" and "acc" are resolved by shapes later, see `AccuracyByShape`.
    sparse : bool, optional
        Whether the loss takes class ids, None if unknown.

    Raises
    ------
    ValueError
        If the name is unknown, or the metric takes other labels than the loss.
    """
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        return AccuracyByShape(name=identifier)
    metric = get(identifier)
    if isinstance(identifier, str):
        metric.name = identifier
    if None not in (sparse, metric.sparse) and metric.sparse != sparse:
        kinds = ("one-hot labels", "integer class ids")
        raise ValueError(
            f"metrics: '{metric.name}' is for {kinds[bool(metric.sparse)]}, "
            f"the loss for {kinds[bool(sparse)]}"
        )
    return metric


deserialize = deserializer(get)


def __getattr__(name: str) -> Any:
    """Return the functions of losses, which are metrics too; explain names that only Keras has."""
    if name in _LOSS_FUNCTIONS:
        return _LOSS_FUNCTIONS[name]
    return absent(__name__)(name)


_LOSS_FUNCTIONS = {function.__name__: function for function in losses._FUNCTIONS.values()}
