"""Losses of classes, on arrays and in training; losses by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import (
    central_difference,
    difference_bound,
    log_bound,
    log_softmax_bound,
    mean_loss_bound,
)
from threadpoolctl import threadpool_limits

import cnet
from cnet import Sequential, layers, losses, optimizers, reference

Array = npt.NDArray[Any]

NAMES = ["sparse_categorical_crossentropy", "categorical_crossentropy"]
BATCH, CLASSES = 30, 7


def draw_labels(loss: losses.Loss) -> Array:
    """Return class ids for a sparse loss, else soft labels."""
    rng = np.random.default_rng(0)
    if loss.sparse:
        return rng.integers(CLASSES, size=BATCH)
    return rng.dirichlet(np.ones(CLASSES), size=BATCH)


def rows_of(labels: Array) -> Array:
    return np.eye(CLASSES)[labels] if labels.ndim == 1 else labels


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_of_logits(name: str, dtype: type) -> None:
    loss = type(losses.get(name))(from_logits=True)
    logits: Array = 3 * np.random.default_rng(1).normal(size=(BATCH, CLASSES)).astype(dtype)
    labels = draw_labels(loss)
    expected, _ = reference.softmax_cross_entropy_forward(logits.astype(np.float64), labels)
    each = -np.log(reference.softmax(logits.astype(np.float64)))
    bound = mean_loss_bound(rows_of(labels), each, log_softmax_bound(logits, dtype), dtype)
    assert abs(loss(labels, logits) - expected) <= bound


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_of_probabilities(name: str, dtype: type) -> None:
    loss = losses.get(name)
    p: Array = np.random.default_rng(1).uniform(0.1, 1, size=(BATCH, CLASSES)).astype(dtype)
    labels = draw_labels(loss)
    expected = reference.cross_entropy_forward(p.astype(np.float64), labels)
    each = -np.log(p / p.sum(axis=1, keepdims=True, dtype=np.float64))
    bound = mean_loss_bound(rows_of(labels), each, log_bound(each, CLASSES + 2, dtype), dtype)
    assert abs(loss(labels, p) - expected) <= bound


@pytest.mark.parametrize(
    "ids", [[1, 0], [[1], [0]], [1.0, 0.0], np.array([True, False]), np.array([1, 0], np.uint8)]
)
def test_ids_of_any_dtype(ids: Any) -> None:
    p = [[0.25, 0.75], [0.5, 0.5]]
    expected = losses.CategoricalCrossentropy()([[0, 1], [1, 0]], p)
    assert losses.SparseCategoricalCrossentropy()(ids, p) == expected


def test_labels_of_the_other_kind_are_refused() -> None:
    p = [[0.25, 0.75], [0.5, 0.5]]
    with pytest.raises(ValueError, match=r"sparse_categorical_crossentropy|Sparse"):
        losses.SparseCategoricalCrossentropy()([[0, 1], [1, 0]], p)
    with pytest.raises(ValueError, match=r"categorical_crossentropy|Categorical"):
        losses.CategoricalCrossentropy()([1, 0], p)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 7], "7 at row 1"), ([-1, 0], "-1 at row 0"), ([0], "labels"), ([0.5, 1], "0.5 at row 0")],
)
def test_invalid_ids_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        losses.SparseCategoricalCrossentropy()(labels, np.full((2, 7), 1 / 7))


@pytest.mark.parametrize("name", NAMES)
def test_get_accepts_names_classes_and_objects(name: str) -> None:
    loss = losses.get(name)
    assert loss.name == name
    assert loss.sparse == name.startswith("sparse")
    cls = type(loss)
    assert type(losses.get(cls)) is type(losses.get(cls.__name__)) is cls
    assert type(losses.get(getattr(losses, name))) is cls
    config = {"class_name": cls.__name__, "config": {"from_logits": True}}
    assert losses.get(config).from_logits
    assert losses.get(loss) is loss


def test_options() -> None:
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, name="mine")
    assert loss.from_logits
    assert loss.name == "mine"
    assert not losses.SparseCategoricalCrossentropy().from_logits


class Squared(losses.Loss):
    """A custom loss, which the engine lacks."""

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        return float(np.square(np.subtract(y_true, y_pred)).mean())


@pytest.mark.parametrize(
    "identifier", ["gini", "", None, 3, ["categorical_crossentropy"], losses.Loss()]
)
def test_get_refuses_other_objects(identifier: Any) -> None:
    error = ValueError if isinstance(identifier, str) else TypeError
    with pytest.raises(error, match=r"loss: (expected one of .*, got |Loss doesn't define)"):
        losses.get(identifier)


def test_unknown_options_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="ignore_class"):
        cnet.losses.CategoricalCrossentropy(ignore_class=1)


# -- ignore_class ----------------------------------------------------------------------------------


def compiled(loss: losses.Loss, last: str = "linear") -> Sequential:
    cnet.utils.set_random_seed(1)
    model = Sequential([layers.Input((4,)), layers.Dense(6, "relu"), layers.Dense(3, last)])
    model.compile(optimizers.SGD(0.5), loss, metrics=["accuracy"])
    return model


def bits(model: Sequential) -> list[bytes]:
    return [weight.tobytes() for weight in model.get_weights()]


RNG = np.random.default_rng(2)
X, IDS = RNG.normal(size=(60, 4)), RNG.integers(3, size=60)


@pytest.mark.parametrize("ignored", [1, -1, 255])
@pytest.mark.parametrize("from_logits", [False, True])
def test_an_ignored_class_has_no_loss(ignored: int, from_logits: bool) -> None:
    p = RNG.uniform(0.1, 1, (60, 3))
    ids = np.where(IDS == 1, ignored, IDS)
    kept = IDS != 1
    p[~kept] = np.nan
    loss = losses.SparseCategoricalCrossentropy(from_logits, ignored)
    plain = losses.SparseCategoricalCrossentropy(from_logits)
    assert loss(ids, p) == pytest.approx(plain(IDS[kept], p[kept]), rel=1e-12)
    each = losses.sparse_categorical_crossentropy(ids, p, from_logits, ignored)
    assert not each[~kept].any()
    np.testing.assert_array_equal(
        each[kept], losses.sparse_categorical_crossentropy(IDS[kept], p[kept], from_logits)
    )
    assert loss([ignored], p[:1]) == 0
    weights = RNG.uniform(1, 2, 60)
    for reduction, divisor in (
        ("mean", kept.sum()),
        ("mean_with_sample_weight", weights[kept].sum()),
    ):
        loss.reduction = reduction
        expected = (each * weights).sum() / divisor
        assert loss(ids, p, weights) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ignored", [1, -1, 255])
@pytest.mark.parametrize("last", ["linear", "softmax"])
def test_training_uses_the_rows_that_are_not_ignored(ignored: int, last: str) -> None:
    from_logits = last == "linear"
    ids = np.where(IDS == 1, ignored, IDS)
    with_them = compiled(losses.SparseCategoricalCrossentropy(from_logits, ignored), last)
    without = compiled(losses.SparseCategoricalCrossentropy(from_logits), last)
    kept = np.flatnonzero(IDS != 1)
    wild = np.where((IDS == 1)[:, np.newaxis], 1e30, X)
    for _ in range(3):
        # Rows that add zero to a sum do not change its bits.
        loss, _ = with_them.train_on_batch(wild, ids)
        expected, _ = without.train_on_batch(X[kept], IDS[kept])
        assert loss == pytest.approx(expected, rel=1e-12)
    assert bits(with_them) == bits(without)
    loss, accuracy = with_them.evaluate(X, ids, len(X), verbose=0)
    assert loss == pytest.approx(without.evaluate(X[kept], IDS[kept], verbose=0)[0], rel=1e-12)
    assert accuracy == (with_them.predict(X, verbose=0).argmax(axis=1) == ids).mean()


@pytest.mark.parametrize("ignored", [-1, 255])
def test_class_weights_with_an_ignored_class(ignored: int) -> None:
    ids, loss = (
        np.where(IDS == 1, ignored, IDS),
        losses.SparseCategoricalCrossentropy(True, ignored),
    )
    by_class, by_sample = compiled(loss), compiled(loss)
    by_class.fit(X, ids, 7, verbose=0, class_weight={0: 2.0, 2: 3.0})
    by_sample.fit(X, ids, 7, verbose=0, sample_weight=np.array([2.0, 9.0, 3.0])[IDS])
    assert bits(by_class) == bits(by_sample)


def test_other_labels_outside_the_classes_are_refused() -> None:
    model = compiled(losses.SparseCategoricalCrossentropy(True, -1))
    before = bits(model)
    with pytest.raises(ValueError, match="labels: -2 at row 1 is outside"):
        model.fit(X[:3], [-1, -2, 0], verbose=0)
    assert bits(model) == before


@pytest.mark.parametrize("ignored", [1, 255])
def test_the_weight_of_an_ignored_row_has_no_effect(ignored: int) -> None:
    ids, weights = np.where(IDS == 1, ignored, IDS), RNG.uniform(1, 2, 60)
    for reduction in ("mean", "mean_with_sample_weight", "sum"):
        loss = losses.SparseCategoricalCrossentropy(True, ignored, reduction)
        model = compiled(loss)
        expected = loss(ids, model.predict(X, verbose=0), weights)
        reported = model.evaluate(X, ids, len(X), verbose=0, sample_weight=weights)[0]
        # The engine multiplies in float32: one rounding per row.
        assert reported == pytest.approx(expected, rel=float(np.finfo(np.float32).eps))


@pytest.mark.parametrize("reduction", ["mean", "mean_with_sample_weight", "sum"])
def test_ignored_classes_with_any_number_of_threads(reduction: Any) -> None:
    x, ids = RNG.normal(size=(600, 4)), RNG.integers(-1, 3, size=600).astype(np.int16)
    weights = RNG.uniform(size=600)

    def trained(threads: int) -> tuple[list[bytes], Any]:
        cnet.utils.set_random_seed(1)
        model = Sequential([layers.Dense(300, "relu"), layers.Dense(200, "relu"), layers.Dense(3)])
        loss = losses.SparseCategoricalCrossentropy(True, -1, reduction)
        model.compile("adam", loss)
        with threadpool_limits(threads):
            history = model.fit(x, ids, 150, 2, verbose=0, sample_weight=weights).history
            return bits(model), (history, model.evaluate(x, ids, 500, verbose=0))

    cnet.config.register_threadpoolctl()
    assert trained(1) == trained(2) == trained(5)


def test_an_infinite_weight_of_an_ignored_row_has_no_effect() -> None:
    loss = losses.SparseCategoricalCrossentropy(ignore_class=1, reduction="sum")
    weighted = loss([0, 1], [[0.5, 0.5], [0.5, 0.5]], sample_weight=[1.0, np.inf])
    assert weighted == loss([0], [[0.5, 0.5]])


@pytest.mark.parametrize("last", ["softmax", None])
def test_rows_of_zeros_have_no_effect(last: str | None) -> None:
    """Labels of zeros mask a sample: its loss is 0 for any weights, so they do not change."""
    model = Sequential([cnet.Input((4,)), layers.Dense(3, activation=last)])
    model.compile(optimizers.SGD(1.0), losses.CategoricalCrossentropy(from_logits=last is None))
    before, x = model.get_weights(), np.random.default_rng(0).normal(size=(8, 4))
    assert model.train_on_batch(x, np.zeros((8, 3))) == 0
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("last", ["softmax", None])
def test_a_step_with_unnormalized_labels(last: str | None, smoothing: float) -> None:
    """Compare a step of plain SGD with central differences of the loss by each weight."""
    loss = losses.CategoricalCrossentropy(from_logits=last is None, label_smoothing=smoothing)
    model = Sequential(
        [cnet.Input((4,), dtype="float64"), layers.Dense(3, activation=last, dtype="float64")]
    )
    model.compile(optimizers.SGD(1.0), loss)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 4)), rng.choice([0.0, 0.5, 1.0], (8, 3))
    kernel, bias = model.get_weights()

    def loss_at() -> float:
        labels = y * (1 - smoothing) + smoothing / 3
        z = x @ kernel + bias
        return float(-(labels * (z - np.log(np.exp(z).sum(1, keepdims=True)))).sum() / len(x))

    # Terms of the loss are below 20; its third derivatives are 3 Σ|x³| skewnesses of a logit at most.
    bound = difference_bound(20 * 8, 60, 3 * float((abs(x) ** 3).max()) + 1)
    expected = [-central_difference(loss_at, weight) for weight in (kernel, bias)]
    model.train_on_batch(x, y)
    for old, new, step in zip((kernel, bias), model.get_weights(), expected, strict=True):
        assert (np.abs((new - old) - step) <= bound).all()


def test_the_engine_counts_accuracy_with_a_focal_loss() -> None:
    model = compiled(losses.CategoricalFocalCrossentropy(from_logits=True))
    labels = np.eye(3)[IDS]
    counted = model.evaluate(X, labels, verbose=0)[1]
    assert counted == (model.predict(X, verbose=0).argmax(axis=1) == IDS).mean()
    assert model._setup is not None
    assert not model._setup.python_metrics
