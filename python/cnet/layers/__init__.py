"""Layers, by Keras's names. A layer owns its weights; a model puts layers in order."""

from __future__ import annotations

from .activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from .core import Dense, Flatten, Input, InputLayer, Layer, Rescaling, Weight
from .serialization import deserialize, serialize

__all__ = [
    "ELU",
    "Activation",
    "Dense",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "ReLU",
    "Rescaling",
    "Softmax",
    "Weight",
    "deserialize",
    "serialize",
]
