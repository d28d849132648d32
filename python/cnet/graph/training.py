"""Gradients as nodes of a graph, and gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._data import as_number
from ..autodiff.nested import map_leaves
from ..autodiff.operations.operation import backpropagate
from ..autodiff.operations.shapes import broadcast_like
from .node import Node, OperationNode, Variable, nodes_of
from .session import in_order

__all__ = ["GradientDescentOptimizer", "gradients"]


def gradients(loss: Any, nodes: Any) -> Any:
    """Return nodes for the gradients of a loss by other nodes.

    Parameters
    ----------
    loss : Node, or lists, tuples and dicts of them
        The elements of all nodes are summed.
    nodes : Node, or lists, tuples and dicts of them

    Returns
    -------
    Node or None, nested as `nodes`
        None where the loss does not depend on the node.

    Raises
    ------
    TypeError
        If an argument is not a node.
    ValueError
        If a node depends on itself.

    Examples
    --------
    >>> from cnet import graph
    >>> x = graph.Variable(3.0)
    >>> (slope,) = graph.gradients(x**3, [x])
    >>> (bend,) = graph.gradients(slope, [x])
    >>> graph.Session().run([slope, bend])
    [np.float32(27.0), np.float32(18.0)]
    """
    targets, sources = nodes_of("gradients: loss", loss), nodes_of("gradients: nodes", nodes)
    records = [
        (node, node.operation, node.input_nodes, node.parameters)
        for node in in_order(targets)
        if isinstance(node, OperationNode)
    ]
    seeds: dict[int, Any] = {}
    for node in targets:
        seed = broadcast_like(1.0, node)
        seeds[id(node)] = seeds[id(node)] + seed if id(node) in seeds else seed
    found = backpropagate(records, seeds, sources)
    return map_leaves(lambda node: found.get(id(node)), nodes)


class GradientDescentOptimizer:
    """Gradient descent: W ← W − learning_rate ∂loss/∂W.

    Parameters
    ----------
    learning_rate : float of at least 0

    Examples
    --------
    >>> from cnet import graph
    >>> w = graph.Variable([3.0, -2.0])
    >>> step = graph.GradientDescentOptimizer(0.25).minimize(graph.reduce_sum(w * w))
    >>> session = graph.Session()
    >>> for _ in range(2):
    ...     session.run(step)
    >>> session.run(w)
    array([ 0.75, -0.5 ], dtype=float32)
    """

    def __init__(self, learning_rate: float) -> None:
        argument = "GradientDescentOptimizer: learning_rate"
        self.learning_rate = as_number(argument, learning_rate, least=0)

    def minimize(self, loss: Node, var_list: Sequence[Variable] | None = None) -> Node:
        """Return a node that takes one step when run; all gradients are computed before any update.

        Parameters
        ----------
        loss : Node
        var_list : list of Variable, optional
            Variables to change. Default: all trainable variables that the loss depends on.

        Raises
        ------
        TypeError
            If the loss is not a node.
        ValueError
            If the loss depends on none of the variables.
        """
        call = "GradientDescentOptimizer.minimize"
        found = in_order(nodes_of(f"{call}: loss", loss))
        if var_list is None:
            var_list = [
                node
                for node in found
                if isinstance(node, Variable) and node.trainable and node.value.dtype.kind == "f"
            ]
        for variable in var_list:
            if not isinstance(variable, Variable):
                raise TypeError(
                    f"{call}: var_list: expected a Variable, got {type(variable).__name__}"
                )
        pairs = [
            (variable, gradient)
            for variable, gradient in zip(var_list, gradients(loss, list(var_list)), strict=True)
            if gradient is not None
        ]
        if not pairs:
            raise ValueError(
                f"{call}: loss: expected a node that depends on a trainable variable, got {loss.name}"
            )
        return _DescentStep([v for v, _ in pairs], [g for _, g in pairs], self.learning_rate)


class _DescentStep(Node):
    """Updates variables by their gradients when run."""

    __slots__ = ("learning_rate", "variables")

    def __init__(
        self, variables: Sequence[Variable], slopes: Sequence[Node], learning_rate: float
    ) -> None:
        super().__init__("GradientDescent", [*variables, *slopes])
        self.variables = variables
        self.learning_rate = learning_rate

    def compute(self, *inputs: Any) -> None:
        values, slopes = inputs[: len(self.variables)], inputs[len(self.variables) :]
        updated = [
            np.subtract(value, self.learning_rate * slope)
            for value, slope in zip(values, slopes, strict=True)
        ]
        for variable, value in zip(self.variables, updated, strict=True):
            variable.value = value
