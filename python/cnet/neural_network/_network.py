"""The layers of an estimator, as models that train and predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .. import activations, layers, regularizers
from .._data import FloatArray
from .._objects import ACCESSORS
from ..layers.weight import Weight, assign_all, read_all
from ..models import Sequential
from ..training.setup import Setup
from ._objectives import OUTPUT_ACTIVATIONS

__all__ = ["ACTIVATIONS", "Network", "Shape"]

# The values of the parameter `activation`, and cnet's names of them.
_KNOWN = sorted(set(activations.__all__) - ACCESSORS)
ACTIVATIONS = {name: name for name in _KNOWN} | {"identity": "linear", "logistic": "sigmoid"}


@dataclass(frozen=True)
class Shape:
    """What the layers are made from.

    Attributes
    ----------
    units : tuple of int
        The numbers of features, of units of each hidden layer, and of outputs.
    """

    units: tuple[int, ...]
    activation: str
    out_activation: str
    dropout: float
    batch_norm: bool
    dtype: str


class Network:
    """The model of an estimator.

    Attributes
    ----------
    shape : Shape
    model : Sequential
        Ends before the output activation, with whose input the losses compute. Trains.
    predictor : Sequential
        The same layers and the output activation.
    """

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        dtype: Any = {"dtype": shape.dtype}
        function = ACTIVATIONS[shape.activation]
        stack: list[Any] = []
        dense: list[Any] = []
        for number, units in enumerate(shape.units[1:-1]):
            fused = None if shape.batch_norm else function
            dense.append(layers.Dense(units, fused, kernel_initializer="zeros", **dtype))
            stack.append(dense[-1])
            if shape.batch_norm:
                # Keras's momentum of 0.99 suits more batches than small sets have.
                stack.append(layers.BatchNormalization(momentum=0.9, **dtype))
                stack.append(layers.Activation(function, **dtype))
            if shape.dropout:
                stack.append(layers.Dropout(shape.dropout, seed=seed + number, **dtype))
        dense.append(layers.Dense(shape.units[-1], kernel_initializer="zeros", **dtype))
        stack.append(dense[-1])
        last = layers.Activation(OUTPUT_ACTIVATIONS[shape.out_activation], **dtype)
        self.shape = shape
        self.model = Sequential([layers.Input((shape.units[0],)), *stack])
        self.predictor = Sequential([layers.Input((shape.units[0],)), *stack, last])
        self._dense = dense

    def __call__(self, x: Any) -> FloatArray:
        """Return the outputs (samples, outputs)."""
        outputs: FloatArray = self.predictor(x)
        return outputs

    @property
    def setup(self) -> Setup:
        """What the model was compiled with, and the state of its training."""
        return self.model._require_setup("fit")

    @property
    def kernels(self) -> list[Weight]:
        """The kernels of the dense layers."""
        return [layer.weights[0] for layer in self._dense]

    @property
    def biases(self) -> list[Weight]:
        """The biases of the dense layers."""
        return [layer.weights[1] for layer in self._dense]

    def coefficients(self) -> tuple[list[FloatArray], list[FloatArray]]:
        """Return copies of the kernels and of the biases."""
        arrays = read_all(self.kernels + self.biases)
        return arrays[: len(self._dense)], arrays[len(self._dense) :]

    def set_coefficients(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> None:
        """Set the kernels and the biases; raise `ValueError` if their shapes don't fit."""
        assign_all(self.kernels + self.biases, [*coefs, *intercepts], "coefs_ and intercepts_")

    def initialize(self, random: np.random.RandomState) -> None:
        """Draw the weights from scikit-learn's distribution (Glorot and Bengio, 2010)."""
        factor = 2.0 if self.shape.activation in ("logistic", "sigmoid") else 6.0
        coefs, intercepts = [], []
        for fan_in, fan_out in pairwise(self.shape.units):
            bound = np.sqrt(factor / (fan_in + fan_out))
            coefs.append(random.uniform(-bound, bound, (fan_in, fan_out)))
            intercepts.append(random.uniform(-bound, bound, fan_out))
        self.set_coefficients(coefs, intercepts)

    def penalize(self, l2: float) -> None:
        """Set the penalty of the kernels, ``l2 * sum(w ** 2)``."""
        penalty = regularizers.L2(l2)
        for kernel in self.kernels:
            kernel.regulate(penalty, None)
