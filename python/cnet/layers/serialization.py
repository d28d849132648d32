"""Layers as plain values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._errors import short_repr
from .._serialization import find_class
from . import activation, core, dense, normalization, preprocessing, regularization, shape

__all__ = ["deserialize", "serialize"]


def serialize(layer: Any) -> dict[str, Any]:
    """Return a layer, or a model, as ``{"class_name": …, "config": …}``, without its weights."""
    if not hasattr(layer, "get_config"):
        raise TypeError(f"layers.serialize: expected a layer, got {short_repr(layer)}")
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> core.Layer:
    """Return a new layer from what `serialize` gave.

    Parameters
    ----------
    config : dict
    custom_objects : dict of str to type, optional
        Layers of your own, by the name of their class.

    Raises
    ------
    ValueError
        If there is no such layer.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.deserialize({"class_name": "Dense", "config": {"units": 3, "name": "top"}})
    <Dense name=top, built=False>
    """
    modules = (activation, core, dense, normalization, preprocessing, regularization, shape)
    known = {name: getattr(module, name) for module in modules for name in module.__all__}
    layers = {
        name: value
        for name, value in known.items()
        if isinstance(value, type) and issubclass(value, core.Layer) and value is not core.Layer
    }
    cls, arguments = find_class(config, layers, custom_objects, "layers.deserialize")
    layer: core.Layer = cls.from_config(arguments)
    return layer
