"""Graphs of operations, built first and run later, with gradients as further nodes.

>>> from cnet import graph
>>> x = graph.placeholder(name="x")
>>> w = graph.Variable([[1.0], [-1.0]], name="w")
>>> y = x @ w + 0.5
>>> graph.Session().run(y, feed_dict={x: [[3.0, 2.0]]})
array([[1.5]], dtype=float32)

The operations are those of `cnet.autodiff`: an operation with a node among its inputs returns a node.
Python's operators on nodes do the same.
"""

from __future__ import annotations

from ..autodiff import operations
from ..autodiff.operations import *
from .node import Node, Placeholder, Variable, constant, placeholder
from .picture import to_dot
from .session import Session
from .training import GradientDescentOptimizer, gradients

__all__ = ["GradientDescentOptimizer", "Node", "Placeholder", "Session", "Variable"]


def __dir__() -> list[str]:
    return __all__


__all__ += ["constant", "gradients", "placeholder", "to_dot"]
__all__ += operations.__all__
