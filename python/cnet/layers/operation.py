"""Operations on symbolic tensors as layers: Python's operators, and the functions of `cnet.autodiff`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import activations
from .._data import as_text, is_integer, shape_text
from .._errors import short_repr
from .._typing import Shape
from ..autodiff.operations.operation import OPERATIONS, number_type
from .activation import Activation
from .batch_shapes import sample_sizes
from .core import Layer, LayerOptions
from .merging import Add, Concatenate, Divide, Maximum, Minimum, Multiply, Subtract
from .open_shapes import inferred_shape
from .preprocessing import Rescaling
from .symbolic import SymbolicTensor, operands_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Operation"]

# The layers that the engine computes in place of operations: of two tensors, of a tensor and a number, of one tensor.
_MERGES: dict[str, type[Layer]] = {
    "add": Add,
    "subtract": Subtract,
    "multiply": Multiply,
    "divide": Divide,
    "maximum": Maximum,
    "minimum": Minimum,
}
_RESCALINGS: dict[tuple[str, bool], Callable[[float], tuple[float, float]]] = {
    # By the name, and whether the number comes first.
    ("add", False): lambda number: (1.0, number),
    ("add", True): lambda number: (1.0, number),
    ("subtract", False): lambda number: (1.0, -number),
    ("subtract", True): lambda number: (-1.0, number),
    ("multiply", False): lambda number: (number, 0.0),
    ("multiply", True): lambda number: (number, 0.0),
    ("divide", False): lambda number: (1 / number, 0.0),
}
# In the inputs and the result of two samples.
MOST_NUMBERS = 2**24
_ACTIVATIONS = ("relu", "sigmoid", "softplus", "tanh", "softmax", "log_softmax")


class Operation(Layer):
    """An operation of `cnet.ops` or `cnet.autodiff` that the engine does not compute, in a model.

    Parameters
    ----------
    operation : str
        Its name in the table of operations.
    constants : list
        Its arguments: None stands for each input of the layer, in order.
    parameters : dict, optional
        Further arguments by name.
    **options
        See `Layer`.
    """

    in_engine = False

    def __init__(
        self,
        operation: str,
        constants: Sequence[Any] = (None,),
        parameters: Mapping[str, Any] | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        name = as_text("Operation: operation", operation)
        if name not in OPERATIONS:
            raise ValueError(f"Operation: expected an operation of cnet, got {short_repr(name)}")
        super().__init__(**options)
        self.operation = name
        self.constants = list(constants)
        self.parameters = dict(parameters or {})

    @property
    def takes_list(self) -> bool:  # type: ignore[override] # of layers it depends on the arguments
        """Whether it has several inputs."""
        return sum(constant is None for constant in self.constants) > 1

    def build(self, input_shape: Any) -> None:
        """Check the shapes of the inputs."""
        self.compute_output_shape(input_shape)
        self.input_shape = input_shape

    def compute_output_shape(self, input_shape: Any) -> Shape:
        samples = 2  # with 1, a result of the batch would look like one for each sample
        shapes = input_shape if self.takes_list else [input_shape]

        def shape_for(known: Any) -> Any:
            self._refuse_large([(samples, *sample_sizes(shape)) for shape in known])
            zeros = [np.zeros((samples, *sample_sizes(shape)), self.dtype) for shape in known]
            with np.errstate(all="ignore"):
                return np.shape(self._compute(zeros if self.takes_list else zeros[0]))

        result = inferred_shape(shape_for, list(shapes))
        if not result or result[0] != samples:
            given = " and ".join(map(shape_text, shapes))
            raise ValueError(
                f"'{self.name}': {self.operation} of {given} gives no result for each sample: keep the axis of the "
                "batch"
            )
        return (None, *result[1:])

    def _refuse_large(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Raise unless the result can be computed to know its shape: files may ask for any."""
        constants = [np.shape(each) for each in self.constants if each is not None]
        numbers = [] if self.operation in ("reshape", "getitem") else _integers(self.parameters)
        if self.operation in ("one_hot", "pad", "repeat", "tile"):
            numbers += _integers(self.constants)
        growth = math.prod(1 + abs(number) for number in numbers)
        # Bounds of what is joined, and of what is broadcast or multiplied as matrices.
        operands = [*shapes, *constants]
        joined = sum(map(math.prod, operands))
        aligned = itertools.zip_longest(*(shape[::-1] for shape in operands), fillvalue=1)
        if growth * max(joined, math.prod(map(max, aligned))) > MOST_NUMBERS:
            raise ValueError(
                f"'{self.name}': {self.operation}: expected at most {MOST_NUMBERS // 2} numbers of each sample in inputs "
                f"and result, got inputs {' and '.join(shape_text((None, *shape[1:])) for shape in shapes)}, "
                f"parameters {short_repr(self.parameters)}"
            )

    def python_function(self, *, training: bool) -> Callable[[Any], Any]:  # noqa: ARG002 # from Layer
        return self._compute

    def _compute(self, x: Any) -> Any:
        inputs = iter(x if self.takes_list else [x])
        arguments = [next(inputs) if constant is None else constant for constant in self.constants]
        parameters = {
            name: _key(value) if name == "key" else _tuple(value)
            for name, value in self.parameters.items()
        }
        return OPERATIONS[self.operation](*arguments, **parameters)


def _integers(value: Any) -> list[int]:
    """Return the integers in nested lists and dicts."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [number for each in value for number in _integers(each)]
    return [int(value)] if is_integer(value) else []


def _tuple(value: Any) -> Any:
    """Return lists, as which JSON stores tuples, as tuples."""
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _key(items: Sequence[Any]) -> tuple[Any, ...]:
    """Return a key of `getitem` from its description."""
    return tuple(
        ... if item == "..." else slice(*item["slice"]) if isinstance(item, dict) else item
        for item in items
    )


def _described_key(key: Any) -> list[Any]:
    """Return a key of `getitem` as numbers, text, lists and dicts."""
    return [
        "..."
        if item is ...
        else {"slice": [item.start, item.stop, item.step]}
        if isinstance(item, slice)
        else item
        for item in (key if isinstance(key, tuple) else (key,))
    ]


def _described(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of an operation as they are saved."""
    found = dict(parameters)
    if "key" in found:
        found["key"] = _described_key(found["key"])
    if found.get("dtype") is not None:
        found["dtype"] = number_type("cast", found["dtype"]).name
    return found


def apply(operation: Any, inputs: list[Any], parameters: dict[str, Any]) -> Any:
    """Return the result of an operation on symbolic tensors, by a layer of the engine if there is one."""
    name = operation.name
    symbolic = operands_of(name, [x for x in inputs if type(x) is SymbolicTensor])
    floats = [x.dtype for x in symbolic if np.dtype(x.dtype).kind == "f"]
    dtype = floats[0] if floats else None
    if len(inputs) == len(symbolic) == 2 and name in _MERGES and inputs[0].ndim == inputs[1].ndim:
        return _MERGES[name](dtype=dtype)(inputs)
    if len(inputs) == 2 and len(symbolic) == 1:
        is_first = symbolic[0] is inputs[1]
        number = inputs[0] if is_first else inputs[1]
        rescaling = _RESCALINGS.get((name, is_first))
        if rescaling is not None and np.ndim(number) == 0 and (name != "divide" or number != 0):
            return Rescaling(*rescaling(float(number)), dtype=dtype)(symbolic[0])
    if len(inputs) == 1 and name == "negative":
        return Rescaling(-1.0, dtype=dtype)(inputs[0])
    if len(inputs) == 1 and name in _ACTIVATIONS and parameters.get("axis", -1) == -1:
        return Activation(getattr(activations, name), dtype=dtype)(inputs[0])
    if name == "concatenate" and len(symbolic) == len(inputs) and parameters.get("axis", 0) != 0:
        return Concatenate(parameters["axis"], dtype=dtype)(inputs)
    constants = [None if type(x) is SymbolicTensor else x for x in inputs]
    layer = Operation(name, constants, _described(parameters), dtype=dtype)
    return layer(symbolic if len(symbolic) > 1 else symbolic[0])


SymbolicTensor.__apply__ = staticmethod(apply)
