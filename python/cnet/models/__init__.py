"""Sequential models, and functions to save, load and clone them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._absent import absent
from .call_model import CallModel as _CallModel  # noqa: F401 # what models with a call become
from .functional import Functional
from .making import clone_model, load_model, model_from_json, save_model
from .sequential import Sequential
from .subclass import Model

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
