"""Models in files, by Keras's names: safetensors with a description, that no program can hide in."""

from __future__ import annotations

from .saveable import Saveable, read_model, save_model
from .tensor_file import FormatError

__all__ = ["FormatError", "Saveable", "read_model", "save_model"]
