"""Metrics, by Keras's names: how good a model is, in words that people use."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._data import as_labels, as_samples

__all__ = ["CategoricalAccuracy", "Metric", "SparseCategoricalAccuracy", "get"]


class Metric:
    """A mean over samples, gathered batch by batch.

    Parameters
    ----------
    name : str, optional
        Its key in `History`.
    """

    name = "metric"
    sparse = False

    def __init__(self, name: str | None = None) -> None:
        if name is not None:
            self.name = str(name)
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all samples."""
        self._total, self._count = 0, 0

    def update_state(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> None:
        """Add a batch of labels and predictions (batch, classes)."""
        call = type(self).__name__
        predictions = as_samples(y_pred, f"{call}: y_pred")
        labels = as_labels(y_true, f"{call}: y_true", predictions.shape[-1], sparse=self.sparse)
        if len(labels) != len(predictions):
            raise ValueError(
                f"{call}: y_true: expected {len(predictions)} samples as y_pred, got {len(labels)}"
            )
        ids = labels[:, 0] if self.sparse else labels.argmax(axis=1)
        self._total += int(np.count_nonzero(predictions.argmax(axis=1) == ids))
        self._count += len(predictions)

    def result(self) -> float:
        """Return the mean so far, 0 before the first sample."""
        return self._total / self._count if self._count else 0.0

    def __call__(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
        """Add a batch and return the mean so far."""
        self.update_state(y_true, y_pred)
        return self.result()


class SparseCategoricalAccuracy(Metric):
    """The part of samples whose likeliest class is the true one, given as an integer id.

    Examples
    --------
    >>> from cnet import metrics
    >>> metrics.SparseCategoricalAccuracy()([1, 0], [[0.2, 0.8], [0.4, 0.6]])
    0.5
    """

    name = "sparse_categorical_accuracy"
    sparse = True


class CategoricalAccuracy(Metric):
    """The part of samples whose likeliest class is the true one, given as one-hot rows."""

    name = "categorical_accuracy"


_CLASSES: dict[str, type[Metric]] = {
    cls.name: cls for cls in (SparseCategoricalAccuracy, CategoricalAccuracy)
}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


def get(identifier: Any, *, sparse: bool) -> Metric:
    """Return a metric from its name, its class, or itself.

    "accuracy" and "acc" are resolved by the labels, as Keras does: class ids or one-hot.

    Raises
    ------
    ValueError
        If there is no such metric, or it is not one for such labels.
    """
    if isinstance(identifier, str) and identifier in ("accuracy", "acc"):
        return (SparseCategoricalAccuracy if sparse else CategoricalAccuracy)(name=identifier)
    metric: Metric
    if isinstance(identifier, str) and identifier in _CLASSES:
        metric = _CLASSES[identifier]()
    # Exactly these: the engine would know nothing of what a subclass counts.
    elif isinstance(identifier, type) and identifier in _CLASSES.values():
        metric = identifier()
    elif type(identifier) in _CLASSES.values():
        metric = identifier
    else:
        known = ", ".join(["accuracy", *(name for name in _CLASSES if name.islower())])
        raise ValueError(f"metrics: expected one of {known}, or a Metric, got {identifier!r}")
    if metric.sparse != sparse:
        kinds = ("one-hot labels", "integer class ids")
        raise ValueError(
            f"metrics: '{metric.name}' is for {kinds[metric.sparse]}, the loss for {kinds[sparse]}"
        )
    return metric
