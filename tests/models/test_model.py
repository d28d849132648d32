"""fit, evaluate, predict and the calls on batches: effects and return values."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support.classifiers import DTYPES, IDS, LABELS, ONE_HOT, SPARSE, X, bits, make_model, momentum
from support.tolerances import ELEMENTARY_ROUNDINGS, relative_bound

import cnet
from cnet import optimizers, reference

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
def test_fit_without_shuffling_equals_train_on_batch_in_order(
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
def test_the_loss_of_an_epoch_is_the_mean_before_the_updates(dtype: str) -> None:
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


def test_shuffling_uses_every_sample_once_an_epoch_in_new_orders() -> None:
    # With a learning rate of 0 the loss of each batch identifies its sample.
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
def test_validation_split_is_the_last_part_before_shuffling(part: float, at: int) -> None:
    model, twin = (make_model(9, metrics=["accuracy"]) for _ in range(2))
    history = model.fit(X, IDS, epochs=2, validation_split=part, verbose=0)
    rest = (X[at:], IDS[at:])
    expected = twin.fit(X[:at], IDS[:at], epochs=2, validation_data=rest, verbose=0)
    assert history.history == expected.history
    assert bits(model) == bits(twin)


def test_validation_data_overrides_validation_split() -> None:
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


def test_validation_after_epochs_of_a_list() -> None:
    def fit(**options: Any) -> dict[str, list[float]]:
        return make_model(9).fit(X, IDS, verbose=0, validation_data=(X, IDS), **options).history

    losses = fit(epochs=5)["val_loss"]
    assert fit(epochs=5, validation_freq=[1, 4, 7])["val_loss"] == [losses[0], losses[3]]
    assert "val_loss" not in fit(validation_freq=[])
    with pytest.raises(ValueError, match=r"^fit: validation_freq: expected an integer in"):
        fit(validation_freq=[0])


def test_training_learns() -> None:
    x = np.concatenate([X + 3, X - 3])
    y = np.repeat([1, 2], len(X))
    model = make_model(9, metrics=["accuracy"], optimizer="rmsprop")
    history = model.fit(x, y, epochs=30, batch_size=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 10
    assert history["accuracy"][-1] > 0.99
    assert (model.predict(x, verbose=0).argmax(axis=1) == y).mean() > 0.99


# -- Return values -----------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["evaluate", "train_on_batch", "test_on_batch"])
def test_return_values(call: str) -> None:
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


@pytest.mark.parametrize("loss", [SPARSE, ONE_HOT])
@pytest.mark.parametrize("dtype", DTYPES)
def test_loss_and_accuracy_match_the_predictions(dtype: str, loss: str) -> None:
    model = make_model(9, dtype=dtype, loss=loss, metrics=["accuracy"])
    p = model.predict(X, verbose=0)
    value, accuracy = model.evaluate(X, LABELS[loss], verbose=0)
    expected = reference.cross_entropy_forward(p.astype(np.float64), LABELS[loss])
    # The probabilities are rounded before the logarithm here, but not in the engine.
    bound = relative_bound(2 * ELEMENTARY_ROUNDINGS + 4 + 2, dtype) * max(1.0, expected)
    assert abs(value - expected) <= bound
    assert accuracy == (p.argmax(axis=1) == IDS).mean()


def test_train_on_batch_returns_the_means_of_its_batch() -> None:
    """As in Keras since pull request 22617 of 2026; before, means continued over batches."""
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


def test_evaluate_changes_nothing() -> None:
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


# -- Subclasses and callbacks ----------------------------------------------------------------------


def test_a_subclass_may_have_a_metaclass() -> None:
    class Registry(type):
        """A metaclass."""

    class Net(cnet.Sequential, metaclass=Registry):
        """A model with it."""

    assert type(Net()) is Net


def test_metrics_are_reset_after_on_test_begin() -> None:
    figures: list[dict[str, Any]] = []
    model = make_model(5)
    look = cnet.callbacks.LambdaCallback(
        on_test_begin=lambda _: figures.append(model.get_metrics_result())
    )
    history = model.fit(X, IDS, validation_data=(X, IDS), verbose=0, callbacks=[look])
    assert figures == [{"loss": history.history["loss"][0]}]


def test_a_nested_evaluation_leaves_the_frozen_layers() -> None:
    model = make_model(5, optimizer=momentum())

    def change(*_: Any) -> None:
        model.layers[0].trainable = False
        model.evaluate(X, IDS, verbose=0)

    twin = make_model(5, optimizer=momentum())
    for each, hook in ((model, change), (twin, lambda *_: None)):
        callback = cnet.callbacks.LambdaCallback(on_epoch_end=hook)
        each.fit(X, IDS, epochs=3, verbose=0, callbacks=[callback])
    assert bits(model) == bits(twin)
