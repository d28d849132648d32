"""Execution of graphs: each required node once, in topological order."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._float_errors import ignore_float_errors, restore_float_errors
from ..autodiff.nested import map_leaves
from ..autodiff.operations.operation import ARGUMENT_ERRORS, as_value
from .node import Node, Placeholder, nodes_of

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Session", "in_order"]


class Session:
    """Runs graphs.

    Examples
    --------
    >>> from cnet import graph
    >>> x = graph.placeholder()
    >>> y = x**2
    >>> with graph.Session() as session:
    ...     session.run([y, y + 1], feed_dict={x: 3.0})
    [np.float32(9.0), np.float32(10.0)]
    """

    def run(self, fetches: Any, feed_dict: Mapping[Node, npt.ArrayLike] | None = None) -> Any:
        """Return the values of nodes; each required node is computed once.

        Parameters
        ----------
        fetches : Node, or lists, tuples and dicts of them
        feed_dict : dict of Node to array_like, optional
            Values of placeholders. Other nodes can be fed too and are then not computed.

        Returns
        -------
        array, or None for an optimizer's step; nested as `fetches`

        Raises
        ------
        TypeError
            If a fetch is not a node, or a fed value is not numeric.
        ValueError
            If a placeholder is not fed, shapes don't match, or a node depends on itself. The message
            names the node.
        """
        nodes = nodes_of("Session.run: fetches", fetches)
        values = _checked({} if feed_dict is None else feed_dict)
        before = ignore_float_errors()
        try:
            for node in in_order(nodes, values):
                values[node] = _value_of(node, [values[each] for each in node.input_nodes])
        finally:
            restore_float_errors(before)
        return map_leaves(values.__getitem__, fetches)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _value_of(node: Node, inputs: list[Any]) -> Any:
    try:
        return node.compute(*inputs)
    except ARGUMENT_ERRORS as error:
        if not inputs:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        given = ", ".join(
            f"{each.name} of shape {np.shape(value)}"
            for each, value in zip(node.input_nodes, inputs, strict=True)
        )
        raise kind(f"{node.name}: {error}; its inputs: {given}") from error


def in_order(targets: Iterable[Node], known: Container[Node] = ()) -> list[Node]:
    """Return targets and all nodes they depend on in topological order.

    Known nodes, and those that only they depend on, are left out.

    Raises
    ------
    ValueError
        If a node depends on itself.
    """
    order: list[Node] = []
    done: set[Node] = set()
    begun: dict[Node, None] = {}  # the path to the current node, in order
    stack = list(targets)[::-1]
    while stack:
        node = stack[-1]
        if node in done or node in known:
            stack.pop()
        elif node in begun:  # its inputs are done
            stack.pop()
            del begun[node]
            done.add(node)
            order.append(node)
        else:
            begun[node] = None
            for each in node.input_nodes:
                if each in begun:
                    path = [*begun]
                    names = [n.name for n in (*path[path.index(each) :], each)]
                    raise ValueError(f"{each.name}: depends on itself: {' needs '.join(names)}")
                if each not in done:
                    stack.append(each)
    return order


def _checked(feed_dict: Mapping[Node, npt.ArrayLike]) -> dict[Node, Any]:
    """Return the fed values as arrays."""
    if not isinstance(feed_dict, Mapping):
        raise TypeError(f"Session.run: feed_dict: expected a dict, got {type(feed_dict).__name__}")
    nodes_of("Session.run: feed_dict", list(feed_dict))
    return {
        node: node.checked(value)
        if isinstance(node, Placeholder)
        else as_value(value, f"feed_dict: {node.name}")
        for node, value in feed_dict.items()
    }
