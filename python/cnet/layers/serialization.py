"""Conversion of layers to plain values and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._errors import short_repr
from .._serialization import find_class
from . import (
    activation,
    categories,
    dense,
    discretization,
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
    """Return a layer, or a model, as ``{"class_name": …, "config": …}``, without its weights."""
    if not hasattr(layer, "get_config"):
        raise TypeError(f"layers.serialize: expected a layer, got {short_repr(layer)}")
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> Layer:
    """Return a new layer from the result of `serialize`.

    Parameters
    ----------
    config : dict
    custom_objects : dict of str to type, optional
        Custom layer classes by name.

    Raises
    ------
    ValueError
        If the class is unknown.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.deserialize({"class_name": "Dense", "config": {"units": 3, "name": "top"}})
    <Dense name=top, built=False>
    """
    modules = (
        *(activation, categories, dense, discretization, embedding, hashing, input_layer, lookup),
        *(merging, normalization, operation, preprocessing, regularization, shape),
    )
    known = {name: getattr(module, name) for module in modules for name in module.__all__}
    layers = {
        name: value
        for name, value in known.items()
        if isinstance(value, type)
        and issubclass(value, Layer)
        and value is not categories.CategoryLayer
    }
    cls, arguments = find_class(config, layers, custom_objects, "layers.deserialize")
    layer: Layer = cls.from_config(arguments)
    return layer
