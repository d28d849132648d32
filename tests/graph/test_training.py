"""Gradients as nodes: comparison with the tape, second derivatives, gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.differentiable_operations import CASES, Case
from support.tolerances import rounding_bound

from cnet import autodiff, graph


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gradients_match_those_of_the_tape(case: Case) -> None:
    """First derivatives are bit-identical, second ones up to the order of sums; shapes are unknown."""
    for shapes in case.shapes:
        arrays = case.draw(shapes)
        if case.needs_shapes:
            nodes = [graph.Variable(array) for array in arrays]
        else:
            nodes = [graph.placeholder() for _ in arrays]
        result = case.function(*nodes)
        first = graph.gradients(result, nodes)
        second = graph.gradients([node for node in first if node is not None], nodes)
        feeds = dict(zip(nodes, arrays, strict=True))
        wanted = [node for node in (*first, *second) if node is not None]
        found = graph.Session().run(wanted, feeds)

        variables = [autodiff.Variable(array) for array in arrays]
        with autodiff.GradientTape() as outer:
            with autodiff.GradientTape() as inner:
                value = case.function(*variables)
            slopes = inner.gradient(value, variables)
        bends = outer.gradient([slope for slope in slopes if slope is not None], variables)
        expected = [tensor for tensor in (*slopes, *bends) if tensor is not None]
        assert len(found) == len(expected)
        bound = rounding_bound(case.steepness, 10, np.float64) * max(
            1, *(x.size for x in arrays), 1
        )
        for n, (mine, tapes) in enumerate(zip(found, expected, strict=True)):
            assert mine.shape == tapes.shape
            assert (np.abs(mine - tapes.numpy()) <= (0 if n < len(slopes) else bound)).all()


def test_gradients_have_the_nesting_of_the_nodes() -> None:
    x, y, other = graph.Variable(2.0), graph.Variable(3.0), graph.Variable(1.0)
    found = graph.gradients(x * y, {"x": x, "rest": (y, [other])})
    assert found["rest"][1] == [None]
    assert graph.Session().run([found["x"], found["rest"][0]]) == [3, 2]
    assert graph.Session().run(graph.gradients([x * y, x * x, x], x)) == 3 + 4 + 1
    assert graph.gradients(graph.stop_gradient(x), x) is None


def test_a_step_uses_the_values_before_it() -> None:
    x, y = graph.Variable(2.0), graph.Variable(3.0)
    loss = x * y
    step = graph.GradientDescentOptimizer(0.5).minimize(loss)
    session = graph.Session()
    assert session.run([loss, step, loss]) == [6, None, 6]
    assert session.run([x, y, loss]) == [0.5, 2, 1]


def test_only_trainable_or_given_variables_change() -> None:
    x, fixed, whole = graph.Variable(2.0), graph.Variable(3.0, trainable=False), graph.Variable(4)
    loss = x * fixed * whole
    session, optimizer = graph.Session(), graph.GradientDescentOptimizer(0.5)
    session.run(optimizer.minimize(loss))
    assert session.run([x, fixed, whole]) == [-4, 3, 4]
    session.run(optimizer.minimize(loss, var_list=[fixed]))
    assert session.run([x, fixed, whole]) == [-4, 11, 4]


def test_softmax_regression_learns() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50)
    points = rng.normal(size=(100, 2)) + np.where(labels, 2, -2)[:, None]
    x, c = graph.placeholder((None, 2)), graph.placeholder((None,))
    w, b = graph.Variable(rng.normal(size=(2, 2))), graph.Variable(np.zeros(2))
    loss = graph.reduce_mean(graph.softmax_cross_entropy(x @ w + b, c))
    step = graph.GradientDescentOptimizer(0.5).minimize(loss)
    session, feeds = graph.Session(), {x: points, c: labels}
    before = session.run(loss, feeds)
    for _ in range(50):
        session.run(step, feeds)
    assert session.run(loss, feeds) < 0.05 < before
    assert w.value.dtype == np.float64


def test_a_failed_step_changes_nothing() -> None:
    x = graph.placeholder()
    w, b = graph.Variable([1.0, 2.0]), graph.Variable(1.0)
    step = graph.GradientDescentOptimizer(0.5).minimize(graph.reduce_sum(w * x) + b)
    with pytest.raises(ValueError, match=r"multiply(_\d+)?: "):
        graph.Session().run(step, {x: [1.0, 2.0, 3.0]})
    assert w.value.tolist() == [1, 2]
    assert b.value == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: graph.gradients(3.0, x), TypeError, "gradients: loss: expected a node"),
        (lambda x: graph.gradients(x, [1.0]), TypeError, "gradients: nodes: expected a node"),
        (
            lambda _: graph.GradientDescentOptimizer("a"),
            TypeError,
            "learning_rate: expected a number",
        ),
        (
            lambda _: graph.GradientDescentOptimizer(-1),
            ValueError,
            "learning_rate: expected a number",
        ),
        (
            lambda _: graph.GradientDescentOptimizer(1).minimize(2.0),
            TypeError,
            "minimize: loss: expected a node, got float",
        ),
        (
            lambda x: graph.GradientDescentOptimizer(1).minimize(x * 2),
            ValueError,
            "minimize: loss: expected a node that depends on a trainable variable",
        ),
        (
            lambda x: graph.GradientDescentOptimizer(1).minimize(x * 2, [x]),
            TypeError,
            "minimize: var_list: expected a Variable, got Placeholder",
        ),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(graph.placeholder())
