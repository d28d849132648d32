"""Inputs of open sizes, of single values and with a fixed batch, compared with Keras."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, training_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")

pytestmark = pytest.mark.usefixtures("in_float64")

ROWS, STEPS, RATE = 8, 50, 0.01
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, 7, size=STEPS)
BOUND = 2 * training_bound(STEPS, RATE, 2 * 12 * 100 + ROWS + ELEMENTARY_ROUNDINGS, np.float64)


def bag_of_words(k: Any) -> Any:
    words = k.Input((None,), dtype="int32", name="words")
    x = k.layers.Embedding(60, 4, name="table")(words)
    x = k.layers.Dense(5, activation="tanh", name="rows")(x)
    parts = [
        k.layers.GlobalAveragePooling1D(name="mean")(x),
        k.layers.GlobalMaxPooling1D(name="most")(x),
    ]
    x = k.layers.Concatenate(name="both")(parts)
    return k.Model(words, k.layers.Dense(3, activation="softmax", name="top")(x))


def series(k: Any) -> Any:
    x = k.Input((None, 3), name="x")
    h = k.layers.Dense(4, name="in")(x)
    h = k.layers.Add(name="sum")([h, k.layers.LayerNormalization(name="norm")(h)])
    h = k.layers.GlobalAveragePooling1D(name="mean", keepdims=True)(h)
    return k.Model(x, k.layers.Dense(3, name="top")(k.layers.Flatten(name="flat")(h)))


def single(k: Any) -> Any:
    shop = k.Input((), dtype="int32", name="shop")
    return k.Model(shop, k.layers.Dense(3, name="top")(k.layers.Embedding(60, 4, name="t")(shop)))


def batch_of(build: Any, length: int) -> Any:
    """Return samples, of ids that occur once: Keras's Adam squares the parts of the gradient of a repeated id."""
    if build is series:
        return RNG.normal(size=(ROWS, length, 3))
    ids = RNG.permutation(60)
    return ids[:ROWS] if build is single else ids[: ROWS * length].reshape(ROWS, length)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("build", [bag_of_words, series, single], ids=lambda each: each.__name__)
def test_training(build: Callable[[Any], Any], optimizer: str) -> None:
    ours, theirs = build(cnet), build(keras)
    ours.set_weights(theirs.get_weights())
    assert (ours.input_shape, ours.output_shape) == (theirs.input_shape, theirs.output_shape)
    batches = [
        (batch_of(build, length), RNG.dirichlet(np.ones(3), ROWS), RNG.uniform(size=ROWS))
        for length in LENGTHS
    ]
    figures = []
    for library, model in ((cnet, ours), (keras, theirs)):
        betas = {"beta_1": 0.875, "beta_2": 1 - 2**-10} if optimizer == "Adam" else {}
        loss = "categorical_crossentropy" if build is bag_of_words else "mse"
        model.compile(getattr(library.optimizers, optimizer)(RATE, **betas), loss, metrics=["mae"])
        history = model.fit(
            (each for each in batches), steps_per_epoch=STEPS, shuffle=False, verbose=0
        ).history
        x, y, weights = batches[0]
        figures.append((history, model.evaluate(x, y, sample_weight=weights, verbose=0)))
    for weight, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert abs(weight - other).max() <= BOUND * max(1, abs(other).max())
    (history, evaluated), (expected, other_evaluated) = figures
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)  # float32
    np.testing.assert_allclose(evaluated, other_evaluated, rtol=1e-5)
    for x, *_ in batches[:3]:
        np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=0, atol=100 * BOUND)


@pytest.mark.parametrize("build", [bag_of_words, series, single], ids=lambda each: each.__name__)
def test_configurations(build: Callable[[Any], Any]) -> None:
    ours = cnet.models.model_from_json(build(keras).to_json())
    theirs = keras.models.model_from_json(build(cnet).to_json())
    assert (ours.input_shape, ours.output_shape) == (theirs.input_shape, theirs.output_shape)
    head, other = (
        json.loads(model.to_json())["config"]["layers"][0]["config"] for model in (ours, theirs)
    )
    assert {name: other[name] for name in head} == head


SHAPES: list[Callable[[Any], Any]] = [
    lambda k: k.layers.Flatten()(k.Input((None, 3))),
    lambda k: k.layers.Flatten()(k.Input(())),
    lambda k: k.layers.Reshape((-1, 2))(k.Input((None, 4))),
    lambda k: k.layers.Reshape((2, 2))(k.Input((None, 4))),
    lambda k: k.layers.Concatenate(axis=1)([k.Input((None, 3)), k.Input((4, 3))]),
    lambda k: k.layers.Concatenate()([k.Input((None, 3)), k.Input((4, 3))]),
    lambda k: k.layers.Add()([k.Input((None, 3)), k.Input((4, 3))]),
    lambda k: k.layers.Multiply()([k.Input((None, 3)), k.Input((1, 3))]),
    lambda k: k.layers.BatchNormalization()(k.Input((None, 3))),
    lambda k: k.layers.GlobalMaxPooling1D(keepdims=True)(k.Input((None, 3))),
    lambda k: k.layers.Embedding(3, 4)(k.Input((), dtype="int32")),
    lambda k: k.layers.Embedding(3, 4)(k.Input((None, 2), dtype="int32")),
    lambda k: k.layers.CategoryEncoding(4, "multi_hot")(k.Input((None,), dtype="int32")),
    lambda k: k.layers.CategoryEncoding(4, "one_hot")(k.Input((), dtype="int32")),
    lambda k: k.ops.mean(k.Input((None, 3)), axis=1),
    lambda k: k.ops.sum(k.Input((4,)), axis=-1),
    lambda k: k.ops.expand_dims(k.Input(()), -1),
    lambda k: k.ops.concatenate([k.Input((None, 3)), k.Input((2, 3))], axis=1),
    lambda k: k.layers.Dense(3)(k.Input((4,), batch_size=8)),
    lambda k: k.layers.Embedding(3, 2)(k.Input(batch_shape=(8, None))),
    lambda k: k.layers.Add()([k.Input((4,), batch_size=8), k.Input((4,), batch_size=8)]),
    lambda k: k.Input((4,), batch_size=8) * 2.0,
]


@pytest.mark.parametrize("make", SHAPES)
def test_shapes(make: Callable[[Any], Any]) -> None:
    assert make(cnet).shape == make(keras).shape


def test_a_fixed_size_of_the_batch_is_only_shown() -> None:
    shapes = []
    for k in (cnet, keras):
        model = k.Sequential([k.Input((4,), batch_size=8), k.layers.Dense(3)])
        model.compile("sgd", "mse")
        model.fit(np.ones((5, 4)), np.ones((5, 3)), verbose=0)
        shapes.append(
            (
                tuple(model.input_shape),
                tuple(model.output_shape),
                model.predict(np.ones((20, 4)), verbose=0).shape,
                list(model.get_config()["layers"][0]["config"]["batch_shape"]),
            )
        )
    assert shapes[0] == shapes[1]
