"""Epochs: parity with the reference, gradients, equal bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.classifiers import DTYPES, IDS, LABELS, SPARSE, Array, X, bits, make_model
from support.tolerances import (
    ELEMENTARY_ROUNDINGS,
    central_difference,
    difference_bound,
    relative_bound,
    training_bound,
)

import cnet
from cnet import Sequential, layers, losses, optimizers, reference

# -- Parity with the reference ---------------------------------------------------------------------

WIDTHS, STEPS, BATCH = (9, 7), 100, 8  # 10 epochs of 10 batches, the last of 5 samples
# Forward and backward through the layers, the sum over the batch, and the softmax.
GRADIENT_ROUNDINGS = 2 * (6 + sum(WIDTHS) + 4) + BATCH + ELEMENTARY_ROUNDINGS


def assert_close(
    model: Sequential, expected: list[Array], learning_rate: float, dtype: npt.DTypeLike
) -> None:
    bound = training_bound(STEPS, learning_rate, GRADIENT_ROUNDINGS, dtype)
    assert dtype == "float32" or bound < 1e-12
    for weight, other in zip(model.get_weights(), expected, strict=True):
        assert abs(weight - other).max() <= bound * abs(other).max()


def seed_of_the_next_compile() -> int:
    """Return the shuffle seed of the next model to be compiled."""
    cnet.utils.set_random_seed(7)
    seed = cnet.random.next_seed()
    cnet.utils.set_random_seed(7)
    return seed


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LABELS)
@pytest.mark.parametrize(
    ("learning_rate", "decay", "nesterov"), [(0.1, 0, False), (0.05, 0.9, False), (0.05, 0.9, True)]
)
def test_sgd_matches_the_reference(
    learning_rate: float, decay: float, nesterov: bool, loss: str, dtype: str
) -> None:
    x, labels = X.astype(dtype), LABELS[loss]
    model = make_model(*WIDTHS, dtype=dtype)
    weights = model.get_weights()
    seed = seed_of_the_next_compile()
    model.compile(optimizers.SGD(learning_rate, decay, nesterov), loss)
    history = model.fit(x, labels, batch_size=BATCH, epochs=10, verbose=0)
    expected = reference.network.train(
        x,
        labels,
        weights,
        learning_rate=learning_rate,
        batch_size=BATCH,
        epochs=10,
        seed=seed,
        momentum=decay,
        nesterov=nesterov,
    )
    rate = learning_rate / (1 - decay)
    assert_close(model, weights, rate, dtype)
    bound = training_bound(STEPS, rate, GRADIENT_ROUNDINGS, dtype)
    assert history.history["loss"] == pytest.approx(expected, rel=bound)
    assert expected[-1] < 0.95 * expected[0], "there was something to learn"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LABELS)
@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_other_optimizers_match_the_reference(name: str, loss: str, dtype: str) -> None:
    x, labels = X.astype(dtype), LABELS[loss]
    model = make_model(*WIDTHS, dtype=dtype, loss=loss, optimizer=name)
    model.optimizer.learning_rate = 0.01
    expected = model.get_weights()
    slots = [(np.zeros_like(weight), np.zeros_like(weight)) for weight in expected]
    step = 0
    for _ in range(10):
        for start in range(0, len(x), BATCH):
            batch = slice(start, start + BATCH)
            _, grads = reference.network.loss_and_gradients(x[batch], labels[batch], expected)
            step += 1
            for weight, grad, (first, second) in zip(expected, grads, slots, strict=True):
                if name == "rmsprop":
                    reference.rmsprop_update(weight, grad, first, 0.01)
                else:
                    reference.adam_update(weight, grad, first, second, step, 0.01)
    model.fit(x, labels, batch_size=BATCH, epochs=10, shuffle=False, verbose=0)
    assert step == model.optimizer.iterations == STEPS
    assert_close(model, expected, 0.01, dtype)


# -- Gradients of whole networks, in float64 -------------------------------------------------------


def dense(units: int, activation: str | None = None, **options: Any) -> layers.Dense:
    # With a zero bias, a unit with only zero inputs would be at the kink of its relu.
    options = {"bias_initializer": "random_uniform", "dtype": "float64"} | options
    return layers.Dense(units, activation, **options)


def positive(units: int, activation: str | None) -> layers.Dense:
    """Return a layer whose outputs are between 0.75 and 1.25 if its inputs are probabilities."""
    kernel = cnet.initializers.RandomUniform(-0.25, 0.25, seed=1)
    return dense(units, activation, kernel_initializer=kernel, bias_initializer="ones")


def softmax() -> layers.Softmax:
    return layers.Softmax(dtype="float64")


def rescaling(scale: float, offset: float) -> layers.Rescaling:
    return layers.Rescaling(scale, offset, dtype="float64")


# Those named "logits" are trained with from_logits=True.
NETWORKS: dict[str, Callable[[], list[layers.Layer]]] = {
    "one layer": lambda: [dense(4, "softmax")],
    "relu": lambda: [dense(9, "relu"), dense(7, "relu"), dense(4, "softmax")],
    "wider than a panel": lambda: [dense(19, "relu"), dense(4, "softmax")],
    "linear": lambda: [dense(5), dense(4, "softmax")],
    "without bias": lambda: [dense(5, use_bias=False), dense(4, "softmax", use_bias=False)],
    "softmax within": lambda: [dense(5, "softmax"), dense(7, "relu"), dense(4, "softmax")],
    "relu after softmax": lambda: [
        *(dense(5, "softmax"), layers.ReLU(dtype="float64"), layers.ReLU(dtype="float64")),
        *(dense(4), layers.Activation("linear", dtype="float64"), softmax()),
    ],
    "relu before softmax": lambda: [dense(5, "relu"), dense(4, "relu"), softmax()],
    "rescaling first": lambda: [
        *(rescaling(0.5, -0.2), rescaling(1.5, 0.1), dense(5, "relu"), dense(4, "softmax"))
    ],
    "rescaling within": lambda: [
        *(dense(5, "relu"), rescaling(-1.5, 0.3), dense(4), rescaling(0.5, 0.1), softmax())
    ],
    "logits": lambda: [dense(5, "relu"), dense(4)],
    "logits from relu": lambda: [dense(5, "relu"), dense(4, "relu")],
    "logits from softmax": lambda: [dense(5, "relu"), dense(4, "softmax")],
    "probabilities": lambda: [dense(5, "softmax"), positive(4, None)],
    "probabilities from relu": lambda: [dense(5, "softmax"), positive(4, "relu")],
    "probabilities from rescaling": lambda: [dense(4, "softmax"), rescaling(2.0, 0.75)],
    "frozen within": lambda: [
        *(dense(5, "relu"), dense(7, "relu", trainable=False), dense(4, "softmax"))
    ],
    "frozen below": lambda: [
        *(dense(5, "relu", trainable=False), dense(7, "relu"), dense(4, "softmax"))
    ],
    "frozen above": lambda: [dense(5, "relu"), dense(4, "softmax", trainable=False)],
}


def gradient_bound(model: Sequential, x: Array, smallest_probability: float) -> float:
    """Bound the error of a central difference of the model's loss.

    The derivative of the outputs by a weight is its input times the paths to them, at most `speed`.
    relu, softmax and log Z have derivatives of at most 1, so by Faà di Bruno's formula the third
    derivative of a composition of two is at most 5 speed³; that of log p has a factor 1 / p³.
    """
    speed = 3 * max(1.0, abs(x).max())  # the largest scale of a Rescaling above
    kernels = [weight.numpy() for weight in model.weights if weight.name == "kernel"]
    for kernel in kernels:
        speed *= max(1.0, abs(kernel).sum(axis=0).max())
    return difference_bound(
        magnitude=2 * speed / smallest_probability,
        roundings=sum(map(len, kernels)) + len(x) + 20,
        third_derivative=5 * (speed / smallest_probability) ** 3,
    )


@pytest.mark.parametrize("labels", ["ids", "soft"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_whole_networks(name: str, labels: str) -> None:
    cnet.utils.set_random_seed(1)
    model = Sequential([layers.Input((3,)), *NETWORKS[name]()])
    loss_of = {"ids": losses.SparseCategoricalCrossentropy, "soft": losses.CategoricalCrossentropy}
    model.compile(optimizers.SGD(1.0), loss_of[labels](from_logits=name.startswith("logits")))
    x = np.random.default_rng(1).uniform(-1, 1, size=(11, 3))
    y = np.random.default_rng(2).dirichlet(np.ones(4), size=11)
    y = y.argmax(axis=1) if labels == "ids" else y

    weights = model.get_weights()
    model.train_on_batch(x, y)
    gradients = [old - new for old, new in zip(weights, model.get_weights(), strict=True)]

    def loss() -> float:
        model.set_weights(list(weights))
        model.reset_metrics()
        value: float = model.test_on_batch(x, y)
        return value

    bound = gradient_bound(model, x, 0.15 if name.startswith("probabilities") else 1.0)
    assert max(abs(gradient).max() for gradient in gradients) > 100 * bound, "it tells"
    for weight, value, gradient in zip(model.weights, weights, gradients, strict=True):
        if weight.trainable:
            error = abs(gradient - central_difference(loss, value)).max()
            assert error <= bound, weight.path
        else:
            assert not gradient.any(), weight.path


# -- Equal bits; see also test_same_bits.py -----------------------------------------------------

SIZES = [1, 15, 16, 17, 33, 100]  # around the widths of panels


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("features", SIZES)
def test_a_prediction_has_the_bits_of_a_single_sample(
    features: int, width: int, dtype: str
) -> None:
    hidden = layers.Dense(width, "relu", dtype=dtype)
    model = Sequential([hidden, layers.Dense(5, dtype=dtype), layers.Softmax(dtype=dtype)])
    x = np.random.default_rng(0).normal(
        size=(150, features)
    )  # more than a prediction block of the engine
    whole = model.predict(x, verbose=0)
    assert whole.shape == (150, 5)
    for i in range(0, 150, 7):
        assert model.predict(x[i : i + 1], verbose=0)[0].tobytes() == whole[i].tobytes()
    for start, stop in ((0, 2), (3, 20), (100, 150)):
        assert model(x[start:stop]).tobytes() == whole[start:stop].tobytes()
    for same in (
        *(model.predict(x, batch_size=size, verbose=0) for size in (1, 13, 149, 1000)),
        *(model(x), model.predict_on_batch(x), model.predict(x[::-1], verbose=0)[::-1]),
    ):
        assert same.tobytes() == whole.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_evaluation_does_not_depend_on_the_batch_size(dtype: str) -> None:
    model = make_model(9, dtype=dtype, metrics=["accuracy"])
    x, y = np.tile(X, (4, 1)), np.tile(IDS, 4)
    expected = model.evaluate(x, y, verbose=0)
    for size in (1, 2, 15, 128, 129, 307, 308, 1000):
        assert model.evaluate(x, y, batch_size=size, verbose=0) == expected
    assert model.test_on_batch(x, y) == expected


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_a_seed_determines_every_bit(optimizer: str) -> None:
    def train(seed: int) -> list[Any]:
        model = make_model(9, 7, optimizer=optimizer, seed=seed)
        history = model.fit(X, IDS, batch_size=5, epochs=3, verbose=0)
        return [history.history, bits(model)]

    assert train(1) == train(1)
    assert train(1) != train(2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rescaling_bytes_in_the_model_or_before(dtype: str) -> None:
    """Rescaling rounds its scale to the dtype, and the product once; see test_layers.py."""
    images = np.random.default_rng(0).integers(256, size=(50, 4, 5)).astype(np.uint8)
    floats = images.astype(dtype) * np.dtype(dtype).type(1 / 255)
    y = np.arange(50) % 3
    results = []
    for head, x in (([layers.Rescaling(1 / 255, dtype=dtype)], images), ([], floats)):
        cnet.utils.set_random_seed(0)
        flat = [layers.Flatten(dtype=dtype), layers.Dense(3, "softmax", dtype=dtype)]
        model = Sequential([layers.Input((4, 5)), *head, *flat])
        model.compile("adam", SPARSE)
        history = model.fit(x, y, batch_size=7, epochs=3, verbose=0)
        results.append([history.history, bits(model), model.predict(x, verbose=0).tobytes()])
    assert results[0] == results[1]
    # Roundings of the scale, the product, and the division by a user.
    rescaled = layers.Rescaling(1 / 255, dtype=dtype)(images)
    assert (abs(rescaled - images / 255) <= relative_bound(2, dtype) * images / 255).all()
