"""What a backup of training holds of callbacks: what they have counted, and weights that they keep."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._data import Array
from .tensor_file import TensorFile

if TYPE_CHECKING:
    from ..callbacks import Callback
    from ..layers import Weight

__all__ = ["describe_callbacks", "read_callbacks"]


def describe_callbacks(
    callbacks: Sequence[Callback], weights: Mapping[str, Weight]
) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    """Return what a file's document says of the callbacks that remember something, and their tensors."""
    described: list[dict[str, Any]] = []
    tensors: dict[str, Array] = {}
    for index, callback in enumerate(_remembering(callbacks)):
        numbers = {name: getattr(callback, name) for name in callback._remembered}
        kept = callback._remembered_weights()
        if kept is not None:
            tensors |= dict(zip(_names(index, weights), kept, strict=True))
        described.append({"class_name": type(callback).__name__, "state": numbers})
    return described, tensors


def read_callbacks(
    file: TensorFile,
    document: Mapping[str, Any],
    callbacks: Sequence[Callback],
    weights: Mapping[str, Weight],
) -> Callable[[], None]:
    """Read what a file holds of callbacks; return what puts it into those of this training.

    Parameters
    ----------
    file : TensorFile
    document : dict
        The file's.
    callbacks : sequence of Callback
        In the order of those of the file, whose training has begun.
    weights : dict of str to Weight
        The model's, by the file's names for them.

    Raises
    ------
    FormatError
        If it is nothing that such callbacks have counted. Nothing has been changed.

    Warns
    -----
    UserWarning
        If the callbacks are of other classes: all of them begin anew.
    """
    described, tensors = document.get("callbacks_state", []), document.get("callbacks", [])
    are_dicts = isinstance(described, list) and all(isinstance(each, dict) for each in described)
    if not are_dicts:
        file.refuse(f"callbacks: expected a list of objects, found {described!r}")
    ours = _remembering(callbacks)
    classes = [type(callback).__name__ for callback in ours]
    found = [each.get("class_name") for each in described]
    if found != classes:
        warnings.warn(
            f"BackupAndRestore: the backup is of a fit with the callbacks {found}, this one has "
            f"{classes}: they begin to count anew",
            stacklevel=7,
        )
        return lambda: None
    restored: list[tuple[Callback, dict[str, Any], list[Array] | None]] = []
    for index, (callback, each) in enumerate(zip(ours, described, strict=True)):
        numbers = _numbers(file, callback, each.get("state"))
        names = _names(index, weights)
        kept = None
        if set(names) <= set(tensors):
            for name, weight in zip(names, weights.values(), strict=True):
                file.check(name, weight.dtype, weight.shape)
            kept = [file.read(name) for name in names]
        restored.append((callback, numbers, kept))

    def put() -> None:
        for callback, numbers, kept in restored:
            vars(callback).update(numbers)
            callback._resume(kept)

    return put


def _remembering(callbacks: Sequence[Callback]) -> list[Callback]:
    return [callback for callback in callbacks if callback._remembered]


def _names(index: int, weights: Mapping[str, Weight]) -> list[str]:
    return [f"callbacks/{index}/{path}" for path in weights]


def _numbers(file: TensorFile, callback: Callback, state: Any) -> dict[str, Any]:
    """Return a callback's numbers from a file: counts where it counts, else any number or None."""
    names = callback._remembered
    if not isinstance(state, dict) or tuple(state) != names:
        file.refuse(f"callbacks: {type(callback).__name__}: expected {', '.join(names)}")
    for name, value in state.items():
        is_count = type(getattr(callback, name)) is int
        fits = type(value) is int and 0 <= value < 2**53
        if not fits and (is_count or not (value is None or type(value) is float)):
            file.refuse(f"callbacks: {type(callback).__name__}: {name} can't be {value!r}")
    return state
