"""Random graphs of layers, each a function of a seed: shared layers, fan-out, several inputs and heads."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

import cnet
from cnet import Input, Model, layers
from support.graphs import Graph

ACTIVATIONS = ["relu", "relu", "tanh", "sigmoid", "elu", "softplus", "silu", "softmax"]
MERGES = [layers.Add, layers.Average, layers.Maximum, layers.Multiply]  # of any number of inputs
PAIRS = [layers.Subtract, layers.Minimum]
LOSSES = ["sparse_categorical_crossentropy", "mse", "binary_crossentropy"]


class Builder:
    """Adds layers to a growing graph."""

    def __init__(self, seed: int, width: int, dtype: str, *, is_random: bool) -> None:
        self.random = Random(seed)
        self.width, self.is_random = width, is_random
        self.options: dict[str, Any] = {"dtype": dtype}
        self.inputs: list[Any] = []
        self.flat: list[Any] = []  # (batch, features)
        self.steps: list[Any] = []  # (batch, steps, features)
        self.shared: list[Any] = []  # layers and models that are called again

    def size(self) -> int:
        return self.random.randint(self.width // 3 + 1, self.width)

    def dense(self, units: int, activation: Any = None) -> layers.Dense:
        return layers.Dense(units, activation, **self.options)

    def add_input(self, kind: str) -> None:
        name = f"{kind}_{len(self.inputs)}"
        shape = {"numbers": (self.size(),), "ids": (4,), "rows": (4, self.size())}[kind]
        self.inputs.append(
            Input(shape, name=name, dtype="int32" if kind == "ids" else self.options["dtype"])
        )
        if kind == "ids":
            table = layers.Embedding(30, self.size(), **self.options)
            self.steps.append(table(self.inputs[-1]))
        else:
            (self.flat if kind == "numbers" else self.steps).append(self.inputs[-1])

    def pick(self, tensors: list[Any]) -> Any:
        """Return a tensor, more often a late one: others are read again, far from where they are made."""
        return tensors[max(self.random.randrange(len(tensors)) for _ in range(2))]

    def like(self, x: Any) -> Any:
        """Return another tensor of the same shape, made by a layer if there is none."""
        same = [each for each in self.flat if each.shape == x.shape and each is not x]
        if same and self.random.random() < 0.7:
            return self.pick(same)
        return self.dense(x.shape[1])(self.pick(self.flat))

    # Each returns new tensors, of one or two dimensions for a sample.

    def add_dense(self) -> Any:
        return self.dense(self.size(), self.random.choice(ACTIVATIONS))(self.pick(self.flat))

    def add_shared(self) -> Any:
        """Call a layer or a nested model twice, once on what it returned."""
        width = self.size()
        inner = Input((width,))
        layer: Any = self.dense(width, self.random.choice(ACTIVATIONS))
        if self.random.random() < 0.5:
            layer = Model(inner, layers.Add(**self.options)([inner, layer(inner)]))
        return layer(layer(self.dense(width)(self.pick(self.flat))))

    def add_merge(self) -> Any:
        x = self.pick(self.flat)
        if self.random.random() < 0.5:
            others = [self.like(x) for _ in range(self.random.choice((1, 2)))]
            return self.random.choice(MERGES)(**self.options)([x, *others])
        return self.random.choice(PAIRS)(**self.options)([x, self.like(x)])

    def add_operator(self) -> Any:
        x = self.pick(self.flat)
        y = self.like(x)
        return self.random.choice((x * 0.5 + y, 1.0 - x, x / (y * y + 1.0), x * y))

    def add_concatenate(self) -> Any:
        parts = [self.pick(self.flat) for _ in range(self.random.choice((2, 3)))]
        joined = layers.Concatenate(**self.options)(parts)
        return self.dense(self.size())(joined)

    def add_dot(self) -> Any:
        x = self.pick(self.flat)
        dot = layers.Dot(axes=1, **self.options)([x, self.like(x)])
        return layers.Multiply(**self.options)(
            [self.pick(self.flat), dot / self.width]
        )  # of other widths

    def add_normalization(self) -> Any:
        kinds = [layers.LayerNormalization, layers.BatchNormalization]
        return self.random.choice(kinds)(**self.options)(self.pick(self.flat))

    def add_activation(self) -> Any:
        return layers.Activation(self.random.choice(ACTIVATIONS), **self.options)(
            self.pick(self.flat)
        )

    def add_noise(self) -> Any:
        seed = self.random.randrange(100)
        noise = self.random.choice(
            (
                layers.Dropout(0.3, seed=seed, **self.options),
                layers.GaussianNoise(0.1, seed=seed, **self.options),
            )
        )
        return (noise if self.is_random else layers.Rescaling(0.5, **self.options))(
            self.pick(self.flat)
        )

    def add_steps(self) -> Any:
        """Divide features among steps, or compute each step."""
        if self.steps and self.random.random() < 0.5:
            return self.dense(self.size(), self.random.choice(ACTIVATIONS))(self.pick(self.steps))
        rows = self.dense(3 * self.size())(self.pick(self.flat))
        return layers.Reshape((3, -1), **self.options)(rows)

    def add_pooling(self) -> Any:
        if not self.steps:
            return self.add_steps()
        pooling = self.random.choice((layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D))
        return pooling(**self.options)(self.pick(self.steps))

    def add_flatten(self) -> Any:
        if not self.steps:
            return self.add_steps()
        x = self.pick(self.steps)
        if self.random.random() < 0.5:
            x = layers.Concatenate(axis=1, **self.options)([x, x])
        return self.dense(self.size())(layers.Flatten(**self.options)(x))

    def grow(self, count: int) -> None:
        kinds: list[Callable[[], Any]] = [
            *(self.add_dense, self.add_shared, self.add_merge, self.add_operator, self.add_dot),
            *(self.add_concatenate, self.add_normalization, self.add_activation, self.add_noise),
            *(self.add_steps, self.add_pooling, self.add_flatten),
        ]
        for _ in range(count):
            x = self.random.choice(kinds)()
            (self.flat if x.ndim == 2 else self.steps).append(x)


def random_graph(
    seed: int,
    rows: int,
    *,
    width: int = 12,
    dtype: str = "float32",
    is_random: bool = True,
    optimizer: Any = None,
) -> Graph:
    """Return a compiled model, and data for it.

    Parameters
    ----------
    seed : int
    rows : int
        Number of samples.
    width : int, default 12
        The most features of a layer.
    dtype : {"float32", "float64"}
    is_random : bool, default True
        Whether it may have dropout, noise, and losses other than the mean squared error.
    optimizer : Optimizer, optional
        Default: SGD.
    """
    cnet.utils.clear_session()
    cnet.utils.set_random_seed(seed)
    builder = Builder(seed, width, dtype, is_random=is_random)
    choices = builder.random
    builder.add_input("numbers")
    for _ in range(choices.randrange(3)):
        builder.add_input(choices.choice(("numbers", "ids", "ids", "rows")))
    builder.grow(choices.randint(6, 14))
    outputs, kinds = [], []
    last = [builder.flat[-1], *(builder.pick(builder.flat) for _ in range(choices.randrange(3)))]
    for x in last:
        kind = choices.choice(LOSSES) if is_random else "mse"
        activation = {LOSSES[0]: "softmax", "mse": None, LOSSES[2]: "sigmoid"}[kind]
        outputs.append(builder.dense(4, activation)(x))
        kinds.append(kind)
    model = Model(builder.inputs, outputs, name=f"graph_{seed}")
    weights = [choices.choice((0.5, 1.0, 2.0)) for _ in outputs]
    model.compile(optimizer or cnet.optimizers.SGD(1 / 256), kinds, loss_weights=weights)

    rng = np.random.default_rng(seed)
    x = [
        rng.integers(30, size=(rows, *tensor.shape[1:]))
        if tensor.dtype == "int32"
        else rng.normal(size=(rows, *tensor.shape[1:]))
        for tensor in builder.inputs
    ]
    labels = {
        LOSSES[0]: lambda: rng.integers(4, size=rows),
        "mse": lambda: rng.normal(size=(rows, 4)),
        LOSSES[2]: lambda: rng.integers(2, size=(rows, 4)).astype(float),
    }
    return Graph(model, x, [labels[kind]() for kind in kinds])
