"""fit, evaluate and predict: parity with the reference, gradients, bits, errors, interruptions."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tolerances import (
    ELEMENTARY_ROUNDINGS,
    central_difference,
    difference_bound,
    relative_bound,
    training_bound,
)

import cnet
from cnet import Sequential, layers, losses, optimizers, reference

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
    return [weight.tobytes() for weight in model.get_weights()]


def momentum() -> optimizers.SGD:
    return optimizers.SGD(0.1, momentum=0.9)


# -- Parity with the reference ---------------------------------------------------------------------

WIDTHS, STEPS, BATCH = (9, 7), 100, 8  # 10 epochs of 10 batches, the last of 5 samples
# Down and up through the layers, the sum over the batch, and the softmax.
GRADIENT_ROUNDINGS = 2 * (6 + sum(WIDTHS) + 4) + BATCH + ELEMENTARY_ROUNDINGS


def assert_close(
    model: Sequential, expected: list[Array], learning_rate: float, dtype: npt.DTypeLike
) -> None:
    bound = training_bound(STEPS, learning_rate, GRADIENT_ROUNDINGS, dtype)
    assert dtype == "float32" or bound < 1e-12
    for weight, other in zip(model.get_weights(), expected, strict=True):
        assert abs(weight - other).max() <= bound * abs(other).max()


def seed_of_the_next_compile() -> int:
    """Return the seed of the shuffles of the model that is compiled next."""
    cnet.utils.set_random_seed(7)
    seed = cnet.random.next_seed()
    cnet.utils.set_random_seed(7)
    return seed


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LABELS)
@pytest.mark.parametrize(
    ("learning_rate", "decay", "nesterov"), [(0.1, 0, False), (0.05, 0.9, False), (0.05, 0.9, True)]
)
def test_sgd_trains_as_the_reference(
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
def test_other_optimizers_train_as_the_reference(name: str, loss: str, dtype: str) -> None:
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
    # With a bias of zeros, a unit that sees nothing but zeros would sit on the kink of its relu.
    options = {"bias_initializer": "random_uniform", "dtype": "float64"} | options
    return layers.Dense(units, activation, **options)


def positive(units: int, activation: str | None) -> layers.Dense:
    """Return a layer whose outputs are between 0.75 and 1.25 if it sees probabilities."""
    kernel = cnet.initializers.RandomUniform(-0.25, 0.25, seed=1)
    return dense(units, activation, kernel_initializer=kernel, bias_initializer="ones")


def softmax() -> layers.Softmax:
    return layers.Softmax(dtype="float64")


def rescaling(scale: float, offset: float) -> layers.Rescaling:
    return layers.Rescaling(scale, offset, dtype="float64")


# Those named logits are trained with from_logits=True.
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

    As a weight changes, the outputs change by its input times the paths to them, at most `speed`.
    relu, softmax and log Z have derivatives of at most 1, so by Faà di Bruno's formula the third
    derivative of two of them, one after the other, is at most 5 speed³; that of log p has 1 / p³.
    """
    speed = 3 * max(1.0, abs(x).max())  # no Rescaling above scales by more
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


# -- fit -------------------------------------------------------------------------------------------


def test_history() -> None:
    model = make_model(5, metrics=["accuracy"])
    history = model.fit(X, IDS, epochs=3, validation_data=(X[:9], IDS[:9]), verbose=0)
    assert history.epoch == [0, 1, 2]
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(values) == 3 for values in history.history.values())
    assert model.fit(X, IDS, epochs=5, initial_epoch=3, verbose=0).epoch == [3, 4]
    assert list(model.history.history) == ["loss", "accuracy"]
    for nothing in ({"epochs": 0}, {"epochs": 3, "initial_epoch": 3}):
        before = bits(model)
        assert model.fit(X, IDS, **nothing, verbose=0).history == {}
        assert bits(model) == before


@pytest.mark.parametrize("batch_size", [1, 7, 32, 76, 77, 78, 10**6, None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_fit_without_shuffling_is_train_on_batch_in_order(
    dtype: str, batch_size: int | None
) -> None:
    model, twin = (make_model(9, dtype=dtype, optimizer=momentum()) for _ in range(2))
    history = model.fit(X, IDS, batch_size, epochs=2, shuffle=False, verbose=0)
    size = batch_size or 32
    for epoch in range(2):
        total = 0.0
        for start in range(0, len(X), size):
            x, y = X[start : start + size], IDS[start : start + size]
            twin.reset_metrics()
            total += twin.train_on_batch(x, y) * len(x)
        mean = history.history["loss"][epoch]
        assert mean == pytest.approx(total / len(X), rel=relative_bound(100, np.float64))
    assert bits(model) == bits(twin)
    assert model.optimizer.iterations == twin.optimizer.iterations == 2 * math.ceil(77 / size)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_epochs_loss_is_the_mean_of_the_samples_before_their_updates(dtype: str) -> None:
    model, twin = (make_model(9, dtype=dtype, metrics=["accuracy"]) for _ in range(2))
    history = model.fit(X, IDS, batch_size=10, shuffle=False, verbose=0).history
    each = []
    for start in range(0, len(X), 10):
        batch = range(start, min(start + 10, len(X)))
        each += [twin.evaluate(X[i : i + 1], IDS[i : i + 1], verbose=0) for i in batch]
        twin.train_on_batch(X[start : start + 10], IDS[start : start + 10])
    sums = [0.0, 0.0]
    for loss, accuracy in each:
        sums = [sums[0] + loss, sums[1] + accuracy]
    assert [history["loss"][0], history["accuracy"][0]] == [total / len(X) for total in sums]


def test_shuffling_takes_every_sample_once_an_epoch_in_new_orders() -> None:
    # A learning rate of 0 leaves the losses as they are: each batch's tells which sample it was.
    model = make_model(9, dtype="float64", optimizer=optimizers.SGD(0.0))
    each = [model.evaluate(X[i : i + 1], IDS[i : i + 1], verbose=0) for i in range(len(X))]
    sums: list[list[float]] = []

    class Sums(cnet.callbacks.Callback):
        def on_epoch_begin(self, *_: Any) -> None:
            sums.append([0.0])

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            sums[-1].append(logs["loss"] * (batch + 1))

    model.fit(X, IDS, batch_size=1, epochs=3, callbacks=[Sums()], verbose=0)
    orders = []
    for total in sums:
        order = [
            int(np.argmin(np.abs(np.subtract(each, after - before))))
            for before, after in pairwise(total)
        ]
        assert sorted(order) == list(range(len(X)))
        orders.append(order)
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_validation_data_is_evaluated_after_each_epoch() -> None:
    model, twin = (make_model(9, metrics=["accuracy"]) for _ in range(2))
    data = (X[:20], IDS[:20])
    history = model.fit(X, IDS, epochs=3, validation_data=data, verbose=0).history
    for epoch in range(3):
        twin.fit(X, IDS, initial_epoch=epoch, epochs=epoch + 1, verbose=0)
        expected = twin.evaluate(*data, verbose=0)
        assert [history["val_loss"][epoch], history["val_accuracy"][epoch]] == expected
    assert bits(model) == bits(twin)


@pytest.mark.parametrize(("part", "at"), [(0.2, 61), (0.5, 38), (0.25, 57), (0.01, 76)])
def test_validation_split_takes_the_last_part_before_shuffling(part: float, at: int) -> None:
    model, twin = (make_model(9, metrics=["accuracy"]) for _ in range(2))
    history = model.fit(X, IDS, epochs=2, validation_split=part, verbose=0)
    rest = (X[at:], IDS[at:])
    expected = twin.fit(X[:at], IDS[:at], epochs=2, validation_data=rest, verbose=0)
    assert history.history == expected.history
    assert bits(model) == bits(twin)


def test_validation_data_is_taken_before_validation_split() -> None:
    model, twin = make_model(9), make_model(9)
    options: dict[str, Any] = {"validation_data": (X[:5], IDS[:5]), "verbose": 0}
    history = model.fit(X, IDS, validation_split=0.5, **options)
    assert history.history == twin.fit(X, IDS, **options).history


def test_validation_every_other_epoch() -> None:
    history = make_model(9).fit(
        X, IDS, epochs=5, validation_data=(X, IDS), validation_freq=2, verbose=0
    )
    assert len(history.history["loss"]) == 5
    assert len(history.history["val_loss"]) == 2


def test_it_learns() -> None:
    x = np.concatenate([X + 3, X - 3])
    y = np.repeat([1, 2], len(X))
    model = make_model(9, metrics=["accuracy"], optimizer="rmsprop")
    history = model.fit(x, y, epochs=30, batch_size=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 10
    assert history["accuracy"][-1] > 0.99
    assert (model.predict(x, verbose=0).argmax(axis=1) == y).mean() > 0.99


# -- What calls return -----------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["evaluate", "train_on_batch", "test_on_batch"])
def test_what_is_returned(call: str) -> None:
    def result(metrics: list[str], **options: Any) -> Any:
        model = make_model(9, metrics=metrics)
        silent = {"verbose": 0} if call == "evaluate" else {}
        return getattr(model, call)(X, IDS, **silent, **options)

    loss = result([])
    assert type(loss) is float
    with_metrics = result(["accuracy"])
    assert type(with_metrics) is list
    assert with_metrics[0] == loss
    p = make_model(9).predict(X, verbose=0)
    assert with_metrics[1] == (p.argmax(axis=1) == IDS).mean()
    assert result([], return_dict=True) == {"loss": loss}
    assert result(["acc"], return_dict=True) == {"loss": loss, "acc": with_metrics[1]}
    two = result(["accuracy", "sparse_categorical_accuracy"], return_dict=True)
    assert list(two) == ["loss", "accuracy", "sparse_categorical_accuracy"]


def test_metrics_names() -> None:
    assert make_model(9).metrics_names == ["loss"]
    assert make_model(9, metrics=["accuracy"]).metrics_names == ["loss", "accuracy"]


def test_a_metric_twice_has_two_names() -> None:
    names = make_model(9, metrics=["accuracy", "accuracy"]).metrics_names
    assert names == ["loss", "accuracy", "accuracy_1"]


@pytest.mark.parametrize("loss", [SPARSE, ONE_HOT])
@pytest.mark.parametrize("dtype", DTYPES)
def test_loss_and_accuracy_are_those_of_the_prediction(dtype: str, loss: str) -> None:
    model = make_model(9, dtype=dtype, loss=loss, metrics=["accuracy"])
    p = model.predict(X, verbose=0)
    value, accuracy = model.evaluate(X, LABELS[loss], verbose=0)
    expected = reference.cross_entropy_forward(p.astype(np.float64), LABELS[loss])
    # The probabilities are rounded before their logarithm is taken, the engine's loss is not.
    bound = relative_bound(2 * ELEMENTARY_ROUNDINGS + 4 + 2, dtype) * max(1.0, expected)
    assert abs(value - expected) <= bound
    assert accuracy == (p.argmax(axis=1) == IDS).mean()


def test_means_of_a_batch_are_its_own() -> None:
    """Keras's too, since pull request 22617 of 2026; they ran on over batches before."""
    model, twin = (make_model(9, metrics=["accuracy"]) for _ in range(2))
    model.train_on_batch(X, IDS)
    twin.train_on_batch(X, IDS)
    expected = twin.evaluate(X[:7], IDS[:7], verbose=0)
    assert model.test_on_batch(X[:7], IDS[:7]) == expected
    assert model.train_on_batch(X[:7], IDS[:7]) == expected
    model.evaluate(X, IDS, verbose=0)
    twin.train_on_batch(X[:7], IDS[:7])
    expected = twin.evaluate(X[7:], IDS[7:], verbose=0)
    assert model.test_on_batch(X[7:], IDS[7:]) == expected


def test_evaluating_changes_nothing() -> None:
    model, twin = (make_model(9, optimizer=momentum(), metrics=["accuracy"]) for _ in range(2))
    model.fit(X, IDS, verbose=0)
    twin.fit(X, IDS, verbose=0)
    before = bits(model)
    model.evaluate(X, IDS, verbose=0)
    model.test_on_batch(X, IDS)
    model.predict(X, verbose=0)
    model(X)
    assert bits(model) == before
    assert model.fit(X, IDS, verbose=0).history == twin.fit(X, IDS, verbose=0).history


def test_a_model_without_a_loss_predicts() -> None:
    model = make_model(9)
    expected = model.predict(X, verbose=0)
    model.compile("sgd")
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)
    for call in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match=rf"^{call}: the model was compiled without a loss"):
            getattr(model, call)(X, IDS)


def test_compiling_keeps_the_weights_and_forgets_the_velocities() -> None:
    model, twin = make_model(9, optimizer=momentum()), make_model(9)
    model.fit(X, IDS, verbose=0)
    twin.set_weights(list(model.get_weights()))
    for each in (model, twin):
        cnet.utils.set_random_seed(1)
        each.compile(momentum(), SPARSE)
        assert each.optimizer.iterations == 0
        each.fit(X, IDS, verbose=0)
    assert bits(model) == bits(twin)


# -- The same bits; see also test_same_bits.py -----------------------------------------------------

SIZES = [1, 15, 16, 17, 33, 100]  # they straddle the panels' widths


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("features", SIZES)
def test_a_prediction_has_the_bits_of_its_sample_alone(
    features: int, width: int, dtype: str
) -> None:
    hidden = layers.Dense(width, "relu", dtype=dtype)
    model = Sequential([hidden, layers.Dense(5, dtype=dtype), layers.Softmax(dtype=dtype)])
    x = np.random.default_rng(0).normal(size=(150, features))  # more than a block of the engine
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
def test_a_seed_decides_every_bit(optimizer: str) -> None:
    def train(seed: int) -> list[Any]:
        model = make_model(9, 7, optimizer=optimizer, seed=seed)
        history = model.fit(X, IDS, batch_size=5, epochs=3, verbose=0)
        return [history.history, bits(model)]

    assert train(1) == train(1)
    assert train(1) != train(2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bytes_rescaled_by_the_model_are_floats_rescaled_before(dtype: str) -> None:
    """Rescaling rounds its scale to the model's type, and the product once; see test_layers.py."""
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
    # The scale, the product, and a division where a user would divide.
    rescaled = layers.Rescaling(1 / 255, dtype=dtype)(images)
    assert (abs(rescaled - images / 255) <= relative_bound(2, dtype) * images / 255).all()


# -- Errors ----------------------------------------------------------------------------------------


def spoilt(array: Array, index: Any, value: Any) -> Array:
    array = array.copy()
    array[index] = value
    return array


VALIDATION = {"validation_data": (X, IDS)}
DATA = {"x": X, "y": IDS}
# What is given in place of good data, the error, and what it says.
WRONG_DATA: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"x": X[:, :5]}, ValueError, r"x: expected shape \(batch, 6\), got \(77, 5\)"),
    ({"x": X[:, 0]}, ValueError, r"x: expected shape \(batch, 6\), got \(77, 1\)"),
    ({"x": X[:, :, np.newaxis]}, ValueError, r"x: expected shape \(batch, 6\), got \(77, 6, 1\)"),
    ({"x": 7.0}, ValueError, r"x: expected an array of samples, got the single number 7"),
    ({"x": [[1, 2], [3]]}, ValueError, r"x: rows of different lengths"),
    ({"x": X.astype(complex)}, TypeError, r"x: expected numbers, got ndarray of dtype complex128"),
    ({"x": np.ma.masked_array(X)}, TypeError, r"x: masked arrays are not supported"),
    ({"x": None}, TypeError, r"x: expected numbers, got NoneType"),
    ({"x": X[:76]}, ValueError, r"x has 76 samples, y has 77"),
    ({"x": X[:0], "y": IDS[:0]}, ValueError, r"x holds no samples"),
    ({"y": IDS[:1]}, ValueError, r"x has 77 samples, y has 1"),
    ({"y": None}, ValueError, r"y: expected labels, got None"),
    ({"y": list("abc")}, TypeError, r"y: expected numbers, got list"),
    ({"y": np.eye(4)[IDS]}, ValueError, r"y: expected integer class ids of .*\(77, 4\)"),
    ({"y": spoilt(IDS, 76, 4)}, ValueError, r"4 at row 76 is outside \[0, 4\)"),
    ({"y": spoilt(IDS, 3, -1)}, ValueError, r"-1 at row 3 is outside \[0, 4\)"),
    ({"y": spoilt(IDS, 3, 2**62)}, ValueError, r"4611686018427387904 at row 3 is outside \[0, 4\)"),
    (
        {"y": spoilt(IDS.astype(np.uint64), 3, 2**63)},
        ValueError,
        r"9223372036854775808 at row 3 is outside \[0, 4\)",
    ),
    ({"y": spoilt(1.0 * IDS, 3, 12)}, ValueError, r"12 at row 3 is outside \[0, 4\)"),
    ({"y": spoilt(1.0 * IDS, 3, math.nan)}, ValueError, r"y: nan at row 3 is not a class id"),
    ({"y": spoilt(1.0 * IDS, 3, 0.5)}, ValueError, r"y: 0.5 at row 3 is not a class id"),
    ({"y": spoilt(1.0 * IDS, 3, 2.0**63)}, ValueError, r"y: 9.2\d*e\+18 at row 3 is not a class"),
]
WRONG_OPTIONS: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    *[
        (call, {option: value}, error, rf"{option}: expected ")
        for call, option in (
            *(("fit", "batch_size"), ("evaluate", "batch_size"), ("predict", "batch_size")),
            *(("fit", "validation_batch_size"), ("fit", "validation_freq")),
        )
        for value, error in (
            *((0, ValueError), (-1, ValueError), (2**70, ValueError)),
            *((2.0, TypeError), ("8", TypeError), (True, TypeError)),
        )
    ],
    ("fit", {"epochs": "3"}, TypeError, r"epochs: expected "),
    ("fit", {"epochs": 2.5}, TypeError, r"epochs: expected "),
    ("fit", {"epochs": -1}, ValueError, r"epochs: expected "),
    ("fit", {"initial_epoch": None}, TypeError, r"initial_epoch: expected "),
    ("fit", {"initial_epoch": -1}, ValueError, r"initial_epoch: expected "),
    ("fit", {"shuffle": "batch"}, TypeError, r"shuffle: expected "),
    ("fit", {"validation_split": 1.0}, ValueError, r"validation_split: .* \[0, 1\), got 1.0"),
    ("fit", {"validation_split": -0.1}, ValueError, r"validation_split: .* \[0, 1\), got -0.1"),
    ("fit", {"validation_split": math.nan}, ValueError, r"validation_split: .*got nan"),
    ("fit", {"validation_split": 0.999}, ValueError, r"validation_split=0.999 of 77 .* empty"),
    ("fit", {"validation_split": "0.1"}, TypeError, r"validation_split: expected "),
    (
        "fit",
        {"validation_split": 0.1, "y": IDS[:70]},
        ValueError,
        r"x has 77 samples, y has 70",
    ),
    ("fit", {"validation_data": X}, ValueError, r"validation_data: expected a tuple \(x, y\)"),
    ("fit", {"validation_data": (X,)}, ValueError, r"validation_data: expected a tuple"),
    ("fit", {"validation_data": (X, IDS[:3])}, ValueError, r"validation_data: x has 77 .* 3"),
    ("fit", {"validation_data": (X[:, :2], IDS)}, ValueError, r"validation_data: x: .*\(77, 2\)"),
    ("fit", {"validation_data": (X, IDS + 1)}, ValueError, r"validation_data: .* \[0, 4\)"),
    # Keras's that cnet has not
    *[
        (call, {option: value}, ValueError, rf"{option} is not supported yet")
        for call, option, value in (
            *(("fit", "steps_per_epoch", 3), ("fit", "validation_steps", 3)),
            ("evaluate", "steps", 3),
            ("predict", "steps", 3),
        )
    ],
]
WRONG_CALLS = [
    *[
        (call, wrong, error, message)
        for wrong, error, message in WRONG_DATA
        for call in ("fit", "evaluate", "train_on_batch", "test_on_batch", "predict")
        if call != "predict" or ("y" not in wrong and "samples, y" not in message)
    ],
    *WRONG_OPTIONS,
]


@pytest.mark.parametrize(
    ("call", "wrong", "error", "message"),
    WRONG_CALLS,
    ids=[f"{call}: {message}" for call, _, _, message in WRONG_CALLS],
)
def test_a_wrong_call_says_so_and_leaves_the_model_as_it_was(
    call: str, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    model, twin = (make_model(5, optimizer=momentum(), metrics=["acc"]) for _ in range(2))
    for each in (model, twin):
        each.fit(X, IDS, epochs=2, verbose=0)
    before, history = bits(model), model.history
    good = {"x": X} if call == "predict" else DATA
    with pytest.raises(error, match=rf"^{call}: .*{message}"):
        getattr(model, call)(**(good | wrong))
    assert bits(model) == before
    assert model.history is history
    assert model.optimizer.iterations == twin.optimizer.iterations
    # Velocities, shuffles and seeds too:
    assert model.fit(X, IDS, verbose=0).history == twin.fit(X, IDS, verbose=0).history
    assert bits(model) == bits(twin)


@pytest.mark.parametrize(
    ("wrong", "message"), [({"x": X.T}, "samples"), ({"y": IDS + 9}, "outside")]
)
@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_a_wrong_call_does_not_build_the_model(
    call: str, wrong: dict[str, Any], message: str
) -> None:
    model = Sequential([layers.Dense(4, "softmax")])
    model.compile("sgd", SPARSE)
    with pytest.raises(ValueError, match=message):
        getattr(model, call)(**(DATA | wrong))
    assert not model.built
    model.fit(X, IDS, verbose=0)


@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_calls_before_compile_are_refused(call: str) -> None:
    model = Sequential([layers.Dense(4, "softmax")])
    with pytest.raises(ValueError, match=rf"^{call}: call compile\(\) first"):
        getattr(model, call)(X, IDS)
    assert model.optimizer is model.loss is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (IDS, r"y: expected one-hot labels of shape \(batch, 4\), got shape \(77,\)"),
        (np.eye(5)[IDS], r"y: expected one-hot labels of shape \(batch, 4\), got shape \(77, 5\)"),
        (np.eye(4)[IDS[:9]], r"x has 77 samples, y has 9"),
    ],
)
def test_wrong_one_hot_labels_are_refused(labels: Array, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^fit: {message}"):
        make_model(5, loss=ONE_HOT).fit(X, labels)


@pytest.mark.parametrize("dtype", [bool, int, float])
def test_one_hot_labels_of_a_single_class(dtype: type) -> None:
    model = Sequential([layers.Dense(1, "softmax")])
    model.compile("sgd", ONE_HOT, metrics=["accuracy"])
    assert model.evaluate(X, np.ones((77, 1), dtype), verbose=0) == [0.0, 1.0]


def test_a_loss_needs_rows_of_classes() -> None:
    model = Sequential([layers.Input((2, 3)), layers.ReLU()])
    model.compile("sgd", SPARSE)
    with pytest.raises(ValueError, match=r"expected an output of shape \(batch, classes\)"):
        model.fit(np.ones((5, 2, 3)), np.zeros(5), verbose=0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"optimizer": "ftrl"}, ValueError, r"optimizer: expected one of .*got 'ftrl'"),
        ({"loss": "gini"}, ValueError, r"loss: expected one of .*got 'gini'"),
        ({"metrics": ["auk"]}, ValueError, r"metrics: expected one of .*got 'auk'"),
        ({"metrics": "accuracy"}, TypeError, r"expected a list of metrics, got 'accuracy'"),
        ({"metrics": 5}, TypeError, r"expected a list of metrics, got 5"),
        ({"metrics": ["categorical_accuracy"]}, ValueError, r"is for one-hot labels, the loss for"),
        ({"loss_weights": [1.0]}, ValueError, r"loss_weights is not supported yet"),
        ({"weighted_metrics": ["acc"]}, ValueError, r"weighted_metrics is not supported yet"),
        ({"run_eagerly": True}, ValueError, r"run_eagerly is not supported yet"),
    ],
)
def test_a_wrong_compile_says_so_and_leaves_the_model_as_it_was(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    model, twin = (make_model(5, optimizer=momentum()) for _ in range(2))
    with pytest.raises(error, match=rf"^compile: .*{message}"):
        model.compile(**({"optimizer": "sgd", "loss": SPARSE} | options))
    assert model.fit(X, IDS, verbose=0).history == twin.fit(X, IDS, verbose=0).history
    assert bits(model) == bits(twin)


def test_keras_options_without_effect() -> None:
    model = make_model(5)
    model.compile("sgd", SPARSE, jit_compile=True, steps_per_execution=8, auto_scale_loss=False)
    model.fit(X, IDS, verbose=0)


# -- Losses that are not finite --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_in_the_data_ends_training_before_its_update(dtype: str) -> None:
    model, twin = (make_model(5, dtype=dtype, optimizer=momentum()) for _ in range(2))
    message = r"^fit: epoch 1: the loss is not finite at batch 3: the input is not finite$"
    with pytest.raises(FloatingPointError, match=message):
        model.fit(spoilt(X, (20, 3), math.nan), IDS, batch_size=8, shuffle=False, verbose=0)
    twin.fit(X[:16], IDS[:16], batch_size=8, shuffle=False, verbose=0)
    assert bits(model) == bits(twin)
    assert model.optimizer.iterations == 2
    assert model.history.epoch == []
    expected = twin.fit(X, IDS, shuffle=False, verbose=0).history
    assert model.fit(X, IDS, shuffle=False, verbose=0).history == expected


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_first_layer_that_is_not_finite_is_named(value: float, layer: int) -> None:
    class Spoil(cnet.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            if epoch == 1:
                bias = self.model.weights[2 * layer + 1]
                bias.assign(np.full(bias.shape, value))

    model = make_model(5, 5)
    name = model.layers[layer].name
    message = rf"^fit: epoch 2: .* at batch 1: the first output .* is that of layer '{name}'$"
    with pytest.raises(FloatingPointError, match=message):
        model.fit(X, IDS, epochs=3, callbacks=[Spoil()], verbose=0)
    assert model.history.epoch == [0]
    assert len(model.history.history["loss"]) == 1


def test_train_on_batch_names_itself() -> None:
    model = make_model(5)
    before = bits(model)
    with pytest.raises(FloatingPointError, match=r"^train_on_batch: the loss is not finite"):
        model.train_on_batch(spoilt(X, (0, 0), math.nan), IDS)
    assert bits(model) == before
    assert math.isnan(model.evaluate(spoilt(X, (0, 0), math.nan), IDS, verbose=0))


# -- Interruptions and threads ---------------------------------------------------------------------

# The delay from the signal to the exception is measured inside: processes start and end in their
# own time. Whatever else the machine does can only lengthen it: the shortest of three is meant.
INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import cnet

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started with

call, whole = sys.argv[1], sys.argv[2:] == ["whole"]
# So much work that it takes more threads than one.
model = cnet.Sequential([cnet.layers.Dense(64, "relu"), cnet.layers.Dense(4, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")

def data(samples):  # of one number, so that it takes no memory
    return np.broadcast_to(np.uint8(1), (samples, 512)), np.broadcast_to(np.uint8(1), samples)

def run(samples, **options):
    x, y = data(samples)
    if whole:
        options["batch_size"] = samples
    getattr(model, call)(*((x,) if call == "predict" else (x, y)), verbose=0, **options)

def interrupt():
    global sent
    sent = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)

class Interrupt(cnet.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            threading.Timer(0.02, interrupt).start()

run(1000)
start = time.perf_counter()
run(20_000)
samples = int(20_000 * 0.4 / (time.perf_counter() - start))  # enough for 0.4 s

delays = []
for _ in range(3):
    try:
        if call == "fit":
            run(samples, epochs=100, callbacks=[Interrupt()])
        else:
            threading.Timer(0.02, interrupt).start()
            run(2 * samples)
        raise SystemExit("it was not interrupted")
    except KeyboardInterrupt:
        delays.append(time.perf_counter() - sent)
    if call == "fit":
        assert model.history.epoch == [0, 1], model.history.epoch
        assert len(model.history.history["loss"]) == 2
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
assert min(delays) < 0.2, delays
steps = model.optimizer.iterations
model.fit(*data(64), verbose=0)
assert model.optimizer.iterations == steps + 2
"""


@pytest.mark.parametrize("call", ["fit", "fit whole", "evaluate", "predict"])
def test_ctrl_c_ends_a_call_at_once_and_the_model_stays_usable(call: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, *call.split()]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 0, result.stderr


# On one CPU, one thread goes on while the other has not yet looked whether to end.
FAILING = """
import os
import numpy as np
import cnet

class Fail(cnet.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise LookupError

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
cnet.set_num_threads(2)
model = cnet.Sequential([cnet.layers.Dense(256, "relu"), cnet.layers.Dense(10, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")
x, y = np.ones((512, 64), np.float32), np.zeros(512, int)
for _ in range(300):
    try:
        model.fit(x, y, batch_size=128, callbacks=[Fail()], verbose=0)
    except LookupError:
        pass
assert model.optimizer.iterations == 3 * 300
"""


def test_exceptions_end_training_on_all_threads() -> None:
    command = [sys.executable, "-c", FAILING]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 0, result.stderr


def fit_in_a_thread(model: Sequential, callback: cnet.callbacks.Callback) -> threading.Thread:
    """Begin an epoch of some tenths of a second in another thread."""
    x, y = np.broadcast_to(np.uint8(1), (400_000, 6)), np.broadcast_to(np.uint8(1), 400_000)
    options = {"batch_size": 1, "callbacks": [callback], "verbose": 0}
    thread = threading.Thread(target=lambda: model.fit(x, y, **options))
    thread.start()
    return thread


def test_other_threads_run_during_an_epoch() -> None:
    begun = threading.Event()

    class Tell(cnet.callbacks.Callback):
        def on_epoch_begin(self, *_: Any) -> None:
            begun.set()

    thread = fit_in_a_thread(make_model(5), Tell())
    begun.wait()
    ticks = 0
    while thread.is_alive():
        time.sleep(0.001)
        ticks += 1
    assert ticks > 10, "were the GIL held, the first sleep would be as long as the epoch"


def test_a_model_in_training_predicts_and_refuses_to_be_trained() -> None:
    within, go_on = threading.Event(), threading.Event()

    class Hold(cnet.callbacks.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            within.set()
            go_on.wait()
            self.model.stop_training = True

    model = make_model(5)
    thread = fit_in_a_thread(model, Hold())
    within.wait()
    try:
        before = bits(model)
        for call in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
            with pytest.raises(RuntimeError, match="the model is in use by another call"):
                getattr(model, call)(X, IDS)
        assert np.isfinite(model.predict(X, verbose=0)).all()
        assert bits(model) == before
    finally:
        go_on.set()
        thread.join()
    model.fit(X, IDS, verbose=0)
