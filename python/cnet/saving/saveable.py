"""Models to files and back: their description, what `compile` was told, and their weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core, initializers
from .._data import Array
from .._errors import shown
from .._files import StrPath, as_model_path, as_path
from .._serialization import find_class
from .compiled import describe, restore
from .tensor_file import TensorFile, write_tensor_file

if TYPE_CHECKING:
    from ..layers import Weight
    from ..models import Sequential

__all__ = ["Saveable", "read_model", "save_model"]

VERSION = 1


class Saveable:
    """The part of a model that has to do with files."""

    def save(self, filepath: StrPath, overwrite: bool = True, zipped: None = None) -> None:
        """Save the model to a file: layers, weights, and what `compile` was told.

        The file is of the safetensors format: any program that knows it reads the weights, named as
        "dense/kernel", kernels (inputs, outputs). It takes the place of an old one when it is whole
        and on disk; after an error, a crash or a loss of power that is there as it was.

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
            If the name ends otherwise.

        Notes
        -----
        The state of the optimizer (moments, steps) is not saved yet: training goes on from these
        weights as after `compile`, but for the order of the samples.

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
            raise ValueError(f"save: zipped is not supported, got {shown(zipped)}")
        model = self._as_model()
        path = as_model_path("save", filepath)
        if not model.built:
            warnings.warn(
                f"save: the model '{model.name}' is not built: it has no weights yet", stacklevel=2
            )
        document: dict[str, Any] = {
            "model": {"class_name": type(model).__name__, "config": model.get_config()}
        }
        if model._compiled is not None:
            document["compile"] = describe(model._compiled)
            document["training"] = {
                "seed": model._compiled.shuffles.seed,
                "epochs": model._compiled.shuffles.passes,
            }
        _write(path, model, document, overwrite)

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
        model = self._built("save_weights")
        _write(as_model_path("save_weights", filepath), model, {}, overwrite)

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
                f"load_weights: skip_mismatch is not supported, got {shown(skip_mismatch)}"
            )
        model = self._built("load_weights")
        with TensorFile(as_path("load_weights: filepath", filepath)) as file:
            weights = weights_by_path(model)
            document = file.document
            in_file = list(file.entries) if document is None else _header(file)["weights"]
            names = list(weights)
            if document is not None and set(in_file) != set(names):
                ours, its = _kinds(names), _kinds(in_file)
                if its != ours:
                    file.refuse(
                        f"it holds {len(in_file)} weights ({', '.join(its)}), "
                        f"the model has {len(names)} ({', '.join(ours)})"
                    )
                names = in_file
            _assign(file, dict(zip(names, weights.values(), strict=True)), in_file)

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
        training: Any = document.get("training")
        try:
            # The file's data bounds what its description can ask for.
            with initializers.replaced(_bounded_zeros(file)):
                cls, config = find_class(document["model"], known, custom_objects, "model")
                model: Sequential = cls.from_config(config, custom_objects)
            if compile and document.get("compile") is not None:
                model.compile(**restore(document["compile"], custom_objects))
                assert model._compiled is not None
                model._compiled.shuffles.seed = _below(2**64, training["seed"])
                model._compiled.shuffles.passes = _below(2**32, training["epochs"])
            weights = weights_by_path(model)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 # whatever a constructor says of such a description
            file.refuse(f"its description is of no model: {error}", error)
        _assign(file, weights, document["weights"])
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
        if path in found:
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


def _write(path: str, model: Sequential, document: Mapping[str, Any], overwrite: bool) -> None:
    arrays = {name: weight.numpy() for name, weight in weights_by_path(model).items()}
    header = {"version": VERSION, "cnet": _core.build_info()["version"], "weights": list(arrays)}
    write_tensor_file(path, arrays, {**header, **document}, overwrite=overwrite)


def _header(file: TensorFile) -> dict[str, Any]:
    """Return a file's document, what every one has in it checked."""
    document = file.document
    if document is None:
        file.refuse("no cnet wrote it: it has no description of a model")
    if document.get("version") != VERSION:
        file.refuse(f"its version is {document.get('version')!r}, this cnet reads {VERSION}")
    # So far all tensors are weights; an optimizer's would be "optimizer/…", and listed by themselves.
    if document.get("weights") != list(file.entries):
        file.refuse("its list of weights is not that of its tensors")
    return document


def _assign(file: TensorFile, weights: Mapping[str, Weight], in_file: list[str]) -> None:
    """Put the file's tensors into weights, once all of them have been found fit."""
    for name, weight in weights.items():
        file.check(name, weight.dtype, weight.shape)
    if extra := [name for name in in_file if name not in weights]:
        file.refuse(f"the model has no weight '{extra[0]}'")
    arrays = {name: file.read(name) for name in weights}
    for name, weight in weights.items():
        weight.assign(arrays[name])


def _kinds(names: list[str]) -> list[str]:
    """Return what the weights are to their layers: "kernel" and "bias"."""
    return [name.rpartition("/")[2] for name in names]


def _bounded_zeros(file: TensorFile) -> Callable[..., Array]:
    """Return an initializer that makes no more than the file has data for."""
    left = sum(entry.end - entry.begin for entry in file.entries.values())

    def zeros(shape: tuple[int, ...], dtype: str) -> Array:
        nonlocal left
        left -= math.prod(shape) * np.dtype(dtype).itemsize
        if left < 0:
            raise ValueError(f"weights of shape {shape} are more than the file has numbers for")
        return np.zeros(shape, dtype)

    return zeros


def _below(limit: int, value: Any) -> int:
    if type(value) is not int or not 0 <= value < limit:
        raise ValueError(f"training: expected an integer in [0, {limit}), got {shown(value)}")
    return value
