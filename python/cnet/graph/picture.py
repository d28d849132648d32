"""Export of graphs to Graphviz."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data import shape_text
from .node import Constant, Node, Placeholder, Variable, nodes_of
from .session import in_order

__all__ = ["to_dot"]


def to_dot(nodes: Any) -> str:
    r"""Return the graph that computes nodes in the DOT language of Graphviz.

    Parameters
    ----------
    nodes : Node, or lists, tuples and dicts of them

    Examples
    --------
    >>> from cnet import graph
    >>> x = graph.placeholder(shape=(None, 2), name="points")
    >>> print(graph.to_dot(-x))  # doctest: +ELLIPSIS
    digraph {
      n0 [label="points...\n(batch, 2)", shape=box]
      n1 [label="negative...", shape=ellipse]
      n0 -> n1
    }
    """
    order = in_order(nodes_of("to_dot: nodes", nodes))
    numbers = {node: number for number, node in enumerate(order)}
    lines = [f"  n{number} [{_attributes(node)}]" for node, number in numbers.items()]
    lines += [
        f"  n{numbers[each]} -> n{number}"
        for node, number in numbers.items()
        for each in node.input_nodes
    ]
    return "\n".join(["digraph {", *lines, "}"])


def _attributes(node: Node) -> str:
    text, shape = node.name, "ellipse"
    if isinstance(node, Placeholder):
        text, shape = f"{text}\n{shape_text(node.shape)}" if node.shape else text, "box"
    elif isinstance(node, Variable):
        text, shape = f"{text}\n{node.value.shape}", "cylinder"
    elif isinstance(node, Constant):
        text, shape = str(node.value) if np.size(node.value) == 1 else text, "plaintext"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'label="{escaped}", shape={shape}'
