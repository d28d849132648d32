"""The state of training in a model file: optimizer, random numbers, order of samples, history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .._data import Array, FloatArray
from .._tracebacks import warn
from .._typing import ModelProtocol
from .._updates import engine_shape
from ..callbacks import History
from ..layers import Weight
from ..training.setup import OptimizerState, Setup
from .tensor_file import MAX_DIMENSIONS, TensorFile

__all__ = ["describe_training", "read_training"]

_EPOCHS = "history/epoch"
_FIGURES = "history/logs/"
_NUMBERS = {"seed": 2**64, "epochs": 2**31, "taken": 2**53, "batches": 2**53}


def describe_training(
    model: ModelProtocol, weights: Mapping[str, Weight]
) -> tuple[dict[str, Any], dict[str, dict[str, Array]]]:
    """Return the state of training as entries of a file's document, and as tensors by group.

    Warns
    -----
    UserWarning
        If `trainable` of a layer, or options of the optimizer, have changed since training: the state of
        the optimizer is left out.
    """
    setup = model._setup
    state = None if setup is None else setup.optimizer_state()
    if state is not None and model._frozen != model._not_trainable():
        warn(
            "save: layers' trainable has changed since training began: the optimizer's state is not saved"
        )
        state = None
    if setup is not None and state is not None:
        names = setup.optimizer.slot_names
        if names != state.names:
            warn(
                f"save: the optimizer has slots {state.names}, and its options now ask for {names}: "
                "its state is not saved"
            )
            state = None
    document: dict[str, Any] = {
        "random": {
            path: {"seed": random.seed, "steps": random.steps}
            for path, random in _random_states(model)
        }
    }
    if setup is not None:
        document["training"] = {
            "seed": setup.shuffles.seed,
            "epochs": setup.shuffles.passes,
            "taken": setup.shuffles.taken,
            "batches": state.batches if state else 0,
        }
    slots = {}
    if setup is not None and state is not None:
        slots = dict(zip(_slots(setup, weights), state.slots, strict=True))
    return document, {"optimizer": slots, "history": _as_tensors(model)}


def read_training(
    file: TensorFile,
    document: Mapping[str, Any],
    model: ModelProtocol,
    weights: Mapping[str, Weight],
) -> Callable[[], None]:
    """Read the state of training; return a function that restores it in the model.

    Parameters
    ----------
    file : TensorFile
    document : dict
        The document of the file.
    model : ModelProtocol
    weights : dict of str to Weight
        The weights of the model by their names in the file.

    Raises
    ------
    FormatError
        If it does not fit the model. Nothing has changed then.
    """
    randoms = _read_random_states(file, document, model)
    history = _read_history(file, document)
    setup, training = model._setup, document.get("training")
    numbers: dict[str, int] = {}
    state: OptimizerState | None = None
    if setup is not None:
        numbers = {
            name: _number(file, f"training: {name}", training, name, limit)
            for name, limit in _NUMBERS.items()
        }
        state = _read_optimizer(file, document, setup, weights, numbers["batches"])

    def restore() -> None:
        for random, values in randoms:
            random.seed, random.steps = values
        if history is not None:
            if not hasattr(model, "history"):
                model.history = History()
                model.history.set_model(model)
            model.history.epoch, model.history.history = history
        if setup is not None:
            setup.shuffles.seed = numbers["seed"]
            setup.shuffles.passes = numbers["epochs"]
            setup.shuffles.taken = numbers["taken"]
            model._freeze()  # a file holds the state of trainable weights
            setup.engine, setup.pending_state = None, state
            setup.optimizer.batches = state.batches if state else 0

    return restore


def _random_states(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the random states of layers with the layers' paths."""
    for layer in dict.fromkeys(model.layers):
        if hasattr(layer, "layers"):  # a nested model
            yield from _random_states(layer, f"{prefix}{layer.path}/")
        else:
            for each in layer.with_sublayers():
                if hasattr(each, "random_state"):
                    yield f"{prefix}{each.path}", each.random_state


def _read_random_states(
    file: TensorFile, document: Mapping[str, Any], model: ModelProtocol
) -> list[tuple[Any, tuple[int, int]]]:
    described = document.get("random", {})
    states = [state for _, state in _random_states(model)]
    if not isinstance(described, dict):
        file.refuse(f"random: expected an object, found {described!r}")
    if described and len(described) != len(states):
        file.refuse(f"random: the model has {len(states)} such layers, the file {len(described)}")
    values = [
        tuple(_number(file, f"random: {path}", value, name, 2**64) for name in ("seed", "steps"))
        for path, value in described.items()
    ]
    return list(zip(states, values, strict=False))  # type: ignore[arg-type] # there are two of each


def _slots(setup: Setup, weights: Mapping[str, Weight]) -> dict[str, Any]:
    """Return what has the shape and dtype of each slot of the optimizer, by its name, in the engine's order."""
    slots = setup.optimizer.slots_by_path(weights)
    return {f"optimizer/{path}": slot for path, slot in slots.items()}


def _read_optimizer(
    file: TensorFile,
    document: Mapping[str, Any],
    setup: Setup,
    weights: Mapping[str, Weight],
    batches: int,
) -> OptimizerState | None:
    if batches == 0:
        return None
    slots = _slots(setup, weights)
    if list(slots) != document.get("optimizer", []):
        file.refuse("its optimizer slots are not those of the optimizer for these weights")
    for name, slot in slots.items():
        file.check(name, str(slot.dtype), engine_shape(slot.shape))
    names = setup.optimizer.slot_names
    return OptimizerState(batches, names, [file.read(name) for name in slots])


def _as_tensors(model: ModelProtocol) -> dict[str, Array]:
    """Return the history as tensors, without logs of callbacks that are not numbers."""
    history: History | None = getattr(model, "history", None)
    if history is None or not history.epoch:
        return {}
    if model._use.is_of_this_thread:  # else another thread is training
        history.refresh_latest()
    tensors: dict[str, FloatArray] = {_EPOCHS: np.array(history.epoch, np.float64)}
    for name, values in list(history.history.items()):
        try:
            array = np.array(list(values))
        except ValueError:  # arrays of different shapes
            continue
        if array.dtype.kind in "fiu" and array.ndim <= MAX_DIMENSIONS:
            tensors[f"{_FIGURES}{name}"] = array.astype(np.float64)
    return tensors


def _read_history(
    file: TensorFile, document: Mapping[str, Any]
) -> tuple[list[int], dict[str, list[Any]]] | None:
    names = document.get("history", [])
    if not names:
        return None
    for name in names:
        entry = file.entries[name]
        if entry.dtype != np.float64 or not entry.shape:
            file.refuse(f"'{name}': expected float64 values, one for each epoch")
        if name != _EPOCHS and not name.startswith(_FIGURES):
            file.refuse(f"'{name}' is not part of a history")
    if names[0] != _EPOCHS or len(file.entries[_EPOCHS].shape) != 1:
        file.refuse(f"its history does not begin with '{_EPOCHS}'")
    epochs = file.read(_EPOCHS)
    if not ((epochs >= 0) & (epochs < 2**53) & (epochs == np.floor(epochs))).all():
        file.refuse(f"'{_EPOCHS}': expected epoch numbers")
    arrays = {name.removeprefix(_FIGURES): file.read(name) for name in names[1:]}
    return epochs.astype(int).tolist(), {
        name: array.tolist() if array.ndim == 1 else list(array) for name, array in arrays.items()
    }


def _number(file: TensorFile, what: str, values: Any, name: str, limit: int) -> int:
    value = values.get(name, 0) if isinstance(values, dict) else None
    if type(value) is not int or not 0 <= value < limit:
        file.refuse(f"{what}: expected an integer in [0, {limit}), found {value!r}")
    return value
