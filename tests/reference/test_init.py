"""Conventions of all operations of the reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from support.op_arguments import draw_normal

from cnet import reference as ops
from cnet.reference._arrays import FloatArray


def test_out_is_written_and_returned() -> None:
    x, kernel, bias, labels = draw_normal(3, 4), draw_normal(4, 4), draw_normal(4), [0, 3, 1]
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
