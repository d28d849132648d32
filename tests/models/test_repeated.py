"""Models that contain a layer several times, and nested models without layers."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tolerances import central_difference, difference_bound

import cnet
from cnet import Input, Sequential, layers, models, optimizers

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 3)), RNG.normal(size=(8, 3))
DOUBLE = {"dtype": "float64"}


def of_one_layer() -> Sequential:
    dense = layers.Dense(3, "tanh", name="again", **DOUBLE)
    model = Sequential([Input((3,), dtype="float64"), dense, layers.ReLU(**DOUBLE), dense])
    model.compile(optimizers.SGD(1.0), "mse")
    return model


def test_weights_of_a_repeated_layer_count_once() -> None:
    model = of_one_layer()
    assert len(model.layers) == 3
    assert [weight.path for weight in model.weights] == ["again/kernel", "again/bias"]
    assert model.count_params() == 12
    kernel, bias = model.get_weights()
    once = np.maximum(np.tanh(X @ kernel + bias), 0)
    np.testing.assert_allclose(model(X), np.tanh(once @ kernel + bias), rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(model.predict(X, verbose=0), model(X))


def test_a_repeated_layer_learns_from_the_sum_of_its_gradients() -> None:
    model = of_one_layer()
    weights = model.get_weights()

    def loss() -> float:
        kernel, bias = weights
        once = np.maximum(np.tanh(X @ kernel + bias), 0)
        return float(((np.tanh(once @ kernel + bias) - Y) ** 2).mean())

    expected = [-central_difference(loss, weight) for weight in weights]
    before = model.get_weights()
    model.train_on_batch(X, Y)
    # Derivatives of tanh up to the third are below 2, times products of inputs below 4 and of weights below 2.
    bound = difference_bound(50.0, 100, 1000.0)
    for old, new, step in zip(before, model.get_weights(), expected, strict=True):
        assert (np.abs((new - old) - step) <= bound).all()


def test_a_repeated_layer_stays_one_layer_in_files(tmp_path: Path) -> None:
    model = of_one_layer()
    model.fit(X, Y, epochs=2, verbose=0)
    path = tmp_path / "model.safetensors"
    model.save(path)
    for other in (models.load_model(path), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.layers[0] is other.layers[2]
        np.testing.assert_array_equal(other(X), model(X))
        assert other.train_on_batch(X, Y) == copy.deepcopy(model).train_on_batch(X, Y)
    for other in (models.clone_model(model), Sequential.from_config(model.get_config())):
        assert other.layers[0] is other.layers[2]


def test_repeated_layers_without_weights_accept_any_shape() -> None:
    """They stay in the engine, with the bits of separate layers."""
    relu, flatten = layers.ReLU(), layers.Flatten()
    cnet.utils.set_random_seed(0)
    shared = Sequential(
        [Input((2, 2)), flatten, layers.Dense(5), relu, layers.Dense(3), relu, flatten]
    )
    cnet.utils.set_random_seed(0)
    apart = Sequential(
        [
            Input((2, 2)),
            layers.Flatten(),
            layers.Dense(5),
            layers.ReLU(),
            layers.Dense(3),
            layers.ReLU(),
        ]
    )
    for model in (shared, apart):
        model.compile("adam", "mse")
        assert model.in_engine
        cnet.utils.set_random_seed(1)
        model.fit(np.ones((8, 2, 2)), Y, epochs=3, verbose=0, shuffle=False)
    for mine, its in zip(shared.get_weights(), apart.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    other = Sequential([Input((7,)), relu])  # of another shape; the first model is unchanged
    assert (shared.output_shape, other.output_shape) == ((None, 3), (None, 7))
    assert shared(np.ones((2, 2, 2))).shape == (2, 3)


def test_a_repeated_dropout_draws_new_numbers(tmp_path: Path) -> None:
    dropout = layers.Dropout(0.5, seed=3)
    twice = Sequential([Input((2000,)), dropout, dropout])
    kept = (twice(np.ones((1, 2000)), training=True) > 0).mean()
    # Independent draws keep a quarter, equal ones a half; five standard errors.
    assert abs(kept - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 2000)

    def make() -> Sequential:
        drop = layers.Dropout(0.5, seed=3)
        cnet.utils.set_random_seed(0)
        model = Sequential([Input((3,)), drop, layers.Dense(9), drop, layers.Dense(3), drop])
        model.compile("sgd", "mse")
        return model

    whole, part = make(), make()
    whole.fit(X, Y, epochs=4, verbose=0, shuffle=False)
    part.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    part.save(tmp_path / "model.safetensors")
    loaded = models.load_model(tmp_path / "model.safetensors")
    for each in (part, loaded):
        each.fit(X, Y, epochs=2, verbose=0, shuffle=False)
        np.testing.assert_array_equal(each(X), whole(X))


def test_other_layers_of_the_same_name_are_refused() -> None:
    with pytest.raises(ValueError, match="there is a layer named 'a' already"):
        Sequential([layers.ReLU(name="a"), layers.ReLU(name="a")])
    dense = layers.Dense(3)
    with pytest.raises(ValueError, match="expected input of shape"):
        Sequential([Input((4,)), dense, dense])


def test_popping_one_of_two() -> None:
    model = of_one_layer()
    model.pop()
    model.layers[0].activation = "relu"
    assert (model(X) >= 0).all()
    assert model.in_engine


def test_a_repeated_model() -> None:
    inner = Sequential([layers.Dense(3)])
    model = Sequential([Input((3,)), inner, layers.ReLU(), inner])
    model.compile("sgd", "mse")
    assert model.count_params() == 12
    model.fit(X, Y, verbose=0)
    np.testing.assert_allclose(model(X), inner(np.maximum(inner(X), 0)), rtol=1e-6 * 3)
    with pytest.raises(ValueError, match="is part of the model already"):
        model.add(Sequential([inner.layers[0]]))


@pytest.mark.parametrize("head", [[], [Input((3,))]])
def test_a_nested_model_without_layers(head: Any, tmp_path: Path) -> None:
    model = Sequential(
        [*head, Sequential(name="none"), layers.Dense(3), Sequential(name="nor this")]
    )
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert model.output_shape == (None, 3)
    np.testing.assert_array_equal(model(X), model.layers[1](X))
    model.summary(print_fn=lambda _: None)
    model.save(tmp_path / "model.safetensors")
    loaded = models.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded(X), model(X))
    model.layers[0].add(layers.ReLU())
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model(X), model.layers[1](np.maximum(X, 0)))
