"""The reference ops: gradients by central differences, edge shapes, and what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from tolerances import (
    ELEMENTARY_ROUNDINGS,
    central_difference,
    difference_bound,
    log_bound,
    log_softmax_bound,
    mean_loss_bound,
    relative_bound,
    softmax_bound,
)

from cnet import reference as ops
from cnet.reference._arrays import FloatArray

SIZES = [0, 1, 2, 17]
LABEL_KINDS = ["ids", "one-hot", "soft"]


def draw(*shape: int) -> FloatArray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def draw_labels(kind: str, batch: int, classes: int) -> npt.NDArray[np.generic]:
    rng = np.random.default_rng(batch)
    if kind == "soft":
        return rng.dirichlet(np.ones(classes), size=batch)
    ids = rng.integers(classes, size=batch)
    return ids if kind == "ids" else np.eye(classes)[ids]


def assert_gradient(
    gradient: FloatArray, loss: Callable[[], float], array: FloatArray, bound: float
) -> None:
    assert gradient.shape == array.shape
    assert gradient.dtype == np.float64
    error = np.abs(gradient - central_difference(loss, array))
    assert (error <= bound).all(), f"{error.max()} > {bound}"


@pytest.mark.parametrize("outputs", SIZES)
@pytest.mark.parametrize("inputs", SIZES)
@pytest.mark.parametrize("batch", SIZES)
def test_dense_gradients(batch: int, inputs: int, outputs: int) -> None:
    x, kernel, bias = draw(batch, inputs), draw(inputs, outputs), draw(outputs)
    grad = draw(batch, outputs)

    def loss() -> float:
        return float((grad * ops.dense_forward(x, kernel, bias)).sum())

    magnitude = (abs(grad) * (abs(x) @ abs(kernel) + abs(bias))).sum()
    bound = difference_bound(magnitude, roundings=inputs + batch * outputs + 2)
    gradients = ops.dense_backward(grad, x, kernel)
    for array, gradient in zip((x, kernel, bias), gradients, strict=True):
        assert_gradient(gradient, loss, array, bound)


@pytest.mark.parametrize("shape", [(), (0,), (17,), (2, 17), (2, 1, 3)])
def test_elementwise_gradients(shape: tuple[int, ...]) -> None:
    x, grad = draw(*shape), draw(*shape)
    x += np.copysign(0.1, x)  # away from the kink of relu

    def relu_loss() -> float:
        return float((grad * ops.relu_forward(x)).sum())

    def rescaling_loss() -> float:
        return float((grad * ops.rescaling_forward(x, scale=3.0, offset=-1.0)).sum())

    bound = difference_bound((abs(grad) * (3 * abs(x) + 1)).sum(), roundings=x.size + 3)
    assert_gradient(ops.relu_backward(grad, x), relu_loss, x, bound)
    assert_gradient(ops.rescaling_backward(grad, 3.0), rescaling_loss, x, bound)


@pytest.mark.parametrize("classes", SIZES)
@pytest.mark.parametrize("batch", SIZES)
def test_softmax_gradient(batch: int, classes: int) -> None:
    logits, grad = draw(batch, classes), draw(batch, classes)

    def loss() -> float:
        return float((grad * ops.softmax(logits)).sum())

    magnitude = (abs(grad) * (1 + abs(logits))).sum()
    # The third derivative of the logistic function is at most 1/8.
    bound = difference_bound(
        magnitude, roundings=20 + classes + batch * classes, third_derivative=abs(grad).sum() / 8
    )
    assert_gradient(ops.softmax_backward(grad, ops.softmax(logits)), loss, logits, bound)


@pytest.mark.parametrize("kind", LABEL_KINDS)
@pytest.mark.parametrize("classes", [1, 2, 17])
@pytest.mark.parametrize("batch", SIZES)
def test_softmax_cross_entropy_gradient(batch: int, classes: int, kind: str) -> None:
    logits, labels = draw(batch, classes), draw_labels(kind, batch, classes)

    def loss() -> float:
        return ops.softmax_cross_entropy_forward(logits, labels)[0]

    # The third derivative of log Z is at most 1 / (6 √3), the skewness of one logit at most.
    bound = difference_bound(
        magnitude=math.log(classes) + 2 * abs(logits).max(initial=0),
        roundings=20 + 2 * classes + batch,
        third_derivative=0.1,
    )
    probabilities = ops.softmax(logits)
    assert_gradient(ops.softmax_cross_entropy_backward(probabilities, labels), loss, logits, bound)


@pytest.mark.parametrize("kind", LABEL_KINDS)
@pytest.mark.parametrize("classes", [1, 2, 17])
@pytest.mark.parametrize("batch", SIZES)
def test_cross_entropy_gradient(batch: int, classes: int, kind: str) -> None:
    p, labels = 0.5 + abs(draw(batch, classes)), draw_labels(kind, batch, classes)

    def loss() -> float:
        return ops.cross_entropy_forward(p, labels)

    # The third derivatives of log p and log Σp are at most 2 / p³, and p is no less than 0.5.
    minus_log_q = -np.log(p / p.sum(axis=1, keepdims=True))
    bound = difference_bound(
        magnitude=2 + minus_log_q.max(initial=0),
        roundings=20 + 2 * classes + batch,
        third_derivative=32.0,
    )
    assert_gradient(ops.cross_entropy_backward(p, labels), loss, p, bound)


def test_cross_entropy_is_blind_to_scale_and_to_clipped_probabilities() -> None:
    p, labels = np.array([[1.0, 3.0], [0.0, 5.0]]), [0, 0]
    expected = (math.log(4) - math.log(1e-7)) / 2
    assert ops.cross_entropy_forward(p, labels) == pytest.approx(
        expected, rel=relative_bound(ELEMENTARY_ROUNDINGS + 4, np.float64)
    )
    assert ops.cross_entropy_backward(p, labels).tolist() == [[-0.375, 0.125], [0.0, 0.0]]


def test_relu_of_nan_and_signed_zero() -> None:
    result = ops.relu_forward(np.array([np.nan, -0.0, -np.inf, np.inf]))
    np.testing.assert_array_equal(result, [np.nan, 0.0, 0.0, np.inf])
    assert not np.signbit(result).any()
    np.testing.assert_array_equal(ops.relu_backward(np.ones(3), [np.nan, 0.0, 1.0]), [0, 0, 1])


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


def test_infinite_logits_of_other_classes_do_no_harm() -> None:
    loss, p = ops.softmax_cross_entropy_forward([[0.0, -np.inf, 0.0]], [2])
    assert p.tolist() == [[0.5, 0.0, 0.5]]
    assert loss == pytest.approx(math.log(2), rel=relative_bound(ELEMENTARY_ROUNDINGS, np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_agree_with_their_definition(dtype: type[np.floating]) -> None:
    logits, y = draw(17, 5).astype(dtype), draw_labels("soft", 17, 5).astype(dtype)
    loss, p = ops.softmax_cross_entropy_forward(logits, y)
    minus_log_p = -np.log(ops.softmax(logits.astype(np.float64)))
    bound = mean_loss_bound(y, minus_log_p, log_softmax_bound(logits, dtype), dtype)
    assert abs(loss - (y * minus_log_p).sum(axis=1).mean()) <= bound
    # The same by way of the logarithm of the probabilities, which are as far off as softmax is.
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


def test_out_is_written_and_returned() -> None:
    x, kernel, bias, labels = draw(3, 4), draw(4, 4), draw(4), [0, 3, 1]
    p = ops.softmax(x)
    calls: list[tuple[Callable[..., FloatArray], tuple[object, ...]]] = [
        (ops.dense_forward, (x, kernel, bias)),
        (ops.relu_forward, (x,)),
        (ops.relu_backward, (p, x)),
        (ops.softmax, (x,)),
        (ops.softmax_backward, (x, p)),
        (ops.softmax_cross_entropy_backward, (p, labels)),
        (ops.cross_entropy_backward, (p, labels)),
        (ops.rescaling_forward, (x, 2.0, 1.0)),
        (ops.rescaling_backward, (x, 2.0)),
    ]
    for op, args in calls:
        out = np.full((3, 4), np.nan)
        assert op(*args, out=out) is out
        np.testing.assert_array_equal(out, op(*args))

    out = np.full((3, 4), np.nan)
    assert ops.softmax_cross_entropy_forward(x, labels, out=out)[1] is out
    np.testing.assert_array_equal(out, p)

    outs = np.empty_like(x), np.empty_like(kernel), np.empty_like(bias)
    results = ops.dense_backward(p, x, kernel, out=outs)
    for result, out, expected in zip(results, outs, ops.dense_backward(p, x, kernel), strict=True):
        assert result is out
        np.testing.assert_array_equal(out, expected)


def test_one_float64_array_makes_the_result_float64() -> None:
    single, double = np.ones((2, 2), np.float32), np.ones((2, 2))
    assert ops.dense_forward(single, single).dtype == np.float32
    assert ops.dense_forward(single, double).dtype == np.float64
    assert ops.dense_forward([[1.0, 1.0]], single).dtype == np.float32
    assert ops.relu_forward(np.ones(2, np.float16)).dtype == np.float32
    assert ops.rescaling_forward(np.ones(2, np.uint8), np.float64(2)).dtype == np.float32
    assert ops.softmax_cross_entropy_backward(single, double).dtype == np.float32


def test_sgd_steps_in_place() -> None:
    param = np.array([1.0, -2.0])
    ops.sgd_update(param, [0.5, 0.5], learning_rate=2.0)
    assert param.tolist() == [0.0, -3.0]


@pytest.mark.parametrize(("nesterov", "expected"), [(False, [-1.0, -3.5]), (True, [-1.5, -4.75])])
def test_sgd_with_momentum(nesterov: bool, expected: list[float]) -> None:
    param, velocity = np.zeros(1), np.zeros(1)
    positions = []
    for grad in (0.5, 1.0):
        ops.sgd_momentum_update(param, [grad], velocity, 2.0, 0.5, nesterov)
        positions.append(param.item())
    assert positions == expected
    assert velocity.item() == -2.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_velocities_are_never_subnormal(dtype: type[np.floating]) -> None:
    tiny = np.finfo(dtype).smallest_normal
    param, velocity = np.zeros(3, dtype), np.array([tiny, -tiny, 2 * tiny], dtype)
    ops.sgd_momentum_update(param, np.zeros(3), velocity, learning_rate=1.0, momentum=0.5)
    assert velocity.tolist() == param.tolist() == [0.0, 0.0, tiny]
