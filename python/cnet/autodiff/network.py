"""Networks of the engine as operations."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from .. import _core
from .._data import Array, FloatArray
from .._tapes import is_watched, running
from .operations import softmax
from .recording import record, record_result
from .tensor import Tensor

__all__ = ["NetworkOperation"]


class NetworkOperation:
    """A network that tapes record as one operation, with the engine's bits forward and back.

    Parameters
    ----------
    network : Network of the engine
    weights : sequence of Weight
        Of its variables those that learn, in the engine's order.
    dtype : str
    output_shape : tuple of int
        Of one sample.
    name : str
        For messages.

    Notes
    -----
    Where a softmax ends the network it is an operation of its own, so that a cross-entropy can be that
    of the logits, as in `fit`.
    """

    def __init__(
        self,
        network: Any,
        weights: Sequence[Any],
        dtype: str,
        output_shape: tuple[int, ...],
        name: str,
    ) -> None:
        self._network, self._weights, self._dtype = network, weights, dtype
        self._sources = {id(weight): weight for weight in weights}
        self._output_shape = output_shape
        self._name = name
        self._ends_in_softmax = network.ends_in_softmax
        # Engines that nobody can ask for gradients any more, a few.
        self._free: deque[Any] = deque(maxlen=8)

    def __call__(self, x: Any) -> Tensor:
        """Return the output for samples (batch, …), an array or a tensor."""
        samples = x.value if type(x) is Tensor else x
        try:
            engine = self._free.pop()
        except IndexError:
            engine = _core.Trainer[self._dtype](self._network, _core.Loss("elsewhere"), False)
        outputs = engine.forward(
            samples if samples.ndim == 2 else samples.reshape(len(samples), -1)
        )
        if len(self._output_shape) != 1:
            outputs = outputs.reshape(len(samples), *self._output_shape)
        of_input = is_watched(x)
        result = Tensor(outputs)
        way_back = _BackwardPass(engine, self._free, samples, of_input)
        record_result(
            result,
            [x, *self._weights],
            way_back.gradients,
            self._name,
            sources=self._sources,
        )
        if not self._ends_in_softmax:
            return result
        probabilities = Tensor(_core.softmax(outputs, None))
        probabilities.logits = result
        made = softmax.operation  # type: ignore[attr-defined] # as all of the table have
        record(running.tapes, (probabilities, made, [result], {}))
        return probabilities


class _BackwardPass:
    """Of a batch that has gone forward; its engine is free again when no tape holds it."""

    __slots__ = ("_engine", "_free", "_of_input", "_samples")

    def __init__(self, engine: Any, free: deque[Any], samples: Array, of_input: bool) -> None:
        self._engine, self._free = engine, free
        self._samples, self._of_input = samples, of_input

    def gradients(self, gradient: FloatArray) -> list[FloatArray | None]:
        """Return that of the input, if it is watched, and those of the weights."""
        rows = gradient if gradient.ndim == 2 else gradient.reshape(len(gradient), -1)
        *of_weights, of_input = self._engine.backward(rows, self._of_input)
        if of_input is not None:
            samples = self._samples
            of_input = of_input.reshape(samples.shape).astype(samples.dtype, copy=False)
        return [of_input, *of_weights]

    def __del__(self) -> None:
        self._free.append(self._engine)
