"""Models to files and back: configuration, arguments of `compile`, weights, state of training."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import Any

import numpy as np

from .. import _core, initializers
from .._data import Array
from .._files import StrPath
from .._serialization import described
from .._typing import ModelProtocol
from ..callbacks import Callback
from ..layers.weight import Weight, assign_all, read_all
from ..random import separate_seeds
from ..training.setup import Setup
from .backup import describe_fit, read_fit
from .tensor_file import TensorFile, write_tensor_file
from .training import describe_training, read_training

__all__ = ["load_weights", "read_model", "resume", "save", "save_weights"]

VERSION = 1

# Groups of tensors in the order of a file.
_GROUPS = ("weights", "optimizer", "history", "callbacks")


def save(
    model: ModelProtocol,
    path: StrPath,
    *,
    overwrite: bool = True,
    callbacks: Sequence[Callback] | None = None,
) -> None:
    """Save a model; with `callbacks`, also their state, for `resume`. See `Model.save`."""
    document: dict[str, Any] = {
        "model": described(model, model.get_config()),
    }
    if model._setup is not None:
        document["compile"] = model._setup.get_config()
    weights = weights_by_path(model)
    with model.network.snapshot() if model.built else nullcontext():
        training, tensors = describe_training(model, weights)
        tensors = {"weights": _arrays(weights)} | tensors
    if callbacks is not None:
        fit, tensors["callbacks"] = describe_fit(model, callbacks, weights)
        document |= fit
    _write(path, tensors, document | training, overwrite)


def save_weights(model: ModelProtocol, path: StrPath, *, overwrite: bool) -> None:
    """Save the weights of a built model; see `Model.save_weights`."""
    _write(path, {"weights": _arrays(weights_by_path(model))}, {}, overwrite)


def load_weights(model: ModelProtocol, path: StrPath) -> None:
    """Assign the weights of a file to a built model; see `Model.load_weights`."""
    with TensorFile(path) as file:
        weights: Mapping[str, Weight] = weights_by_path(model)
        in_file = list(file.entries)
        if file.document is not None:
            in_file = _header(file)["weights"]
            weights = _by_file_name(file, weights, in_file)
        _read_weights(file, weights, in_file)()


def resume(model: ModelProtocol, path: StrPath, callbacks: Sequence[Callback]) -> None:
    """Restore model and callbacks from a file that `save` wrote with callbacks.

    Raises
    ------
    FormatError, OSError
        As `load_weights`; weights and callbacks are then unchanged.
    """
    with TensorFile(path) as file:
        document = _header(file)
        if not model.built:
            _build(model, file, document)
        weights = _by_file_name(file, weights_by_path(model), document["weights"])
        restore_weights = _read_weights(file, weights, document["weights"])
        restore_training = read_training(file, document, model, weights)
        restore_fit = read_fit(file, document, model, callbacks, weights)
        # Callbacks may have changed a constant rate; a schedule follows from the step.
        rate = _found(document, "compile", "optimizer", "config", "learning_rate")
        kind = _found(document, "compile", "optimizer", "class_name")
        assert model._setup is not None
        optimizer = model._setup.get_config()["optimizer"]
        same_rate = type(rate) is type(optimizer["config"].get("learning_rate"))
        if kind != optimizer["class_name"] or not same_rate:
            file.refuse(f"its optimizer, {kind}, is not the model's, or has another kind of rate")
        if isinstance(rate, float) and not 0 <= rate < math.inf:
            file.refuse(f"its learning rate is {rate}")
    restore_weights()
    restore_training()
    if isinstance(rate, float):
        model.optimizer.learning_rate = rate
    restore_fit()


def _build(model: ModelProtocol, file: TensorFile, document: Mapping[str, Any]) -> None:
    """Build a model for the input shape of a file, after a copy, to check that the file has enough numbers."""
    shape = _found(document, "model", "config", "build_input_shape")
    with initializers.override(_bounded_zeros(file, document["weights"])):
        try:
            copy.deepcopy(model).build(tuple(shape))
        except (TypeError, ValueError) as error:
            file.refuse(f"this model can't be built as that was: {error}", error)
    model.build(tuple(shape))


def read_model(
    filepath: StrPath,
    find: Callable[[Any, str], tuple[Any, dict[str, Any]]],
    *,
    compile: bool,
) -> Any:
    """Return the model in a file; see `cnet.models.load_model`.

    `find` returns the class of a described model, and its config.
    """
    with TensorFile(filepath) as file:
        document = _header(file)
        if "model" not in document:
            file.refuse("it holds weights only: model.load_weights reads them")
        try:
            # The data in the file limits the size of the weights that its description asks for.
            with initializers.override(_bounded_zeros(file, document["weights"])), separate_seeds():
                cls, config = find(document["model"], "model")
                model: ModelProtocol = cls.from_config(config)
                if not model.built and document["model"].get("build_config") is not None:
                    model.build_from_config(document["model"]["build_config"])
                if compile and document.get("compile") is not None:
                    model._use_setup(Setup.from_config(model.output_names, document["compile"]))
            weights = weights_by_path(model)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 # whatever a constructor raises
            file.refuse(f"its description is not of a model: {error}", error)
        restore_weights = _read_weights(file, weights, document["weights"])
        restore_training = read_training(file, document, model, weights)
    restore_weights()
    restore_training()
    return model


def weights_by_path(model: Any) -> dict[str, Weight]:
    """Return a model's weights by their names in a file, such as "dense/kernel".

    Raises
    ------
    ValueError
        If two weights have the same name, which a "/" in the name of a layer may cause.
    """
    found: dict[str, Weight] = {}
    for path, weight in _paths(model.layers, ""):
        if found.get(path, weight) is not weight:
            raise ValueError(f"two weights would be named '{path}' in a file: rename a layer")
        found[path] = weight
    return found


def _paths(layers: list[Any], prefix: str) -> Iterator[tuple[str, Weight]]:
    for layer in layers:
        if hasattr(layer, "layers"):  # a nested model
            yield from _paths(layer.layers, f"{prefix}{layer.path}/")
            continue
        for weight in layer.weights:
            yield f"{prefix}{weight.path}", weight


def _arrays(weights: Mapping[str, Weight]) -> dict[str, Array]:
    return dict(zip(weights, read_all(list(weights.values())), strict=True))


def _write(
    path: StrPath,
    groups: Mapping[str, Mapping[str, Array]],
    document: Mapping[str, Any],
    overwrite: bool,
) -> None:
    header = {"version": VERSION, "cnet": _core.build_info()["version"]}
    header |= {group: list(tensors) for group, tensors in groups.items()}
    arrays = {name: array for tensors in groups.values() for name, array in tensors.items()}
    if len(arrays) != sum(map(len, groups.values())):
        raise ValueError(f"{path}: a weight would be named as one of {_GROUPS}: rename a layer")
    write_tensor_file(path, arrays, header | dict(document), overwrite=overwrite)


def _header(file: TensorFile) -> dict[str, Any]:
    """Return the document of a file, with the entries that all have checked."""
    document = file.document
    if document is None:
        file.refuse("it has no description of a model: another program wrote it")
    if document.get("version") != VERSION:
        file.refuse(f"its version is {document.get('version')!r}, this cnet reads {VERSION}")
    # The first version of the format had weights only.
    lists = [document.get("weights"), *(document.get(group, []) for group in _GROUPS[1:])]
    are_lists = all(isinstance(names, list) for names in lists)
    if not are_lists or list(chain(*lists)) != list(file.entries):
        file.refuse(f"its lists of {', '.join(_GROUPS)} are not those of its tensors")
    return document


def _by_file_name(
    file: TensorFile, weights: Mapping[str, Weight], in_file: list[str]
) -> Mapping[str, Weight]:
    """Return the weights by their names in the file, which may be others in the same order."""
    if set(in_file) == set(weights):
        return weights
    model_names, file_names = _kinds(list(weights)), _kinds(in_file)
    if file_names != model_names:
        file.refuse(
            f"it holds {len(file_names)} weights ({', '.join(file_names)}), "
            f"the model has {len(model_names)} ({', '.join(model_names)})"
        )
    return dict(zip(in_file, weights.values(), strict=True))


def _read_weights(
    file: TensorFile, weights: Mapping[str, Weight], in_file: list[str]
) -> Callable[[], None]:
    """Read and check all weights; return a function that assigns them."""
    for name, weight in weights.items():
        file.check(name, weight.engine_dtype, weight.shape)
    if extra := [name for name in in_file if name not in weights]:
        file.refuse(f"the model has no weight '{extra[0]}'")
    arrays = [file.read(name) for name in weights]
    return lambda: assign_all(list(weights.values()), arrays, "load_weights")


def _found(document: Any, *keys: str) -> Any:
    """Return a nested value of a document, None if there is none."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _kinds(names: list[str]) -> list[str]:
    """Return the names of the weights in their layers: "kernel" and "bias"."""
    return [name.rpartition("/")[2] for name in names]


def _bounded_zeros(file: TensorFile, names: list[str]) -> Callable[..., Array]:
    """Return an initializer that makes at most as many numbers as the file has."""
    left = sum(file.entries[name].end - file.entries[name].begin for name in names)

    def zeros(shape: tuple[int, ...], dtype: str) -> Array:
        nonlocal left
        left -= math.prod(shape) * np.dtype(dtype).itemsize
        if left < 0:
            raise ValueError(f"weights of shape {shape} are more than the file has numbers for")
        return np.zeros(shape, dtype)

    return zeros
