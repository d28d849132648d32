"""Small classifiers and data for tests of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import cnet
from cnet import Sequential, layers, optimizers

Array = npt.NDArray[Any]

SPARSE, ONE_HOT = "sparse_categorical_crossentropy", "categorical_crossentropy"
DTYPES = ["float32", "float64"]

RNG = np.random.default_rng(0)
X, IDS = RNG.normal(size=(77, 6)), RNG.integers(4, size=77)
LABELS = {SPARSE: IDS, ONE_HOT: np.eye(4)[IDS]}


def make_model(
    *widths: int,
    dtype: str = "float32",
    optimizer: Any = "sgd",
    loss: Any = SPARSE,
    metrics: Any = (),
    seed: int = 0,
) -> Sequential:
    """Return a compiled classifier, relu between its layers; the same for the same arguments."""
    cnet.utils.set_random_seed(seed)
    hidden = [layers.Dense(n, "relu", dtype=dtype) for n in widths]
    model = Sequential([layers.Input((6,)), *hidden, layers.Dense(4, "softmax", dtype=dtype)])
    model.compile(optimizer, loss, metrics=metrics)
    return model


def bits(model: Sequential) -> list[bytes]:
    """Return the weights, so that they compare by their bits."""
    return [weight.tobytes() for weight in model.get_weights()]


def momentum() -> optimizers.SGD:
    """Return an optimizer that keeps something from step to step."""
    return optimizers.SGD(0.1, momentum=0.9)


def spoilt(array: Array, index: Any, value: Any) -> Array:
    """Return an array with one value in another's place."""
    array = array.copy()
    array[index] = value
    return array
