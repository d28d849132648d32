"""Nodes of a graph, each with its inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from .._data import Array, is_integer, shape_text
from ..autodiff.nested import leaves_of
from ..autodiff.operations.operation import Operation, as_value, number_type
from ..autodiff.operators import Operators

__all__ = [
    "Constant",
    "Node",
    "OperationNode",
    "Placeholder",
    "Variable",
    "constant",
    "placeholder",
]

_names: Counter[str] = Counter()


class Node(Operators):
    """Base of nodes: a computation and its inputs. Nodes support Python's operators.

    Attributes
    ----------
    name : str
        Unique by a number: add, add_1, add_2, …
    input_nodes : sequence of Node
    """

    __slots__ = ("__weakref__", "input_nodes", "name")
    __iter__ = None

    def __init__(self, name: str, input_nodes: Sequence[Node] = ()) -> None:
        number = _names[name]
        _names[name] += 1
        self.name = f"{name}_{number}" if number else name
        self.input_nodes = input_nodes

    def compute(self, *inputs: Any) -> Any:
        """Return the value of the node from those of its inputs."""
        raise NotImplementedError

    @staticmethod
    def __apply__(operation: Operation, inputs: Sequence[Any], parameters: dict[str, Any]) -> Node:
        nodes = [x if isinstance(x, Node) else Constant(x) for x in inputs]
        return OperationNode(operation, nodes, parameters)

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self.name}: a node is neither true nor false before a Session runs it")

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"{self.name}: a node has no numbers before a Session runs it")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class OperationNode(Node):
    """An operation on nodes; calling an operation with a node creates one."""

    __slots__ = ("operation", "parameters")

    def __init__(
        self, operation: Operation, input_nodes: Sequence[Node], parameters: dict[str, Any]
    ) -> None:
        super().__init__(operation.name, input_nodes)
        self.operation = operation
        self.parameters = parameters

    def compute(self, *inputs: Any) -> Any:
        return self.operation.forward(*inputs, **self.parameters)


class Constant(Node):
    """An array that doesn't change."""

    __slots__ = ("value",)

    def __init__(self, value: Any, name: str = "constant") -> None:
        super().__init__(name)
        self.value = value

    def compute(self, *_: Any) -> Any:
        return self.value


class Variable(Node):
    """An array that training changes and that persists between runs.

    Parameters
    ----------
    initial_value : array_like
        float32 and float64 arrays keep their type, other floats become `cnet.config.floatx()`.
        Integers stay integers, without gradients.
    trainable : bool, default True
        Whether `GradientDescentOptimizer.minimize` changes it.
    name : str, default "Variable"
    dtype : optional
        Type to convert to.

    Examples
    --------
    >>> from cnet import graph
    >>> w = graph.Variable([1.0, 2.0])
    >>> graph.Session().run(w * 2)
    array([2., 4.], dtype=float32)
    """

    __slots__ = ("_value", "trainable")

    def __init__(
        self,
        initial_value: npt.ArrayLike,
        trainable: bool = True,
        name: str | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__("Variable" if name is None else str(name))
        self._value: Array = np.array(as_value(initial_value, self.name, dtype))
        self.trainable = bool(trainable)

    @property
    def value(self) -> Array:
        """A copy of the numbers; can be set to an array of the same shape, rounded to their type."""
        return np.array(self._value)

    @value.setter
    def value(self, value: npt.ArrayLike) -> None:
        array = as_value(value, self.name)
        if array.shape != self._value.shape:
            raise ValueError(
                f"{self.name}: expected shape {self._value.shape}, got shape {array.shape}"
            )
        self._value = array.astype(self._value.dtype)  # a copy: results of runs don't change

    def compute(self, *_: Any) -> Any:
        return self._value


class Placeholder(Node):
    """An input whose value is fed to each run; `placeholder` creates one."""

    __slots__ = ("dtype", "shape")

    def __init__(
        self, shape: Sequence[int | None] | None, dtype: npt.DTypeLike | None, name: str | None
    ) -> None:
        super().__init__("placeholder" if name is None else str(name))
        sizes = () if shape is None else shape
        if not isinstance(sizes, (tuple, list)) or not all(
            size is None or is_integer(size) for size in sizes
        ):
            raise TypeError(f"placeholder: shape: expected sizes or None, got {shape!r}")
        self.shape = None if shape is None else tuple(shape)
        self.dtype = None if dtype is None else number_type("placeholder", dtype)

    def checked(self, value: npt.ArrayLike) -> Array:
        """Return a fed value as an array; raise `ValueError` unless it has the shape."""
        array = as_value(value, f"feed_dict: {self.name}", self.dtype)
        if self.shape is not None and (
            len(self.shape) != array.ndim
            or any(size not in (None, n) for size, n in zip(self.shape, array.shape, strict=True))
        ):
            raise ValueError(
                f"feed_dict: {self.name}: expected shape {shape_text(self.shape)}, got {array.shape}"
            )
        return array

    def compute(self, *_: Any) -> Any:
        raise ValueError(f"{self.name}: a placeholder needs a value in feed_dict")


def placeholder(
    shape: Sequence[int | None] | None = None,
    dtype: npt.DTypeLike | None = None,
    name: str | None = None,
) -> Placeholder:
    """Return a node whose value is passed to each run in `feed_dict`.

    Parameters
    ----------
    shape : sequence of int and None, optional
        None is an axis of any size. Without a shape, all shapes are accepted.
    dtype : optional
        Type to convert to. By default float32 and float64 arrays and integers keep their type, other
        floats become `cnet.config.floatx()`.
    name : str, default "placeholder"

    Examples
    --------
    >>> from cnet import graph
    >>> x = graph.placeholder(shape=(None, 2), name="x")
    >>> graph.Session().run(graph.reduce_sum(x, axis=1), {x: [[1.0, 2.0], [3.0, 4.0]]})
    array([3., 7.], dtype=float32)
    """
    return Placeholder(shape, dtype, name)


def constant(
    value: npt.ArrayLike, dtype: npt.DTypeLike | None = None, name: str | None = None
) -> Constant:
    """Return a node with a constant value; operations convert arrays and numbers automatically."""
    return Constant(
        np.array(as_value(value, "constant", dtype)), "constant" if name is None else str(name)
    )


def nodes_of(argument: str, structure: Any) -> list[Node]:
    """Return the nodes in nested lists, tuples and dicts; raise `TypeError` for other leaves."""
    leaves = leaves_of(structure)
    for leaf in leaves:
        if not isinstance(leaf, Node):
            raise TypeError(f"{argument}: expected a node, got {type(leaf).__name__}")
    return leaves
