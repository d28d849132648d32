"""Functions that create a model from JSON, a file or another model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .._data import as_text
from .._errors import short_repr
from .._files import StrPath, as_path
from .._registry import with_custom_objects
from ..layers import InputLayer
from ..saving.model_file import read_model
from .functional import Functional
from .graph_config import model_class
from .sequential import Sequential
from .subclass import Model

__all__ = ["clone_model", "load_model", "model_from_json", "save_model"]


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return a new model for the JSON text of `to_json` of cnet or Keras, with new initial weights.

    It is compiled if the model of the text was.

    Parameters
    ----------
    json_string : str
    custom_objects : dict of str to type, optional
        User-defined layers and models by class name.

    Raises
    ------
    ValueError
        If the text is not JSON, or does not describe a model.

    Examples
    --------
    >>> import cnet
    >>> text = cnet.Sequential([cnet.layers.Dense(3)], name="net").to_json()
    >>> cnet.models.model_from_json(text)
    <Sequential name=net, built=False>
    """
    try:
        config = json.loads(as_text("model_from_json: json_string", json_string))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"model_from_json: expected JSON: {error}") from None
    with with_custom_objects(custom_objects):
        return model_from_config(config, "model_from_json")


def model_from_config(config: Any, call: str = "model_from_config") -> Any:
    """Return a new model for a description, compiled if the described one was."""
    cls, arguments = model_class(config, call)
    model = cls.from_config(arguments)
    if config.get("compile_config"):
        model.compile_from_config(config["compile_config"])
    return model


def load_model(
    filepath: StrPath,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Return the model in a file of `Model.save`, compiled with the same arguments.

    Loading untrusted files is safe: no code in a file is run, and each size is checked before it is used.

    Parameters
    ----------
    filepath : str or path
    custom_objects : dict, optional
        User-defined layers, models, metrics, optimizers, schedules and functions by name.
    compile : bool, default True
        Whether to compile the model, if the saved one was compiled.
    safe_mode : bool, default True
        Ignored: loading is always safe.

    Raises
    ------
    FormatError
        A `ValueError`: if the file is invalid or damaged, names an unknown class, or its tensors do not
        fit the model that it describes.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import cnet
    >>> model = cnet.Sequential([cnet.Input((4,)), cnet.layers.Dense(3)], name="net")
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "model.safetensors")
    ...     model.save(file)
    ...     cnet.models.load_model(file).loss.name
    'mean_squared_error'
    """
    del safe_mode
    path = as_path("load_model: filepath", filepath)
    with with_custom_objects(custom_objects):
        return read_model(path, model_class, compile=compile)


def save_model(model: Model, filepath: StrPath, overwrite: bool = True) -> None:
    """Save a model: ``model.save(filepath, overwrite)``."""
    if not isinstance(model, Model):
        raise TypeError(f"save_model: expected a model, got {type(model).__name__}")
    model.save(filepath, overwrite)


def clone_model(
    model: Model,
    input_tensors: None = None,
    clone_function: Callable[[Any], Any] | None = None,
) -> Any:
    """Return an uncompiled model with copies of the layers and new initial weights.

    Parameters
    ----------
    model : Sequential or Functional
    input_tensors
        Not supported: leave it None.
    clone_function : function of a layer, optional
        Returns the copy of a layer; default: ``type(layer).from_config(layer.get_config())``.

    Raises
    ------
    TypeError
        If `model` is not made of layers, or a layer has no configuration.

    Examples
    --------
    >>> from cnet import Input, layers
    >>> from cnet.models import Sequential, clone_model
    >>> model = Sequential([Input((4,)), layers.Dense(3)])
    >>> copy = clone_model(model)
    >>> copy.output_shape, bool((copy.layers[0].kernel == model.layers[0].kernel).any())
    ((None, 3), False)
    """
    if not isinstance(model, (Functional, Sequential)):
        raise TypeError(f"clone_model: expected a model of layers, got {type(model).__name__}")
    if input_tensors is not None:
        raise ValueError(
            f"clone_model: input_tensors is not supported, got {short_repr(input_tensors)}"
        )

    def clone(layer: Any) -> Any:
        return clone_model(layer) if isinstance(layer, (Functional, Sequential)) else _cloned(layer)

    clones = {
        layer: clone(layer) if isinstance(layer, InputLayer) else (clone_function or clone)(layer)
        for layer in dict.fromkeys(model.layers)
    }
    if isinstance(model, Functional):
        return model.remade(clones)
    assert isinstance(model, Sequential)
    head = [_cloned(model._input)] if model._input else []
    return type(model)([*head, *(clones[layer] for layer in model.layers)], name=model.name)


def _cloned(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())
