"""Categorical cross-entropies: labels, special values and gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.op_arguments import (
    DTYPES,
    LABEL_KINDS,
    MAKE_ARRAYS,
    TAKE_LABELS,
    assert_gradient,
    assert_same,
    call,
    draw,
)
from support.tolerances import ELEMENTARY_ROUNDINGS, difference_bound, relative_bound

from cnet import ops, reference


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("name", TAKE_LABELS)
def test_ids_of_any_integer_dtype(name: str, dtype: str) -> None:
    arguments = draw(name, 17, 13, 13, np.float32)
    expected = call(ops, name, arguments)
    ids = arguments["labels"]
    one_hot = np.eye(13)[ids]
    for labels in (ids.astype(dtype), ids.tolist(), one_hot.astype(dtype), one_hot.tolist()):
        assert_same(call(ops, name, arguments | {"labels": labels}), expected)


@pytest.mark.parametrize("label", [-1, 10, 12, 2**31, -(2**31), 2**62])
@pytest.mark.parametrize("name", TAKE_LABELS)
def test_labels_out_of_range_are_refused(name: str, label: int) -> None:
    rows = np.full((5, 10), 0.1, np.float32)
    out = np.full((5, 10), np.nan, np.float32)
    keywords = {"out": out} if name in MAKE_ARRAYS else {}
    with pytest.raises(ValueError, match=rf"labels: {label} at row 3 is outside \[0, 10\)"):
        getattr(ops, name)(rows, np.array([0, 9, 1, label, 99]), **keywords)
    assert np.isnan(out).all()


@pytest.mark.parametrize("name", TAKE_LABELS)
def test_labels_beyond_int64_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"labels: .* at row 1 is outside \[0, 10\)"):
        getattr(ops, name)(np.full((2, 10), 0.1), np.array([0, 2**64 - 1], np.uint64))


@pytest.mark.parametrize("classes", [2, 16, 33])
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_logits_stay_finite(dtype: type, classes: int) -> None:
    ids = np.arange(classes)
    logits = np.where(np.eye(classes) == 1, 1e4, -1e4).astype(dtype)
    loss, p = ops.softmax_cross_entropy_forward(logits, ids)
    assert loss == 0.0
    assert_same([p, ops.softmax(logits)], [np.eye(classes, dtype=dtype)] * 2)

    wrong = (ids + 1) % classes
    loss, p = ops.softmax_cross_entropy_forward(logits, wrong)
    assert loss == 2e4
    grad = ops.softmax_cross_entropy_backward(p, wrong)
    expected = np.eye(classes, dtype=dtype) - np.eye(classes, dtype=dtype)[wrong]
    assert_same([grad], [expected / dtype(classes)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_logits_of_other_classes_have_no_effect(dtype: type) -> None:
    logits = np.array([[0.0, -np.inf, 0.0], [-np.inf, 5.0, -np.inf]], dtype)
    for labels in ([2, 1], [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]):
        loss, p = ops.softmax_cross_entropy_forward(logits, labels)
        assert loss == pytest.approx(
            math.log(2) / 2, rel=relative_bound(ELEMENTARY_ROUNDINGS + 2, dtype)
        )
        assert p.tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_clipped_probabilities(dtype: type) -> None:
    p = np.array([[1.0, 3.0], [0.0, 5.0], [5.0, 0.0], [0.0, 1e-4]], dtype)
    for labels in ([0, 0, 0, 1], np.eye(2)[[0, 0, 0, 1]]):
        arguments = {"probabilities": p, "labels": labels}
        (loss,), (expected,) = (
            call(module, "cross_entropy_forward", arguments) for module in (ops, reference)
        )
        assert loss == pytest.approx(expected, rel=relative_bound(ELEMENTARY_ROUNDINGS + 4, dtype))
        grad = ops.cross_entropy_backward(p, labels)
        assert_same([grad * 4], [np.array([[-0.75, 0.25], [0, 0], [0, 0], [0, 0]], dtype)])


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_softmax_cross_entropy_gradient(kind: str) -> None:
    logits, labels = draw("softmax_cross_entropy_forward", 5, 17, 17, np.float64, kind).values()
    # The third derivative of log Z is at most 1 / (6 √3); labels sum to at most 2.
    bound = difference_bound(
        2 * (math.log(17) + 2 * abs(logits).max()),
        roundings=20 + 2 * 17 + 5,
        third_derivative=2 * 0.1,
    )
    _, probabilities = ops.softmax_cross_entropy_forward(logits, labels)
    assert_gradient(
        ops.softmax_cross_entropy_backward(probabilities, labels),
        lambda: ops.softmax_cross_entropy_forward(logits, labels)[0],
        logits,
        bound,
    )


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_cross_entropy_gradient(kind: str) -> None:
    p, labels = draw("cross_entropy_forward", 5, 17, 17, np.float64, kind).values()
    p *= 50  # not a distribution, and at least 0.25
    # The third derivatives of log p and log Σp are at most 2 / p³; labels sum to at most 2.
    bound = difference_bound(
        2 * (2 - np.log(p / p.sum(axis=1, keepdims=True)).min()),
        roundings=20 + 2 * 17 + 5,
        third_derivative=2 * 4 / p.min() ** 3,
    )
    assert_gradient(
        ops.cross_entropy_backward(p, labels),
        lambda: ops.cross_entropy_forward(p, labels),
        p,
        bound,
    )
