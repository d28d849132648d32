"""The arguments of `compile` as plain values, in Keras's form, and back."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from .. import losses, metrics, optimizers
from .._errors import short_repr
from .._registry import get_registered_name
from .._serialization import as_config, described, find_class, named_object, of_function
from ..metrics.accuracy import AccuracyByShape
from ..metrics.metric import MeanMetricWrapper
from .output import Output

__all__ = ["compile_arguments", "describe_setup"]

# The classes that a configuration may name.
_OPTIMIZERS = {cls.__name__: cls for cls in optimizers._CLASSES.values()}
_LOSSES = {cls.__name__: cls for cls in (*losses._CLASSES.values(), losses.LossFunctionWrapper)}
_METRICS = {cls.__name__: cls for cls in (*metrics._CLASSES.values(), MeanMetricWrapper)}
# What Keras's configuration has besides them: `loss_weights`, and arguments that cnet ignores.
_OTHERS = frozenset(
    {"loss_weights", "run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"}
)
# The options of the classes that wrap a function.
_WRAPPERS: dict[type[Any], tuple[str, ...]] = {
    MeanMetricWrapper: ("name", "dtype"),
    losses.LossFunctionWrapper: ("name", "reduction"),
}


def describe_setup(optimizer: Any, outputs: Sequence[Output]) -> dict[str, Any]:
    """Return the arguments of `compile` in the form of Keras's `get_compile_config`.

    Raises
    ------
    TypeError
        If one cannot be described by plain values.
    """
    described_outputs = [
        {
            "loss": None if output.loss is None else _serialized(output.loss),
            "metrics": [_serialized(metric) for metric in output.metrics],
            "weighted_metrics": [_serialized(metric) for metric in output.weighted_metrics],
        }
        for output in outputs
    ]
    config: dict[str, Any] = {"optimizer": _serialized(optimizer)}
    if len(outputs) == 1:
        config |= described_outputs[0]
    else:
        names = described_outputs[0]
        config |= {name: [each[name] for each in described_outputs] for name in names}
    weights = [output.loss_weight for output in outputs]
    return config if set(weights) == {1.0} else config | {"loss_weights": weights}


def compile_arguments(config: Any) -> tuple[Any, ...]:
    """Return the arguments of `compile` that `describe_setup`, or Keras's `get_compile_config`, described.

    Raises
    ------
    ValueError
        If the configuration is malformed, or names an unknown class.
    """
    expected = {"optimizer", "loss", "metrics", "weighted_metrics"}
    if not isinstance(config, Mapping) or not expected <= set(config) <= expected | _OTHERS:
        raise ValueError(f"expected {', '.join(sorted(expected))}, got {short_repr(config)}")
    identity, options = find_class(config["optimizer"], _OPTIMIZERS, "optimizer")
    several = (
        _restored(config[name], known, name)
        for name, known in (
            ("loss", _LOSSES),
            ("metrics", _METRICS),
            ("weighted_metrics", _METRICS),
        )
    )
    loss, *figures = several
    optimizer = identity.from_config(options)
    return optimizer, loss, config.get("loss_weights"), *figures


def _serialized(thing: Any) -> Any:
    if isinstance(thing, AccuracyByShape):
        return thing.name  # not resolved yet
    if type(thing) in _WRAPPERS:
        options = {name: getattr(thing, name) for name in _WRAPPERS[type(thing)]}
        config = {"fn": _named(thing.fn), **options, **thing.fn_kwargs}
    else:
        config = thing.get_config()
        if inspect.isfunction(config.get("learning_rate")):
            config["learning_rate"] = _named(config["learning_rate"])
    return described(thing, as_config(config, type(thing).__name__))


def _named(function: Any) -> dict[str, Any]:
    name = getattr(function, "__name__", type(function).__name__)
    return of_function(get_registered_name(function) if inspect.isfunction(function) else name)


def _restored(config: Any, known: Mapping[str, Any], argument: str) -> Any:
    """Return losses or metrics, which may be names, nested in lists and dicts by the outputs' names."""
    if config is None or isinstance(config, str):
        return config
    if isinstance(config, (list, tuple)):
        return [_restored(each, known, argument) for each in config]
    if isinstance(config, Mapping) and "class_name" not in config:
        return {name: _restored(each, known, argument) for name, each in config.items()}
    if not isinstance(config, Mapping):
        raise ValueError(  # noqa: TRY004 # of a file
            f"{argument}: expected names, and dicts with 'class_name' and 'config', got {short_repr(config)}"
        )
    if config["class_name"] == "function":
        return named_object(config)
    cls, arguments = find_class(config, known, argument)
    if cls in _WRAPPERS:
        arguments["fn"] = _function(arguments.get("fn"), argument)
    return cls.from_config(arguments)


def _function(config: Any, argument: str) -> Any:
    """Return the user's function, or, for metrics, a function of `losses`, that a config names."""
    function = named_object(config)
    if isinstance(function, str) and argument != "loss":
        function = metrics._LOSS_FUNCTIONS.get(function, function)
    if not callable(function):
        raise ValueError(  # noqa: TRY004 # of a file
            f"{argument}: the function {short_repr(function)} is not registered or among the custom_objects"
        )
    return function
