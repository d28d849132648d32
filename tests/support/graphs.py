"""Models of each kind of graph, compiled, with data: for tests that repeat for graphs what they show for chains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import cnet
from cnet import Input, Model, Sequential, autodiff, layers, optimizers
from cnet.models.nesting import leaves_of, nested_as

WORDS = np.array(["red", "green", "blue", "other"])


class Scale(layers.Layer):
    """A layer of one's own: a factor for each feature, and a penalty."""

    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight(
            shape=(input_shape[-1],), initializer="random_normal", name="factor"
        )

    def call(self, x: Any) -> Any:
        self.add_loss(1e-3 * autodiff.reduce_sum(self.factor**2))
        return autodiff.tanh(x) * self.factor


class SquaredStep(Model):
    """A model with a training step of its own: the loss is squared."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with autodiff.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True)) ** 2
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


CUSTOM_OBJECTS = {"Scale": Scale, "SquaredStep": SquaredStep}


class Graph(NamedTuple):
    """A compiled model with data for it."""

    model: Any
    x: Any
    y: Any


def first_samples(data: Any, count: int) -> Any:
    """Return some samples of the arrays in data, nested as they are."""
    return nested_as(data, [array[:count] for array in leaves_of(data)])


def _data(rows: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(8)
    numbers = rng.normal(size=(rows, 6)).astype(np.float32)
    ids = rng.integers(20, size=(rows, 3))
    classes, targets = rng.integers(4, size=rows), rng.normal(size=(rows, 1)).astype(np.float32)
    return numbers, ids, WORDS[rng.integers(4, size=(rows, 1))], classes, targets


def wide_and_deep(rows: int) -> Graph:
    """Numbers and ids; the numbers reach the last layer by a short and by a long way."""
    numbers, ids = Input((6,), name="numbers"), Input((3,), name="ids", dtype="int32")
    vectors = layers.Flatten(name="flat")(layers.Embedding(20, 4, name="table")(ids))
    deep = layers.Concatenate(name="deep")([numbers, vectors])
    deep = layers.Dense(16, "relu", kernel_regularizer="l2", name="hidden")(deep)
    deep = layers.Dropout(0.3, name="dropout")(deep)
    joined = layers.Concatenate(name="joined")([numbers, deep])
    out = layers.Dense(1, name="out")(joined)
    model = Model({"numbers": numbers, "ids": ids}, out, name="wide_and_deep")
    model.compile(optimizers.Adam(0.01, global_clipnorm=1.0), "mse", metrics=["mae"])
    x, i, _, _, y = _data(rows)
    return Graph(model, {"numbers": x, "ids": i}, y)


def two_heads(rows: int) -> Graph:
    """A shared trunk, where a layer is called twice; a loss, a weight and a metric for each head."""
    x = Input((6,), name="x")
    shared = layers.Dense(6, "tanh", name="shared")
    trunk = layers.BatchNormalization(name="norm")(shared(shared(x)))
    trunk = layers.GaussianNoise(0.1, name="noise")(trunk)
    kind = layers.Dense(4, "softmax", name="kind")(trunk)
    size = layers.Dense(1, name="size")(layers.Maximum(name="most")([trunk, x]))
    model = Model(x, {"kind": kind, "size": size}, name="two_heads")
    model.compile(
        optimizers.SGD(0.05, 0.9, nesterov=True, use_ema=True, gradient_accumulation_steps=3),
        {"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 1.0, "size": 0.5},
        metrics={"kind": ["accuracy"], "size": ["mae"]},
    )
    numbers, _, _, classes, targets = _data(rows)
    return Graph(model, numbers, {"kind": classes, "size": targets})


def residual(rows: int) -> Graph:
    """Blocks with a normalization of rows, around which the numbers go as well."""
    x = Input((6,), name="x")
    h = x
    for n in range(2):
        inner = layers.LayerNormalization(name=f"norm_{n}")(h)
        inner = layers.Dense(12, "gelu", name=f"wide_{n}")(inner)
        inner = layers.Dropout(0.2, seed=n, name=f"dropout_{n}")(inner)
        h = layers.Add(name=f"sum_{n}")([h, layers.Dense(6, name=f"narrow_{n}")(inner)])
    model = Model(x, layers.Dense(4, "softmax", name="out")(h), name="residual")
    rate = optimizers.schedules.ExponentialDecay(0.01, 20, 0.9)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizers.RMSprop(rate, centered=True), loss, metrics=["accuracy"])
    numbers, _, _, classes, _ = _data(rows)
    return Graph(model, numbers, classes)


def siamese(rows: int) -> Graph:
    """A nested model called for two inputs, compared in all ways that there are."""
    tower = Sequential(
        [Input((6,), name="each"), layers.Dense(5, "relu", name="a"), layers.Dense(3, name="b")],
        name="tower",
    )
    one, other = Input((6,), name="one"), Input((6,), name="other")
    u, v = tower(one), tower(other)
    parts = [
        layers.Dot(axes=1, name="dot")([u, v]),
        layers.Subtract(name="difference")([u, v]),
        layers.Multiply(name="product")([u, v]),
        layers.Average(name="mean")([u, v]),
        layers.Minimum(name="least")([u, v]),
        layers.Rescaling(0.5, name="half")(u),
    ]
    joined = layers.Concatenate(name="joined")(parts)
    out = layers.Dense(1, "sigmoid", name="out")(joined)
    model = Model([one, other], out, name="siamese")
    model.compile(optimizers.Nadam(weight_decay=1e-3), "binary_crossentropy", metrics=["accuracy"])
    x, _, _, classes, _ = _data(rows)
    return Graph(model, [x, x[::-1].copy()], (classes > 1).astype(np.float32)[:, None])


def categories(rows: int) -> Graph:
    """Text and ids: looked up, embedded, pooled."""
    word, ids = Input((1,), name="word", dtype="string"), Input((3,), name="ids", dtype="int32")
    found = layers.StringLookup(vocabulary=WORDS[:3].tolist(), name="lookup")(word)
    vectors = layers.Flatten(name="flat")(layers.Embedding(4, 3, name="words")(found))
    table = layers.Embedding(20, 5, name="table")(ids)
    parts = [
        vectors,
        layers.GlobalAveragePooling1D(name="mean")(table),
        layers.GlobalMaxPooling1D(name="most")(table),
    ]
    out = layers.Dense(4, "softmax", name="out")(layers.Concatenate(name="joined")(parts))
    model = Model([word, ids], out, name="categories")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    _, i, words, classes, _ = _data(rows)
    return Graph(model, [words, i], classes)


def own_layer(rows: int) -> Graph:
    """A layer in Python, between two parts that the engine computes."""
    x = Input((6,), name="x")
    h = layers.Dense(5, "relu", name="before")(x)
    scaled = Scale(name="scale")(h)
    out = layers.Dense(1, name="out")(layers.Add(name="sum")([h, scaled]))
    model = Model(x, out, name="own_layer")
    model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"])
    numbers, _, _, _, targets = _data(rows)
    return Graph(model, numbers, targets)


def own_step(rows: int) -> Graph:
    """A functional model with a training step in Python."""
    x = Input((6,), name="x")
    h = layers.Dense(8, "relu", name="hidden")(x)
    model = SquaredStep(x, layers.Dense(1, name="out")(h), name="own_step")
    model.compile(optimizers.AdamW(0.01), "mse", metrics=["mae"])
    numbers, _, _, _, targets = _data(rows)
    return Graph(model, numbers, targets)


GRAPHS: dict[str, Callable[[int], Graph]] = {
    make.__name__: make
    for make in (*(wide_and_deep, two_heads, residual, siamese, categories, own_layer, own_step),)
}


def make_graph(name: str, rows: int, seed: int = 0) -> Graph:
    """Make a graph with the weights, noise and order of samples that follow from a seed."""
    cnet.utils.clear_session()  # names in files must be those of a new process
    cnet.utils.set_random_seed(seed)
    return GRAPHS[name](rows)
