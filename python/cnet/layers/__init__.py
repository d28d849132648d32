"""Layers, by Keras's names. A layer owns its weights; a model puts layers in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._absent import absent
from .activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from .core import Layer
from .dense import Dense
from .input_layer import Input, InputLayer
from .lambda_layer import Lambda
from .normalization import BatchNormalization, LayerNormalization
from .preprocessing import Normalization, Rescaling
from .regularization import Dropout, GaussianNoise
from .serialization import deserialize, serialize
from .shape import Flatten, Reshape
from .weight import Weight

__all__ = [
    "ELU",
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "Input",
    "InputLayer",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Normalization",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "Weight",
    "deserialize",
    "serialize",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
