"""The user's classes and functions in files and configurations, and how to describe any object.

The files themselves are written and read by `Model.save` and `cnet.models.load_model`: safetensors with a description;
no file runs code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._absent import absent
from .._objects import deserialize_keras_object, serialize_keras_object
from .._registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "register_keras_serializable",
    "serialize_keras_object",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
