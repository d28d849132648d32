"""Small classifiers and data for tests of training."""

from __future__ import annotations

from collections.abc import Iterator
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
    """Return a compiled ReLU classifier; the same arguments give the same weights."""
    cnet.utils.set_random_seed(seed)
    hidden = [layers.Dense(n, "relu", dtype=dtype) for n in widths]
    model = Sequential([layers.Input((6,)), *hidden, layers.Dense(4, "softmax", dtype=dtype)])
    model.compile(optimizer, loss, metrics=metrics)
    return model


def bits(model: Sequential) -> list[bytes]:
    """Return the weights as bytes, to compare their bits."""
    return [weight.tobytes() for weight in model.get_weights()]


def momentum() -> optimizers.SGD:
    """Return an optimizer with state."""
    return optimizers.SGD(0.1, momentum=0.9)


def with_value(array: Array, index: Any, value: Any) -> Array:
    """Return a copy of an array with one element replaced."""
    array = array.copy()
    array[index] = value
    return array


SIZES = [10, 10, 7, 20, 1, 29]  # 77 samples
WEIGHTS = np.random.default_rng(1).uniform(0, 2, len(X))


def in_batches(*arrays: Any, sizes: list[int] = SIZES) -> list[tuple[Any, ...]]:
    """Return arrays split into batches."""
    ends = np.cumsum(sizes)
    return [
        tuple(each[end - size : end] for each in arrays)
        for size, end in zip(sizes, ends, strict=True)
    ]


def generator(*arrays: Any, sizes: list[int] = SIZES) -> Iterator[tuple[Any, ...]]:
    """Yield the batches of arrays once."""
    yield from in_batches(*arrays, sizes=sizes)


class Dataset(cnet.utils.PyDataset):
    """A dataset that logs the batches it returns and the calls of its hooks."""

    def __init__(self, batches: list[Any]) -> None:  # users often forget super().__init__()
        self.batches = batches
        self.log: list[Any] = []

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        self.log.append(index)
        return self.batches[index]

    def on_epoch_begin(self) -> None:
        self.log.append("begin")

    def on_epoch_end(self) -> None:
        self.log.append("end")
