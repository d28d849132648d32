"""Symbolic tensors, which stand for the inputs and results of layers while a model is put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from .._data import shape_text
from .._typing import Shape
from ..autodiff.nested import copy_of, leaves_of, map_leaves
from ..autodiff.operators import Operators

__all__ = ["Node", "Spec", "SymbolicTensor", "has_symbolic", "operands_of", "record"]


class Callee(Protocol):
    """What a symbolic tensor comes from: a layer or a model."""

    name: str
    _nodes: list[Node]


@dataclass(frozen=True)
class Spec:
    """The shape, (None, …), and the dtype of a tensor."""

    shape: Shape
    dtype: str


class Node:
    """A call of a layer or a model with symbolic tensors.

    Attributes
    ----------
    callee : Layer or Model
    arguments
        The symbolic tensors: one, or lists, tuples and dicts of them.
    outputs
        The results, likewise.
    """

    __slots__ = ("arguments", "callee", "outputs")

    def __init__(self, callee: Callee, arguments: Any, outputs: Any) -> None:
        self.callee, self.arguments = callee, copy_of(arguments)
        self.outputs = map_leaves(lambda spec: SymbolicTensor(self, spec), outputs)

    @property
    def number(self) -> int:
        """Which call of the layer it is."""
        return self.callee._nodes.index(self)


class SymbolicTensor(Operators):
    """The input or the result of a layer in a model that is being put together, without numbers.

    Layers, models, Python's operators and the operations of `cnet.ops` and `cnet.autodiff` take it, and return
    another one. ``Model(inputs, outputs)`` makes a model of them.

    Attributes
    ----------
    shape : tuple
        (None, …): None is a size that is not known, such as that of the batch.
    dtype : str
    name : str
        That of the layer.
    """

    __slots__ = ("dtype", "node", "shape")

    #: Applies an operation of `cnet.autodiff`; `operation` sets it, which is made of layers.
    __apply__: ClassVar[Callable[[Any, list[Any], dict[str, Any]], Any]]

    def __init__(self, node: Node, spec: Spec) -> None:
        self.node, self.shape, self.dtype = node, spec.shape, spec.dtype

    @property
    def name(self) -> str:
        return self.node.callee.name

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def index(self) -> int:
        """Which of the results of the call it is."""
        return next(n for n, each in enumerate(leaves_of(self.node.outputs)) if each is self)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(
            f"'{self.name}' is a symbolic tensor, which has no numbers: use the operations of cnet.ops instead of "
            "NumPy's functions"
        )

    def __bool__(self) -> bool:
        raise TypeError(f"'{self.name}' is a symbolic tensor, which has no numbers to decide by")

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"'{self.name}' is a symbolic tensor, which can't be iterated over")

    def __len__(self) -> int:
        raise TypeError(f"'{self.name}' is a symbolic tensor: the size of its batch is not known")

    def __repr__(self) -> str:
        return (
            f"<SymbolicTensor shape={shape_text(self.shape)}, dtype={self.dtype}, name={self.name}>"
        )


def has_symbolic(value: Any, depth: int = 8) -> bool:
    """Return True if a value is a symbolic tensor, or lists, tuples and dicts that begin with one."""
    kind = type(value)
    if kind is SymbolicTensor:
        return True
    if kind is np.ndarray or depth == 0:  # lists may be endless
        return False
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, (list, tuple)) and any(has_symbolic(x, depth - 1) for x in value[:2])


def record(callee: Callee, arguments: Any, outputs: Any) -> Any:
    """Return the symbolic results of a call, given the `Spec` of each."""
    node = Node(callee, arguments, outputs)
    callee._nodes.append(node)
    return node.outputs


def operands_of(call: str, arguments: Any, *, takes_text: bool = False) -> list[SymbolicTensor]:
    """Return the symbolic tensors among arguments; raise `TypeError` if there is anything else, or unwanted text."""
    leaves = leaves_of(arguments)
    for leaf in leaves:
        if type(leaf) is not SymbolicTensor:
            raise TypeError(
                f"{call}: expected symbolic tensors, got {type(leaf).__name__} among them; layers take arrays or "
                "symbolic tensors, not both"
            )
        if leaf.dtype == "string" and not takes_text:
            raise TypeError(f"{call}: expected numbers, got the text of '{leaf.name}'")
    return leaves
