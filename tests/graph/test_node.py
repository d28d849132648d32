"""Nodes: names, operators, feeds of placeholders, and conversions that are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnet
from cnet import autodiff, graph


def run(node: Any, feed_dict: Any = None) -> Any:
    return graph.Session().run(node, feed_dict)


def test_names_are_numbered() -> None:
    first, second = graph.Variable(1.0, name="weight"), graph.Variable(1.0, name="weight")
    assert (first.name, second.name) == ("weight", "weight_1")
    sums = [first + second for _ in range(3)]
    number = int(sums[0].name.removeprefix("add").removeprefix("_") or 0)
    assert [node.name for node in sums[1:]] == [f"add_{number + 1}", f"add_{number + 2}"]
    assert repr(first) == "<Variable weight>"


def test_operators_and_functions_return_nodes() -> None:
    x = graph.placeholder(dtype="float64")
    array = np.array([[1.0, 2.0], [3.0, 4.0]])
    nodes = {
        "sum": (1 + x + array, 1 + array + array),
        "product": (array * x * 2, array * array * 2),
        "matrix": (array @ x @ array, array @ array @ array),
        "rest": ((2 - x) / x**2, (2 - array) / array**2),
        "other": (2**x / (1 / x), 2**array * array),
        "one": (-abs(-x)[1, ::-1], -array[1, ::-1]),
        "mask": (graph.where(x > 2, x, 0), np.where(array > 2, array, 0)),
        "masks": ((x < 2) * (x <= 2) + (x >= 2) * 1, (array < 2) + (array >= 2) * 1),
        "index": (graph.gather(x, graph.argmax(x, axis=0)), array[[1, 1]]),
        "parts": (graph.concatenate([x, array], axis=1), np.concatenate([array, array], axis=1)),
        "types": (graph.cast(x, "int32"), array.astype("int32")),
        "equal": (graph.equal(x, x), np.ones((2, 2), bool)),
    }
    found = run({key: node for key, (node, _) in nodes.items()}, {x: array})
    for key, (_, expected) in nodes.items():
        np.testing.assert_allclose(found[key], expected, err_msg=key)
        assert found[key].dtype == expected.dtype, key


def test_python_numbers_take_the_dtype_of_the_other_operand() -> None:
    x = graph.constant([1.0, 2.0])
    for node in (x * 2, 0.5 - x, x**2, x / 3, graph.maximum(x, 1.5)):
        assert run(node).dtype == np.float32


def test_every_operation_has_a_node_function() -> None:
    assert set(autodiff.operations.__all__) <= set(graph.__all__)
    assert graph.add is autodiff.add


@pytest.mark.parametrize(
    ("shape", "dtype", "value", "error", "message"),
    [
        ((None, 2), None, [[1.0]], ValueError, r"x: expected shape \(batch, 2\), got \(1, 1\)"),
        ((None, 2), None, [1.0, 2.0], ValueError, r"x: expected shape \(batch, 2\), got \(2,\)"),
        ((), None, [1.0], ValueError, r"x: expected shape \(\), got \(1,\)"),
        (None, None, "a", TypeError, "x: expected numbers, got str"),
        (None, None, [[1.0], [1.0, 2.0]], ValueError, "x: rows of different lengths"),
        (None, "U3", 1.0, TypeError, "placeholder: dtype: expected a numeric type"),
        (5, None, 1.0, TypeError, "placeholder: shape: expected sizes or None, got 5"),
        ((2.0,), None, 1.0, TypeError, "placeholder: shape: expected sizes or None"),
    ],
)
def test_invalid_feeds_are_refused(
    shape: Any, dtype: Any, value: Any, error: type[Exception], message: str
) -> None:
    def feed() -> None:
        x = graph.placeholder(shape, dtype, name="x")
        run(x, {x: value})

    with pytest.raises(error, match=message.replace("x:", r"x(_\d+)?:")):
        feed()


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ([1.0], None, "float32"),
        (np.ones(2), None, "float64"),
        ([1, 2], None, "int64"),
        ([1, 2], "float64", "float64"),
    ],
)
def test_types(value: Any, dtype: Any, expected: str) -> None:
    x = graph.placeholder(dtype=dtype)
    assert run(x, {x: value}).dtype == expected
    assert run(graph.Variable(value, dtype=dtype)).dtype == expected
    assert run(graph.constant(value, dtype=dtype)).dtype == expected


def test_variables_can_be_assigned() -> None:
    w = graph.Variable([1.0, 2.0], name="w")
    given = np.array([3.0, 4.0])
    before = run(w)
    w.value = given
    given[:] = 0
    w.value[:] = 0
    assert run(w).tolist() == [3, 4]
    assert run(w).dtype == np.float32
    assert before.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"w(_\d+)?: expected shape \(2,\), got shape \(1,\)"):
        w.value = [1.0]
    assert run(w).tolist() == [3, 4]


def test_a_node_cannot_be_converted_to_a_number() -> None:
    x = graph.placeholder(name="points")
    for use in (bool, np.asarray, lambda node: [1.0] in node, list, np.exp):
        with pytest.raises(TypeError):
            use(x)
    with pytest.raises(TypeError, match="neither true nor false before a Session runs it"):
        bool(x > 1)


def test_nodes_and_tensors_cannot_be_mixed() -> None:
    x, w = graph.placeholder(), autodiff.Variable(1.0)
    for left, right in ((x, w), (w, x), (x, autodiff.constant(1.0))):
        with pytest.raises(TypeError, match=r"multiply: .* can't be mixed"):
            graph.multiply(left, right)


def test_lazy_import() -> None:
    assert cnet.graph is graph
    assert "graph" in dir(cnet)
