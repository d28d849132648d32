"""Conversion of layers to plain values and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._errors import short_repr
from .._registry import with_custom_objects
from .._serialization import described, find_class
from . import (
    activation,
    categories,
    dense,
    discretization,
    dot_product,
    embedding,
    hashing,
    input_layer,
    lookup,
    merging,
    normalization,
    operation,
    preprocessing,
    regularization,
    shape,
)
from .core import Layer

__all__ = ["deserialize", "serialize"]


def serialize(layer: Any) -> dict[str, Any]:
    """Return a layer, or a model, without its weights, as plain values in Keras's form.

    These are a dict of "module", "class_name", "config" and "registered_name", and, of a layer that is built,
    "build_config" with the shape of its input.
    """
    if not hasattr(layer, "get_config"):
        raise TypeError(f"layers.serialize: expected a layer, got {short_repr(layer)}")
    return described(layer, layer.get_config())


def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> Layer:
    """Return a new layer from the result of `serialize`, of cnet or Keras, built as that was.

    Parameters
    ----------
    config : dict
    custom_objects : dict of str to type, optional
        Custom layer classes by name.

    Raises
    ------
    TypeError, ValueError
        If the class is unknown, or rejects its config.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.deserialize({"class_name": "Dense", "config": {"units": 3, "name": "top"}})
    <Dense name=top, built=False>
    """
    modules = (
        *(activation, categories, dense, discretization, dot_product, embedding, hashing),
        *(
            input_layer,
            lookup,
            merging,
            normalization,
            operation,
            preprocessing,
            regularization,
            shape,
        ),
    )
    known = {name: getattr(module, name) for module in modules for name in module.__all__}
    layers = {
        name: value
        for name, value in known.items()
        if isinstance(value, type)
        and issubclass(value, Layer)
        and value is not categories.CategoryLayer
    }
    with with_custom_objects(custom_objects):
        cls, arguments = find_class(config, layers, "layers.deserialize")
        layer: Layer = cls.from_config(arguments)
    if config.get("build_config") and not layer.built:
        layer.build_from_config(config["build_config"])
    return layer
