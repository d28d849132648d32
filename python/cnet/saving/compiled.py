"""What `compile` was told as plain values, and back: of cnet's own classes, and those that are given."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import losses, metrics, optimizers
from .._errors import short_repr
from .._serialization import as_config, find_class
from ..metrics.accuracy import AccuracyByShape
from ..metrics.metric import MeanMetricWrapper
from ..optimizers import schedules

if TYPE_CHECKING:
    from ..trainer.compiled import Compiled

__all__ = ["describe", "restore"]

_ARGUMENTS = {"optimizer", "loss", "metrics", "weighted_metrics"}
_OPTIMIZERS = {cls.__name__: cls for cls in optimizers._CLASSES.values()}
_LOSSES = {cls.__name__: cls for cls in losses._CLASSES.values()}
_LOSS_FUNCTIONS = metrics._LOSS_FUNCTIONS
_METRICS = {cls.__name__: cls for cls in metrics._CLASSES.values()}
# What functions are made into, and what they were told beside it.
_OF_FUNCTIONS: dict[type[Any], tuple[str, ...]] = {
    MeanMetricWrapper: ("name", "dtype"),
    losses.LossFunctionWrapper: ("name", "reduction"),
}
_METRICS["MeanMetricWrapper"] = MeanMetricWrapper
_LOSSES["LossFunctionWrapper"] = losses.LossFunctionWrapper
_SCHEDULES = {name: getattr(schedules, name) for name in schedules.__all__}


def describe(compiled: Compiled) -> dict[str, Any]:
    """Return the arguments of `compile`, each as its "class_name" and "config".

    Raises
    ------
    TypeError
        If one can't be described so.
    """
    return {
        "optimizer": _described(compiled.optimizer),
        "loss": None if compiled.loss is None else _described(compiled.loss),
        "metrics": [_described(metric) for metric in compiled.metrics],
        "weighted_metrics": [_described(metric) for metric in compiled.weighted_metrics],
    }


def restore(config: Any, custom_objects: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the arguments of `compile` that `describe` described.

    Raises
    ------
    ValueError
        If it describes none, or one that is not known.
    """
    if not isinstance(config, Mapping) or set(config) != _ARGUMENTS:
        raise ValueError(f"expected {', '.join(sorted(_ARGUMENTS))}, got {short_repr(config)}")
    loss = config["loss"]
    return {
        "optimizer": _optimizer(config["optimizer"], custom_objects),
        "loss": None if loss is None else _of_functions(loss, _LOSSES, custom_objects, "loss"),
        **{
            kind: [
                _of_functions(metric, _METRICS, custom_objects, "metric") for metric in config[kind]
            ]
            for kind in ("metrics", "weighted_metrics")
        },
    }


def _described(thing: Any) -> Any:
    if isinstance(thing, AccuracyByShape):
        return thing.name  # not resolved yet: still as it was asked for
    if type(thing) in _OF_FUNCTIONS:
        function = getattr(thing.fn, "__name__", type(thing.fn).__name__)
        options = {name: getattr(thing, name) for name in _OF_FUNCTIONS[type(thing)]}
        config = {"fn": function, **options, **thing.fn_kwargs}
    else:
        config = thing.get_config()
        if inspect.isfunction(config.get("learning_rate")):
            config["learning_rate"] = config["learning_rate"].__name__
    name = type(thing).__name__
    return {"class_name": name, "config": as_config(config, name)}


def _made(
    config: Any, known: Mapping[str, Any], custom_objects: Mapping[str, Any] | None, kind: str
) -> Any:
    cls, arguments = find_class(config, known, custom_objects, kind)
    return cls.from_config(arguments)


def _optimizer(config: Any, custom_objects: Mapping[str, Any] | None) -> Any:
    cls, arguments = find_class(config, _OPTIMIZERS, custom_objects, "optimizer")
    rate = arguments.get("learning_rate")
    if isinstance(rate, str):
        arguments["learning_rate"] = _function(rate, custom_objects, "learning_rate")
    if isinstance(rate, Mapping):
        arguments["learning_rate"] = _made(rate, _SCHEDULES, custom_objects, "learning_rate")
    return cls.from_config(arguments)


def _of_functions(
    config: Any, known: Mapping[str, Any], custom_objects: Mapping[str, Any] | None, kind: str
) -> Any:
    """Return a loss or a metric, which may be made of a function."""
    if isinstance(config, str):
        return config
    cls, arguments = find_class(config, known, custom_objects, kind)
    if cls in _OF_FUNCTIONS:
        arguments["fn"] = _function(arguments.get("fn"), custom_objects, kind)
    return cls.from_config(arguments)


def _function(name: Any, custom_objects: Mapping[str, Any] | None, kind: str) -> Any:
    functions = {**(_LOSS_FUNCTIONS if kind == "metric" else {}), **(custom_objects or {})}
    if name not in functions:
        raise ValueError(f"{kind}: the function {short_repr(name)} is not among the custom_objects")
    return functions[name]
