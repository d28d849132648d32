"""Functions made of layers: a graph of calls, split into networks of the engine and single calls in Python.

A tape records one operation for each network, with the engine's gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from .. import _core
from .._data import Array, FloatArray, as_ids
from .._tapes import is_explicitly_watched
from .._typing import Shape
from .batch_shapes import sample_size, sample_sizes

if TYPE_CHECKING:
    from ..autodiff.network import NetworkOperation
    from .weight import Weight

__all__ = ["Call", "Function", "features", "find_ids", "with_shape"]


# Samples per block in prediction.
PREDICTION_BLOCK = 8192


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


class Function:
    """Calls of built layers, from inputs to outputs.

    The engine computes as much of it at a time as it can: a call in Python separates what it reads from what reads
    it.

    Parameters
    ----------
    input_shapes : sequence of tuple
        (None, …) for each input.
    calls : sequence of Call
        In topological order.
    outputs : sequence of int
        The values that are the result.
    trainable : set of Layer
        The layers whose weights are trained.
    dtype : str
    training : bool or None
        Whether the function is for training mode or for prediction; None: a network for both.

    Attributes
    ----------
    network
        The network of the engine, if that computes everything but the layers of categories before it, else None.
    """

    def __init__(
        self,
        input_shapes: Sequence[Shape],
        calls: Sequence[Call],
        outputs: Sequence[int],
        trainable: AbstractSet[Computable],
        dtype: str,
        *,
        training: bool | None,
    ) -> None:
        self.training = training
        self._shapes = list(input_shapes)
        inputs = len(input_shapes)
        same = list(range(inputs))  # for each value, the one that has the same numbers
        level = [0] * inputs
        resolved: dict[int, Call] = {}
        functions: dict[int, Callable[[Any], Any]] = {}
        for number, call in enumerate(calls, inputs):
            layer = call.layer
            self._shapes.append(call.output_shape(self._shapes))
            call = call._replace(operands=tuple(same[operand] for operand in call.operands))
            function = None
            if training is not None or layer.takes_any_dtype:
                function = call.python_function(training=bool(training))
            # A network for both modes is one piece, after the layers of categories.
            is_after_all = training is None and function is None
            deepest = max(level[operand] for operand in call.operands)
            level.append(len(calls) if is_after_all else deepest + (function is not None))
            if training is False and layer.only_in_training and function is None:
                same.append(call.operands[0])
                continue
            same.append(number)
            resolved[number] = call
            if function is not None:
                functions[number] = function
        # An input that is an output is converted to a result of its own, ~number.
        self._outputs = [
            same[output] if same[output] >= inputs else ~same[output] for output in outputs
        ]
        are_ids = find_ids(len(same), resolved, set(self._outputs))

        pieces: dict[tuple[int, bool], list[int]] = {}
        for number in resolved:
            pieces.setdefault((level[number], number not in functions), []).append(number)
        if any(output < 0 for output in self._outputs):
            pieces.setdefault((0, True), [])
        self._pieces: list[_Network | _PythonCall] = []
        for (_, in_engine), numbers in sorted(pieces.items()):
            if not in_engine:
                self._pieces += [_PythonCall(resolved[n], n, functions[n]) for n in numbers]
                continue
            others = [call.operands for n, call in resolved.items() if n not in numbers]
            # The function's outputs in their order, as heads have their numbers, even if one occurs twice.
            read = dict.fromkeys(operand for operands in others for operand in operands)
            wanted = [
                *self._outputs,
                *(operand for operand in read if operand not in self._outputs),
            ]
            piece = {number: resolved[number] for number in numbers}
            self._pieces.append(
                _Network(
                    dtype,
                    self._shapes,
                    piece,
                    wanted,
                    are_ids,
                    trainable,
                )
            )

    @property
    def network(self) -> Any:
        piece = self._pieces[-1]
        is_all = len(self._pieces) == 1 or self.training is None
        return piece.network if is_all and isinstance(piece, _Network) else None

    @property
    def output_shapes(self) -> list[Shape]:
        """Shape of each output, (None, …)."""
        return [self._shapes[max(output, ~output)] for output in self._outputs]

    @property
    def has_preprocessing(self) -> bool:
        """Whether layers of categories come before the network."""
        return len(self._pieces) > 1

    def engine_arrays(self, x: Sequence[Array], argument: str = "x") -> list[Array]:
        """Return the arrays that `network` takes, from a matrix for each input: ids and encodings for categories."""
        *before, network = self._pieces
        assert isinstance(network, _Network)
        if not before:
            return network.arrays(dict(enumerate(x)), argument)
        values: dict[int, Any] = {
            n: rows.reshape(len(rows), *sample_sizes(self._shapes[n])) for n, rows in enumerate(x)
        }
        for piece in before:
            piece.predict(values, training=False)
        return network.arrays(values, argument)

    def check_ids(self, x: Sequence[Array], argument: str) -> None:
        """Raise `ValueError` if an id among the inputs names no row of the table that reads it."""
        for piece in self._pieces:
            if isinstance(piece, _Network):
                piece.check_ids(dict(enumerate(x)), argument)

    def predict(
        self, x: Sequence[Array], on_progress: Callable[..., Any] | None = None
    ) -> list[FloatArray]:
        """Return the outputs for samples; all are matrices with a row per sample."""
        samples = len(x[0])
        # A network alone takes a few rows at a time itself.
        size = samples if self.training or self.network is not None else PREDICTION_BLOCK
        blocks: list[list[FloatArray]] = []
        for first in range(0, samples, size) if samples else [0]:
            values: dict[int, Any] = {}
            for number, array in enumerate(x):
                rows = array[first : first + size]
                values[number] = rows.reshape(len(rows), *sample_sizes(self._shapes[number]))
            for piece in self._pieces:
                piece.predict(values, training=bool(self.training))
            outputs = (values[output] for output in self._outputs)
            blocks.append(
                [np.reshape(rows, (len(rows), math.prod(rows.shape[1:]))) for rows in outputs]
            )
            if on_progress is not None:
                on_progress(min(first + size, samples))
        return (
            blocks[0]
            if len(blocks) == 1
            else [np.concatenate(each) for each in zip(*blocks, strict=True)]
        )

    def record(self, x: Sequence[Any]) -> list[Any]:
        """Return the outputs for samples (batch, …) as tensors, recorded on the running tapes."""
        values: dict[int, Any] = dict(enumerate(x))
        for piece in self._pieces:
            piece.record(values)
        return [values[output] for output in self._outputs]


def find_ids(count: int, calls: dict[int, Call], outputs: AbstractSet[int]) -> list[bool]:
    """Return which values are ids: those that only layers like `Embedding` read.

    Raises
    ------
    ValueError
        If others read them as well, or they are the result of a layer that the engine computes.
    """
    for call in calls.values():
        if call.layer.takes_ids:
            _require_source_of_ids(call.layer, call.operands[0], calls)
    readers: list[list[int]] = [[] for _ in range(count)]
    for number, call in calls.items():
        for operand in call.operands:
            readers[operand].append(number)
    are_ids = [False] * count
    for value in reversed(range(count)):
        takes = [
            calls[n].layer.takes_ids or (calls[n].layer.passes_ids and are_ids[n])
            for n in readers[value]
        ]
        is_output = bool({value, ~value} & outputs)
        are_ids[value] = bool(takes) and all(takes) and not is_output
        if any(takes) and not are_ids[value]:
            layer = calls[readers[value][takes.index(True)]].layer
            raise ValueError(
                f"{type(layer).__name__} '{layer.name}': its ids are read as numbers elsewhere; give it an Input of "
                "its own"
            )
    return are_ids


def _require_source_of_ids(reader: Computable, value: int, calls: dict[int, Call]) -> None:
    while value in calls and calls[value].layer.passes_ids:
        value = calls[value].operands[0]
    source = calls[value].layer if value in calls else None
    if source is not None and source.in_engine and not source.is_in_python:
        raise ValueError(
            f"{type(reader).__name__} '{reader.name}': expected ids, from an Input or from a layer of categories, got "
            f"the numbers of {type(source).__name__} '{source.name}'"
        )


class _Network:
    """The calls of a function that one network of the engine computes."""

    def __init__(
        self,
        dtype: str,
        shapes: Sequence[Shape],
        calls: dict[int, Call],
        wanted: Sequence[int],
        are_ids: Sequence[bool],
        trainable: AbstractSet[Computable],
    ) -> None:
        self._dtype = dtype
        self._outputs = [n for n in wanted if n in calls or n < 0]
        read = {operand for call in calls.values() for operand in call.operands}
        converted = {~number for number in self._outputs if number < 0}
        self._inputs = sorted((read - set(calls)) | converted)
        self._are_ids = [are_ids[number] for number in self._inputs]
        self.network = network = _core.Network[dtype]()
        tensors: dict[int, int] = {}
        for number in self._inputs:
            add = network.add_ids if are_ids[number] else network.add_input
            tensors[number] = tensors[~number] = add(sample_size(shapes[number]))
        weights: dict[Weight, None] = {}
        self._frozen: list[Weight] = []
        reader_of: dict[int, Any] = {}  # of ids
        for number, call in calls.items():
            learns = call.layer in trainable
            x, shape = call.arguments(tensors), call.arguments(shapes)
            if call.layer.takes_ids:
                reader_of.setdefault(x, call.layer)
            tensors[number] = call.layer.add_to(network, x, shape, trainable=learns)
            learnable = [weight for weight in call.layer.weights if weight.learnable]
            if learns:
                weights.update(dict.fromkeys(learnable))
            else:
                self._frozen.extend(learnable)
        self._weights = list(weights)
        self._id_readers = [reader_of.get(tensors[number]) for number in self._inputs]
        output_shapes = [shapes[max(number, ~number)] for number in self._outputs]
        self._shapes = [sample_sizes(shape) for shape in output_shapes]
        network.finish(
            [
                with_shape(network, tensors[number], 1, sample_size(shape))
                for number, shape in zip(self._outputs, output_shapes, strict=True)
            ]
        )
        self._name = " → ".join(dict.fromkeys(call.layer.name for call in calls.values()))
        self._operation: NetworkOperation | None = None

    def arrays(self, values: dict[int, Any], argument: str = "x") -> list[Array]:
        """Return the inputs as matrices, ids as integers."""
        arrays = []
        for number, reader in zip(self._inputs, self._id_readers, strict=True):
            array = np.asarray(values[number])
            if array.ndim != 2:
                array = array.reshape(len(array), math.prod(array.shape[1:]))
            if reader is not None:
                array = as_ids(array, f"{argument}: ids of '{reader.name}'", "an id")
            arrays.append(array)
        return arrays

    def check_ids(self, values: dict[int, Any], argument: str) -> None:
        """Raise `ValueError` if an id among these values names no row of the table that reads it."""
        for number, reader in zip(self._inputs, self._id_readers, strict=True):
            if reader is not None and number in values:
                called = f"{argument}: ids of '{reader.name}'"
                as_ids(values[number], called, "an id", reader.input_dim)

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
                self.network, self._weights, self._dtype, self._shapes, self._name, self._are_ids
            )
        outputs = self._operation([values[number] for number in self._inputs])
        values.update(zip(self._outputs, outputs, strict=True))


class _PythonCall:
    """A call that is computed in Python."""

    def __init__(self, call: Call, number: int, function: Callable[[Any], Any]) -> None:
        self._call, self._number, self._function = call, number, function

    def _converts(self, dtype: Any) -> bool:
        """Whether an operand is converted: a user's `call` gets integers as they are."""
        layer = self._call.layer
        is_kept = layer.takes_any_dtype or (layer.is_in_python and dtype.kind != "f")
        return dtype != layer.dtype and not is_kept

    def predict(self, values: dict[int, Any], *, training: bool) -> None:  # noqa: ARG002 # as _Network
        """Add the result to the values."""
        arrays = {n: np.asarray(values[n]) for n in self._call.operands}
        for number, array in arrays.items():
            if self._converts(array.dtype):
                arrays[number] = array.astype(self._call.layer.dtype)
        values[self._number] = self._function(self._call.arguments(arrays))

    def record(self, values: dict[int, Any]) -> None:
        """Add the result to the values, as a tensor."""
        from ..autodiff import cast
        from ..autodiff.tensor import Tensor

        tensors = {}
        for number in self._call.operands:
            x = values[number]
            tensors[number] = x if type(x) is Tensor else Tensor(x)
            if self._converts(tensors[number].dtype):
                tensors[number] = cast(tensors[number], self._call.layer.dtype)
        values[self._number] = self._function(self._call.arguments(tensors))


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
