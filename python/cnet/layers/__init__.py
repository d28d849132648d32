"""Layers, by Keras's names. A layer owns its weights; a model puts layers in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._absent import absent
from .activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from .categories import CategoryEncoding
from .core import Layer
from .dense import Dense
from .discretization import Discretization
from .dot_product import Dot, dot
from .embedding import Embedding, GlobalAveragePooling1D, GlobalMaxPooling1D
from .hashing import HashedCrossing, Hashing
from .input_layer import Input, InputLayer
from .lambda_layer import Lambda
from .lookup import IntegerLookup, StringLookup
from .merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    maximum,
    minimum,
    multiply,
    subtract,
)
from .normalization import BatchNormalization, LayerNormalization
from .operation import Operation as _Operation  # noqa: F401 # sets what symbolic tensors apply
from .preprocessing import Normalization, Rescaling
from .regularization import Dropout, GaussianNoise
from .serialization import deserialize, serialize
from .shape import Flatten, Reshape
from .weight import Weight

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "Average",
    "BatchNormalization",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Discretization",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalMaxPooling1D",
    "HashedCrossing",
    "Hashing",
    "Input",
    "InputLayer",
    "IntegerLookup",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "StringLookup",
    "Subtract",
    "Weight",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
