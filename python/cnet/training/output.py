"""What `compile` was told about one output of a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .. import losses, metrics
from .._data import as_number
from .._errors import short_repr
from ..metrics import Metric, for_model
from ..metrics.accuracy import AccuracyByShape

__all__ = ["Output"]

# The accuracy that the engine counts with each loss; all other metrics need the predictions.
_COUNTED_BY_ENGINE: dict[type[Any], type[Metric]] = {
    losses.SparseCategoricalCrossentropy: metrics.SparseCategoricalAccuracy,
    losses.CategoricalCrossentropy: metrics.CategoricalAccuracy,
    losses.CategoricalFocalCrossentropy: metrics.CategoricalAccuracy,
    losses.BinaryCrossentropy: metrics.BinaryAccuracy,
    losses.BinaryFocalCrossentropy: metrics.BinaryAccuracy,
}


@dataclass
class Output:
    """The arguments of `compile` for one output of the model.

    Attributes
    ----------
    name : str
        Begins the names of its figures, if the model has several outputs.
    loss : Loss or None
    loss_weight : float
        Factor of the loss in the model's loss.
    metrics, weighted_metrics : list of Metric
    """

    name: str
    loss: losses.Loss | None
    loss_weight: float
    metrics: list[Metric]
    weighted_metrics: list[Metric]

    @classmethod
    def of(
        cls, name: str, loss: Any, loss_weight: Any, metrics: Any, weighted_metrics: Any
    ) -> Output:
        """Return the output for arguments of `compile`."""
        for several in (metrics, weighted_metrics):
            if isinstance(several, str) or not isinstance(several or [], Iterable):
                raise TypeError(f"expected a list of metrics, got {short_repr(several)}")
        chosen = None if loss is None else losses.get(loss)
        sparse: bool | None = False
        if chosen is not None:  # a function's labels may be either
            sparse = chosen.sparse if chosen.in_engine else None
        unweighted, weighted = (
            [for_model(metric, sparse=sparse) for metric in several or []]
            for several in (metrics, weighted_metrics)
        )
        weight = 1.0 if loss_weight is None else as_number("loss_weights", loss_weight)
        return cls(name, chosen, weight, unweighted, weighted)

    def resolve_metrics(self, labels: tuple[int, ...], outputs: tuple[int | None, ...]) -> None:
        """Replace each "accuracy" by the one for these shapes of labels and outputs."""
        for several in (self.metrics, self.weighted_metrics):
            several[:] = [
                metric.resolve(labels, outputs) if isinstance(metric, AccuracyByShape) else metric
                for metric in several
            ]

    def is_counted_by_engine(self, metric: Metric) -> bool:
        """Whether the native engine counts this unweighted metric: the accuracy of the loss, with threshold 0.5."""
        matches_loss = type(metric) is _COUNTED_BY_ENGINE.get(type(self.loss))
        return matches_loss and getattr(metric, "threshold", 0.5) == 0.5

    @property
    def counts_correct(self) -> bool:
        """Whether the native engine counts right predictions, or may have to once "accuracy" is resolved."""
        return any(
            isinstance(metric, AccuracyByShape) or self.is_counted_by_engine(metric)
            for metric in self.metrics
        )
