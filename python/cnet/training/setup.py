"""The arguments of `compile`, and the state of training besides the weights."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from .. import _core, losses, metrics, optimizers
from .._data import Array, FloatArray
from .._errors import short_repr
from .._serialization import as_config, find_class
from .._typing import ModelProtocol
from ..metrics import Metric
from ..metrics.accuracy import AccuracyByShape
from ..metrics.metric import MeanMetricWrapper
from ..optimizers import schedules
from .engine import Engine, Heads, TapeEngine
from .sources import Data, Shuffles

__all__ = ["OptimizerState", "Setup", "Totals"]

# The accuracy that the engine counts with each loss; all other metrics need the predictions.
_COUNTED_BY_ENGINE: dict[type[Any], type[Metric]] = {
    losses.SparseCategoricalCrossentropy: metrics.SparseCategoricalAccuracy,
    losses.CategoricalCrossentropy: metrics.CategoricalAccuracy,
    losses.CategoricalFocalCrossentropy: metrics.CategoricalAccuracy,
    losses.BinaryCrossentropy: metrics.BinaryAccuracy,
    losses.BinaryFocalCrossentropy: metrics.BinaryAccuracy,
}

# The classes that a configuration may name.
_OPTIMIZERS = {cls.__name__: cls for cls in optimizers._CLASSES.values()}
_LOSSES = {cls.__name__: cls for cls in (*losses._CLASSES.values(), losses.LossFunctionWrapper)}
_METRICS = {cls.__name__: cls for cls in (*metrics._CLASSES.values(), MeanMetricWrapper)}
_SCHEDULES = {name: getattr(schedules, name) for name in schedules.__all__}
# The options of the classes that wrap a function.
_WRAPPERS: dict[type[Any], tuple[str, ...]] = {
    MeanMetricWrapper: ("name", "dtype"),
    losses.LossFunctionWrapper: ("name", "reduction"),
}


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
    native : bool
        Whether the native engine knows the loss and all layers; else a `TapeEngine` trains.
    engine : Engine or None
        Made by `engine_for` when first needed.
    pending_state : OptimizerState or None
        The optimizer's state while there is no engine: the next one takes it over.
    nested : bool
        Whether it is for an evaluation in a callback of `fit`.
    """

    optimizer: Any
    loss: losses.Loss | None
    metrics: list[Metric]
    weighted_metrics: list[Metric]
    native: bool = True
    engine: Engine | None = None
    pending_state: OptimizerState | None = None
    nested: bool = False
    shuffles: Shuffles = field(default_factory=Shuffles)
    totals: Totals = field(default_factory=Totals)
    _loss_changes: int = 0  # of `loss.changes`, those that the engine knows
    _metrics_tried: bool = False

    @classmethod
    def of(
        cls,
        optimizer: Any,
        loss: Any,
        metrics: Iterable[Any] | None,
        weighted_metrics: Iterable[Any] | None,
    ) -> Setup:
        """Return the setup for arguments of `compile`.

        Raises
        ------
        TypeError, ValueError
            For an unknown name, or a metric that does not fit the loss.
        """
        for several in (metrics, weighted_metrics):
            if isinstance(several, str) or not isinstance(several or [], Iterable):
                raise TypeError(f"compile: expected a list of metrics, got {short_repr(several)}")
        try:
            chosen_loss = None if loss is None else losses.get(loss)
            sparse: bool | None = False
            if chosen_loss is not None:  # a function's labels may be either
                sparse = chosen_loss.sparse if chosen_loss.in_engine else None
            chosen, weighted = (
                [_metric(metric, sparse) for metric in several or []]
                for several in (metrics, weighted_metrics)
            )
            return cls(optimizers.get(optimizer), chosen_loss, chosen, weighted)
        except (TypeError, ValueError) as error:
            raise type(error)(f"compile: {error}") from None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `compile`, each as its "class_name" and "config".

        Raises
        ------
        TypeError
            If one cannot be described by plain values.
        """
        return {
            "optimizer": _serialized(self.optimizer),
            "loss": None if self.loss is None else _serialized(self.loss),
            "metrics": [_serialized(metric) for metric in self.metrics],
            "weighted_metrics": [_serialized(metric) for metric in self.weighted_metrics],
        }

    @classmethod
    def from_config(cls, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Setup:
        """Return the setup that `get_config` described.

        Raises
        ------
        ValueError
            If the configuration is malformed, or names an unknown class.
        """
        expected = {"optimizer", "loss", "metrics", "weighted_metrics"}
        if not isinstance(config, Mapping) or set(config) != expected:
            raise ValueError(f"expected {', '.join(sorted(expected))}, got {short_repr(config)}")
        loss = config["loss"]
        return cls.of(
            _optimizer_of(config["optimizer"], custom_objects),
            None if loss is None else _of_config(loss, _LOSSES, custom_objects, "loss"),
            *(
                [_of_config(metric, _METRICS, custom_objects, "metric") for metric in config[kind]]
                for kind in ("metrics", "weighted_metrics")
            ),
        )

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"engine": None, "pending_state": self.optimizer_state()}

    def for_nested_evaluation(self) -> Setup:
        """Return a setup with metrics and an engine of its own, for `evaluate` in a callback of `fit`."""
        metrics, weighted = deepcopy((self.metrics, self.weighted_metrics))
        return replace(
            self,
            metrics=metrics,
            weighted_metrics=weighted,
            engine=None,
            pending_state=None,
            totals=Totals(),
            nested=True,
        )

    def require_loss(self, call: str) -> losses.Loss:
        """Return the loss; `ValueError` if there is none."""
        if self.loss is None:
            raise ValueError(f"{call}: the model was compiled without a loss")
        return self.loss

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
        loss = self.require_loss("fit")
        if not self.has_trained and not self.nested:
            model._freeze()
        if loss.changes != self._loss_changes:
            self.drop_engine()
        if self.engine is None:
            if len(model.output_shape) != 2:
                raise ValueError(
                    f"{type(model).__name__}: expected an output of shape (batch, classes) for "
                    f"'{loss.name}', got {model.output_shape}; add layers.Flatten()"
                )
            self.engine = self._with_state(self._new_engine(model, loss))
            self.pending_state = None
            self._loss_changes = loss.changes
        return self.engine

    def _new_engine(self, model: ModelProtocol, loss: losses.Loss) -> Engine:
        if not self.native:
            return TapeEngine(model, loss, model._frozen)
        engine_loss = loss.engine_loss(model.output_shape[1] or 0)
        return _core.Trainer[model.dtype](
            model.network, [_core.Head(0, engine_loss, 1.0, loss.sparse)]
        )

    def _with_state(self, engine: Engine) -> Engine:
        """Give a new engine the state of the one before."""
        if (state := self.pending_state) is not None:
            rule = self.optimizer.rule()
            # Options changed meanwhile may want other slots: those begin at their first values.
            slots = state.slots if state.names == rule.slot_names else []
            engine.set_slots(rule, state.batches, slots)
            self.optimizer.batches = engine.steps
        return engine

    def drop_engine(self) -> None:
        """Let the next call make a new engine, which continues from this one's state."""
        self.engine, self.pending_state = None, self.optimizer_state()

    # Metrics.

    def resolve_metrics(self, labels: tuple[int, ...], outputs: tuple[int | None, ...]) -> None:
        """Replace each "accuracy" by the one for these shapes of labels and outputs."""
        for several in (self.metrics, self.weighted_metrics):
            several[:] = [
                metric.resolve(labels, outputs) if isinstance(metric, AccuracyByShape) else metric
                for metric in several
            ]

    def is_counted_by_engine(self, metric: Metric) -> bool:
        """Whether the engine counts this unweighted metric: the accuracy of the loss, with threshold 0.5."""
        matches_loss = type(metric) is _COUNTED_BY_ENGINE.get(type(self.loss))
        return self.native and matches_loss and getattr(metric, "threshold", 0.5) == 0.5

    @property
    def python_metrics(self) -> list[Metric]:
        """The metrics that need predictions, as the engine does not count them."""
        unweighted = [m for m in self.metrics if not self.is_counted_by_engine(m)]
        return unweighted + self.weighted_metrics

    def update_metrics(
        self, data: Data, rows: slice | Array, outputs: Sequence[FloatArray]
    ) -> None:
        """Update the Python metrics by the labels of some rows and the outputs for them."""
        part = data[rows]
        (labels,), (predictions,) = part.y, outputs
        weights = None if part.sample_weight is None else part.sample_weight[0]
        for metric in self.metrics:
            if not self.is_counted_by_engine(metric):
                metric.update_state(labels, predictions)
        for metric in self.weighted_metrics:
            metric.update_state(labels, predictions, sample_weight=weights)

    def try_metrics(self, model: ModelProtocol, data: Data) -> None:
        """Update the Python metrics once on trial, so that one that cannot take the data fails early."""
        if self._metrics_tried or not self.python_metrics:
            return
        self.engine_for(model)  # checks the shape of the output
        self.update_metrics(data, slice(len(data)), model._predict(data.x))
        self.reset()
        self._metrics_tried = True

    def reset(self) -> None:
        """Forget the figures of all samples seen."""
        self.totals = Totals()
        for metric in self.python_metrics:
            metric.reset_state()

    def logs(self, totals: Totals) -> dict[str, Any]:
        """Return the loss and the metrics by name."""
        rows = max(totals.rows, 1)
        logs: dict[str, Any] = {"loss": totals.loss / rows}
        for metric in self.metrics:
            counted = self.is_counted_by_engine(metric)
            logs[_unused(metric.name, logs)] = (
                _correct(totals) / rows if counted else metric.result()
            )
        for metric in self.weighted_metrics:
            name = f"weighted_{metric.name}" if metric.name in logs else metric.name
            logs[_unused(name, logs)] = metric.result()
        return logs


def _correct(totals: Totals) -> float:
    return totals.heads[0][1] if totals.heads else 0


def _metric(identifier: Any, sparse: bool | None) -> Metric:
    return metrics.for_model(identifier, sparse=sparse)


def _unused(name: str, logs: Mapping[str, Any]) -> str:
    """Return the name, numbered if it is in use."""
    unused, number = name, 0
    while unused in logs:
        number += 1
        unused = f"{name}_{number}"
    return unused


def _serialized(thing: Any) -> Any:
    if isinstance(thing, AccuracyByShape):
        return thing.name  # not resolved yet
    if type(thing) in _WRAPPERS:
        function = getattr(thing.fn, "__name__", type(thing.fn).__name__)
        options = {name: getattr(thing, name) for name in _WRAPPERS[type(thing)]}
        config = {"fn": function, **options, **thing.fn_kwargs}
    else:
        config = thing.get_config()
        if inspect.isfunction(config.get("learning_rate")):
            config["learning_rate"] = config["learning_rate"].__name__
    name = type(thing).__name__
    return {"class_name": name, "config": as_config(config, name)}


def _optimizer_of(config: Any, custom_objects: Mapping[str, Any] | None) -> Any:
    cls, arguments = find_class(config, _OPTIMIZERS, custom_objects, "optimizer")
    rate = arguments.get("learning_rate")
    if isinstance(rate, str):
        arguments["learning_rate"] = _function(rate, custom_objects, "learning_rate")
    if isinstance(rate, Mapping):
        schedule, options = find_class(rate, _SCHEDULES, custom_objects, "learning_rate")
        arguments["learning_rate"] = schedule.from_config(options)
    return cls.from_config(arguments)


def _of_config(
    config: Any, known: Mapping[str, Any], custom_objects: Mapping[str, Any] | None, kind: str
) -> Any:
    """Return a loss or a metric, which may wrap a function."""
    if isinstance(config, str):
        return config
    cls, arguments = find_class(config, known, custom_objects, kind)
    if cls in _WRAPPERS:
        arguments["fn"] = _function(arguments.get("fn"), custom_objects, kind)
    return cls.from_config(arguments)


def _function(name: Any, custom_objects: Mapping[str, Any] | None, kind: str) -> Any:
    functions = {
        **(metrics._LOSS_FUNCTIONS if kind == "metric" else {}),
        **(custom_objects or {}),
    }
    if name not in functions:
        raise ValueError(f"{kind}: the function {short_repr(name)} is not among the custom_objects")
    return functions[name]
