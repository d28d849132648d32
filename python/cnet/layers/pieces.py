"""The pieces of a function of layers: networks of the engine, and single calls in Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from .. import _core
from .._data import Array, as_ids, shape_text
from .._tapes import is_explicitly_watched
from .._typing import Shape
from .batch_shapes import matches, sample_size, sample_sizes

if TYPE_CHECKING:
    from ..autodiff.network import NetworkOperation
    from .weight import Weight

__all__ = [
    "Call",
    "Computable",
    "NetworkPiece",
    "PythonPiece",
    "PythonStep",
    "Result",
    "features",
    "require_sources_of_ids",
    "with_shape",
]


class Computable(Protocol):
    """The part of `Layer` that a function uses."""

    name: str
    dtype: str
    in_engine: bool
    only_in_training: bool
    takes_any_dtype: bool
    takes_ids: bool
    passes_ids: bool

    @property
    def is_in_python(self) -> bool: ...

    @property
    def weights(self) -> list[Weight]: ...

    def compute_output_shape(self, input_shape: Any) -> Shape: ...

    def engine_output_shape(self, input_shape: Any) -> Shape: ...

    def own_function(self, *, training: bool) -> Callable[[Any], Any] | None: ...

    def python_function(self, *, training: bool) -> Callable[[Any], Any] | None: ...

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int: ...


class Call(NamedTuple):
    """A call of a layer.

    Attributes
    ----------
    layer : Layer
    operands : tuple of int
        The values that it takes: the inputs of the function are the first, the results of the calls follow.
    takes_list : bool
        Whether the layer takes its operands as a list.
    has_own : bool
        Whether a user's `call` of the layer is meant, if it has one.
    """

    layer: Computable
    operands: tuple[int, ...]
    takes_list: bool = False
    has_own: bool = True

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Return the shape of the result, given those of all values."""
        arguments = self.arguments(shapes)
        if not self.has_own:
            return self.layer.engine_output_shape(arguments)
        return self.layer.compute_output_shape(arguments)

    def python_function(self, *, training: bool) -> Callable[[Any], Any] | None:
        """Return a function that computes the call, None if the engine does."""
        own = self.layer.own_function(training=training) if self.has_own else None
        return own or self.layer.python_function(training=training)

    def arguments(self, values: Any) -> Any:
        """Return the layer's argument, given all values."""
        several = [values[operand] for operand in self.operands]
        return several if self.takes_list else several[0]


class PythonStep:
    """Base of what stands for a layer in a function, and is computed in Python.

    Parameters
    ----------
    name, dtype : str
    weights : sequence of Weight, default none
    """

    only_in_training = takes_ids = passes_ids = in_engine = is_in_python = False
    supports_masking = refuses_mask = averages_unmasked = mask_zero = False
    takes_any_dtype = True

    def __init__(self, name: str, dtype: str, weights: Sequence[Weight] = ()) -> None:
        self.name, self.dtype, self.weights = name, dtype, list(weights)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the result, (None, …), for an input of `input_shape`."""
        raise NotImplementedError

    def engine_output_shape(self, input_shape: Any) -> Any:
        """Return the same."""
        return self.compute_output_shape(input_shape)

    def own_function(self, *, training: bool) -> Callable[[Any], Any] | None:  # noqa: ARG002 # as of Layer
        """Return None: there is no `call` of a user."""
        return None

    def python_function(self, *, training: bool) -> Callable[[Any], Any]:
        """Return a function of arrays or tensors."""
        raise NotImplementedError

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:
        """Raise: the engine does not know it."""
        raise NotImplementedError


class Result(PythonStep):
    """One of the results of a call that has several."""

    def __init__(self, layer: Any, number: int) -> None:
        super().__init__(layer.name, layer.dtype)
        self._number = number

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the result, (None, …), given those of all, nested."""
        shapes: list[Shape] = []
        _add_shapes(input_shape, shapes)
        return shapes[self._number]

    def python_function(self, *, training: bool) -> Callable[[Any], Any]:  # noqa: ARG002 # as of Layer
        """Return the choice among the results, a tuple."""
        return lambda results: results[self._number]


def _add_shapes(nested: Any, shapes: list[Shape]) -> None:
    """Append the shapes of nested results, of a dict in the order of its keys."""
    if isinstance(nested, dict):
        nested = [nested[key] for key in sorted(nested)]
    if any(isinstance(each, (tuple, list, dict)) for each in nested):
        for each in nested:
            _add_shapes(each, shapes)
    else:
        shapes.append(tuple(nested))


class NetworkPiece:
    """The calls of a function that one network of the engine computes.

    Attributes
    ----------
    network
    inputs : list of (int, bool)
        The value that each input of the network is, and whether as ids.
    """

    def __init__(
        self,
        dtype: str,
        shapes: Sequence[Shape],
        calls: dict[int, Call],
        wanted: Sequence[int],
        trainable: AbstractSet[Computable],
    ) -> None:
        self._dtype = dtype
        self._outputs = [n for n in wanted if n in calls or n < 0]
        read_as = _readings(calls, self._outputs)
        self.inputs = [
            (number, of_ids)
            for number in sorted(set(read_as) - set(calls))
            for of_ids in sorted(read_as[number])
        ]
        self.network = network = _core.Network[dtype]()
        # Each value as numbers and as ids, where it is read so.
        tensors: dict[bool, dict[int, int]] = {False: {}, True: {}}
        for number, of_ids in self.inputs:
            add = network.add_ids if of_ids else network.add_input
            tensors[of_ids][number] = add(sample_size(shapes[number]))
        weights: dict[Weight, None] = {}
        table_of: dict[int, Any] = {}  # the first layer that reads these ids
        self._frozen: list[Weight] = []
        for number, call in calls.items():
            learns = call.layer in trainable
            shape = call.arguments(shapes)
            for of_ids in read_as.get(number, {False}):
                reads_ids = call.layer.takes_ids or (of_ids and call.layer.passes_ids)
                x = call.arguments(tensors[reads_ids])
                if call.layer.takes_ids:
                    table_of.setdefault(x, call.layer)
                tensors[of_ids][number] = call.layer.add_to(network, x, shape, trainable=learns)
            learnable = [weight for weight in call.layer.weights if weight.learnable]
            if learns:
                weights.update(dict.fromkeys(learnable))
            else:
                self._frozen.extend(learnable)
        self._weights = list(weights)
        self._tables = [
            table_of[tensors[True][number]] if of_ids else None for number, of_ids in self.inputs
        ]
        output_shapes = [shapes[max(number, ~number)] for number in self._outputs]
        self._shapes = [sample_sizes(shape) for shape in output_shapes]
        network.finish(
            [
                with_shape(network, tensors[False][max(number, ~number)], 1, sample_size(shape))
                for number, shape in zip(self._outputs, output_shapes, strict=True)
            ]
        )
        self._name = " → ".join(dict.fromkeys(call.layer.name for call in calls.values()))
        self._operation: NetworkOperation | None = None

    def arrays(self, values: dict[int, Any], argument: str = "x") -> list[Array]:
        """Return the inputs of the network as matrices, ids as integers."""
        arrays = []
        for (number, _), table in zip(self.inputs, self._tables, strict=True):
            array = np.asarray(values[number])
            if array.ndim != 2:
                array = array.reshape(len(array), math.prod(array.shape[1:]))
            if table is not None:
                array = as_ids(array, f"{argument}: ids of '{table.name}'", "an id")
            arrays.append(array)
        return arrays

    def check_ids(self, values: dict[int, Any], argument: str) -> None:
        """Raise `ValueError` if an id among these values names no row of the table that reads it."""
        for (number, _), table in zip(self.inputs, self._tables, strict=True):
            if table is not None and number in values:
                called = f"{argument}: ids of '{table.name}'"
                as_ids(values[number], called, "an id", table.input_dim)

    def predict(self, values: dict[int, Any], *, training: bool) -> None:
        """Add the outputs to the values."""
        arrays, network = self.arrays(values), self.network
        outputs = network.forward_training(arrays) if training else network.predict(arrays, None)
        for number, shape, rows in zip(self._outputs, self._shapes, outputs, strict=True):
            values[number] = rows.reshape(len(rows), *shape)

    def record(self, values: dict[int, Any]) -> None:
        """Add the outputs to the values, as tensors."""
        for weight in self._frozen:
            if is_explicitly_watched(weight):
                raise NotImplementedError(
                    f"{weight.path}: gradients by weights of a layer that isn't trainable are not supported"
                )
        if self._operation is None:
            from ..autodiff.network import NetworkOperation

            self._operation = NetworkOperation(
                self.network,
                self._weights,
                self._dtype,
                self._shapes,
                self._name,
                [are_ids for _, are_ids in self.inputs],
            )
        outputs = self._operation([values[number] for number, _ in self.inputs])
        values.update(zip(self._outputs, outputs, strict=True))


def _readings(calls: dict[int, Call], outputs: Sequence[int]) -> dict[int, set[bool]]:
    """Return for each value whether the calls of a network read it as ids (True), as numbers (False), or both.

    Outputs are read as numbers.
    """
    found: dict[int, set[bool]] = {max(number, ~number): {False} for number in outputs}
    for number, call in reversed(calls.items()):
        of_ids = {False}
        if call.layer.takes_ids:
            of_ids = {True}
        elif call.layer.passes_ids:
            of_ids = found.get(number, {False})
        for operand in call.operands:
            found.setdefault(operand, set()).update(of_ids)
    return found


def require_sources_of_ids(calls: dict[int, Call]) -> None:
    """Raise `ValueError` if a layer like `Embedding` reads numbers that the engine computes."""
    for call in calls.values():
        if not call.layer.takes_ids:
            continue
        value = call.operands[0]
        while value in calls and calls[value].layer.passes_ids:
            value = calls[value].operands[0]
        source = calls[value].layer if value in calls else None
        if source is not None and source.in_engine and not source.is_in_python:
            raise ValueError(
                f"{type(call.layer).__name__} '{call.layer.name}': expected ids, from an Input or from a layer of "
                f"categories, got the numbers of {type(source).__name__} '{source.name}'"
            )


class PythonPiece:
    """A call that is computed in Python."""

    def __init__(
        self, call: Call, number: int, function: Callable[[Any], Any], shape: Shape
    ) -> None:
        self._call, self._number, self._function, self._shape = call, number, function, shape

    def _converts(self, dtype: Any) -> bool:
        """Whether an operand is converted: a user's `call` gets integers as they are."""
        layer = self._call.layer
        is_kept = layer.takes_any_dtype or (layer.is_in_python and dtype.kind != "f")
        return dtype != layer.dtype and not is_kept

    def predict(self, values: dict[int, Any], *, training: bool) -> None:  # noqa: ARG002 # as of NetworkPiece
        """Add the result to the values."""
        # The results of a call with several are a tuple.
        arrays = {n: values[n] for n in self._call.operands}
        for number, value in arrays.items():
            if isinstance(value, tuple):
                continue
            arrays[number] = array = np.asarray(value)
            if self._converts(array.dtype):
                arrays[number] = array.astype(self._call.layer.dtype)
        values[self._number] = self._checked(self._function(self._call.arguments(arrays)))

    def record(self, values: dict[int, Any]) -> None:
        """Add the result to the values, as a tensor."""
        from ..autodiff import cast
        from ..autodiff.tensor import Tensor

        tensors: dict[int, Any] = {}
        for number in self._call.operands:
            x = values[number]
            if isinstance(x, tuple):
                tensors[number] = x
                continue
            tensors[number] = x if type(x) is Tensor else Tensor(x)
            if self._converts(tensors[number].dtype):
                tensors[number] = cast(tensors[number], self._call.layer.dtype)
        values[self._number] = self._checked(self._function(self._call.arguments(tensors)))

    def _checked(self, result: Any) -> Any:
        """Return a result; raise for one of another shape than the layer said, which others were built for."""
        if not isinstance(result, tuple) and not matches(result.shape, self._shape):
            layer = self._call.layer
            raise ValueError(
                f"{type(layer).__name__} '{layer.name}': expected an output of shape "
                f"{shape_text(self._shape)}, got {shape_text((None, *result.shape[1:]))}"
            )
        return result


def with_shape(network: Any, x: int, rows: int, columns: int) -> int:
    """Return a tensor of a network with its numbers in a matrix of this shape for each sample."""
    if network.shape(x) == (rows, columns):
        return x
    order = np.arange(rows * columns, dtype=np.int64)
    return network.add_rearrangement("reshape", x, order, rows, columns)  # type: ignore[no-any-return] # an int


def features(network: Any, x: int, shape: Shape) -> int:
    """Return a tensor of a network with a row for each of its vectors of features, the last axis of its shape."""
    columns = shape[-1] or 0
    return with_shape(network, x, sample_size(shape) // max(columns, 1), columns)
