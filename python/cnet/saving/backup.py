"""The state of a fit in a backup: its callbacks' counters, and whether it has stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._data import Array
from .._tracebacks import warn
from .._typing import ModelProtocol
from ..callbacks import Callback
from ..callbacks.monitors import MonitorCallback
from ..layers import Weight
from .tensor_file import TensorFile

__all__ = ["describe_fit", "read_fit"]

_KEYS = {"class_name", "known_by", "state", "has_weights"}


def describe_fit(
    model: ModelProtocol, callbacks: Sequence[Callback], weights: Mapping[str, Weight]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the state of a fit as entries of a file's document, and the tensors of its callbacks.

    Warns
    -----
    UserWarning
        If the state of a callback, of a user's class for example, is not numbers.
    """
    described: list[dict[str, Any]] = []
    tensors: dict[str, Array] = {}
    for callback in _monitor_callbacks(callbacks):
        values = {name: getattr(callback, name) for name in _state_names(callback)}
        state = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in values.items()
        }
        best_weights = callback._backup_weights()
        if not _is_state(callback, state) or not _match_weights(best_weights, weights):
            warn(
                f"BackupAndRestore: a backup can't hold the state of {_describe(callback)}: it would start from its initial state"
            )
            continue
        if best_weights is not None:
            tensors |= dict(zip(_tensors(len(described), weights), best_weights, strict=True))
        described.append(
            {
                "class_name": type(callback).__name__,
                "known_by": callback._identity(),
                "state": state,
                "has_weights": best_weights is not None,
            }
        )
    return {"fit": {"stopped": bool(model.stop_training), "callbacks": described}}, tensors


def read_fit(
    file: TensorFile,
    document: Mapping[str, Any],
    model: ModelProtocol,
    callbacks: Sequence[Callback],
    weights: Mapping[str, Weight],
) -> Callable[[], None]:
    """Read the state of a fit; return a function that restores it in the model and its callbacks.

    Parameters
    ----------
    file : TensorFile
    document : dict
        The document of the file.
    model : ModelProtocol
    callbacks : sequence of Callback
        Callbacks of the fit that has begun.
    weights : dict of str to Weight
        The weights of the model by their names in the file.

    Raises
    ------
    FormatError
        If it does not fit the callbacks. Nothing has changed then.

    Warns
    -----
    UserWarning
        If the fit in the file did not have some of the callbacks: they start from their initial state.
    """
    fit = document.get("fit", {"stopped": False, "callbacks": []})
    if not isinstance(fit, dict) or type(fit.get("stopped")) is not bool:
        file.refuse(f"fit: expected 'stopped' to be true or false, found {fit!r}")
    described = fit.get("callbacks")
    if not isinstance(described, list):
        file.refuse(f"fit: expected a list of callbacks, found {described!r}")
    not_restored = _monitor_callbacks(callbacks)
    restored: list[tuple[MonitorCallback, dict[str, Any], list[Array] | None]] = []
    tensors: list[str] = []
    for index, each in enumerate(described):
        if (
            not isinstance(each, dict)
            or each.keys() != _KEYS
            or type(each["has_weights"]) is not bool
        ):
            file.refuse(
                f"fit: expected the {', '.join(sorted(_KEYS))} of a callback, found {each!r}"
            )
        names = _tensors(index, weights) if each["has_weights"] else []
        tensors += names
        key = each["class_name"], each["known_by"]
        matches = [
            other for other in not_restored if (type(other).__name__, other._identity()) == key
        ]
        if not matches:
            continue
        not_restored.remove(matches[0])
        if not _is_state(matches[0], each["state"]):
            file.refuse(f"fit: {each['state']!r} is not a state of {_describe(matches[0])}")
        for name, weight in zip(names, weights.values(), strict=False):
            file.check(name, weight.engine_dtype, weight.shape)
        best_weights = [file.read(name) for name in names] if names else None
        restored.append((matches[0], each["state"], best_weights))
    if document.get("callbacks", []) != tensors:
        file.refuse("fit: its tensors are not those of its callbacks")
    if not_restored:
        warn(
            f"BackupAndRestore: the backup has no state of {', '.join(map(_describe, not_restored))}: they start from their initial state"
        )

    def restore() -> None:
        model.stop_training = fit["stopped"]
        for callback, state, best_weights in restored:
            for name, value in state.items():
                setattr(callback, name, value)
            callback._resume_with(best_weights)

    return restore


def _monitor_callbacks(callbacks: Sequence[Callback]) -> list[MonitorCallback]:
    return [callback for callback in callbacks if isinstance(callback, MonitorCallback)]


def _describe(callback: MonitorCallback) -> str:
    return f"{type(callback).__name__}({callback.monitor!r})"


def _tensors(index: int, weights: Mapping[str, Weight]) -> list[str]:
    return [f"callbacks/{index}/{path}" for path in weights]


def _state_names(callback: MonitorCallback) -> tuple[str, ...]:
    return (*callback._counts, *callback._figures)


def _is_state(callback: MonitorCallback, state: Any) -> bool:
    """Return whether this is a state of the callback."""
    if not isinstance(state, dict) or tuple(state) != _state_names(callback):
        return False
    counts = all(type(state[name]) is int and 0 <= state[name] < 2**53 for name in callback._counts)
    return counts and all(_is_figure(state[name]) for name in callback._figures)


def _is_figure(value: Any) -> bool:
    return value is None or type(value) is float or (type(value) is int and abs(value) < 2**53)


def _match_weights(best_weights: Any, weights: Mapping[str, Weight]) -> bool:
    """Return whether arrays, if any, have the shapes and dtypes of the weights."""
    if best_weights is None:
        return True
    kinds = [(weight.shape, weight.dtype) for weight in weights.values()]
    are_arrays = isinstance(best_weights, list) and all(
        isinstance(each, np.ndarray) for each in best_weights
    )
    return are_arrays and [(each.shape, each.dtype.name) for each in best_weights] == kinds
