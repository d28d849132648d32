"""Nested models, and changes to the inner models."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import cnet
from cnet import Sequential, layers, models

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def nested() -> tuple[Sequential, Sequential, Sequential]:
    """Return the same layers nested with an `Input`, nested without one, and flat."""
    body = [layers.Dense(6, "relu"), layers.BatchNormalization(), layers.Dense(5, "tanh")]
    head = layers.Dense(3, "softmax")
    middle = Sequential([body[1], Sequential([body[2]])], name="middle")
    return (
        Sequential([Sequential([layers.Input((4,)), body[0], middle]), head]),
        middle,
        Sequential([*body, head]),
    )


def test_a_nested_model_trains_like_its_layers() -> None:
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    ids = np.arange(20) % 3
    whole, _, row = nested()
    row.build((None, 4))
    assert whole.built
    assert whole.output_shape == (None, 3)
    first = row.get_weights()
    outcomes = []
    for model in (whole, row):
        row.set_weights(first)
        model.compile(cnet.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        model.fit(x, ids, epochs=3, batch_size=7, shuffle=False, verbose=0)
        outcomes.append([weight.tobytes() for weight in model.get_weights()])
    assert outcomes[0] == outcomes[1]
    np.testing.assert_array_equal(whole.predict(x, verbose=0), row.predict(x, verbose=0))
    assert whole.count_params() == row.count_params()
    assert [layer.name for layer in whole.layers] == [whole.layers[0].name, row.layers[-1].name]


def test_a_frozen_nested_model_does_not_change() -> None:
    x, ids = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 3
    whole, middle, _ = nested()
    middle.trainable = False
    before = middle.get_weights()
    whole.compile("sgd", "sparse_categorical_crossentropy")
    whole.fit(x, ids, verbose=0)
    for weight, first in zip(middle.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, first)


def test_config_of_a_nested_model() -> None:
    whole, _, _ = nested()
    again = models.model_from_json(whole.to_json())
    assert again.get_config() == whole.get_config()
    again.set_weights(whole.get_weights())
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(x, verbose=0), whole.predict(x, verbose=0))


def test_a_model_is_no_layer_of_itself() -> None:
    model = Sequential([layers.Dense(3)])
    for within in (model, Sequential([model]), Sequential([Sequential([model])])):
        with pytest.raises(ValueError, match="can't be a layer of itself"):
            model.add(within)


def test_changes_of_a_nested_model_take_effect() -> None:
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    inner = Sequential([layers.Dense(6), layers.Dense(3)])
    outer = Sequential([layers.Input((4,)), Sequential([inner])])
    outer.compile("sgd", "mse")
    outer(x)
    inner.add(layers.Dense(3))
    assert outer.optimizer is None
    assert len(outer.get_weights()) == 6
    kernels, biases = outer.get_weights()[::2], outer.get_weights()[1::2]
    expected = x
    for kernel, bias in zip(kernels, biases, strict=True):
        expected = expected @ kernel + bias
    np.testing.assert_allclose(outer(x), expected, rtol=1e-5)
    inner.add(layers.Dense(2))
    assert outer(x).shape == (5, 2)
    assert pickle.loads(pickle.dumps(outer))(x).tobytes() == outer(x).tobytes()


def test_a_nested_change_that_does_not_fit_raises() -> None:
    inner = Sequential([layers.Dense(6), layers.Dense(7)])
    outer = Sequential([layers.Input((4,)), inner, layers.Dense(2)])
    inner.pop()
    with pytest.raises(ValueError, match=r"expected input of shape \(batch, 7\), got \(batch, 6\)"):
        outer.predict(np.zeros((1, 4)), verbose=0)


def test_a_layer_occurs_once_across_nested_models() -> None:
    shared = layers.Dense(4)
    with pytest.raises(ValueError, match="is part of the model already"):
        Sequential([Sequential([shared], name="a"), Sequential([shared], name="b")])


def test_trainable_is_reread_until_compile() -> None:
    norm = layers.BatchNormalization()
    model = Sequential([layers.Input((4,)), norm])
    model(X, training=True)
    norm.trainable = False
    before = norm.get_weights()
    model(X, training=True)
    for weight, first in zip(norm.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, first)
    with pytest.raises(ValueError, match="expected at least one sample"):
        model(X[:0], training=True)
