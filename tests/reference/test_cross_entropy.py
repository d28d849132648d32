"""The reference's cross-entropies: gradients, special values and errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.op_arguments import assert_gradient, draw_labels, draw_normal
from support.tolerances import (
    ELEMENTARY_ROUNDINGS,
    difference_bound,
    log_bound,
    log_softmax_bound,
    mean_loss_bound,
    relative_bound,
    softmax_bound,
)

from cnet import reference as ops

SIZES = [0, 1, 2, 17]
LABEL_KINDS = ["ids", "one-hot", "soft", "unnormalized"]


@pytest.mark.parametrize("kind", LABEL_KINDS)
@pytest.mark.parametrize("classes", [1, 2, 17])
@pytest.mark.parametrize("batch", SIZES)
def test_softmax_cross_entropy_gradient(batch: int, classes: int, kind: str) -> None:
    logits, labels = draw_normal(batch, classes), draw_labels(kind, batch, classes)

    def loss() -> float:
        return ops.softmax_cross_entropy_forward(logits, labels)[0]

    # The third derivative of log Z is at most 1 / (6 √3); labels sum to at most 2.
    bound = difference_bound(
        magnitude=2 * (math.log(classes) + 2 * abs(logits).max(initial=0)),
        roundings=20 + 2 * classes + batch,
        third_derivative=2 * 0.1,
    )
    probabilities = ops.softmax(logits)
    assert_gradient(ops.softmax_cross_entropy_backward(probabilities, labels), loss, logits, bound)


@pytest.mark.parametrize("kind", LABEL_KINDS)
@pytest.mark.parametrize("classes", [1, 2, 17])
@pytest.mark.parametrize("batch", SIZES)
def test_cross_entropy_gradient(batch: int, classes: int, kind: str) -> None:
    p, labels = 0.5 + abs(draw_normal(batch, classes)), draw_labels(kind, batch, classes)

    def loss() -> float:
        return ops.cross_entropy_forward(p, labels)

    # The third derivatives of log p and log Σp are at most 2 / p³, p is at least 0.5, and labels sum to
    # at most 2.
    minus_log_q = -np.log(p / p.sum(axis=1, keepdims=True))
    bound = difference_bound(
        magnitude=2 * (2 + minus_log_q.max(initial=0)),
        roundings=20 + 2 * classes + batch,
        third_derivative=2 * 32.0,
    )
    assert_gradient(ops.cross_entropy_backward(p, labels), loss, p, bound)


def test_cross_entropy_ignores_scale_and_clipped_probabilities() -> None:
    p, labels = np.array([[1.0, 3.0], [0.0, 5.0]]), [0, 0]
    expected = (math.log(4) - math.log(1e-7)) / 2
    assert ops.cross_entropy_forward(p, labels) == pytest.approx(
        expected, rel=relative_bound(ELEMENTARY_ROUNDINGS + 4, np.float64)
    )
    assert ops.cross_entropy_backward(p, labels).tolist() == [[-0.375, 0.125], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_stay_finite(dtype: type[np.floating]) -> None:
    logits = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], dtype)
    loss, p = ops.softmax_cross_entropy_forward(logits, [1, 1, 1])
    assert p.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
    assert loss == pytest.approx(
        (2e4 + math.log(2)) / 3, rel=relative_bound(ELEMENTARY_ROUNDINGS + 2, dtype)
    )
    grad = ops.softmax_cross_entropy_backward(p, [1, 1, 1])
    np.testing.assert_array_equal(grad * 3, [[1.0, -1.0], [0.0, 0.0], [0.5, -0.5]])


def test_infinite_logits_of_other_classes_have_no_effect() -> None:
    loss, p = ops.softmax_cross_entropy_forward([[0.0, -np.inf, 0.0]], [2])
    assert p.tolist() == [[0.5, 0.0, 0.5]]
    assert loss == pytest.approx(math.log(2), rel=relative_bound(ELEMENTARY_ROUNDINGS, np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_agree_with_their_definition(dtype: type[np.floating]) -> None:
    logits, y = draw_normal(17, 5).astype(dtype), draw_labels("soft", 17, 5).astype(dtype)
    loss, p = ops.softmax_cross_entropy_forward(logits, y)
    minus_log_p = -np.log(ops.softmax(logits.astype(np.float64)))
    bound = mean_loss_bound(y, minus_log_p, log_softmax_bound(logits, dtype), dtype)
    assert abs(loss - (y * minus_log_p).sum(axis=1).mean()) <= bound
    # The logarithm of the probabilities has the error of softmax.
    log_q_bound = softmax_bound(logits, dtype) / ops.softmax(logits)
    log_q_bound += log_bound(minus_log_p, 6, dtype)
    bound = mean_loss_bound(y, minus_log_p, log_q_bound, dtype)
    assert abs(ops.cross_entropy_forward(p, y) - (y * minus_log_p).sum(axis=1).mean()) <= bound


def test_empty_batches_have_no_loss() -> None:
    assert ops.softmax_cross_entropy_forward(np.empty((0, 3)), [])[0] == 0.0
    assert ops.cross_entropy_forward(np.empty((0, 3)), np.empty((0, 3))) == 0.0


@pytest.mark.parametrize("label", [-1, 10, 12])
def test_labels_out_of_range_are_refused(label: int) -> None:
    rows = np.full((5, 10), 0.1)
    message = rf"labels: {label} at row 3 is outside \[0, 10\)"
    for op in (
        ops.softmax_cross_entropy_forward,
        ops.softmax_cross_entropy_backward,
        ops.cross_entropy_forward,
        ops.cross_entropy_backward,
    ):
        with pytest.raises(ValueError, match=message):
            op(rows, [0, 9, 1, label, 99])


@pytest.mark.parametrize("shape", [(), (4,), (5, 1), (1, 10), (5, 10, 1)])
def test_labels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"labels: expected shape \(5,\) or \(5, 10\), got"):
        ops.softmax_cross_entropy_forward(np.zeros((5, 10)), np.zeros(shape, int))
