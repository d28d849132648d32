"""Running graphs: each node once, in order, without recursion; errors."""

from __future__ import annotations

import gc
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
from support.forms import in_ci

from cnet import graph
from cnet.graph.node import Node, OperationNode
from cnet.graph.session import in_order


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Counter[Node]:
    """Count the computations of each operation."""
    counts: Counter[Node] = Counter()
    compute = OperationNode.compute

    def count(node: OperationNode, *inputs: Any) -> Any:
        counts[node] += 1
        return compute(node, *inputs)

    monkeypatch.setattr(OperationNode, "compute", count)
    return counts


def test_results_have_the_nesting_of_the_fetches() -> None:
    x = graph.placeholder()
    y = x + 1
    found = graph.Session().run({"x": x, "both": (y, [y * 2])}, feed_dict={x: 3.0})
    assert found == {"x": 3, "both": (4, [8])}
    assert graph.Session().run([]) == []


def test_each_needed_node_is_computed_once(computed: Counter[Node]) -> None:
    x = graph.placeholder()
    shared = x * 2
    needed = [shared, shared + shared, shared * shared]
    result = needed[1] - needed[2]
    unneeded = shared / 0
    assert graph.Session().run([result, result, shared], {x: 3.0}) == [-24, -24, 6]
    assert computed == Counter([*needed, result])
    assert unneeded not in computed


def test_fed_nodes_are_not_computed(computed: Counter[Node]) -> None:
    x = graph.placeholder()
    middle = x * 2
    assert graph.Session().run(middle + 1, {middle: 5.0}) == 6
    assert middle not in computed


def test_diamonds_in_a_row_take_linear_time(computed: Counter[Node]) -> None:
    """Each node is needed twice: visiting every path would take 2⁶⁰ steps."""
    node = x = graph.constant(1.0)
    for _ in range(60):
        node = node + node
    assert graph.Session().run(node) == 2.0**60
    assert set(computed.values()) == {1}
    (gradient,) = graph.gradients(node, [x])
    assert graph.Session().run(gradient) == 2.0**60


def chain(length: int) -> tuple[Node, Node]:
    node = x = graph.Variable(1.0, dtype="float64")
    for _ in range(length - 1):
        node = node + x
    return x, node


def fan(length: int) -> tuple[Node, Node]:
    """Return the sum of 0 x, 1 x, 2 x, …: about three nodes (constant, product, sum) for each term."""
    x = graph.Variable(1.0, dtype="float64")
    level = [x * n for n in range(length // 3)]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [a + b for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return x, level[0]


@pytest.mark.parametrize("many", [12_000, *in_ci(100_002)])  # multiples of three, for `fan`
@pytest.mark.parametrize("build", [chain, fan])
def test_large_graphs_do_not_recurse(build: Any, many: int) -> None:
    slope = many if build is chain else (many // 3 - 1) * (many // 3) / 2
    x, node = build(many)
    assert len(in_order([node])) == many
    (gradient,) = graph.gradients(node, [x])
    assert graph.Session().run([node, gradient]) == [slope, slope]
    del node, gradient  # without recursion, too


def test_time_is_linear_in_the_nodes() -> None:
    """Ten times as many nodes take about ten times as long; quadratic time would be a hundred times."""

    def seconds(length: int) -> float:
        x, node = chain(length)
        best = float("inf")
        gc.disable()  # a garbage collection would visit the objects of all previous tests
        for _ in range(2):
            start = time.process_time()
            graph.Session().run(graph.gradients(node, x))
            best = min(best, time.process_time() - start)
        gc.enable()
        return best

    assert seconds(10_000) < 30 * seconds(1_000)


# -- Errors ----------------------------------------------------------------------------------------


def test_a_cycle_is_named() -> None:
    x = graph.placeholder(name="start")
    first = x + 1
    second = first * 2
    third = second - 1
    first.input_nodes = [third, x]
    names = [node.name for node in (first, third, second, first)]
    for ask in (graph.Session().run, graph.to_dot, lambda node: graph.gradients(node, x)):
        with pytest.raises(ValueError, match="depends on itself") as error:
            ask(first)
        assert " needs ".join(names) in str(error.value)
    first.input_nodes = [first]
    with pytest.raises(ValueError, match=f"{first.name} needs {first.name}"):
        graph.Session().run(third, {x: 1.0})


def test_a_missing_feed_is_named() -> None:
    x, y = graph.placeholder(name="x_missing"), graph.placeholder(name="y_missing")
    with pytest.raises(ValueError, match="y_missing: a placeholder needs"):
        graph.Session().run(x * y, {x: 1.0})


def test_the_error_for_wrong_shapes_names_both() -> None:
    points = graph.placeholder(name="some_points")
    weights = graph.Variable(np.ones((3, 2)), name="some_weights")
    product = points @ weights
    with pytest.raises(ValueError, match="core dimension") as error:
        graph.Session().run(product + 1, {points: np.ones((4, 2))})
    assert str(error.value).startswith(f"{product.name}: ")
    assert str(error.value).endswith(
        "its inputs: some_points of shape (4, 2), some_weights of shape (3, 2)"
    )


@pytest.mark.parametrize(
    ("fetches", "feed_dict", "message"),
    [
        (3.0, None, "Session.run: fetches: expected a node, got float"),
        (None, None, "Session.run: fetches: expected a node, got NoneType"),
        ([], {"x": 1.0}, "Session.run: feed_dict: expected a node, got str"),
        ([], [1.0], "Session.run: feed_dict: expected a dict, got list"),
    ],
)
def test_objects_that_are_not_nodes_are_refused(fetches: Any, feed_dict: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        graph.Session().run(fetches, feed_dict)
