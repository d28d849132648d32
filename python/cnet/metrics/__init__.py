"""Metrics, by Keras's names: how good a model is, in words that people use."""

from __future__ import annotations

from typing import Any

from .. import losses
from .._absent import absent
from .._serialization import get_by_name
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
    "get",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]

# By the class's name in snake case, as in Keras.
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
    """Return a metric from its name, its class, its configuration, itself, or a function.

    Parameters
    ----------
    identifier : str, type, dict, Metric or function
        "mse", "mae", "mape", "msle" and "bce" are names, too; a dict is
        ``{"class_name": …, "config": {…}}``; of a function (y_true, y_pred) of samples, such as
        `cnet.losses.huber`, the mean is taken.

    Raises
    ------
    ValueError
        If there is no such metric.
    TypeError
        For anything else.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.get("mse")
    MeanSquaredError()
    """
    if callable(identifier) and not isinstance(identifier, (type, Metric)):
        for function in _ACCURACIES:
            if identifier is function:
                return _CLASSES[function.__name__]()
        return MeanMetricWrapper(identifier)
    metric: Metric = get_by_name("metrics", Metric, _CLASSES, identifier)
    return metric


def for_model(identifier: Any, *, sparse: bool | None) -> Metric:
    """Return a metric as `compile` takes it: with the name by which it was asked for.

    Parameters
    ----------
    identifier
        As for `get`; "accuracy" and "acc" are resolved by shapes later, see `AccuracyByShape`.
    sparse : bool, optional
        Whether the loss takes class ids, None if that is not known.

    Raises
    ------
    ValueError
        If there is no such metric, or it is not one for such labels.
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


def __getattr__(name: str) -> Any:
    """Give the losses' functions, which are metrics, too; name what Keras has and cnet has not."""
    if name in _LOSS_FUNCTIONS:
        return _LOSS_FUNCTIONS[name]
    return absent(__name__)(name)


_LOSS_FUNCTIONS = {function.__name__: function for function in losses._FUNCTIONS.values()}
