"""The arguments of `compile`, and the state of training besides the weights."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from .. import _core, losses, metrics, optimizers
from .._data import Array, FloatArray
from .._names import unused_name
from .._typing import ModelProtocol
from ..layers.batch_shapes import as_shaped
from ..metrics import Metric
from ..metrics.metric import MeanMetricWrapper
from .engine import Engine, Heads, TapeEngine
from .labels import as_rows_of_samples
from .open_engine import OpenEngine
from .output import Output
from .setup_config import compile_arguments, describe_setup
from .sources import Data, Shuffles
from .step_engine import StepEngine
from .structures import for_each_output

__all__ = ["OptimizerState", "Setup", "Totals"]


@dataclass(frozen=True)
class Totals:
    """Sums over the samples seen."""

    rows: int = 0
    batches: int = 0
    loss: float = 0.0
    heads: Heads = field(default_factory=list)

    def __add__(self, other: Totals) -> Totals:
        heads = (
            [
                (loss + other_loss, correct + other_correct)
                for (loss, correct), (other_loss, other_correct) in zip(
                    self.heads, other.heads, strict=True
                )
            ]
            if self.heads and other.heads
            else self.heads or other.heads
        )
        return Totals(
            self.rows + other.rows, self.batches + other.batches, self.loss + other.loss, heads
        )


@dataclass(frozen=True)
class OptimizerState:
    """The state of an optimizer.

    Attributes
    ----------
    batches : int
        Number of steps taken.
    names : list of str
        The names of the slots of each weight, as "momentum".
    slots : list of array
        From the first trainable weight to the last.
    """

    batches: int
    names: list[str]
    slots: list[FloatArray]


@dataclass
class Setup:
    """The arguments of `compile`, and the state of training besides the weights.

    Attributes
    ----------
    outputs : list of Output
        What it was told about each output of the model.
    native : bool
        Whether the latest engine is the native one; see `Model.trains_in_engine`.
    engine : Engine or None
        Made by `engine_for` when first needed.
    pending_state : OptimizerState or None
        The optimizer's state while there is no engine: the next one takes it over.
    nested : bool
        Whether it is for an evaluation in a callback of `fit`.
    has_steps : bool
        Whether the model has steps of its own, such as `train_step`, which return the figures.
    step_logs : dict of str to float
        The figures that the latest such step returned.
    loss_tracker : Metric
        The mean of the losses of such steps.
    """

    optimizer: Any
    outputs: list[Output]
    native: bool = True
    engine: Engine | None = None
    pending_state: OptimizerState | None = None
    nested: bool = False
    has_steps: bool = False
    step_logs: dict[str, Any] = field(default_factory=dict)
    loss_tracker: metrics.Mean = field(default_factory=lambda: metrics.Mean("loss"))
    shuffles: Shuffles = field(default_factory=Shuffles)
    totals: Totals = field(default_factory=Totals)
    _loss_changes: tuple[int, ...] = ()  # of each loss's `changes`, those that the engine knows
    _metrics_tried: bool = False

    @classmethod
    def of(
        cls,
        output_names: Sequence[str],
        optimizer: Any,
        loss: Any,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
    ) -> Setup:
        """Return the setup for arguments of `compile`.

        Raises
        ------
        TypeError, ValueError
            For an unknown name, a metric that does not fit the loss, or a list or dict that does not fit the outputs.
        """
        try:
            each_loss, each_weight, *several = (
                for_each_output(name, value, output_names, kind)
                for name, value, kind in (
                    ("loss", loss, "shared"),
                    ("loss_weights", loss_weights, "one"),
                    ("metrics", metrics, "list"),
                    ("weighted_metrics", weighted_metrics, "list"),
                )
            )
            arguments = zip(output_names, each_loss, each_weight, *several, strict=True)
            return cls(optimizers.get(optimizer), [Output.of(*each) for each in arguments])
        except (TypeError, ValueError) as error:
            raise type(error)(f"compile: {error}") from None

    @property
    def in_engine(self) -> bool:
        """Whether the native engine knows the losses and the optimizer's steps."""
        has_own_steps = not self.optimizer.in_engine or self.optimizer.has_own_apply
        return not has_own_steps and all(loss.in_engine for loss in self.losses)

    @property
    def heads(self) -> list[Output]:
        """The outputs that have a loss."""
        return [output for output in self.outputs if output.loss is not None]

    @property
    def losses(self) -> list[losses.Loss]:
        """Their losses."""
        return [output.loss for output in self.outputs if output.loss is not None]

    @property
    def loss(self) -> Any:
        """The loss; a list, if the model has several outputs."""
        found = [output.loss for output in self.outputs]
        return found[0] if len(found) == 1 else found

    @property
    def metrics(self) -> list[Metric]:
        """All metrics, output by output."""
        return [
            metric
            for output in self.outputs
            for metric in (*output.metrics, *output.weighted_metrics)
        ]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `compile` in the form of Keras's `get_compile_config`.

        Raises
        ------
        TypeError
            If one cannot be described by plain values.
        """
        return describe_setup(self.optimizer, self.outputs)

    @classmethod
    def from_config(cls, output_names: Sequence[str], config: Any) -> Setup:
        """Return the setup that `get_config`, or Keras's `get_compile_config`, described.

        Raises
        ------
        ValueError
            If the configuration is malformed, or names an unknown class.
        """
        return cls.of(output_names, *compile_arguments(config))

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"engine": None, "pending_state": self.optimizer_state()}

    def for_nested_evaluation(self) -> Setup:
        """Return a setup with metrics and an engine of its own, for `evaluate` in a callback of `fit`."""
        outputs = [
            replace(
                output,
                metrics=deepcopy(output.metrics),
                weighted_metrics=deepcopy(output.weighted_metrics),
            )
            for output in self.outputs
        ]
        return replace(
            self, outputs=outputs, engine=None, pending_state=None, totals=Totals(), nested=True
        )

    def require_loss(self, call: str) -> None:
        """Raise `ValueError` if there is no loss."""
        if not self.heads and not self.has_steps:
            raise ValueError(f"{call}: the model was compiled without a loss")

    # The engine, and the state of the optimizer in it.

    @property
    def has_trained(self) -> bool:
        """Whether the optimizer has taken a step since `compile`."""
        return self.pending_state is not None or (self.engine is not None and self.engine.steps > 0)

    def optimizer_state(self) -> OptimizerState | None:
        """Return the state of the optimizer, None before its first step."""
        if self.engine is None or self.engine.steps == 0:
            return self.pending_state
        return OptimizerState(self.engine.steps, *self.engine.slots())

    def engine_for(self, model: ModelProtocol) -> Engine:
        """Return the engine that trains `model`, creating it if necessary."""
        self.require_loss("fit")
        if not self.has_trained and not self.nested:
            model._freeze()
        changes = tuple(loss.changes for loss in self.losses)
        if changes != self._loss_changes:
            self.drop_engine()
        if self.engine is None:
            self.native = model.trains_in_engine
            self._refuse_masks(model)
            self.engine = self._with_state(self._new_engine(model))
            self.pending_state = None
            self._loss_changes = changes
        return self.engine

    def _refuse_masks(self, model: ModelProtocol) -> None:
        if self.native or self.has_steps:
            return
        masked = set(model.masked_outputs()).intersection(output.name for output in self.heads)
        for name in sorted(masked):
            raise ValueError(
                f"{type(model).__name__} '{model.name}': the output '{name}' has a mask, of an Embedding with "
                "mask_zero=True, which losses don't support"
            )

    def _new_engine(self, model: ModelProtocol) -> Engine:
        if self.has_steps:
            return StepEngine(model, self)
        if not self.native:
            tape_heads = [
                (number, output.loss, output.loss_weight)
                for number, output in enumerate(self.outputs)
                if output.loss is not None
            ]
            return TapeEngine(model, tape_heads, model._frozen, self.optimizer)
        shapes = model.output_shapes

        def heads() -> list[_core.Head]:
            return [
                _core.Head(
                    number,
                    loss.engine_loss(shape[1] or 0),
                    output.loss_weight,
                    loss.sparse,
                    output.counts_correct,
                )
                for number, (output, shape) in enumerate(zip(self.outputs, shapes, strict=True))
                if (loss := output.loss) is not None
            ]

        if model.is_open:
            return OpenEngine(model, heads)
        return _core.Trainer[model.dtype](model.network, heads())

    def _with_state(self, engine: Engine) -> Engine:
        """Give a new engine the state of the one before."""
        if (state := self.pending_state) is not None:
            rule = self.optimizer.rule()
            # Options changed meanwhile may want other slots: those begin at their first values.
            slots = state.slots if state.names == self.optimizer.slot_names else []
            engine.set_slots(rule, state.batches, slots)
            self.optimizer.batches = engine.steps
        return engine

    def drop_engine(self) -> None:
        """Let the next call make a new engine, which continues from this one's state."""
        self.engine, self.pending_state = None, self.optimizer_state()

    # Metrics.

    def is_counted_by_engine(self, output: Output, metric: Metric) -> bool:
        """Whether the engine counts this unweighted metric of an output."""
        return self.native and output.is_counted_by_engine(metric)

    @property
    def python_metrics(self) -> list[Metric]:
        """The metrics that need predictions, as the engine does not count them."""
        if self.has_steps:  # which update them
            return []
        return [
            metric
            for output in self.outputs
            for metric in (
                *(m for m in output.metrics if not self.is_counted_by_engine(output, m)),
                *output.weighted_metrics,
            )
        ]

    def update_metrics(
        self, data: Data, rows: slice | Array, predictions: Sequence[FloatArray]
    ) -> None:
        """Update the Python metrics by the labels of some rows and the outputs with a loss for them."""
        part = data[rows]
        weights = part.sample_weight or (None,) * len(part.y)
        for output, labels, predicted, weight in zip(
            self.heads, part.y, predictions, weights, strict=True
        ):
            rows_of = as_rows_of_samples(labels, predicted, weight)
            for metric in output.metrics:
                if not self.is_counted_by_engine(output, metric):
                    y_true, y_pred, _ = (
                        rows_of if _takes_rows(metric) else (labels, predicted, None)
                    )
                    metric.update_state(y_true, y_pred)
            for metric in output.weighted_metrics:
                y_true, y_pred, each = (
                    rows_of if _takes_rows(metric) else (labels, predicted, weight)
                )
                metric.update_state(y_true, y_pred, sample_weight=each)

    def try_metrics(self, model: ModelProtocol, data: Data) -> None:
        """Update the Python metrics once on trial, so that one that cannot take the data fails early."""
        if self._metrics_tried or not self.python_metrics:
            return
        self.engine_for(model)  # checks the shape of the output
        x = data.x if self.native else model._engine_inputs(data.x)
        predictions = [
            rows if len(shape) == 2 else as_shaped(rows, shape)
            for output, rows, shape in zip(
                self.outputs, model._predict(x), model.output_shapes, strict=True
            )
            if output.loss is not None
        ]
        self.update_metrics(data, slice(len(data)), predictions)
        self.reset()
        self._metrics_tried = True

    def reset(self) -> None:
        """Forget the figures of all samples seen."""
        self.totals, self.step_logs = Totals(), {}
        for metric in self.metrics if self.has_steps else self.python_metrics:
            metric.reset_state()
        self.loss_tracker.reset_state()

    def logs(self, totals: Totals) -> dict[str, Any]:
        """Return the loss and the metrics by name.

        Several outputs have names of their own, "output_loss" and "output_metric". The losses come first, then, as
        in Keras, the metrics in alphabetical order.
        """
        if self.has_steps:
            return dict(self.step_logs)
        rows = max(totals.rows, 1)
        logs: dict[str, Any] = {"loss": totals.loss / rows}
        sums = totals.heads or [(0.0, 0.0)] * len(self.heads)
        several = len(self.outputs) > 1
        if several and len(self.heads) > 1:
            for output, (loss, _) in zip(self.heads, sums, strict=True):
                logs[f"{output.name}_loss"] = loss / rows
        figures: dict[str, Any] = {}
        for output, (_, correct) in zip(self.heads, sums, strict=True):
            prefix = f"{output.name}_" if several else ""
            for metric in output.metrics:
                counted = self.is_counted_by_engine(output, metric)
                name = unused_name(f"{prefix}{metric.name}", logs | figures)
                figures[name] = correct / rows if counted else metric.figure()
            for metric in output.weighted_metrics:
                name = f"{prefix}{metric.name}"
                if name in figures:
                    name = f"{prefix}weighted_{metric.name}"
                figures[unused_name(name, logs | figures)] = metric.figure()
        return logs | (dict(sorted(figures.items())) if several else figures)


def _takes_rows(metric: Metric) -> bool:
    """Whether a metric is one of cnet's, which take a row of labels and predictions for each loss."""
    return type(metric).__module__.startswith("cnet.") and type(metric) is not MeanMetricWrapper
