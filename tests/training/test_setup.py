"""Metrics in training and evaluation, weighted or not: the data that they see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.classifiers import (
    DTYPES,
    IDS,
    LABELS,
    ONE_HOT,
    SPARSE,
    WEIGHTS,
    Array,
    X,
    bits,
    generator,
    make_model,
)

import cnet
from cnet import Sequential, callbacks, layers, losses, metrics, optimizers


class Seen(metrics.Metric):
    """Stores its arguments."""

    name = "seen"

    def reset_state(self) -> None:
        self.batches: list[tuple[Any, ...]] = []

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.batches.append((y_true, y_pred, sample_weight))

    def result(self) -> int:
        return len(self.batches)


def outputs_of(seen: Seen) -> Array:
    return np.concatenate([predictions for _, predictions, _ in seen.batches])


# Outputs of the loss: fused with a softmax, or of the last layer.
HEADS: dict[str, tuple[list[Any], Any]] = {
    "softmax": ([4, "softmax"], losses.SparseCategoricalCrossentropy()),
    "logits": ([4, None], losses.SparseCategoricalCrossentropy(from_logits=True)),
    "softmax as logits": ([4, "softmax"], losses.SparseCategoricalCrossentropy(from_logits=True)),
    "relu": ([4, "relu"], losses.SparseCategoricalCrossentropy(from_logits=True)),
    "wider than a panel": ([19, "softmax"], losses.SparseCategoricalCrossentropy()),
}


def model_of(head: str, dtype: str, *seen: Any, rate: float = 0.5) -> Sequential:
    cnet.utils.set_random_seed(3)
    (units, activation), loss = HEADS[head]
    last = layers.Dense(units, activation, dtype=dtype)
    model = Sequential([layers.Input((6,)), layers.Dense(5, "relu", dtype=dtype), last])
    model.compile(optimizers.SGD(rate), loss, metrics=seen)
    return model


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("head", HEADS)
def test_metrics_see_the_predictions_of_training(head: str, dtype: str) -> None:
    seen = Seen()
    model, twin = model_of(head, dtype, seen), model_of(head, dtype)
    model.fit(X, IDS, batch_size=10, shuffle=False, verbose=0)
    shown = list(seen.batches)
    assert [len(labels) for labels, _, _ in shown] == [10] * 7 + [7]
    for batch, (labels, outputs, weights) in enumerate(shown):
        rows = slice(10 * batch, 10 * batch + 10)
        np.testing.assert_array_equal(labels[:, 0], IDS[rows])
        assert outputs.tobytes() == twin(X[rows]).tobytes()
        assert weights is None
        twin.train_on_batch(X[rows], IDS[rows])
    assert bits(model) == bits(twin)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("head", HEADS)
def test_metrics_see_the_predictions_of_an_evaluation(head: str, dtype: str) -> None:
    seen = Seen()
    model = model_of(head, dtype, seen)
    expected = model.predict(X, verbose=0).tobytes()
    for size in (1, 10, 1000):
        model.evaluate(X, IDS, batch_size=size, verbose=0)
        assert outputs_of(seen).tobytes() == expected
    model.test_on_batch(X, IDS)
    assert outputs_of(seen).tobytes() == expected
    model.evaluate(generator(X, IDS), verbose=0)
    assert outputs_of(seen).tobytes() == expected


@pytest.mark.parametrize("hooked", [False, True])
def test_shuffled_labels_are_those_of_the_outputs(hooked: bool) -> None:
    # With a learning rate of 0 the outputs identify their samples.
    seen = Seen()
    model = model_of("softmax", "float32", seen, rate=0.0)
    expected = {
        row.tobytes(): (int(y), w) for row, y, w in zip(model(X), IDS, WEIGHTS, strict=True)
    }
    model.compile(optimizers.SGD(0.0), SPARSE, weighted_metrics=[seen])
    hooks = [callbacks.LambdaCallback(on_train_batch_end=lambda *_: None)] if hooked else []
    for options in ({}, {"steps_per_epoch": 5}):
        model.fit(X, IDS, 10, sample_weight=WEIGHTS, callbacks=hooks, verbose=0, **options)
        assert len(seen.batches) == options.get("steps_per_epoch", 8)
        labels = np.concatenate([labels[:, 0] for labels, _, _ in seen.batches])
        weights = np.concatenate([weights for _, _, weights in seen.batches])
        for row, label, weight in zip(outputs_of(seen), labels, weights, strict=True):
            assert expected[row.tobytes()] == (label, pytest.approx(weight, rel=1e-6))


def test_evaluations_do_not_depend_on_batches_or_threads() -> None:
    x, y = np.tile(X, (260, 1)), np.tile(IDS, 260)  # three blocks of predictions for metrics
    model = make_model(9, metrics=["sparse_top_k_categorical_accuracy", Seen()])
    model.compile("sgd", ONE_HOT, metrics=["mse", metrics.AUC(), Seen()])
    labels = np.eye(4)[y]
    threads = cnet.get_num_threads()
    figures = set()
    try:
        for count in (1, 2, 3):
            cnet.set_num_threads(count)
            for size in (32, 1000, 10**6):
                figures.add(tuple(model.evaluate(x, labels, size, verbose=0)[1:]))
    finally:
        cnet.set_num_threads(threads)
    assert len(figures) == 1
    assert figures.pop()[-1] == 3


# -- Weights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LABELS)
def test_only_weighted_metrics_use_sample_weights(loss: str) -> None:
    model = make_model(9, loss=loss)
    model.compile(optimizers.SGD(0.0), loss, metrics=["accuracy"], weighted_metrics=["accuracy"])
    right = model.predict(X, verbose=0).argmax(axis=1) == IDS
    weighted = np.average(right, weights=WEIGHTS.astype(np.float32))
    for logs in (
        model.evaluate(X, LABELS[loss], sample_weight=WEIGHTS, verbose=0, return_dict=True),
        model.test_on_batch(X, LABELS[loss], sample_weight=WEIGHTS, return_dict=True),
        model.train_on_batch(X, LABELS[loss], sample_weight=WEIGHTS, return_dict=True),
        model.evaluate(generator(X, LABELS[loss], WEIGHTS), verbose=0, return_dict=True),
        {
            name: values[0]
            for name, values in model.fit(
                X, LABELS[loss], sample_weight=WEIGHTS, verbose=0
            ).history.items()
        },
    ):
        assert list(logs) == ["loss", "accuracy", "weighted_accuracy"]
        assert logs["accuracy"] == right.mean()
        assert logs["weighted_accuracy"] == pytest.approx(weighted, rel=1e-12)


def test_class_weights_apply_to_weighted_metrics() -> None:
    model = make_model(9)
    model.compile(optimizers.SGD(0.0), SPARSE, weighted_metrics=["accuracy"])
    right = model.predict(X, verbose=0).argmax(axis=1) == IDS
    history = model.fit(X, IDS, class_weight={1: 3.0, 2: 0.0}, verbose=0).history
    weights = np.array([1.0, 3.0, 0.0, 1.0])[IDS]
    assert history["accuracy"] == [pytest.approx(np.average(right, weights=weights), rel=1e-12)]


def test_names_of_weighted_metrics() -> None:
    model = make_model(9)
    model.compile(
        "sgd", ONE_HOT, metrics=["acc", "acc"], weighted_metrics=["acc", "mse", "acc", "mse"]
    )
    names = ["loss", "acc", "acc_1", "weighted_acc", "mse", "weighted_acc_1", "weighted_mse"]
    assert model.metrics_names == names
    assert len(model.metrics) == 6
    assert list(model.evaluate(X, LABELS[ONE_HOT], verbose=0, return_dict=True)) == names


# -- Functions and losses --------------------------------------------------------------------------


def test_functions_and_losses_are_metrics() -> None:
    def surprise(y_true: Any, y_pred: Any) -> Any:
        return -np.log((y_true * y_pred).sum(axis=1))

    model = make_model(9, loss=ONE_HOT, metrics=[surprise, losses.CategoricalCrossentropy()])
    logs = model.evaluate(X, LABELS[ONE_HOT], verbose=0, return_dict=True)
    assert list(logs) == ["loss", "surprise", "categorical_crossentropy"]
    # In float32 the product with the labels is exact, and the relative error of the logarithm below 2⁻²³.
    assert logs["surprise"] == pytest.approx(logs["loss"], rel=1e-6)
    assert logs["categorical_crossentropy"] == pytest.approx(logs["loss"], rel=1e-6)


# -- Errors, and results afterwards ----------------------------------------------------------


@pytest.mark.parametrize("call", ["fit", "train_on_batch"])
@pytest.mark.parametrize("source", ["arrays", "batches"])
def test_a_metric_that_refuses_the_labels_fails_before_a_step(call: str, source: str) -> None:
    model = make_model(5, metrics=["precision"])
    before = bits(model)
    batches = source == "batches" and call == "fit"
    data = (generator(X, IDS),) if batches else (X, IDS)
    with pytest.raises(ValueError, match=r"Precision: y_true: expected shape"):
        getattr(model, call)(*data)
    assert bits(model) == before
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("data", [(X, IDS), (iter([(X, IDS)]),)], ids=["arrays", "batches"])
def test_the_trial_update_of_metrics_leaves_no_trace(data: Any) -> None:
    seen = Seen()
    model = make_model(5, metrics=[seen])
    model.fit(*data, batch_size=77, verbose=0)
    assert [len(labels) for labels, _, _ in seen.batches] == [77]


def test_get_metrics_result() -> None:
    model = make_model(5, metrics=["accuracy", "sparse_top_k_categorical_accuracy"])
    expected = model.evaluate(X, IDS, verbose=0, return_dict=True)
    assert model.get_metrics_result() == expected
    model.reset_metrics()
    assert set(model.get_metrics_result().values()) == {0.0}
    logs = model.train_on_batch(X, IDS, return_dict=True)
    assert model.get_metrics_result() == logs == expected
