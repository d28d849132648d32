"""Models to be saved, and the part of their state that a file contains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import cnet
from cnet import layers

CLASSIFY = "sparse_categorical_crossentropy"


def make_model(dtype: str = "float32", **names: str) -> cnet.Sequential:
    return cnet.Sequential(
        [
            layers.Input((2, 2), dtype=dtype),
            layers.Rescaling(1 / 255, dtype=dtype),
            layers.Flatten(dtype=dtype),
            layers.Dense(5, "relu", dtype=dtype, name=names.get("first")),
            layers.Dense(4, use_bias=False, dtype=dtype, trainable=False),
            layers.LeakyReLU(0.1, dtype=dtype),
            layers.Dense(3, "softmax", dtype=dtype, name=names.get("last")),
        ]
    )


def saved(model: cnet.Sequential, folder: Path) -> Path:
    path = folder / "model.safetensors"
    model.save(path)
    return path


def state(model: cnet.Sequential) -> list[Any]:
    """Return the part of a model that a file contains."""
    arrays = [(a.dtype.name, a.shape, a.tobytes()) for a in model.get_weights()]
    return [model.get_config(), arrays]


X = np.arange(24, dtype=np.uint8).reshape(6, 2, 2) * 10
Y = np.array([0, 1, 2, 0, 1, 2])
