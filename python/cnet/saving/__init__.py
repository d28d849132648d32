"""Models in files: safetensors with a description; no file runs code."""

from __future__ import annotations

from .model_file import load_weights, read_model, resume, save, save_weights
from .tensor_file import FormatError

__all__ = ["FormatError", "load_weights", "read_model", "resume", "save", "save_weights"]
