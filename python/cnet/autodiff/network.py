"""The engine's networks as operations of a tape."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._data import Array, FloatArray, as_ids
from .._tapes import is_watched, running
from .operations import getitem, reshape, softmax
from .recording import record, record_result
from .tensor import Tensor

__all__ = ["NetworkOperation"]


class NetworkOperation:
    """A network that tapes record as one operation; the engine computes its gradient.

    Parameters
    ----------
    network : Network of the engine
    weights : sequence of Weight
        The trainable weights, in the engine's order.
    dtype : str
    output_shapes : sequence of tuple of int
        Shape of one sample of each output.
    name : str
        For messages.
    are_ids : sequence of bool
        Whether each input is made of ids.

    Notes
    -----
    A final softmax is recorded as a separate operation, so that a cross-entropy can use the logits, as
    in `fit`.
    """

    def __init__(
        self,
        network: Any,
        weights: Sequence[Any],
        dtype: str,
        output_shapes: Sequence[tuple[int, ...]],
        name: str,
        are_ids: Sequence[bool],
    ) -> None:
        self._network, self._weights, self._dtype = network, weights, dtype
        self._sources = {id(weight): weight for weight in weights}
        self._output_shapes = output_shapes
        self._name = name
        self._of_ids = [number for number, is_of_ids in enumerate(are_ids) if is_of_ids]
        self._heads = [
            _core.Head(output, _core.Loss("external")) for output in range(len(output_shapes))
        ]
        self._end_in_softmax = [network.ends_in_softmax(n) for n in range(len(output_shapes))]
        sizes = [math.prod(shape) for shape in output_shapes]
        self._splits = [sum(sizes[:number]) for number in range(1, len(sizes))]
        # A few engines to reuse: no tape refers to them any more.
        self._free: deque[Any] = deque(maxlen=8)

    def __call__(self, x: Sequence[Any]) -> list[Tensor]:
        """Return the outputs for samples (batch, …), arrays or tensors."""
        samples = [each.value if type(each) is Tensor else each for each in x]
        try:
            engine = self._free.pop()
        except IndexError:
            engine = _core.Trainer[self._dtype](self._network, self._heads)
        rows = [each if each.ndim == 2 else each.reshape(len(each), -1) for each in samples]
        watched = [is_watched(each) for each in x]
        for number in self._of_ids:
            rows[number], watched[number] = as_ids(rows[number], self._name, "an id"), False
        arrays = engine.forward(rows)
        backward = _BackwardPass(engine, self._free, samples, watched, self._splits)
        # An operation has one result: several outputs are its columns.
        joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)
        result = Tensor(joined)
        if len(arrays) == 1 and len(self._output_shapes[0]) != 1:
            result = Tensor(joined.reshape(len(joined), *self._output_shapes[0]))
        record_result(
            result,
            [*x, *self._weights],
            backward.gradients,
            self._name,
            sources=self._sources,
        )
        outputs = [result] if len(arrays) == 1 else self._split(result)
        return [
            self._probabilities(output) if ends else output
            for output, ends in zip(outputs, self._end_in_softmax, strict=True)
        ]

    def _split(self, joined: Tensor) -> list[Tensor]:
        """Return each output of the columns of all."""
        outputs, first = [], 0
        for shape in self._output_shapes:
            last = first + math.prod(shape)
            columns = getitem(joined, (slice(None), slice(first, last)))
            outputs.append(columns if len(shape) == 1 else reshape(columns, (-1, *shape)))
            first = last
        return outputs

    def _probabilities(self, logits: Tensor) -> Tensor:
        """Return the softmax of an output, recorded."""
        rows = np.ascontiguousarray(logits.value.reshape(-1, logits.value.shape[-1]))
        probabilities = Tensor(_core.softmax(rows, None).reshape(logits.value.shape))
        probabilities.logits = logits
        operation = softmax.operation  # type: ignore[attr-defined] # set by the decorator
        record(running.tapes, (probabilities, operation, [logits], {}))
        return probabilities


class _BackwardPass:
    """The backward pass of one batch; returns its engine to the free ones when no tape holds it."""

    __slots__ = ("_engine", "_free", "_of_inputs", "_samples", "_splits")

    def __init__(
        self,
        engine: Any,
        free: deque[Any],
        samples: Sequence[Array],
        of_inputs: list[bool],
        splits: Sequence[int],
    ) -> None:
        self._engine, self._free = engine, free
        self._samples, self._of_inputs = samples, of_inputs
        self._splits = splits  # the columns between the gradients of several outputs

    def gradients(self, gradient: FloatArray) -> list[FloatArray | None]:
        """Return the gradients of the inputs, None for those that aren't watched, and of the weights."""
        rows = gradient if gradient.ndim == 2 else gradient.reshape(len(gradient), -1)
        parts = np.split(rows, self._splits, axis=1) if self._splits else [rows]
        found = self._engine.backward(parts, self._of_inputs)
        weights = len(found) - len(self._samples)
        of_inputs = [
            None if part is None else part.reshape(x.shape).astype(x.dtype, copy=False)
            for part, x in zip(found[weights:], self._samples, strict=True)
        ]
        return [*of_inputs, *found[:weights]]

    def __del__(self) -> None:
        self._free.append(self._engine)
