"""Models to files and back: their description, what `compile` was told, and their weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core, initializers
from .._data import Array
from .._errors import short_repr
from .._files import StrPath, as_model_path, as_path
from .._serialization import find_class
from .._tracebacks import warn
from ..layers.weight import assign_all, read_all
from ..random import separate_seeds
from .backup import describe_fit, read_fit
from .compiled import describe, restore
from .tensor_file import TensorFile, write_tensor_file
from .training import describe_training, read_training

if TYPE_CHECKING:
    from ..callbacks import Callback
    from ..layers import Weight
    from ..models import Sequential

__all__ = ["Saveable", "read_model", "save_model"]

VERSION = 1

# Of tensors, in the order in which they stand in a file.
_GROUPS = ("weights", "optimizer", "history", "callbacks")


class Saveable:
    """The part of a model that has to do with files."""

    def save(self, filepath: StrPath, overwrite: bool = True, zipped: None = None) -> None:
        """Save the model to a file: layers, weights, what `compile` was told, how far training is.

        The file is of the safetensors format: any program that knows it reads the weights, named as
        "dense/kernel", kernels (inputs, outputs). It takes the place of an old one when it is whole
        and on disk; after an error, a crash or a loss of power that is there as it was.

        Training goes on from the file to the bits that it would have come to without: what the
        optimizer keeps ("optimizer/velocity/dense/kernel"), the steps it has taken, where random
        numbers and orders of samples are, and the history ("history/logs/loss") are in it.

        Parameters
        ----------
        filepath : str or path
            Ends in ".safetensors". Through a symbolic link what it points to is written. The mode of
            a file that exists is kept.
        overwrite : bool, default True
            Whether a file may exist. (Where it may not, Keras asks at the terminal.)
        zipped
            Not supported: leave it None.

        Raises
        ------
        FileExistsError
            If a file exists that may not.
        OSError
            If it can't be written.
        TypeError
            If a layer, optimizer or metric has an argument that can't be described in a file, as a
            function of your own as an initializer.
        ValueError
            If the name ends otherwise, or there are layers by the thousand.

        Warns
        -----
        UserWarning
            If the model is not built; or if layers' `trainable` has changed since training began: what
            the optimizer keeps is then not saved.

        Notes
        -----
        Of the history the file holds numbers, and arrays of one shape for all epochs.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import numpy as np, cnet
        >>> model = cnet.Sequential([cnet.Input((4,)), cnet.layers.Dense(3, activation="softmax")])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "model.safetensors")
        ...     model.save(file)
        ...     copy = cnet.models.load_model(file)
        >>> bool((copy.predict(np.eye(4)) == model.predict(np.eye(4))).all())
        True
        """
        if zipped is not None:
            raise ValueError(f"save: zipped is not supported, got {short_repr(zipped)}")
        model = self._as_model()
        path = as_model_path("save", filepath)
        if not model.built:
            warn(f"save: the model '{model.name}' is not built: it has no weights yet")
        self._save(path, overwrite=overwrite)

    def _back_up(self, filepath: StrPath, callbacks: Sequence[Callback]) -> None:
        """Save the model, as `save` does, and what the callbacks of its training have counted."""
        self._save(filepath, callbacks=callbacks)

    def _save(
        self,
        path: StrPath,
        *,
        overwrite: bool = True,
        callbacks: Sequence[Callback] | None = None,
    ) -> None:
        model = self._as_model()
        document: dict[str, Any] = {
            "model": {"class_name": type(model).__name__, "config": model.get_config()}
        }
        if model._compiled is not None:
            document["compile"] = describe(model._compiled)
        weights = weights_by_path(model)
        with model.network.snapshot() if model.built else nullcontext():
            training, tensors = describe_training(model, weights)
            tensors = {"weights": _arrays(weights)} | tensors
        if callbacks is not None:
            fit, tensors["callbacks"] = describe_fit(model, callbacks, weights)
            document |= fit
        _write(path, tensors, document | training, overwrite)

    def save_weights(self, filepath: StrPath, overwrite: bool = True) -> None:
        """Save the weights alone; `load_weights` puts them into a model of such layers.

        Parameters
        ----------
        filepath, overwrite
            As for `save`, like what is raised.

        Raises
        ------
        OSError, ValueError
            As `save`, and `ValueError` if the model is not built: it has no weights.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import cnet
        >>> make = lambda: cnet.Sequential([cnet.Input((4,)), cnet.layers.Dense(3)])
        >>> model, other = make(), make()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "model.weights.safetensors")
        ...     model.save_weights(file)
        ...     other.load_weights(file)
        >>> bool((model.get_weights()[0] == other.get_weights()[0]).all())
        True
        """
        weights = weights_by_path(self._built("save_weights"))
        path = as_model_path("save_weights", filepath)
        _write(path, {"weights": _arrays(weights)}, {}, overwrite)

    def load_weights(self, filepath: StrPath, skip_mismatch: bool = False) -> None:
        """Put the weights of a file into the model: all of them or, on an error, none.

        Parameters
        ----------
        filepath : str or path
            Of `save_weights` or `save`, or any safetensors file with tensors of these names
            ("dense/kernel"). Where the names of cnet's file are not those of the model, as layers
            that were given none are numbered on, the weights are taken in their order.
        skip_mismatch : bool, default False
            Not supported: leave it False.

        Raises
        ------
        FormatError
            If it is no such file or damaged, or its weights are not of the model's number, shapes and
            dtype.
        OSError
            If it can't be read.
        ValueError
            If the model is not built: it has no weights.
        """
        if skip_mismatch:
            raise ValueError(
                f"load_weights: skip_mismatch is not supported, got {short_repr(skip_mismatch)}"
            )
        model = self._built("load_weights")
        with TensorFile(as_path("load_weights: filepath", filepath)) as file:
            weights: Mapping[str, Weight] = weights_by_path(model)
            in_file = list(file.entries)
            if file.document is not None:
                in_file = _header(file)["weights"]
                weights = _as_in_file(file, weights, in_file)
            _read_weights(file, weights, in_file)()

    def _resume(self, filepath: StrPath, callbacks: Sequence[Callback]) -> None:
        """Put all of a file of `_back_up` into this model, compiled as that one was, and its callbacks.

        Raises
        ------
        FormatError, OSError
            As `load_weights`; the model is then as it was.
        """
        model = self._as_model()
        with TensorFile(filepath) as file, model.unbuilt_on_error():
            document = _header(file)
            if not model.built:
                shape = _found(document, "model", "config", "build_input_shape")
                with initializers.override(_bounded_zeros(file, document["weights"])):
                    try:
                        model.build(tuple(shape))
                    except (TypeError, ValueError) as error:
                        file.refuse(f"this model can't be built as that was: {error}", error)
            weights = _as_in_file(file, weights_by_path(model), document["weights"])
            put_weights = _read_weights(file, weights, document["weights"])
            put_training = read_training(file, document, model, weights)
            put_fit = read_fit(file, document, model, callbacks, weights)
            # Callbacks may have changed the rate; a schedule knows by the step.
            rate = _found(document, "compile", "optimizer", "config", "learning_rate")
            kind = _found(document, "compile", "optimizer", "class_name")
            assert model._compiled is not None
            ours = describe(model._compiled)["optimizer"]
            same_rate = type(rate) is type(ours["config"].get("learning_rate"))
            if kind != ours["class_name"] or not same_rate:
                file.refuse(
                    f"its optimizer, {kind}, is not the model's, or has another kind of rate"
                )
            if isinstance(rate, float) and not 0 <= rate < math.inf:
                file.refuse(f"its learning rate is {rate}")
        put_weights()
        put_training()
        if isinstance(rate, float):
            model.optimizer.learning_rate = rate
        put_fit()

    def _built(self, call: str) -> Sequential:
        model = self._as_model()
        if not model.built:
            raise ValueError(
                f"{call}: the model '{model.name}' is not built: it has no weights yet; "
                "give it an Input, or call build()"
            )
        return model

    def _as_model(self) -> Sequential:
        raise NotImplementedError


def save_model(model: Sequential, filepath: StrPath, overwrite: bool = True) -> None:
    """Save a model: ``model.save(filepath, overwrite)``."""
    if not isinstance(model, Saveable):
        raise TypeError(f"save_model: expected a Sequential, got {type(model).__name__}")
    model.save(filepath, overwrite)


def read_model(
    filepath: StrPath,
    known: Mapping[str, type[Sequential]],
    custom_objects: Mapping[str, Any] | None,
    *,
    compile: bool,
) -> Sequential:
    """Return the model of a file, of one of the classes `known`; see `cnet.models.load_model`."""
    with TensorFile(filepath) as file:
        document = _header(file)
        if "model" not in document:
            file.refuse("it holds weights alone: model.load_weights reads them")
        try:
            # The file's data bounds what its description can ask for.
            with initializers.override(_bounded_zeros(file, document["weights"])), separate_seeds():
                cls, config = find_class(document["model"], known, custom_objects, "model")
                model: Sequential = cls.from_config(config, custom_objects)
                if compile and document.get("compile") is not None:
                    model.compile(**restore(document["compile"], custom_objects))
            weights = weights_by_path(model)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 # whatever a constructor says of such a description
            file.refuse(f"its description is of no model: {error}", error)
        put_weights = _read_weights(file, weights, document["weights"])
        put_training = read_training(file, document, model, weights)
    put_weights()
    put_training()
    return model


def weights_by_path(model: Any) -> dict[str, Weight]:
    """Return a model's weights by their names in a file: the names down to them, "dense/kernel".

    Raises
    ------
    ValueError
        If two have one name, as layers named with a "/" can bring about.
    """
    found: dict[str, Weight] = {}
    for path, weight in _paths(model.layers, ""):
        if found.get(path, weight) is not weight:
            raise ValueError(f"two weights would be named '{path}' in a file: rename a layer")
        found[path] = weight
    return found


def _paths(layers: list[Any], prefix: str) -> Iterator[tuple[str, Weight]]:
    for layer in layers:
        if hasattr(layer, "layers"):  # a model in the model
            yield from _paths(layer.layers, f"{prefix}{layer.name}/")
            continue
        for weight in layer.weights:
            yield f"{prefix}{layer.name}/{weight.name}", weight


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
    """Return a file's document, what every one has in it checked."""
    document = file.document
    if document is None:
        file.refuse("no cnet wrote it: it has no description of a model")
    if document.get("version") != VERSION:
        file.refuse(f"its version is {document.get('version')!r}, this cnet reads {VERSION}")
    # The first files had weights alone.
    lists = [document.get("weights"), *(document.get(group, []) for group in _GROUPS[1:])]
    are_lists = all(isinstance(names, list) for names in lists)
    if not are_lists or list(chain(*lists)) != list(file.entries):
        file.refuse(f"its lists of {', '.join(_GROUPS)} are not those of its tensors")
    return document


def _as_in_file(
    file: TensorFile, weights: Mapping[str, Weight], in_file: list[str]
) -> Mapping[str, Weight]:
    """Return weights by the file's names: the same, or others in the same order."""
    if set(in_file) == set(weights):
        return weights
    ours, its = _kinds(list(weights)), _kinds(in_file)
    if its != ours:
        file.refuse(
            f"it holds {len(its)} weights ({', '.join(its)}), "
            f"the model has {len(ours)} ({', '.join(ours)})"
        )
    return dict(zip(in_file, weights.values(), strict=True))


def _read_weights(
    file: TensorFile, weights: Mapping[str, Weight], in_file: list[str]
) -> Callable[[], None]:
    """Read all weights, once they have been found fit; return what puts them into the model."""
    for name, weight in weights.items():
        file.check(name, weight.dtype, weight.shape)
    if extra := [name for name in in_file if name not in weights]:
        file.refuse(f"the model has no weight '{extra[0]}'")
    arrays = [file.read(name) for name in weights]
    return lambda: assign_all(list(weights.values()), arrays, "load_weights")


def _found(document: Any, *keys: str) -> Any:
    """Return what a document has under one key in another; None if it hasn't."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _kinds(names: list[str]) -> list[str]:
    """Return what the weights are to their layers: "kernel" and "bias"."""
    return [name.rpartition("/")[2] for name in names]


def _bounded_zeros(file: TensorFile, names: list[str]) -> Callable[..., Array]:
    """Return an initializer that makes no more than the file has weights for."""
    left = sum(file.entries[name].end - file.entries[name].begin for name in names)

    def zeros(shape: tuple[int, ...], dtype: str) -> Array:
        nonlocal left
        left -= math.prod(shape) * np.dtype(dtype).itemsize
        if left < 0:
            raise ValueError(f"weights of shape {shape} are more than the file has numbers for")
        return np.zeros(shape, dtype)

    return zeros
