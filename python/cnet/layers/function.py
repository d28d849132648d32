"""Functions made of layers: a graph of calls, split into networks of the engine and single calls in Python.

A tape records one operation for each network, with the engine's gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from .._data import Array, FloatArray
from .._typing import Shape
from .batch_shapes import sample_sizes
from .pieces import Call, Computable, NetworkPiece, PythonPiece

__all__ = ["Function"]


# Samples per block in prediction.
PREDICTION_BLOCK = 8192


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
        self._inputs = inputs = len(input_shapes)
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
        pieces: dict[tuple[int, bool], list[int]] = {}
        for number in resolved:
            pieces.setdefault((level[number], number not in functions), []).append(number)
        if any(output < 0 for output in self._outputs):
            pieces.setdefault((0, True), [])
        self._pieces: list[NetworkPiece | PythonPiece] = []
        for (_, in_engine), numbers in sorted(pieces.items()):
            if not in_engine:
                self._pieces += [
                    PythonPiece(resolved[n], n, functions[n], self._shapes[n]) for n in numbers
                ]
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
                NetworkPiece(
                    dtype,
                    self._shapes,
                    piece,
                    wanted,
                    trainable,
                )
            )

    @property
    def network(self) -> Any:
        piece = self._pieces[-1]
        is_all = len(self._pieces) == 1 or self.training is None
        return piece.network if is_all and isinstance(piece, NetworkPiece) else None

    @property
    def output_shapes(self) -> list[Shape]:
        """Shape of each output, (None, …)."""
        return [self._shapes[max(output, ~output)] for output in self._outputs]

    @property
    def takes_inputs_as_given(self) -> bool:
        """Whether the network's inputs are the function's, each once: no layers of categories come before it."""
        first, *others = self._pieces
        if others or not isinstance(first, NetworkPiece):
            return False
        return [number for number, _ in first.inputs] == list(range(self._inputs))

    def engine_arrays(self, x: Sequence[Array], argument: str = "x") -> list[Array]:
        """Return the arrays that `network` takes, from a matrix for each input: ids and encodings for categories."""
        *before, network = self._pieces
        assert isinstance(network, NetworkPiece)
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
            if isinstance(piece, NetworkPiece):
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
