"""Functional models compared with Keras: structure, predictions, 50 steps of SGD and Adam, figures, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, training_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")
tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

pytestmark = pytest.mark.usefixtures("in_float64")

ROWS, STEPS, RATE = 24, 50, 0.01
RNG = np.random.default_rng(0)
WIDE, DEEP, OTHER = (RNG.normal(size=(ROWS, size)) for size in (7, 5, 5))
# Each id, and each word, once: Keras's Adam squares the parts of the gradient of a repeated id before it adds them.
ONCE = RNG.permutation(3 * ROWS).reshape(ROWS, 3)
WORDS = np.array([f"word {n}" for n in range(2 * ROWS)])
CLASSES, TARGETS = RNG.integers(3, size=ROWS), RNG.normal(size=(ROWS, 1))
# Sums over at most 100 terms in a dozen layers, forward and backward, and over the batch.
BOUND = 2 * training_bound(STEPS, RATE, 2 * 12 * 100 + ROWS + ELEMENTARY_ROUNDINGS, np.float64)


def wide_and_deep(k: Any) -> Any:
    wide, deep = k.Input((7,), name="wide"), k.Input((5,), name="deep")
    x = k.layers.Dense(8, activation="relu", name="first")(deep)
    x = k.layers.Dense(8, activation="relu", name="second")(x)
    joined = k.layers.Concatenate(name="joined")([wide, x])
    return k.Model([wide, deep], k.layers.Dense(3, activation="softmax", name="top")(joined))


def two_heads(k: Any) -> Any:
    x = k.Input((5,), name="x")
    h = k.layers.Dense(8, activation="tanh", name="h")(x)
    kind = k.layers.Dense(3, activation="softmax", name="kind")(h)
    size = k.layers.Dense(1, name="size")(k.layers.Concatenate(name="both")([h, kind]))
    return k.Model(x, [kind, size])


def residual(k: Any) -> Any:
    x = k.Input((5,), name="x")
    h = k.layers.Dense(8, name="in")(x)
    for n in range(3):
        y = k.layers.LayerNormalization(name=f"norm{n}")(h)
        y = k.layers.Dense(8, activation="relu", name=f"up{n}")(y)
        h = k.layers.Add(name=f"add{n}")([h, k.layers.Dense(8, name=f"down{n}")(y)])
    return k.Model(x, k.layers.Dense(3, activation="softmax", name="top")(h))


def categories(k: Any) -> Any:
    numbers, ids = k.Input((5,), name="numbers"), k.Input((3,), name="ids", dtype="int32")
    table = k.layers.Embedding(3 * ROWS, 4, name="table")(ids)
    parts = [
        k.layers.Flatten(name="flat")(table),
        k.layers.GlobalAveragePooling1D(name="mean")(table),
        k.layers.GlobalMaxPooling1D(name="most")(
            k.layers.Dense(6, activation="tanh", name="rows")(table)
        ),
        numbers,
    ]
    x = k.layers.Dense(8, activation="relu", name="h")(k.layers.Concatenate(name="all")(parts))
    return k.Model(
        {"numbers": numbers, "ids": ids}, k.layers.Dense(3, activation="softmax", name="top")(x)
    )


def siamese(k: Any) -> Any:
    left, right = k.Input((5,), name="left"), k.Input((5,), name="right")
    inner = k.Input((5,), name="each")
    tower = k.Model(inner, k.layers.Dense(6, activation="tanh", name="t")(inner), name="tower")
    a, b = tower(left), tower(right)
    parts = [
        k.layers.Dot(axes=1, name="dot")([a, b]),
        k.layers.Subtract(name="sub")([a, b]),
        k.layers.Multiply(name="mul")([a, b]),
        k.layers.Average(name="avg")([a, b, a]),
        k.layers.Maximum(name="max")([a, b]),
        k.layers.Minimum(name="min")([a, b]),
    ]
    joined = k.layers.Concatenate(name="joined")(parts)
    return k.Model([left, right], k.layers.Dense(1, name="top")(joined))


def shared(k: Any) -> Any:
    x = k.Input((5,), name="x")
    layer = k.layers.Dense(5, activation="tanh", name="shared")
    h = layer(layer(layer(x)))
    gate = k.layers.Dense(1, activation="sigmoid", name="gate")(h)
    h = k.layers.Multiply(name="gated")([h, gate])
    return k.Model(x, k.layers.Dense(1, name="top")((h * 2.0 + 1.0 - x) / 4.0))


def text(k: Any) -> Any:
    word, number = k.Input((2,), name="word", dtype="string"), k.Input((5,), name="number")
    ids = k.layers.StringLookup(vocabulary=WORDS.tolist(), name="ids")(word)
    bins = k.layers.Discretization([-1.0, 0.0, 1.0], output_mode="multi_hot", name="bins")(number)
    parts = [
        k.layers.Flatten(name="flat")(k.layers.Embedding(2 * ROWS + 1, 3, name="table")(ids)),
        k.layers.Hashing(5, output_mode="count", name="hash")(word),
        bins,
        number,
    ]
    x = k.layers.Dense(8, activation="tanh", name="h")(k.layers.Concatenate(name="all")(parts))
    return k.Model([word, number], k.layers.Dense(1, name="top")(x))


def given(library: Any, x: Any) -> Any:
    """Return data as a library takes it: Keras takes text as tensors only."""
    if library is keras and isinstance(x, list) and x[0].dtype.kind == "U":
        return [tensorflow.constant(x[0]), *x[1:]]
    return x


CASES: dict[Callable[[Any], Any], tuple[Any, Any, Any]] = {
    wide_and_deep: ([WIDE, DEEP], CLASSES, "sparse_categorical_crossentropy"),
    two_heads: (
        DEEP,
        {"kind": CLASSES, "size": TARGETS},
        {"kind": "sparse_categorical_crossentropy", "size": "mse"},
    ),
    residual: (DEEP, CLASSES, "sparse_categorical_crossentropy"),
    categories: ({"numbers": DEEP, "ids": ONCE}, CLASSES, "sparse_categorical_crossentropy"),
    siamese: ([DEEP, OTHER], TARGETS, "mse"),
    shared: (DEEP, TARGETS, "mse"),
    text: ([RNG.permutation(WORDS).reshape(ROWS, 2), DEEP], TARGETS, "mse"),
}


def flat(outputs: Any) -> list[Any]:
    return outputs if isinstance(outputs, list) else [outputs]


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_training(build: Callable[[Any], Any], optimizer: str) -> None:
    x, y, loss = CASES[build]
    ours, theirs = build(cnet), build(keras)
    paths = [weight.path for weight in theirs.weights]
    assert [weight.path for weight in ours.weights] == paths
    ours.set_weights(theirs.get_weights())
    figures = []
    for library, model in ((cnet, ours), (keras, theirs)):
        data = given(library, x)
        options: dict[str, Any] = {"loss": loss}
        if build is two_heads:
            options |= {
                "loss_weights": {"kind": 1.0, "size": 0.25},
                "metrics": {"kind": ["accuracy"], "size": ["mae"]},
            }
        # Keras rounds Adam's betas to float32: these are exact.
        betas = {"beta_1": 0.875, "beta_2": 1 - 2**-10} if optimizer == "Adam" else {}
        model.compile(getattr(library.optimizers, optimizer)(RATE, **betas), **options)
        history = model.fit(
            data, y, batch_size=ROWS, epochs=STEPS, shuffle=False, verbose=0
        ).history
        evaluated = model.evaluate(data, y, verbose=0, return_dict=True)
        figures.append((history, evaluated, flat(model.predict(data, verbose=0))))
    for weight, other, path in zip(ours.get_weights(), theirs.get_weights(), paths, strict=True):
        assert abs(weight - other).max() <= BOUND * max(1, abs(other).max()), path
    (history, evaluated, outputs), (expected, other_figures, other_outputs) = figures
    assert set(history) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)  # Keras: float32
    for name, value in other_figures.items():
        assert evaluated[name] == pytest.approx(value, rel=1e-5), name
    for output, other in zip(outputs, other_outputs, strict=True):
        np.testing.assert_allclose(output, other, rtol=0, atol=100 * BOUND)


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_structure(build: Callable[[Any], Any]) -> None:
    ours, theirs = build(cnet), build(keras)
    names = [layer.name for layer in ours.layers]
    if build is not shared:  # whose operators are layers of other names
        assert names == [layer.name for layer in theirs.layers]
    assert ours.output_names == [*theirs.output_names[:-1], ours.output_names[-1]]
    if build is not categories:  # Keras forgets the names
        assert ours.input_shape == theirs.input_shape
    assert ours.output_shape == theirs.output_shape
    assert ours.count_params() == theirs.count_params()
    if build is two_heads:
        for model in (ours, theirs):
            model.compile("sgd", "mse", metrics=[["mae"], ["mse", "mae"]])
        data = DEEP, [np.eye(3)[CLASSES], TARGETS]
        lists = [model.evaluate(*data, verbose=0) for model in (ours, theirs)]
        assert len(lists[0]) == len(lists[1])
