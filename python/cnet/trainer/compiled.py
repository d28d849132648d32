"""What `compile` was told, and the figures that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import losses, metrics
from .._data import Array, FloatArray
from ..metrics import Metric
from ..metrics.accuracy import AccuracyByShape
from .sources import Data, Shuffles

__all__ = ["Compiled", "OptimizerState", "Totals"]

# What the engine counts beside a loss: an accuracy that is not here needs the predictions.
_COUNTED: dict[type[Any], type[Metric]] = {
    losses.SparseCategoricalCrossentropy: metrics.SparseCategoricalAccuracy,
    losses.CategoricalCrossentropy: metrics.CategoricalAccuracy,
    losses.CategoricalFocalCrossentropy: metrics.CategoricalAccuracy,
    losses.BinaryCrossentropy: metrics.BinaryAccuracy,
    losses.BinaryFocalCrossentropy: metrics.BinaryAccuracy,
}


@dataclass(frozen=True)
class Totals:
    """Sums over the samples seen, as the core counts them."""

    rows: int = 0
    batches: int = 0
    loss: float = 0.0
    correct: float = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.rows + other.rows,
            self.batches + other.batches,
            self.loss + other.loss,
            self.correct + other.correct,
        )


@dataclass(frozen=True)
class OptimizerState:
    """What an optimizer keeps of training.

    Attributes
    ----------
    batches : int
        How many it has seen.
    names : list of str
        What it keeps for each weight: moments and the like.
    slots : list of array
        The numbers, from the first trainable weight to the last.
    """

    batches: int
    names: list[str]
    slots: list[FloatArray]


@dataclass
class Compiled:
    """What `compile` was told, and what grows out of it."""

    optimizer: Any
    loss: losses.Loss | None
    metrics: list[Metric]
    weighted_metrics: list[Metric]
    #: Whether the core's trainer knows the loss and all of the layers; else a `TapeEngine` follows them.
    in_engine: bool = True
    engine: Any = None
    #: The loss's `changes` that the engine knows.
    known_changes: int = 0
    shuffles: Shuffles = field(default_factory=Shuffles)
    totals: Totals = field(default_factory=Totals)
    #: Whether the metrics have taken labels and predictions of this model before.
    rehearsed: bool = False
    #: What an engine to come takes over.
    kept: OptimizerState | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"engine": None, "kept": self.optimizer_state()}

    @property
    def has_trained(self) -> bool:
        """Whether the optimizer has taken a step since `compile`."""
        return self.kept is not None or (self.engine is not None and self.engine.steps > 0)

    def optimizer_state(self) -> OptimizerState | None:
        """Return what the optimizer has kept of training, None if it has seen none."""
        if self.engine is None or self.engine.steps == 0:
            return self.kept
        return OptimizerState(self.engine.steps, *self.engine.slots())

    def use(self, engine: Any) -> None:
        """Train with this engine, going on where another was left."""
        if self.kept is not None:
            rule = self.optimizer.rule()
            # Options that have been changed since may want other slots, which begin anew, as they would have.
            slots = self.kept.slots if self.kept.names == rule.slot_names else []
            engine.set_slots(rule, self.kept.batches, slots)
            self.optimizer.batches = engine.steps
        self.engine, self.kept = engine, None
        self.known_changes = self.loss.changes if self.loss else 0

    def leave_engine(self) -> None:
        """Let the next call make a new engine, which goes on."""
        self.engine, self.kept = None, self.optimizer_state()

    def settle(self, labels: tuple[int, ...], outputs: tuple[int | None, ...]) -> None:
        """Resolve "accuracy" by the shapes of labels and outputs."""
        for several in (self.metrics, self.weighted_metrics):
            several[:] = [
                metric.resolve(labels, outputs) if isinstance(metric, AccuracyByShape) else metric
                for metric in several
            ]

    def is_counted(self, metric: Metric) -> bool:
        """Whether the engine counts what an unweighted metric says."""
        # The engine has no other threshold than one half.
        threshold = getattr(metric, "threshold", 0.5)
        is_its = type(metric) is _COUNTED.get(type(self.loss))
        return self.in_engine and threshold == 0.5 and is_its

    @property
    def fed(self) -> list[Metric]:
        """The metrics that need to see predictions: the engine does not count them."""
        return [m for m in self.metrics if not self.is_counted(m)] + self.weighted_metrics

    def feed(self, data: Data, rows: slice | Array, predictions: FloatArray) -> None:
        """Show these metrics the labels of some rows, and what the model made of them."""
        assert data.y is not None
        labels = data.y[rows]
        weights = None if data.sample_weight is None else data.sample_weight[rows]
        for metric in self.metrics:
            if not self.is_counted(metric):
                metric.update_state(labels, predictions)
        for metric in self.weighted_metrics:
            metric.update_state(labels, predictions, sample_weight=weights)

    def reset(self) -> None:
        """Forget all samples."""
        self.totals = Totals()
        for metric in self.fed:
            metric.reset_state()

    def logs(self, totals: Totals) -> dict[str, Any]:
        """Return the means of the loss and the metrics."""
        rows = max(totals.rows, 1)
        logs: dict[str, Any] = {"loss": totals.loss / rows}
        for metric in self.metrics:
            counted = self.is_counted(metric)
            value = totals.correct / rows if counted else metric.result()
            logs[_free_name(metric.name, logs)] = value
        for metric in self.weighted_metrics:
            name = f"weighted_{metric.name}" if metric.name in logs else metric.name
            logs[_free_name(name, logs)] = metric.result()
        return logs


def _free_name(name: str, taken: dict[str, Any]) -> str:
    """Return a name, with a number if it is taken."""
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
