"""Metrics, by Keras's names: how good a model is, in words that people use."""

from __future__ import annotations

from typing import Any

from .accuracy import (
    Accuracy,
    AccuracyByShape,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .confusion import AUC, F1Score, Precision, Recall
from .metric import Mean, MeanMetricWrapper, Metric
from .regression import MeanAbsoluteError, MeanSquaredError, R2Score, RootMeanSquaredError

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "F1Score",
    "Mean",
    "MeanAbsoluteError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "R2Score",
    "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "get",
]

_CLASSES: dict[str, type[Metric]] = {
    cls.name: cls
    for cls in (
        *(Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy),
        *(TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy),
        *(Precision, Recall, F1Score, AUC),
        *(MeanSquaredError, MeanAbsoluteError, RootMeanSquaredError, R2Score, Mean),
    )
}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}
_CLASSES |= dict.fromkeys(("mse", "MSE"), MeanSquaredError)
_CLASSES |= dict.fromkeys(("mae", "MAE"), MeanAbsoluteError)


def get(identifier: Any) -> Metric:
    """Return a metric from its name, its class, its configuration, itself, or a function.

    Parameters
    ----------
    identifier : str, type, dict, Metric or function
        "mse" and "mae" are names, too; a dict is ``{"class_name": …, "config": {…}}``; of a function
        (y_true, y_pred) of samples the mean is taken.

    Raises
    ------
    ValueError
        If there is no such metric.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.get("mse")
    <MeanSquaredError name=mean_squared_error>
    """
    config: dict[str, Any] = {}
    found = identifier
    if isinstance(identifier, dict) and isinstance(identifier.get("class_name"), str):
        found, config = identifier["class_name"], identifier.get("config") or {}
    if isinstance(found, str):
        found = _CLASSES.get(found)
    if isinstance(found, type) and issubclass(found, Metric):
        return found(**config)
    if isinstance(found, Metric):
        return found
    if callable(found) and not isinstance(found, type):
        return MeanMetricWrapper(found)
    known = ", ".join(name for name in _CLASSES if name.islower())
    raise ValueError(f"metrics: expected one of {known}, or a Metric, got {identifier!r}")


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
    """Name what Keras has and cnet has not."""
    if name in _KERAS_ONLY:
        raise AttributeError(f"metrics.{name} is not supported yet")
    raise AttributeError(f"module 'cnet.metrics' has no attribute {name!r}")


_KERAS_ONLY = {
    *("BinaryCrossentropy", "BinaryIoU", "CategoricalCrossentropy", "CategoricalHinge"),
    *("ConcordanceCorrelation", "CosineSimilarity", "FBetaScore", "FalseNegatives"),
    *("FalsePositives", "Hinge", "IoU", "KLDivergence", "LogCoshError"),
    *("MeanAbsolutePercentageError", "MeanIoU", "MeanSquaredLogarithmicError", "OneHotIoU"),
    *("OneHotMeanIoU", "PearsonCorrelation", "Poisson", "PrecisionAtRecall"),
    *("RecallAtPrecision", "SensitivityAtSpecificity", "SparseCategoricalCrossentropy"),
    *("SpecificityAtSensitivity", "SquaredHinge", "Sum", "TrueNegatives", "TruePositives"),
}
