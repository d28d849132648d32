"""Losses of arrays; how models use them is in trainer/."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tolerances import log_bound, log_softmax_bound, mean_loss_bound

import cnet
from cnet import losses, reference

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
def test_of_logits(name: str, dtype: type) -> None:
    loss = type(losses.get(name))(from_logits=True)
    logits: Array = 3 * np.random.default_rng(1).normal(size=(BATCH, CLASSES)).astype(dtype)
    labels = draw_labels(loss)
    expected, _ = reference.softmax_cross_entropy_forward(logits.astype(np.float64), labels)
    each = -np.log(reference.softmax(logits.astype(np.float64)))
    bound = mean_loss_bound(rows_of(labels), each, log_softmax_bound(logits, dtype), dtype)
    assert abs(loss(labels, logits) - expected) <= bound


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_probabilities(name: str, dtype: type) -> None:
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
def test_ids_of_any_kind(ids: Any) -> None:
    p = [[0.25, 0.75], [0.5, 0.5]]
    expected = losses.CategoricalCrossentropy()([[0, 1], [1, 0]], p)
    assert losses.SparseCategoricalCrossentropy()(ids, p) == expected


def test_each_loss_refuses_the_others_labels() -> None:
    p = [[0.25, 0.75], [0.5, 0.5]]
    with pytest.raises(ValueError, match=r"sparse_categorical_crossentropy|Sparse"):
        losses.SparseCategoricalCrossentropy()([[0, 1], [1, 0]], p)
    with pytest.raises(ValueError, match=r"categorical_crossentropy|Categorical"):
        losses.CategoricalCrossentropy()([1, 0], p)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 7], "7 at row 1"), ([-1, 0], "-1 at row 0"), ([0], "labels"), ([0.5, 1], "0.5 at row 0")],
)
def test_wrong_ids_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        losses.SparseCategoricalCrossentropy()(labels, np.full((2, 7), 1 / 7))


@pytest.mark.parametrize("name", NAMES)
def test_get_takes_names_classes_and_objects(name: str) -> None:
    loss = losses.get(name)
    assert loss.name == name
    assert loss.sparse == name.startswith("sparse")
    cls = type(loss)
    assert type(losses.get(cls)) is type(losses.get(cls.__name__)) is cls
    assert losses.get(loss) is loss


def test_options() -> None:
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, name="mine")
    assert loss.from_logits
    assert loss.name == "mine"
    assert not losses.SparseCategoricalCrossentropy().from_logits


class Squared(losses.Loss):
    """A loss that a user wrote, which the engine knows nothing of."""

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        return float(np.square(np.subtract(y_true, y_pred)).mean())


@pytest.mark.parametrize(
    "identifier", ["gini", "", None, 3, max, ["categorical_crossentropy"], losses.Loss(), Squared()]
)
def test_get_refuses_what_the_engine_does_not_compute(identifier: Any) -> None:
    with pytest.raises(ValueError, match=r"loss: expected one of .*, got "):
        losses.get(identifier)


@pytest.mark.parametrize("reduction", ["sum", "none", None])
def test_other_reductions_are_refused_by_name(reduction: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"Crossentropy: reduction {reduction!r} is not supported"
    ):
        losses.CategoricalCrossentropy(reduction=reduction)


@pytest.mark.parametrize("option", ["axis", "ignore_class", "dtype"])
def test_unknown_options_are_refused_by_name(option: str) -> None:
    with pytest.raises(TypeError, match=option):
        cnet.losses.CategoricalCrossentropy(**{option: 1})  # type: ignore[arg-type]
